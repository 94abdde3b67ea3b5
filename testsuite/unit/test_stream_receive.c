/* SPDX-License-Identifier: BSD-3-Clause */
#include "sockets.h"

TEST(a_stream_that_is_reset_is_an_error_for_its_peer_and_not_the_end_of_input)
{
    AUTO_PAIR p = tcp_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct pollfd ready = {.fd = p.b.fd};
    char byte;

    stream_reset(&p.a);
    assert_int_equal(p.a.fd, -1);
    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_true(ready.revents & POLLERR);
    assert_int_equal(stream_receive(&p.b, &byte, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer reset the connection");
}

TEST(receive_returns_available_bytes_without_waiting_for_more)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char got[8];

    assert_ok(stream_send(&p.a, "abc", 3, SOON, &err), &err);
    assert_int_equal(stream_receive(&p.b, got, 2, SOON, &err), 2);
    assert_memory_equal(got, "ab", 2);
    assert_int_equal(stream_receive(&p.b, got, sizeof(got), DEADLINE_NEVER, &err), 1);
    assert_int_equal(got[0], 'c');
}

TEST(available_bytes_are_received_after_the_deadline_too)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char c;

    assert_ok(stream_send(&p.a, "a", 1, SOON, &err), &err);
    assert_int_equal(stream_receive(&p.b, &c, 1, 0, &err), 1);
}

TEST(the_end_of_file_is_zero)
{
    AUTO_PAIR local = unix_pair(), tcp = tcp_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char c;

    assert_ok(stream_send(&local.a, "a", 1, SOON, &err), &err);
    stream_close(&local.a);
    assert_int_equal(stream_receive(&local.b, &c, 1, SOON, &err), 1);
    assert_int_equal(stream_receive(&local.b, &c, 1, SOON, &err), 0);
    assert_int_equal(stream_receive(&local.b, &c, 1, DEADLINE_NEVER, &err), 0);
    stream_close(&tcp.a);
    assert_int_equal(stream_receive(&tcp.b, &c, 1, DEADLINE_NEVER, &err), 0);
    assert_int_equal(err.code, RPYC_OK);
}

TEST(a_receive_gives_up_at_its_deadline)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();
    char c;

    assert_int_equal(stream_receive(&p.a, &c, 1, deadline_in(30), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "timed out");
    assert_took(start, 30);
    assert_int_equal(stream_receive(&p.a, &c, 1, 0, &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_connected(&p.a, &p.b);
}

TEST(a_reset_is_the_end_of_the_connection)
{
    const struct linger hard = {1, 0};
    AUTO_PAIR p = tcp_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char c;

    setsockopt(p.a.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    stream_close(&p.a);
    assert_int_equal(stream_receive(&p.b, &c, 1, SOON, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer reset the connection");
}

TEST(a_signal_interrupts_a_receive_which_can_go_on)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = unix_pair();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct nagger n;
        char c;

        nagger_start(&n, pthread_self());
        assert_int_equal(stream_receive(&p.a, &c, 1, deadlines[i], &err), -1);
        assert_true(nagger_stop(&n) > 0);
        assert_error(&err, RPYC_EINTERRUPT, "interrupted by a signal");
        assert_connected(&p.b, &p.a);
    }
}

static void send_a_byte(void *arg)
{
    stream_send(arg, "x", 1, SOON, NULL);
}

TEST(a_non_blocking_socket_is_waited_for_all_the_same)
{
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct thread t;
    char c;

    fcntl(p.a.fd, F_SETFL, O_NONBLOCK);
    thread_start(&t, send_a_byte, &p.b);
    assert_int_equal(stream_receive(&p.a, &c, 1, DEADLINE_NEVER, &err), 1);
    thread_join(&t);
}

struct receiver {
    struct stream *stream;
    deadline_t deadline;
    ssize_t got;
    struct rpyc_error err;
};

static void receive_one(void *arg)
{
    struct receiver *r = arg;
    char c;

    r->got = stream_receive(r->stream, &c, 1, r->deadline, &r->err);
}

TEST(a_shutdown_wakes_a_receiving_thread)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 4; i++) {
        AUTO_PAIR p = i < 2 ? unix_pair() : tcp_pair();
        struct receiver r = {&p.a, deadlines[i % 2], -2, RPYC_ERROR_INIT};
        struct thread t;

        thread_start(&t, receive_one, &r);
        thread_wait_asleep(&t);
        stream_shutdown(&p.a);
        thread_join(&t);
        assert_int_equal(r.got, 0);
        assert_true(stream_is_ours(&p.a));
    }
}
