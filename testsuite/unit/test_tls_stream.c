/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sending and receiving over TLS.
 */
#include "openssl_server.h"

TEST(the_end_is_the_end_with_a_goodbye_and_without)
{
    void (*const ways[])(struct server *, SSL *) = {hang_up, say_goodbye};
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    size_t i;

    for (i = 0; i < 4; i++) {
        struct server s = server_make(&server);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char byte;

        server_only_speaks(&s, versions[i / 2]);
        AUTO_STREAM c = connected(&s, ways[i % 2]);
        assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), 0);
        assert_int_equal(stream_receive(&c, &byte, 1, DEADLINE_NEVER, NULL), 0);
        assert_int_equal(err.code, RPYC_OK);
        server_end(&s);
        assert_int_equal(stream_send(&c, "x", 1, SOON, &err), -1);
        assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
    }
}

TEST(sending_to_a_peer_that_hung_up_is_an_error)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, hang_up);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    server_end(&s);
    assert_int_equal(stream_send(&c, "x", 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
}

TEST(a_forged_record_is_an_error)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, forge);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char byte;

    assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, "TLS: "); /* OpenSSL's text differs */
    disconnect(&c, &s);
}

TEST(keys_may_change_on_the_way)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, echo_with_new_keys);
    int i;

    for (i = 0; i < 5; i++)
        assert_echoes(&c, "under which key?");
    disconnect(&c, &s);
}

TEST(receiving_gives_up_at_its_deadline_and_goes_on_later)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char byte;

    assert_int_equal(stream_receive(&c, &byte, 1, deadline_in(20), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_echoes(&c, "still there");
    disconnect(&c, &s);
}

TEST(a_signal_interrupts_receiving_and_not_the_stream)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger n;
    char byte;

    nagger_start(&n, pthread_self());
    assert_int_equal(stream_receive(&c, &byte, 1, DEADLINE_NEVER, &err), -1);
    nagger_stop(&n);
    assert_error(&err, RPYC_EINTERRUPT, "interrupted by a signal");
    assert_echoes(&c, "still there");
    disconnect(&c, &s);
}

TEST(sending_to_a_peer_that_does_not_read_times_out)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, be_silent);
    AUTO_BYTES much = patterned(4 << 20);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start;

    start = clock_ms();
    assert_int_equal(stream_send(&c, much.data, much.len, deadline_in(40), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_took(start, 40);
    disconnect(&c, &s);
}

/* One side of a stream, used by a thread of its own. */
struct side {
    struct thread thread;
    struct stream *stream;
    struct bytes bytes;
    ssize_t result;
    struct rpyc_error err;
};

static void send_side(void *arg)
{
    struct side *d = arg;

    d->result = stream_send(d->stream, d->bytes.data, d->bytes.len, DEADLINE_NEVER, &d->err);
}

static void receive_side(void *arg)
{
    struct side *d = arg;
    char byte;

    d->result = stream_receive(d->stream, &byte, 1, DEADLINE_NEVER, &d->err);
}

TEST(much_is_sent_to_a_slow_reader)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, sink);
    AUTO_BYTES much = patterned(8 << 20);
    struct side d = {.stream = &c, .bytes = much};

    thread_start(&d.thread, send_side, &d);
    thread_wait_asleep(&d.thread);
    atomic_store(&s.go, true);
    thread_join(&d.thread);
    assert_ok(d.result, &d.err);
    disconnect(&c, &s);
    assert_int_equal(s.received, much.len);
}

/* An echo that is not read blocks: the sending thread needs the receiving one. */
TEST(one_thread_sends_while_another_receives)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, echo);
    AUTO_BYTES much = patterned(4 << 20), back = {malloc(4 << 20), 0};
    struct side d = {.stream = &c, .bytes = much};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    thread_start(&d.thread, send_side, &d);
    while (back.len < much.len) {
        ssize_t n = stream_receive(&c, back.data + back.len, much.len - back.len, SOON, &err);

        if (n <= 0)
            fail_msg("%zd after %zu bytes: %s", n, back.len, err.text);
        back.len += (size_t)n;
    }
    thread_join(&d.thread);
    assert_ok(d.result, &d.err);
    assert_memory_equal(back.data, much.data, much.len);
    disconnect(&c, &s);
}

TEST(a_shutdown_wakes_a_receiving_thread)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, be_silent);
    struct side d = {.stream = &c, .result = -1};

    thread_start(&d.thread, receive_side, &d);
    thread_wait_asleep(&d.thread);
    stream_shutdown(&c);
    thread_join(&d.thread);
    assert_int_equal(d.result, 0);
    disconnect(&c, &s);
}

TEST(a_socket_that_was_closed_behind_our_back_is_left_alone)
{
    struct server s = server_make(&server);
    AUTO_STREAM c = connected(&s, echo);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int number = c.fd, fds[2];
    char byte;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(dup2(fds[0], number), number);
    server_end(&s);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(stream_receive(&c, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "other code of this process closed the socket");
    assert_int_equal(stream_send(&c, "y", 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "other code of this process closed the socket");
    stream_close(&c);
    assert_int_equal(read(number, &byte, 1), 1); /* it is still open, and nothing was read */
    assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
    close(number);
    close(fds[0]);
    close(fds[1]);
}
