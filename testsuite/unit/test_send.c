/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_link.h"

/* ---- Writing requests ------------------------------------------------------------------------ */

TEST(a_posted_request_needs_no_reply)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    conn_request_begin(l->c, &out, HANDLE_DEL, &seq);
    buffer_put(&out.buf, "\x02", 1);
    assert_ok(conn_send(l->c, &out, SOON, &err), &err);
    assert_int_equal(seq, 0);
    hears(&l->peer, "011150 115f 02");
    say(&l->peer, "021150 1151 00");
    say(&l->peer, "021151 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    hears(&l->peer, "011151 1153" NO_ARGS);
}

TEST(one_send_carries_several_requests)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    struct message p;
    int64_t seq;

    conn_request_begin(l->c, &out, HANDLE_DEL, &seq);
    buffer_put(&out.buf, "\x00", 1);
    assert_ok(conn_request_next(l->c, &out, HANDLE_DEL, &seq, &err), &err);
    buffer_put(&out.buf, "\x03", 1);
    assert_ok(conn_request_next(l->c, &out, HANDLE_GETROOT, &seq, &err), &err);
    buffer_put(&out.buf, "\x04", 1);
    assert_int_equal(seq, 2);
    hears_no_more(&l->peer);
    say(&l->peer, "021150 115150");
    say(&l->peer, "021151 115151");
    say(&l->peer, "021152 115152");
    assert_ok(conn_request(l->c, &out, seq, &p, SOON, &err), &err);
    assert_int_equal(p.seq, 2);
    message_free(&p);
    hears(&l->peer, "011150 115f 00");
    hears(&l->peer, "011151 115f 03");
    hears(&l->peer, "011152 1153 04");
}

TEST(several_requests_keep_their_thread_ids)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_5, true);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;
    int i;

    conn_request_begin(l->c, &out, HANDLE_DEL, &seq);
    brine_put_none(&out.buf);
    assert_ok(conn_request_next(l->c, &out, HANDLE_DEL, &seq, &err), &err);
    brine_put_none(&out.buf);
    assert_ok(conn_send(l->c, &out, SOON, &err), &err);
    for (i = 0; i < 2; i++) {
        AUTO_BYTES heard = next_frame(&l->peer);

        assert_int_equal(load_u64(heard.data), (uint64_t)pthread_self());
        assert_int_equal(load_u64(heard.data + 8), 0);
        assert_bytes(heard.data + 16, heard.len - 16, i ? "125151 115f 00" : "125150 115f 00");
    }
}

TEST(a_request_that_cannot_be_written_leaves_the_connection)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    struct message p;
    int64_t seq;

    conn_request_begin(l->c, &out, HANDLE_GETROOT, &seq);
    out.buf.failed = true;
    assert_int_equal(conn_request(l->c, &out, seq, &p, SOON, &err), -1);
    assert_error(&err, RPYC_ENOMEM, "out of memory");
    hears_no_more(&l->peer);
    say(&l->peer, "021151 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
}

TEST(an_abandoned_request_is_not_sent)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct outgoing out;
    int64_t seq;

    conn_request_begin(l->c, &out, HANDLE_GETROOT, &seq);
    brine_put_none(&out.buf);
    conn_abandon(l->c, &out, SOON);
    hears_no_more(&l->peer);
    say(&l->peer, "021151 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    hears(&l->peer, "011151 1153" NO_ARGS);
}

TEST(complete_requests_before_an_abandoned_one_are_sent)
{
    const bool failures[] = {false, true};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct outgoing out;
        int64_t seq;

        conn_request_begin(l->c, &out, HANDLE_DEL, &seq);
        brine_put_none(&out.buf);
        assert_ok(conn_request_next(l->c, &out, HANDLE_DEL, &seq, &err), &err);
        brine_put_bool(&out.buf, true);
        assert_ok(conn_request_next(l->c, &out, HANDLE_GETROOT, &seq, &err), &err);
        brine_put_none(&out.buf);
        out.buf.failed = failures[i];
        conn_abandon(l->c, &out, SOON);
        hears(&l->peer, "011150 115f 00");
        hears(&l->peer, "011151 115f 03");
        hears_no_more(&l->peer);
        say(&l->peer, "021153 115193");
        assert_answer(l->c, MESSAGE_REPLY, "115193");
    }
}

#define LARGE ((size_t)3 << 20)

static void reply_large(void *arg)
{
    struct link *l = arg;
    AUTO_BYTES request = next_frame(&l->peer);
    AUTO_BUFFER frame = BUFFER_INIT;
    size_t at, start = frame_begin(&frame);
    ssize_t n;

    buffer_put(&frame, "\x02\x11\x50", 3);
    box_put(&frame, LABEL_VALUE);
    brine_put_bytes(&frame, request.data + request.len - LARGE, LARGE);
    frame_end(&frame, start, false, NULL);
    for (at = 0; at < frame.len; at += (size_t)n) {
        n = send(l->peer.fd, frame.data + at, frame.len - at, MSG_NOSIGNAL);
        if (n < 0)
            return;
    }
}

TEST(large_messages_go_there_and_back_uncompressed_on_a_local_socket)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_BYTES bytes = {malloc(LARGE), LARGE};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_item item;
    struct outgoing out;
    struct thread t;
    struct message p;
    enum label label;
    int64_t seq;

    memset(bytes.data, 'x', LARGE);
    thread_start(&t, reply_large, l);
    conn_request_begin(l->c, &out, HANDLE_PING, &seq);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_bytes(&out.buf, bytes.data, LARGE);
    assert_ok(conn_request(l->c, &out, seq, &p, SOON, &err), &err);
    thread_join(&t);
    assert_true(box_next(&p.body, &label));
    assert_true(brine_next(&p.body, &item));
    assert_int_equal(item.len, LARGE);
    assert_memory_equal(item.data, bytes.data, LARGE);
    message_free(&p);
}

/* ---- Deadlines and signals ------------------------------------------------------------------- */

TEST(a_send_that_times_out_closes_the_connection)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    conn_request_begin(l->c, &out, HANDLE_PING, &seq);
    memset(buffer_extend(&out.buf, LARGE), 0, LARGE);
    assert_int_equal(conn_send(l->c, &out, deadline_in(20), &err), -1);
    assert_error(&err, RPYC_ECLOSED, "sending: timed out");
    assert_true(conn_closed(l->c));
}

TEST(a_peer_that_does_not_read_is_disconnected)
{
    AUTO_LINK l = malloc(sizeof(*l));
    struct conn_config config = {.generation = RPYC_GENERATION_6, .stall_ms = 20};
    AUTO_ERROR err = RPYC_ERROR_INIT, why = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    link_open(l, &plain_callbacks, &config);
    conn_request_begin(l->c, &out, HANDLE_PING, &seq);
    memset(buffer_extend(&out.buf, LARGE), 0, LARGE);
    assert_int_equal(conn_send(l->c, &out, DEADLINE_NEVER, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer does not read the data that was sent to it");
    assert_true(conn_gave_up(l->c));
    assert_true(conn_closed(l->c));
    assert_int_equal(conn_serve_one(l->c, DEADLINE_NEVER, &why), -1);
    assert_error(&why, RPYC_ECLOSED, "the peer does not read the data that was sent to it");
}

TEST(a_deadline_before_the_stall_limit_is_kept)
{
    AUTO_LINK l = malloc(sizeof(*l));
    struct conn_config config = {.generation = RPYC_GENERATION_6, .stall_ms = WATCHDOG * 2000};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    link_open(l, &plain_callbacks, &config);
    conn_request_begin(l->c, &out, HANDLE_PING, &seq);
    memset(buffer_extend(&out.buf, LARGE), 0, LARGE);
    assert_int_equal(conn_send(l->c, &out, deadline_in(20), &err), -1);
    assert_error(&err, RPYC_ECLOSED, "sending: timed out");
}

/* Fills the socket, so that not even the first byte of a message can be sent. */
static void stuff(struct link *l)
{
    char bytes[4096] = {0};

    while (send(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    while (send(l->fd, bytes, 1, MSG_DONTWAIT) > 0)
        ;
}

/* Reads and drops everything that was sent to the peer. */
static void empty(struct link *l)
{
    char bytes[4096];

    while (recv(l->peer.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

TEST(a_send_that_times_out_before_its_first_byte_closes_nothing)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    stuff(l);
    assert_no_answer(l->c, deadline_in(20), RPYC_ETIMEOUT, "sending: timed out");
    assert_false(conn_closed(l->c));
    empty(l);
    say(&l->peer, "021151 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    hears(&l->peer, "011151 1153" NO_ARGS);
}

TEST(a_thread_that_waits_to_send_keeps_its_own_deadline)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker first;

    stuff(l);
    asker_start(&first, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&first.thread); /* while it sends */
    assert_no_answer(l->c, deadline_in(20), RPYC_ETIMEOUT, "");
    assert_false(conn_closed(l->c));
    empty(l);
    say(&l->peer, "021150 115160");
    asker_gets(&first, 16);
}

TEST(a_close_wakes_a_thread_that_waits_to_send)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker sender, waiter;

    stuff(l);
    asker_start(&sender, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&sender.thread);
    asker_start(&waiter, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&waiter.thread);
    conn_release(l->c);
    asker_fails(&sender, RPYC_ECLOSED);
    asker_fails(&waiter, RPYC_ECLOSED);
}

TEST(signals_do_not_end_a_send_without_an_interrupted_callback)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker a;
    struct nagger n;

    stuff(l);
    asker_start(&a, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&a.thread);
    nagger_start(&n, a.thread.id);
    while (atomic_load(&signals_seen) < 10)
        sched_yield();
    nagger_stop(&n);
    empty(l);
    say(&l->peer, "021150 115160");
    asker_join(&a);
    assert_int_equal(a.result, 0);
}

/* ---- Several threads ------------------------------------------------------------------------- */

/* An `interrupted` callback that acts like a signal handler: it sends a request while its thread
 * does something else. */
static bool handle_signal(void *owner, bool by_signal)
{
    struct owner *h = owner;
    struct conn *c = h->to_ask;
    struct message p;

    if (!by_signal || !c)
        return false;
    h->to_ask = NULL;
    if (ask(c, HANDLE_PING, &p, DEADLINE_NEVER, &h->why) == 0)
        message_free(&p);
    atomic_store(&h->result, 1);
    return false;
}

TEST(a_signal_handler_cannot_send_during_a_send_of_its_thread)
{
    static const struct conn_callbacks ops = {.serve = serve, .interrupted = handle_signal};
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));
    int64_t end = clock_ms() + 10000;
    struct nagger nagger;
    struct asker a;

    link_open(l, &ops, &config);
    l->owner.to_ask = l->c;
    stuff(l);
    asker_start(&a, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&a.thread); /* while it sends */
    nagger_start(&nagger, a.thread.id);
    while (atomic_load(&l->owner.result) == 0 && clock_ms() < end)
        sched_yield();
    nagger_stop(&nagger);
    if (atomic_load(&l->owner.result) == 0) {
        conn_close(l->c, NULL); /* or it would wait forever */
    } else {
        empty(l);
        say(&l->peer, "021150 115160");
    }
    asker_join(&a);
    assert_int_equal(l->owner.why.code, RPYC_ETIMEOUT);
    assert_int_equal(a.result, 0);
    assert_int_equal(a.answer, 16);
    rpyc_error_clear(&l->owner.why);
    rpyc_error_clear(&a.err);
}

struct poster {
    struct thread thread;
    struct conn *c;
    int fill, result;
};

static void post_large(void *arg)
{
    struct poster *p = arg;
    struct outgoing out;
    uint8_t *bytes;
    int64_t seq;

    conn_request_begin(p->c, &out, HANDLE_PING, &seq);
    bytes = buffer_extend(&out.buf, LARGE);
    if (bytes)
        memset(bytes, p->fill, LARGE);
    p->result = conn_send(p->c, &out, SOON, NULL);
}

TEST(messages_of_several_threads_are_not_mixed)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct poster posters[] = {{.c = l->c, .fill = 'a'}, {.c = l->c, .fill = 'b'}};
    int i;

    for (i = 0; i < 2; i++) {
        thread_start(&posters[i].thread, post_large, &posters[i]);
        thread_wait_asleep(&posters[i].thread);
    }
    for (i = 0; i < 2; i++) {
        AUTO_BYTES request = next_frame(&l->peer);
        const uint8_t *data = request.data + request.len - LARGE;

        assert_int_equal(request.len, LARGE + 5);
        assert_true(data[0] == 'a' || data[0] == 'b');
        assert_memory_equal(data, data + 1, LARGE - 1);
    }
    for (i = 0; i < 2; i++) {
        thread_join(&posters[i].thread);
        assert_int_equal(posters[i].result, 0);
    }
}

/* ---- Bind-threads ---------------------------------------------------------------------------- */

#define PEER_THREAD  "00007f9b828ff6c0"
#define OTHER_THREAD "00007f9b828ff7d0"
#define NO_THREAD    "0000000000000000"

/* Checks the sender, the recipient and the message of the next frame. */
#define hears_bound(p, from, to, hex)                                                              \
    do {                                                                                           \
        AUTO_BYTES heard_ = next_frame(p);                                                         \
        assert_true(heard_.len > 16);                                                              \
        assert_int_equal(load_u64(heard_.data), (uint64_t)(from));                                 \
        assert_bytes(heard_.data + 8, 8, to);                                                      \
        assert_bytes(heard_.data + 16, heard_.len - 16, hex);                                      \
    } while (0)

TEST(a_bound_request_names_its_sender_and_no_recipient)
{
    AUTO_LINK six = link_new(RPYC_GENERATION_6, true);
    AUTO_LINK five = link_new(RPYC_GENERATION_5, true);

    say(&six->peer, PEER_THREAD NO_THREAD "021150 115193");
    assert_answer(six->c, MESSAGE_REPLY, "115193");
    hears_bound(&six->peer, pthread_self(), NO_THREAD, "011150 1153" NO_ARGS);
    say(&five->peer, PEER_THREAD NO_THREAD "125250 115193");
    assert_answer(five->c, MESSAGE_REPLY, "115193");
    hears_bound(&five->peer, pthread_self(), NO_THREAD, "125150 1153" NO_ARGS);
}

TEST(a_bound_reply_names_the_thread_of_the_request)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);

    say(&l->peer, PEER_THREAD NO_THREAD "011150 1151" NO_ARGS);
    say(&l->peer, OTHER_THREAD NO_THREAD "011151 1151" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    assert_true(conn_envelope(l->c).bound);
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "021150 11517a");
    hears_bound(&l->peer, pthread_self(), OTHER_THREAD, "021151 11517a");
}

TEST(a_bound_request_during_serving_names_the_served_thread)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_5, true);

    l->owner.serve = serve_by_asking;
    say(&l->peer, PEER_THREAD NO_THREAD "125150 1151" NO_ARGS);
    say(&l->peer, OTHER_THREAD NO_THREAD "125151 1151" NO_ARGS);
    say(&l->peer, OTHER_THREAD NO_THREAD "125251 115151");
    say(&l->peer, PEER_THREAD NO_THREAD "125250 115150");
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "125150 1159" NO_ARGS);
    hears_bound(&l->peer, pthread_self(), OTHER_THREAD, "125151 1159" NO_ARGS);
    hears_bound(&l->peer, pthread_self(), OTHER_THREAD, "125251 115151");
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "125250 115150");

    say(&l->peer,
        PEER_THREAD NO_THREAD "125252 115152"); /* outside of that it names no recipient */
    assert_answer(l->c, MESSAGE_REPLY, "115152");
    hears_bound(&l->peer, pthread_self(), NO_THREAD, "125152 1153" NO_ARGS);
}

TEST(a_bound_request_of_another_thread_names_no_recipient)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, true);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->owner.serve = serve_by_a_thread_that_asks;
    say(&l->peer, PEER_THREAD NO_THREAD "011150 1151" NO_ARGS);
    say(&l->peer, PEER_THREAD NO_THREAD "021150 115161");
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    {
        AUTO_BYTES request = next_frame(&l->peer);

        assert_int_not_equal(load_u64(request.data), (uint64_t)pthread_self());
        assert_bytes(request.data + 8, 8, NO_THREAD);
    }
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "021150 11517a");
}

TEST(a_bound_exception_names_the_thread_of_the_request)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, true);

    l->owner.serve = serve_after_a_false_start;
    say(&l->peer, PEER_THREAD NO_THREAD "011153 1151" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "031153 51");
}

TEST(a_bound_goodbye_names_its_sender)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_5, true);

    conn_goodbye(l->c);
    hears_bound(&l->peer, pthread_self(), NO_THREAD, "125150 1152" NO_ARGS);
    hears_the_end(&l->peer);
}
