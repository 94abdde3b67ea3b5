/* SPDX-License-Identifier: BSD-3-Clause */
#include "sockets.h"

#define MUCH ((size_t)4 << 20) /* more than a socket buffers */

struct drain {
    struct stream *stream;
    size_t got;
    bool intact;
};

/* Receives in small pieces until the end, and checks that the bytes are those of a counter. */
static void drain(void *arg)
{
    struct drain *d = arg;
    uint8_t piece[3001];
    ssize_t n, i;

    d->intact = true;
    while ((n = stream_receive(d->stream, piece, sizeof(piece), SOON, NULL)) > 0) {
        for (i = 0; i < n; i++)
            d->intact = d->intact && piece[i] == (uint8_t)(d->got++ * 7 >> 3);
    }
}

static struct bytes much(void)
{
    struct bytes b = {malloc(MUCH), MUCH};
    size_t i;

    for (i = 0; i < MUCH; i++)
        b.data[i] = (uint8_t)(i * 7 >> 3);
    return b;
}

static void assert_sends_much(struct pair *p, deadline_t deadline)
{
    AUTO_BYTES bytes = much();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct drain d = {&p->b, 0, false};
    struct thread t;

    thread_start(&t, drain, &d);
    assert_ok(stream_send(&p->a, bytes.data, bytes.len, deadline, &err), &err);
    stream_close(&p->a);
    thread_join(&t);
    assert_int_equal(d.got, MUCH);
    assert_true(d.intact);
}

TEST(all_bytes_are_sent_however_slowly_they_go)
{
    AUTO_PAIR local = unix_pair(), tcp = tcp_pair(), again = unix_pair();

    assert_sends_much(&local, DEADLINE_NEVER);
    assert_sends_much(&tcp, SOON);
    fcntl(again.a.fd, F_SETFL, O_NONBLOCK);
    assert_sends_much(&again, DEADLINE_NEVER);
}

TEST(signals_do_not_end_a_send)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = unix_pair();
        struct nagger n;

        nagger_start(&n, pthread_self());
        assert_sends_much(&p, deadlines[i]);
        nagger_stop(&n);
    }
}

struct sender {
    struct stream *stream;
    const struct bytes *bytes;
    int result;
    struct rpyc_error err;
};

static void send_all(void *arg)
{
    struct sender *s = arg;

    s->result = stream_send(s->stream, s->bytes->data, s->bytes->len, DEADLINE_NEVER, &s->err);
}

TEST(signals_do_not_end_a_blocked_send)
{
    AUTO_PAIR p = unix_pair();
    AUTO_BYTES bytes = much();
    struct sender s = {&p.a, &bytes, 0, RPYC_ERROR_INIT};
    struct drain d = {&p.b, 0, false};
    struct thread sender, drainer;
    struct nagger n;

    thread_start(&sender, send_all, &s);
    thread_wait_asleep(&sender);
    nagger_start(&n, sender.id);
    while (atomic_load(&signals_seen) < 10)
        sched_yield();
    nagger_stop(&n);
    thread_start(&drainer, drain, &d);
    thread_join(&sender);
    stream_close(&p.a);
    thread_join(&drainer);
    assert_ok(s.result, &s.err);
    assert_int_equal(d.got, MUCH);
    assert_true(d.intact);
}

static void check_send_some(deadline_t deadline)
{
    AUTO_BYTES bytes = much();
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char got[8];

    assert_int_equal(stream_send_some(&p.a, "abc", 3, deadline, &err), 3);
    assert_int_equal(stream_receive(&p.b, got, sizeof(got), SOON, &err), 3);
    if (deadline != DEADLINE_NEVER) {
        ssize_t n = stream_send_some(&p.a, bytes.data, bytes.len, deadline, &err);

        assert_true(n > 0 && (size_t)n < bytes.len);
        assert_int_equal(stream_send_some(&p.a, bytes.data, bytes.len, deadline_in(10), &err), -1);
        assert_error(&err, RPYC_ETIMEOUT, "sending: timed out");
    }
    stream_close(&p.b);
    assert_int_equal(stream_send_some(&p.a, "abc", 3, deadline, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
}

TEST(send_some_returns_how_many_bytes_it_sent)
{
    check_send_some(DEADLINE_NEVER);
    check_send_some(SOON);
}

static void check_interruption(deadline_t deadline)
{
    AUTO_BYTES bytes = much();
    AUTO_PAIR p = unix_pair();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger n;

    while (send(p.a.fd, bytes.data, bytes.len, MSG_DONTWAIT) > 0)
        ;
    nagger_start(&n, pthread_self());
    assert_int_equal(stream_send_some(&p.a, bytes.data, bytes.len, deadline, &err), -1);
    nagger_stop(&n);
    assert_error(&err, RPYC_EINTERRUPT, "interrupted by a signal");
}

TEST(a_signal_interrupts_the_sending_of_some_bytes)
{
    check_interruption(DEADLINE_NEVER);
    check_interruption(SOON);
}

TEST(sending_nothing_is_no_error)
{
    AUTO_PAIR p = unix_pair();

    assert_int_equal(stream_send(&p.a, "", 0, SOON, NULL), 0);
    assert_connected(&p.a, &p.b);
}

TEST(a_send_gives_up_at_its_deadline)
{
    AUTO_PAIR p = unix_pair();
    AUTO_BYTES bytes = much();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t start = clock_ms();

    assert_int_equal(stream_send(&p.a, bytes.data, bytes.len, deadline_in(30), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "sending: timed out");
    assert_took(start, 30);
}

TEST(signals_do_not_lengthen_the_deadline_of_a_send)
{
    AUTO_PAIR p = unix_pair();
    AUTO_BYTES bytes = much();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger n;
    int64_t start = clock_ms();

    nagger_start(&n, pthread_self());
    assert_int_equal(stream_send(&p.a, bytes.data, bytes.len, deadline_in(50), &err), -1);
    assert_true(nagger_stop(&n) > 0);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_took(start, 0);
}

static int signals_at_start;

static void count_sigpipe(int number)
{
    (void)number;
    signals_at_start++;
}

TEST(a_peer_that_is_gone_is_an_error_and_no_signal)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    void (*before)(int) = signal(SIGPIPE, count_sigpipe);
    size_t i;

    signals_at_start = 0;
    for (i = 0; i < 4; i++) {
        AUTO_PAIR p = i < 2 ? unix_pair() : tcp_pair();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        int tries = 0;

        stream_close(&p.b);
        while (stream_send(&p.a, "x", 1, deadlines[i % 2], &err) == 0)
            assert_true(tries++ < 1000000); /* over TCP the reset arrives later */
        assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
        assert_int_equal(stream_send(&p.a, "x", 1, deadlines[i % 2], &err), -1);
        assert_int_equal(err.code, RPYC_ECLOSED);
    }
    signal(SIGPIPE, before);
    assert_int_equal(signals_at_start, 0);
}

TEST(a_shutdown_wakes_a_sending_thread)
{
    AUTO_BYTES bytes = much();
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_PAIR p = i == 0 ? unix_pair() : tcp_pair();
        struct sender s = {&p.a, &bytes, 0, RPYC_ERROR_INIT};
        struct thread t;

        thread_start(&t, send_all, &s);
        thread_wait_asleep(&t);
        stream_shutdown(&p.a);
        thread_join(&t);
        assert_int_equal(s.result, -1);
        assert_int_equal(s.err.code, RPYC_ECLOSED);
    }
}
