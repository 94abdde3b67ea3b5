/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connecting to servers that do not answer, until a deadline or an event.
 */
#include "rpyc.h"
#include "sockets.h"

TEST(a_connect_gives_up_at_its_deadline)
{
    AUTO_SERVER s = serve("127.0.0.1", 0);
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = {.fd = 7, .local = true};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start;

    crowd_fill_tcp(&crowd, &s);
    start = clock_ms();
    assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", s.port, deadline_in(60), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "cannot connect to 127.0.0.1:");
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_took(start, 60);
    assert_int_equal(c.fd, -1);
}

static bool count(void *arg)
{
    ++*(int *)arg;
    return true;
}

TEST(the_caller_is_told_of_a_server_that_accepts_no_connections)
{
    AUTO_SERVER s = serve("127.0.0.1", 0);
    AUTO_CROWD crowd = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int calls = 0;
    const struct rpyc_options options = {.connect_timeout_ms = 1000,
                                         .on_silence = count,
                                         .on_silence_arg = &calls,
                                         .silence_ms = 20};
    rpyc_conn *conn = NULL;

    crowd_fill_tcp(&crowd, &s);
    assert_int_equal(rpyc_connect_tcp(&conn, "127.0.0.1", s.port, &options, &err), -1);
    assert_int_equal(err.code, RPYC_ESYSTEM);
    assert_int_equal(err.sys_errno, ETIMEDOUT);
    assert_int_equal(calls, 1);
}

TEST(the_deadline_of_a_connect_is_for_all_addresses)
{
    AUTO_SERVER s = serve("127.0.0.3", 0);
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start;

    crowd_fill_tcp(&crowd, &s);
    start = clock_ms();
    assert_int_equal(stream_connect_tcp(&c, "three-addresses.test", s.port, deadline_in(60), &err),
                     -1);
    assert_took(start, 0);
}

TEST(signals_do_not_end_a_connect)
{
    AUTO_SERVER s = serve("127.0.0.1", 0);
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger n;

    crowd_fill_tcp(&crowd, &s);
    nagger_start(&n, pthread_self());
    assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", s.port, deadline_in(60), &err), -1);
    assert_true(nagger_stop(&n) > 0);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
}

/* The watched connection gets its answer while another one is being opened. */
TEST(a_second_connect_ends_when_the_first_connection_has_input)
{
    AUTO_SERVER s = serve("127.0.0.1", 0);
    AUTO_CROWD crowd = {0};
    AUTO_PAIR first = tcp_pair();
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream_watch watch = {.fds = {first.a.fd}, .count = 1};
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof(peer);

    crowd_fill_tcp(&crowd, &s);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(stream_connect_again(&c, &watch, &peer, NULL, deadline_in(60), &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_int_equal(send(first.b.fd, "x", 1, 0), 1);
    rpyc_error_clear(&err);
    assert_int_equal(stream_connect_again(&c, &watch, &peer, NULL, DEADLINE_NEVER, &err), -1);
    assert_int_equal(err.code, RPYC_ECANCELED);
}

TEST(another_connect_does_not_wait_for_a_full_backlog_of_a_unix_socket)
{
    AUTO_CROWD crowd = {0};
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream_watch watch = {.count = 0};
    int listener = listen_unix_crowded(&crowd);

    assert_int_equal(stream_connect_again(&c, &watch, NULL, abstract_name(), DEADLINE_NEVER, &err),
                     -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    close(listener);
}

TEST(a_connect_to_a_unix_socket_gives_up_at_its_deadline)
{
    AUTO_CROWD crowd = {0};
    AUTO_FD listener = listen_unix_crowded(&crowd);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();

    assert_true(listener >= 0);
    assert_int_equal(stream_connect_unix(&c, abstract_name(), deadline_in(60), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "cannot connect to @pystuck-test-");
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_took(start, 60);
    assert_int_equal(stream_connect_unix(&c, abstract_name(), 0, &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
}

TEST(signals_do_not_lengthen_the_deadline_of_a_connect_to_a_unix_socket)
{
    AUTO_CROWD crowd = {0};
    AUTO_FD listener = listen_unix_crowded(&crowd);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();
    struct nagger n;

    assert_true(listener >= 0);
    nagger_start(&n, pthread_self());
    assert_int_equal(stream_connect_unix(&c, abstract_name(), deadline_in(60), &err), -1);
    assert_true(nagger_stop(&n) > 0);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_took(start, 0);
}

struct connector {
    struct stream stream;
    struct rpyc_error err;
    int result;
};

static void connect_unix(void *arg)
{
    struct connector *c = arg;

    c->result = stream_connect_unix(&c->stream, abstract_name(), SOON, &c->err);
}

TEST(a_full_backlog_of_a_unix_socket_is_waited_for)
{
    AUTO_CROWD crowd = {0};
    AUTO_FD listener = listen_unix_crowded(&crowd);
    struct connector c = {STREAM_INIT, RPYC_ERROR_INIT, 0};
    struct timeval timeout;
    socklen_t len = sizeof(timeout);
    struct thread t;
    size_t i;

    thread_start(&t, connect_unix, &c);
    thread_wait_asleep(&t);
    for (i = 1; i < crowd.count; i++) /* the last one did not fit in the backlog */
        close(accept(listener, NULL, NULL));
    thread_join(&t);
    assert_ok(c.result, &c.err);
    assert_int_equal(getsockopt(c.stream.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len), 0);
    assert_true(timeout.tv_sec == 0 && timeout.tv_usec == 0);
    assert_accepts(listener, &c.stream);
    stream_close(&c.stream);
}

TEST(a_deadline_is_so_many_milliseconds_away)
{
    int64_t before = clock_ms(), deadline = deadline_in(1000) / 1000000;

    assert_true(deadline >= before + 1000);
    assert_true(deadline <= clock_ms() + 1001);
    assert_true(deadline_in(0) / 1000000 <= clock_ms());
    assert_true(deadline_in(-1) == DEADLINE_NEVER);
    assert_true(deadline_in(INT32_MAX) < DEADLINE_NEVER);
}
