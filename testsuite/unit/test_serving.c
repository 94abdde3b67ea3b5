/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Two threads of this process serve one connection of a peer that uses bind-threads; or one of them
 * reads for the other one.
 */
#include "unit.h"

#include "releases.h"
#include "serving.h"

#define SOON deadline_in(60000)

/* Ids of threads of the peer, as they precede each message. */
#define A       "000000000000000a"
#define B       "000000000000000b"
#define ANYONE  "0000000000000000"
#define NO_ARGS "115102"

/* What the owner does with a request, selected by the handler. */
#define WAIT HANDLE_REPR /* 0x59: waits until the gate is open */
#define NOTE HANDLE_STR  /* 0x5a: only records the thread */
#define ASK  HANDLE_DIR  /* 0x5d: requests the peer's root before it answers */
#define DROP HANDLE_HASH /* 0x5c: releases an object of the peer after it has answered */
#define BACK HANDLE_CMP  /* 0x5b: also releases one that was in the answer */

#define SEQ_MAX 8

struct owner {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    int begun;
    pthread_t by[SEQ_MAX]; /* the thread that served each request */
};

struct link {
    struct conn *c;
    struct peer peer;
    struct owner owner;
    struct thread threads[2];
};

static void begin(struct owner *h, const struct message *m, bool wait)
{
    pthread_mutex_lock(&h->lock);
    h->by[m->seq] = pthread_self();
    h->begun++;
    pthread_cond_broadcast(&h->changed);
    while (wait && !h->open)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void wait_begun(struct owner *h, int count)
{
    pthread_mutex_lock(&h->lock);
    while (h->begun < count)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void open_gate(struct owner *h)
{
    pthread_mutex_lock(&h->lock);
    h->open = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void ask_for_root(struct conn *c)
{
    struct message reply;
    struct outgoing out;
    int64_t seq;

    conn_request_begin(c, &out, HANDLE_GETROOT, &seq);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_tuple(&out.buf, 0);
    if (conn_request(c, &out, seq, &reply, SOON, NULL) == 0)
        message_free(&reply);
}

/* Releases the object with the id pack ("a", 1, 1); and ("b", 1, 1), if that was in an answer to
 * the thread `answered`. */
static void give_back(struct conn *c, uint64_t answered)
{
    AUTO_BYTES pack = from_hex("12 080a61 51 51"), other = from_hex("12 080a62 51 51");
    struct releases list = {0};

    if (answered)
        releases_add(&list, other.data, other.len, 1, answered);
    releases_add(&list, pack.data, pack.len, 1, 0);
    if (answered)
        releases_add(&list, other.data, other.len, 2, answered);
    releases_post(c, &list, SOON);
}

static int serve(void *owner, struct conn *c, struct message *m, int64_t handler,
                 struct rpyc_error *err)
{
    struct outgoing out;
    int result;

    begin(owner, m, handler == WAIT);
    if (handler == ASK)
        ask_for_root(c);
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_int(&out.buf, m->seq);
    result = conn_send(c, &out, SOON, err);
    if (handler == DROP || handler == BACK)
        give_back(c, handler == BACK ? m->sender : 0);
    return result;
}

static void serve_to_end(void *arg)
{
    conn_serve(arg, NULL);
}

static void link_open(struct link *l, const struct conn_callbacks *ops,
                      const struct conn_config *config)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&s, fds[0]);
    l->peer.fd = fds[1];
    pthread_mutex_init(&l->owner.lock, NULL);
    pthread_cond_init(&l->owner.changed, NULL);
    assert_ok(conn_new(&l->c, &s, ops, &l->owner, config, &err), &err);
}

static const struct conn_callbacks ops = {.serve = serve};

static struct link *link_new(void)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6, .bound = true};
    struct link *l = calloc(1, sizeof(*l));

    link_open(l, &ops, &config);
    thread_start(&l->threads[0], serve_to_end, l->c);
    thread_start(&l->threads[1], serve_to_end, l->c);
    return l;
}

static void link_free(struct link **l)
{
    open_gate(&(*l)->owner);
    conn_close((*l)->c, NULL);
    thread_join(&(*l)->threads[0]);
    if ((*l)->threads[1].id)
        thread_join(&(*l)->threads[1]);
    peer_close(&(*l)->peer);
    conn_unref((*l)->c);
    pthread_mutex_destroy(&(*l)->owner.lock);
    pthread_cond_destroy(&(*l)->owner.changed);
    free(*l);
}

#define AUTO_LINK _cleanup_(link_free) struct link *

/* Checks that the next frame is the reply to request `seq` of the peer's thread `to`, given as its
 * last hex digit. */
static void hears_reply(struct peer *p, int seq, uint8_t to)
{
    AUTO_BYTES heard = next_frame(p);
    const uint8_t reply[] = {2, 0x11, (uint8_t)(0x50 + seq), 0x11, 0x51, (uint8_t)(0x50 + seq)};

    assert_int_equal(heard.len, 16 + sizeof(reply));
    assert_int_equal(heard.data[15], to);
    assert_memory_equal(heard.data + 16, reply, sizeof(reply));
}

/* ---- Tests ----------------------------------------------------------------------------------- */

TEST(threads_of_the_peer_are_served_side_by_side)
{
    AUTO_LINK l = link_new();

    say(&l->peer, A ANYONE "01 1150 1159" NO_ARGS);
    wait_begun(&l->owner, 1);
    say(&l->peer, B ANYONE "01 1151 115a" NO_ARGS);
    hears_reply(&l->peer, 1, 0x0b);
    open_gate(&l->owner);
    hears_reply(&l->peer, 0, 0x0a);
    assert_false(pthread_equal(l->owner.by[0], l->owner.by[1]));
}

TEST(requests_of_one_peer_thread_are_served_in_order_by_one_thread)
{
    AUTO_LINK l = link_new();

    say(&l->peer, A ANYONE "01 1150 1159" NO_ARGS);
    wait_begun(&l->owner, 1);
    say(&l->peer, A ANYONE "01 1151 115a" NO_ARGS);
    say(&l->peer, A ANYONE "01 1152 115a" NO_ARGS);
    say(&l->peer,
        B ANYONE "01 1153 115a" NO_ARGS); /* its reply shows that the earlier ones were read */
    hears_reply(&l->peer, 3, 0x0b);
    hears_no_more(&l->peer);
    open_gate(&l->owner);
    hears_reply(&l->peer, 0, 0x0a);
    hears_reply(&l->peer, 1, 0x0a);
    hears_reply(&l->peer, 2, 0x0a);
    assert_true(pthread_equal(l->owner.by[0], l->owner.by[1]));
    assert_true(pthread_equal(l->owner.by[0], l->owner.by[2]));
}

TEST(a_request_within_a_request_is_served_by_the_thread_that_waits)
{
    AUTO_LINK l = link_new();
    AUTO_BUFFER nested = BUFFER_INIT;
    AUTO_BYTES a = from_hex(A), request = from_hex("01 1151 115a" NO_ARGS);
    int round;

    for (round = 0; round < 20; round++) {
        AUTO_BYTES asked = {NULL, 0};
        char reply[128];
        size_t i;

        say(&l->peer, A ANYONE "01 1150 115d" NO_ARGS);
        asked = next_frame(&l->peer); /* sender: the serving thread; recipient: A */
        assert_int_equal(asked.data[15], 0x0a);
        buffer_clear(&nested);
        buffer_put_u32(&nested, (uint32_t)(16 + request.len));
        buffer_put_u8(&nested, 0);
        buffer_put(&nested, a.data, 8);
        buffer_put(&nested, asked.data, 8);
        buffer_put(&nested, request.data, request.len);
        buffer_put_u8(&nested, '\n');
        say_bytes(&l->peer, nested.data, nested.len);
        hears_reply(&l->peer, 1, 0x0a);
        assert_true(pthread_equal(l->owner.by[0], l->owner.by[1]));
        strcpy(reply, A);
        for (i = 0; i < 8; i++)
            snprintf(reply + 16 + 2 * i, 3, "%02x", asked.data[i]);
        snprintf(reply + 32, sizeof(reply) - 32, "02 11 %02x 115100", 0x50 + round);
        say(&l->peer, reply);
        hears_reply(&l->peer, 0, 0x0a);
    }
}

static void hears_del(struct peer *peer, const char *hex)
{
    AUTO_BYTES heard = next_frame(peer); /* the first 8 bytes are the sender */

    assert_true(heard.len > 8);
    assert_bytes(heard.data + 8, heard.len - 8, hex);
}

/* The thread that sent the request has its answer, and may not read for a long time. */
TEST(a_release_during_a_request_may_be_read_by_any_peer_thread)
{
    AUTO_LINK l = link_new();

    say(&l->peer, A ANYONE "01 1150 115c" NO_ARGS);
    hears_reply(&l->peer, 0, 0x0a);
    hears_del(&l->peer, ANYONE "011150 115f 1152 11 1153 12 080a61 51 51 1151 51");
}

TEST(an_object_in_an_answer_is_released_to_the_thread_of_that_answer)
{
    AUTO_LINK l = link_new();

    say(&l->peer, A ANYONE "01 1150 115b" NO_ARGS);
    hears_reply(&l->peer, 0, 0x0a);
    hears_del(&l->peer, ANYONE "011150 115f 1152 11 1153 12 080a61 51 51 1151 51");
    hears_del(&l->peer, A "011151 115f 1152 11 1153 12 080a62 51 51 1151 51");
    hears_del(&l->peer, A "011152 115f 1152 11 1153 12 080a62 51 51 1151 52");
}

TEST(too_many_queued_requests_are_answered_with_an_exception)
{
    enum { SIZE = 1 << 20 };
    AUTO_LINK l = link_new();
    AUTO_BYTES head = from_hex(A ANYONE "01 1151 115a 1151 0f00100000");
    AUTO_BUFFER frame = BUFFER_INIT;
    AUTO_BYTES answer = {0};
    int i;

    say(&l->peer, A ANYONE "01 1150 1159" NO_ARGS);
    wait_begun(&l->owner, 1);
    buffer_put_u32(&frame, (uint32_t)(head.len + SIZE));
    buffer_put_u8(&frame, 0);
    buffer_put(&frame, head.data, head.len);
    memset(buffer_extend(&frame, SIZE), 'x', SIZE);
    buffer_put_u8(&frame, '\n');
    for (i = 0; i < 70 && !conn_closed(l->c); i++) {
        const uint8_t *at = frame.data;
        size_t left = frame.len;
        ssize_t n;

        while (left > 0 && (n = send(l->peer.fd, at, left, MSG_NOSIGNAL)) > 0) {
            at += n;
            left -= (size_t)n;
        }
    }
    answer = next_frame(&l->peer);
    assert_contains(&answer, "RuntimeError");
    assert_contains(&answer, "too many requests wait for this thread");
    assert_false(conn_closed(l->c));
}

/* ---- Reading for a thread that is busy ------------------------------------------------------- */

/* A connection without bind-threads, one thread that serves it, and one that reads for the first.
 */
static void attend(void *arg)
{
    struct link *l = arg;

    while (conn_attend_for(l->c, l->threads[0].id, deadline_in(20)))
        ;
}

static struct link *attended_link_new(const char *first)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    struct link *l = calloc(1, sizeof(*l));

    link_open(l, &ops, &config);
    thread_start(&l->threads[0], serve_to_end, l->c);
    say(&l->peer, first);
    wait_begun(&l->owner, 1);
    thread_start(&l->threads[1], attend, l);
    return l;
}

/* Waits until a request to this handler is queued for the thread that serves. */
static void take_queued(struct link *l, int64_t handler, int64_t seq)
{
    struct message m;

    while (!conn_take_queued(l->c, l->threads[0].id, handler, &m)) {
        assert_false(conn_closed(l->c));
        sched_yield();
    }
    assert_int_equal(m.seq, seq);
    message_free(&m);
}

TEST(what_is_read_for_a_busy_thread_is_queued_for_it)
{
    AUTO_LINK l = attended_link_new("01 1150 1159" NO_ARGS);

    say(&l->peer, "01 1151 115a" NO_ARGS);
    say(&l->peer, "01 1152 11c0" NO_ARGS);
    say(&l->peer, "01 1153 115a" NO_ARGS);
    take_queued(l, HANDLE_STACKS, 2);
    open_gate(&l->owner);
    hears(&l->peer, "02 1150 11 51 50");
    hears(&l->peer, "02 1151 11 51 51");
    hears(&l->peer, "02 1153 11 51 53");
    assert_true(pthread_equal(l->owner.by[3], l->threads[0].id));
    thread_join(&l->threads[1]); /* ends by itself, since the first thread is not busy any more */
    l->threads[1].id = 0;
}

TEST(the_end_of_the_stream_is_left_to_a_busy_thread)
{
    AUTO_LINK l = attended_link_new("01 1150 1159" NO_ARGS);

    shutdown(l->peer.fd, SHUT_WR);
    thread_join(&l->threads[1]);
    l->threads[1].id = 0;
    assert_false(conn_closed(l->c));
    open_gate(&l->owner);
    hears(&l->peer, "02 1150 11 51 50");
    hears_the_end(&l->peer);
}

TEST(a_thread_that_waits_for_a_reply_serves_what_was_read_for_it)
{
    AUTO_LINK l = attended_link_new("01 1150 115d" NO_ARGS);

    hears(&l->peer, "01 1150 1153 115102"); /* GETROOT */
    say(&l->peer, "01 1151 115a" NO_ARGS);
    hears(&l->peer, "02 1151 11 51 51");
    say(&l->peer, "02 1150 11 51 50");
    hears(&l->peer, "02 1150 11 51 50");
    assert_true(pthread_equal(l->owner.by[1], l->threads[0].id));
}

/* ---- The table ------------------------------------------------------------------------------- */

/* Claims a request of the peer's thread A for this thread. named: the request names this thread as
 * its recipient. */
static struct serving *claim(struct serving_table *t, bool named)
{
    struct message m = {.kind = MESSAGE_REQUEST, .sender = 0xa};
    struct serving *s = NULL;

    if (named)
        m.recipient = (uint64_t)pthread_self();
    assert_int_equal(serving_claim(t, true, NULL, &m, NOTE, &s, NULL), 1);
    assert_non_null(s);
    return s;
}

/* Claims a request of A on a thread that does not serve A: it is queued for the one that does. */
static void claim_elsewhere(void *arg)
{
    struct message m = {.kind = MESSAGE_REQUEST, .seq = 7, .sender = 0xa};
    struct serving *s = NULL;

    assert_int_equal(serving_claim(arg, true, NULL, &m, NOTE, &s, NULL), 0);
    assert_null(s);
}

TEST(a_request_may_end_before_a_request_within_it)
{
    struct serving_table t = {.count = 0};
    struct serving *first, *second, *third;
    struct thread other;
    struct queued *q;

    first = claim(&t, false);
    second = claim(&t, false);
    assert_ptr_equal(second->within, first);
    thread_start(&other, claim_elsewhere, &t);
    thread_join(&other);
    serving_leave(&t, first);
    assert_null(second->within);
    third = claim(&t, true);
    assert_ptr_equal(third->within, second);
    assert_null(serving_dequeue_own(&t, true));
    q = serving_dequeue_own(&t, false);
    assert_non_null(q);
    assert_int_equal(q->request.seq, 7);
    queued_free(q);
    serving_leave(&t, second);
    assert_ptr_equal(serving_of_thread(&t, pthread_self()), third);
    serving_leave(&t, third);
    assert_true(LIST_EMPTY(&t.list));
    assert_int_equal(t.count, 0);
    assert_int_equal(t.queued_bytes, 0);
    serving_free(&t);
}
