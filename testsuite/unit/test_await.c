/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

/* ---- TCP_QUICKACK ---------------------------------------------------------------------------- */

static atomic_int acknowledged; /* how often TCP_QUICKACK was set */

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (level == IPPROTO_TCP && name == TCP_QUICKACK)
        atomic_fetch_add(&acknowledged, 1);
    return __real_setsockopt(fd, level, name, value, len);
}

/* ---- Replies --------------------------------------------------------------------------------- */

TEST(a_request_of_generation_6_gets_its_reply)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "021150 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears_no_more(&l->peer);
}

TEST(a_request_of_generation_5_gets_its_reply)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_5, false);

    say(&l->peer, "125250 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    hears(&l->peer, "125150 1153" NO_ARGS);
}

TEST(an_exception_is_a_reply)
{
    AUTO_LINK six = link_new(RPYC_GENERATION_6, false);
    AUTO_LINK five = link_new(RPYC_GENERATION_5, false);

    say(&six->peer, "031150 51");
    assert_answer(six->c, MESSAGE_EXCEPTION, "51");
    say(&five->peer, "125350 51");
    assert_answer(five->c, MESSAGE_EXCEPTION, "51");
}

TEST(requests_are_numbered_from_0)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "021150 115150");
    say(&l->peer, "021151 115151");
    say(&l->peer, "021152 115152");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    assert_answer(l->c, MESSAGE_REPLY, "115151");
    assert_answer(l->c, MESSAGE_REPLY, "115152");
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears(&l->peer, "011151 1153" NO_ARGS);
    hears(&l->peer, "011152 1153" NO_ARGS);
}

TEST(replies_without_a_waiting_request_are_dropped)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "021157 1151 00");     /* no such request yet */
    say(&l->peer, "02114f 1151 00");     /* no such request */
    say(&l->peer, "0311 1603393939 51"); /* an exception for no request */
    say(&l->peer, "021150 115150");      /* the reply */
    say(&l->peer, "021150 115151");      /* a second reply */
    say(&l->peer, "021151 115152");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    assert_answer(l->c, MESSAGE_REPLY, "115152");
}

TEST(a_reply_that_causes_no_answer_is_acknowledged_at_once)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    atomic_store(&acknowledged, 0);
    say(&l->peer, "011150 115152");
    say(&l->peer, "021150 115150");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    assert_int_equal(atomic_load(&acknowledged), 0);
    say(&l->peer, "02114f 1151 00"); /* no such request */
    say(&l->peer, "021151 115152");
    assert_answer(l->c, MESSAGE_REPLY, "115152");
    assert_int_equal(atomic_load(&acknowledged), 1);
    say(&l->peer, "02114f 1151 00"); /* while no request waits, as the reply to a DEL */
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    assert_int_equal(atomic_load(&acknowledged), 2);
}

/* ---- Deadlines and signals ------------------------------------------------------------------- */

TEST(a_request_times_out_and_the_connection_stays_open)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    int64_t start = clock_ms();

    assert_no_answer(l->c, deadline_in(30), RPYC_ETIMEOUT, "no answer in time");
    assert_took(start, 30);
    assert_false(conn_closed(l->c));
    say(&l->peer, "021150 115150"); /* too late */
    say(&l->peer, "021151 115151");
    assert_answer(l->c, MESSAGE_REPLY, "115151");
}

TEST(a_thread_that_waits_for_the_reader_keeps_its_own_deadline)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker reader;

    asker_start_reading(&reader, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    assert_no_answer(l->c, deadline_in(30), RPYC_ETIMEOUT, "no answer in time");
    say(&l->peer, "021151 115151"); /* too late */
    say(&l->peer, "021150 115150");
    asker_gets(&reader, 0);
}

TEST(a_reader_that_times_out_releases_the_read_role)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker reader, waiter;

    asker_start_reading(&reader, l, HANDLE_GETROOT, deadline_in(100), "011150 1153" NO_ARGS);
    asker_start_reading(&waiter, l, HANDLE_GETROOT, DEADLINE_NEVER, "011151 1153" NO_ARGS);
    asker_fails(&reader, RPYC_ETIMEOUT);
    say(&l->peer, "021151 115151");
    asker_gets(&waiter, 1);
}

TEST(requests_of_the_peer_do_not_extend_a_deadline)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    int i;

    for (i = 0; i < 50; i++)
        say(&l->peer, "011150 1151" NO_ARGS);
    assert_no_answer(l->c, 0, RPYC_ETIMEOUT, "no answer in time");
    assert_true(atomic_load(&l->owner.served) <= 1);
    assert_false(conn_closed(l->c));
}

TEST(signals_do_not_end_a_wait_without_an_interrupted_callback)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker reader, waiter;
    struct nagger nag_reader, nag_waiter;

    asker_start_reading(&reader, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    asker_start_reading(&waiter, l, HANDLE_GETROOT, SOON, "011151 1153" NO_ARGS);
    nagger_start(&nag_reader, reader.thread.id);
    nagger_start(&nag_waiter, waiter.thread.id);
    while (atomic_load(&signals_seen) < 10)
        sched_yield();
    nagger_stop(&nag_waiter);
    nagger_stop(&nag_reader);
    say(&l->peer, "021150 115150");
    say(&l->peer, "021151 115151");
    asker_join(&reader);
    asker_join(&waiter);
    assert_int_equal(reader.result, 0);
    assert_int_equal(waiter.result, 0);
}

TEST(a_signal_ends_a_wait_if_the_callback_agrees)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 2; i++) {
        const struct conn_config config = {.generation = RPYC_GENERATION_6};
        AUTO_LINK l = malloc(sizeof(*l));
        struct nagger n;

        link_open(l, &interruptible_callbacks, &config);
        atomic_store(&l->owner.give_up, true);
        nagger_start(&n, pthread_self());
        assert_no_answer(l->c, deadlines[i], RPYC_EINTERRUPT, "interrupted by a signal");
        nagger_stop(&n);
        assert_false(conn_closed(l->c));
        say(&l->peer, "021150 115150"); /* too late */
        say(&l->peer, "021151 115151");
        assert_answer(l->c, MESSAGE_REPLY, "115151");
    }
}

TEST(a_signal_does_not_end_a_wait_if_the_callback_declines)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));
    struct nagger n;

    link_open(l, &interruptible_callbacks, &config);
    nagger_start(&n, pthread_self());
    assert_no_answer(l->c, deadline_in(50), RPYC_ETIMEOUT, "no answer in time");
    assert_true(nagger_stop(&n) > 0);
}

static bool interrupted_by_what_it_did(void *owner, bool by_signal)
{
    struct owner *h = owner;

    return !by_signal && atomic_load(&h->give_up);
}

TEST(the_callback_may_end_a_wait_after_a_message)
{
    const struct conn_callbacks ops = {.serve = serve, .interrupted = interrupted_by_what_it_did};
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));

    link_open(l, &ops, &config);
    atomic_store(&l->owner.give_up, true);
    say(&l->peer, "011150 1151" NO_ARGS);
    assert_no_answer(l->c, SOON, RPYC_EINTERRUPT, "interrupted by a signal");
    say(&l->peer, "021151 115193"); /* also if the message is the reply */
    assert_no_answer(l->c, SOON, RPYC_EINTERRUPT, "interrupted by a signal");
    assert_false(conn_closed(l->c));
    atomic_store(&l->owner.give_up, false);
    say(&l->peer, "021152 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
}

TEST(a_thread_that_waits_for_the_reader_checks_signals_too)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));
    struct asker reader, waiter;

    link_open(l, &interruptible_callbacks, &config);
    asker_start_reading(&reader, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    asker_start_reading(&waiter, l, HANDLE_GETROOT, DEADLINE_NEVER, "011151 1153" NO_ARGS);
    atomic_store(&l->owner.quitter, waiter.thread.id);
    atomic_store(&l->owner.give_up, true); /* as if another thread got the signal */
    asker_join(&waiter);
    assert_int_equal(waiter.result, -1);
    assert_error(&waiter.err, RPYC_EINTERRUPT, "interrupted by a signal");
    say(&l->peer, "021150 115150");
    asker_join(&reader);
    assert_int_equal(reader.result, 0);
}

/* ---- Several threads ------------------------------------------------------------------------- */

TEST(replies_out_of_order_reach_their_requests)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker first, second;

    asker_start_reading(&first, l, HANDLE_REPR, DEADLINE_NEVER, "011150 1159" NO_ARGS);
    asker_start_reading(&second, l, HANDLE_STR, DEADLINE_NEVER, "011151 115a" NO_ARGS);
    say(&l->peer, "021151 115161");
    asker_join(&second);
    say(&l->peer, "021150 115160");
    asker_gets(&first, 16);
    assert_int_equal(second.result, 0);
    assert_int_equal(second.answer, 17);
}

TEST(a_reader_with_its_reply_releases_the_read_role)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker first, second, third;

    asker_start_reading(&first, l, HANDLE_REPR, DEADLINE_NEVER, "011150 1159" NO_ARGS);
    asker_start_reading(&second, l, HANDLE_STR, DEADLINE_NEVER, "011151 115a" NO_ARGS);
    asker_start_reading(&third, l, HANDLE_STR, DEADLINE_NEVER, "011152 115a" NO_ARGS);
    say(&l->peer, "021150 115160");
    asker_join(&first);
    say(&l->peer, "021151 115161");
    asker_join(&second);
    say(&l->peer, "021152 115162");
    asker_join(&third);
    assert_int_equal(first.answer, 16);
    assert_int_equal(second.answer, 17);
    assert_int_equal(third.answer, 18);
}

#define CROWD  8
#define ROUNDS 50

struct crowd_member {
    struct thread thread;
    struct conn *c;
    enum handler handler;
    int right;
};

static void ask_many(void *arg)
{
    struct crowd_member *m = arg;
    struct asker a;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        a = (struct asker){.c = m->c, .handler = m->handler, .deadline = DEADLINE_NEVER};
        run_asker(&a);
        m->right += a.result == 0 && a.answer == (int64_t)m->handler;
        rpyc_error_clear(&a.err);
    }
}

TEST(many_threads_use_one_connection)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct crowd_member crowd[CROWD] = {0};
    int i;

    for (i = 0; i < CROWD; i++) {
        crowd[i].c = l->c;
        crowd[i].handler = (enum handler)(i + 1);
        thread_start(&crowd[i].thread, ask_many, &crowd[i]);
    }
    for (i = 0; i < CROWD * ROUNDS; i++) { /* each request is answered with its handler's number */
        AUTO_BYTES request = next_frame(&l->peer);
        AUTO_BUFFER frame = BUFFER_INIT;
        size_t start = frame_begin(&frame), tail = request.len - 4;

        buffer_put_u8(&frame, MESSAGE_REPLY);
        buffer_put(&frame, request.data + 1, tail - 2); /* the sequence number */
        box_put(&frame, LABEL_VALUE);
        buffer_put(&frame, request.data + tail, 1);
        frame_end(&frame, start, false, NULL);
        say_bytes(&l->peer, frame.data, frame.len);
    }
    for (i = 0; i < CROWD; i++) {
        thread_join(&crowd[i].thread);
        assert_int_equal(crowd[i].right, ROUNDS);
    }
    hears_no_more(&l->peer);
}
