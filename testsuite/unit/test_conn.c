/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "conn.h"

#define SOON deadline_in(60000)

/* ---- What the kernel is told ----------------------------------------------------------------- */

static atomic_int acknowledged; /* how often TCP was told not to wait with that */

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (level == IPPROTO_TCP && name == TCP_QUICKACK)
        atomic_fetch_add(&acknowledged, 1);
    return __real_setsockopt(fd, level, name, value, len);
}

/* ---- A connection, its host, and the script at its other end -------------------------------- */

struct host {
    int (*serve)(struct host *host, struct conn *c, struct message *m, struct rpyc_error *err);
    atomic_int served, result;
    int64_t handler;            /* of the latest request */
    atomic_bool give_up;        /* what `interrupted` says, */
    _Atomic(pthread_t) quitter; /* ... to this thread alone, if it is not 0 */
    struct conn *to_ask;        /* by a signal handler; NULL once it has */
    struct rpyc_error why;      /* it got no answer */
    int nested;
};

struct link {
    struct conn *c;
    int fd; /* the connection's, borrowed */
    struct peer peer;
    struct host host;
};

static int serve(void *host, struct conn *c, struct message *m, int64_t handler,
                 struct rpyc_error *err)
{
    struct host *h = host;

    atomic_fetch_add(&h->served, 1);
    h->handler = handler;
    return h->serve(h, c, m, err);
}

static bool interrupted(void *host, bool by_signal)
{
    struct host *h = host;
    pthread_t quitter = atomic_load(&h->quitter);

    return by_signal && atomic_load(&h->give_up) &&
           (quitter == 0 || pthread_equal(quitter, pthread_self()));
}

static const struct conn_callbacks plain_host = {.serve = serve};
static const struct conn_callbacks interruptible_host = {.serve = serve,
                                                         .interrupted = interrupted};

/* Answers every request with the box of the int 42. */
static int serve_42(struct host *host, struct conn *c, struct message *m, struct rpyc_error *err)
{
    struct outgoing out;

    (void)host;
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_int(&out.buf, 42);
    return conn_send(c, &out, SOON, err);
}

static void link_open(struct link *l, const struct conn_callbacks *ops,
                      const struct conn_config *config)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;
    int fds[2];

    *l = (struct link){.host.serve = serve_42};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&s, fds[0]);
    l->fd = fds[0];
    l->peer.fd = fds[1];
    assert_ok(conn_new(&l->c, &s, ops, &l->host, config, &err), &err);
}

static struct link *link_new(enum rpyc_generation generation, bool bound)
{
    struct link *l = malloc(sizeof(*l));
    struct conn_config config = {.generation = generation, .bound = bound};

    link_open(l, &plain_host, &config);
    return l;
}

static void link_free(struct link **l)
{
    peer_close(&(*l)->peer);
    conn_unref((*l)->c);
    free(*l);
}

#define AUTO_LINK _cleanup_(link_free) struct link *

/* ---- Asking --------------------------------------------------------------------------------- */

#define NO_ARGS "115102"

/* Sends a request without arguments and waits for its reply. */
static int ask(struct conn *c, enum handler handler, struct message *p, deadline_t deadline,
               struct rpyc_error *err)
{
    struct outgoing out;
    int64_t seq;

    conn_request_begin(c, &out, handler, &seq);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_tuple(&out.buf, 0);
    return conn_request(c, &out, seq, p, deadline, err);
}

/* That GETROOT is answered, and with these args. */
static void assert_answer_at(struct conn *c, enum message_kind kind, const char *args,
                             const char *file, int line)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct message p;

    if (ask(c, HANDLE_GETROOT, &p, SOON, &err) != 0) {
        print_error("%s\n", err.text);
        _fail(file, line);
    }
    assert_int_equal(p.kind, kind);
    assert_bytes_at(p.body.pos, (size_t)(p.body.end - p.body.pos), args, file, line);
    message_free(&p);
}

#define assert_answer(c, kind, args) assert_answer_at(c, kind, args, __FILE__, __LINE__)

/* That GETROOT fails, and how. */
#define assert_no_answer(c, deadline, errcode, text)                                               \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        struct message p_;                                                                         \
        assert_int_equal(ask(c, HANDLE_GETROOT, &p_, deadline, &err_), -1);                        \
        assert_error(&err_, errcode, text);                                                        \
    } while (0)

/* A thread that asks, and what came of it. */
struct asker {
    struct thread thread;
    struct conn *c;
    enum handler handler;
    deadline_t deadline;
    int result;
    int64_t answer; /* the int in the box of the reply */
    struct rpyc_error err;
};

static void run_asker(void *arg)
{
    struct asker *a = arg;
    enum label label;
    struct message p;

    a->result = ask(a->c, a->handler, &p, a->deadline, &a->err);
    if (a->result < 0)
        return;
    if (!box_next(&p.body, &label) || !brine_expect_int(&p.body, &a->answer))
        a->answer = -1;
    message_free(&p);
}

static void asker_start(struct asker *a, struct conn *c, enum handler handler, deadline_t deadline)
{
    *a = (struct asker){.c = c, .handler = handler, .deadline = deadline};
    thread_start(&a->thread, run_asker, a);
}

/* Starts a thread that has the role of reading when this returns: its request went out and it
 * sleeps. */
static void asker_start_reading(struct asker *a, struct link *l, enum handler handler,
                                deadline_t deadline, const char *request)
{
    asker_start(a, l->c, handler, deadline);
    hears(&l->peer, request);
    thread_wait_asleep(&a->thread);
}

static void asker_join(struct asker *a)
{
    thread_join(&a->thread);
}

/* ---- Requests of ours ----------------------------------------------------------------------- */

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

TEST(replies_that_nobody_waits_for_are_dropped)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "021157 1151 00");     /* not asked yet */
    say(&l->peer, "02114f 1151 00");     /* never asked */
    say(&l->peer, "0311 1603393939 51"); /* the same, as an exception */
    say(&l->peer, "021150 115150");      /* the one */
    say(&l->peer, "021150 115151");      /* twice */
    say(&l->peer, "021151 115152");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    assert_answer(l->c, MESSAGE_REPLY, "115152");
}

TEST(what_gets_no_answer_is_acknowledged_at_once)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    atomic_store(&acknowledged, 0);
    say(&l->peer, "011150 115152");
    say(&l->peer, "021150 115150");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    assert_int_equal(atomic_load(&acknowledged), 0);
    say(&l->peer, "02114f 1151 00"); /* never asked */
    say(&l->peer, "021151 115152");
    assert_answer(l->c, MESSAGE_REPLY, "115152");
    assert_int_equal(atomic_load(&acknowledged), 1);
}

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

TEST(several_requests_go_out_with_one_send)
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

TEST(a_request_that_is_given_up_is_not_sent)
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

TEST(what_was_complete_before_a_request_that_is_given_up_is_sent)
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

/* ---- The end -------------------------------------------------------------------------------- */

TEST(close_instead_of_a_reply_ends_the_wait)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "011150 1152" NO_ARGS);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "the peer closed the connection");
    assert_true(conn_closed(l->c));
    assert_int_equal(atomic_load(&l->host.served), 0);
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears_the_end(&l->peer);
}

TEST(the_end_of_file_between_messages_ends_the_wait)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    shutdown(l->peer.fd, SHUT_WR);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "the peer hung up");
    assert_true(conn_closed(l->c));
}

TEST(the_end_of_file_within_a_message_is_an_error)
{
    const char *parts[] = {"00", "00000008 00", "00000008 00 021150 115193"};
    size_t i;

    for (i = 0; i < 3; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

        say_raw(&l->peer, parts[i]);
        shutdown(l->peer.fd, SHUT_WR);
        assert_no_answer(l->c, SOON, RPYC_EPROTOCOL, "the peer hung up in the middle of a message");
        assert_true(conn_closed(l->c));
    }
}

TEST(a_peer_that_is_gone_before_we_ask_is_an_error_and_no_signal)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    peer_close(&l->peer);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "");
    assert_true(conn_closed(l->c));
}

TEST(what_is_not_rpyc_ends_the_connection)
{
    AUTO_LINK garbage = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_LINK http = link_new(RPYC_GENERATION_AUTO, false);

    say(&garbage->peer, "ffffffff");
    assert_no_answer(garbage->c, SOON, RPYC_EPROTOCOL, "the peer does not use the RPyC protocol");
    hears(&garbage->peer, "011150 1153" NO_ARGS);
    hears_the_end(&garbage->peer);
    say_raw(&http->peer, "485454502f312e3120343030204261642052657175657374");
    assert_no_answer(http->c, SOON, RPYC_ELIMIT, "a frame of ");
}

TEST(the_other_generation_in_the_middle_ends_the_connection)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);

    say(&l->peer, "125250 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    say(&l->peer, "021151 115193");
    assert_no_answer(l->c, SOON, RPYC_EPROTOCOL,
                     "the peer uses the protocol of rpyc 6, expected rpyc 5");
    assert_true(conn_closed(l->c));
}

/* 101 bytes, of which 100 are allowed. What is behind the head is no brine. */
#define OVER_100(head) "00000065 00" head FILL_32 FILL_32 FILL_32 "0a"
#define FILL_32        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static struct link *link_with_limit(enum rpyc_generation generation)
{
    const struct conn_config config = {.max_frame = 100, .generation = generation};
    struct link *l = malloc(sizeof(*l));

    link_open(l, &plain_host, &config);
    return l;
}

TEST(an_answer_over_the_limit_fails_and_the_connection_lives)
{
    const struct {
        enum rpyc_generation generation;
        const char *answer, *next;
    } cases[] = {
        {RPYC_GENERATION_6, OVER_100("021150ffff"), "021151 115193"},
        {RPYC_GENERATION_6, OVER_100("031150ffff"), "021151 115193"},
        {RPYC_GENERATION_5, OVER_100("125250ffff"), "125251 115193"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_with_limit(cases[i].generation);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct message m;

        say_raw(&l->peer, cases[i].answer);
        say(&l->peer, cases[i].next);
        assert_ok(ask(l->c, HANDLE_GETROOT, &m, SOON, &err), &err);
        assert_int_equal(brine_error(&m.body, &err), -1);
        assert_error(&err, RPYC_ELIMIT,
                     "a message cannot be taken: it is longer than max_frame (100)");
        message_free(&m);
        assert_answer(l->c, MESSAGE_REPLY, "115193");
    }
}

static int serve_over_limit(struct host *host, struct conn *c, struct message *m,
                            struct rpyc_error *err)
{
    assert_int_equal(m->body.failed, RPYC_ELIMIT);
    assert_int_equal(m->body.limit, 100);
    return serve_42(host, c, m, err);
}

TEST(a_request_over_the_limit_can_be_answered)
{
    AUTO_LINK l = link_with_limit(RPYC_GENERATION_AUTO);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->host.serve = serve_over_limit;
    say_raw(&l->peer, OVER_100("0111571153"));
    say(&l->peer, "011158 1152" NO_ARGS);
    assert_int_equal(conn_serve(l->c, &err), 0); /* till CLOSE */
    hears(&l->peer, "021157 11517a");
}

TEST(a_frame_over_the_limit_that_is_no_message_ends_the_connection)
{
    AUTO_LINK garbage = link_with_limit(RPYC_GENERATION_6);
    AUTO_LINK broken = link_with_limit(RPYC_GENERATION_6);
    AUTO_LINK cut_off = link_with_limit(RPYC_GENERATION_6);

    say_raw(&garbage->peer, "00000065 00 ff");
    assert_no_answer(garbage->c, SOON, RPYC_ELIMIT, "a frame of 101 bytes; the limit is 100");
    say_raw(&broken->peer, OVER_100("02ffffffff"));
    assert_no_answer(broken->c, SOON, RPYC_EPROTOCOL, "bad brine");
    say_raw(&cut_off->peer, "00000065 00 021159" FILL_32 FILL_32 FILL_32);
    shutdown(cut_off->peer.fd, SHUT_WR);
    assert_no_answer(cut_off->c, SOON, RPYC_EPROTOCOL, "hung up in the middle of a message");
}

TEST(a_closed_connection_says_so_ever_after)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    assert_false(conn_closed(l->c));
    conn_close(l->c, NULL);
    assert_true(conn_closed(l->c));
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "");
    conn_request_begin(l->c, &out, HANDLE_DEL, &seq);
    brine_put_none(&out.buf);
    assert_int_equal(conn_send(l->c, &out, SOON, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 0);
    assert_int_equal(conn_serve(l->c, &err), 0);
    hears_the_end(&l->peer);
}

TEST(the_first_one_to_close_says_why)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    const struct rpyc_error first = {RPYC_ELIMIT, 0, "too much of it", NULL};
    const struct rpyc_error second = {RPYC_EPROTOCOL, 0, "not this", NULL};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    conn_close(l->c, &first);
    conn_close(l->c, &second);
    conn_close(l->c, NULL);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), -1);
    assert_error(&err, RPYC_ELIMIT, "too much of it");
}

TEST(a_close_wakes_everyone_who_waits)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    const struct rpyc_error why = {RPYC_ECLOSED, 0, "we had enough", NULL};
    struct asker reader, waiter, third;

    asker_start_reading(&reader, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    asker_start_reading(&waiter, l, HANDLE_GETROOT, DEADLINE_NEVER, "011151 1153" NO_ARGS);
    asker_start_reading(&third, l, HANDLE_GETROOT, SOON, "011152 1153" NO_ARGS);
    conn_close(l->c, &why);
    asker_join(&reader);
    asker_join(&waiter);
    asker_join(&third);
    assert_int_equal(reader.result, -1);
    assert_error(&reader.err, RPYC_ECLOSED, "we had enough");
    assert_int_equal(waiter.result, -1);
    assert_error(&waiter.err, RPYC_ECLOSED, "we had enough");
    assert_int_equal(third.result, -1);
    assert_error(&third.err, RPYC_ECLOSED, "we had enough");
}

TEST(a_goodbye_is_a_close_request_and_the_end)
{
    AUTO_LINK six = link_new(RPYC_GENERATION_6, false);
    AUTO_LINK five = link_new(RPYC_GENERATION_5, false);

    conn_goodbye(six->c);
    hears(&six->peer, "011150 1152" NO_ARGS);
    hears_the_end(&six->peer);
    assert_true(conn_closed(six->c));
    conn_goodbye(five->c);
    hears(&five->peer, "125150 1152" NO_ARGS);
    hears_the_end(&five->peer);
}

TEST(a_second_goodbye_says_nothing)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    conn_close(l->c, NULL);
    conn_goodbye(l->c);
    hears_the_end(&l->peer);
}

TEST(the_last_reference_closes_the_socket)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    assert_ptr_equal(conn_ref(l->c), l->c);
    conn_unref(l->c);
    hears_no_more(&l->peer);
    conn_unref(l->c);
    l->c = NULL;
    hears_the_end(&l->peer);
    conn_unref(NULL);
}

TEST(a_release_gives_the_socket_back_while_references_are_held)
{
    int before = open_fds();
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker a;

    asker_start_reading(&a, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    conn_release(l->c);
    asker_join(&a);
    assert_int_equal(a.result, -1);
    assert_int_equal(a.err.code, RPYC_ECLOSED);
    hears_the_end(&l->peer);
    assert_int_equal(open_fds(), before + 1);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "");
    conn_release(l->c);
}

static void ask_for_fd(void *arg)
{
    while (conn_fd(arg) >= 0)
        ;
}

TEST(the_fd_may_be_asked_for_while_it_is_given_back)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct thread t;

    thread_start(&t, ask_for_fd, l->c);
    conn_release(l->c);
    thread_join(&t);
    assert_int_equal(conn_fd(l->c), -1);
}

/* ---- Deadlines and signals ------------------------------------------------------------------ */

TEST(a_request_gives_up_at_its_deadline_and_the_connection_goes_on)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    int64_t start = clock_ms();

    assert_no_answer(l->c, deadline_in(30), RPYC_ETIMEOUT, "no answer in time");
    assert_true(clock_ms() - start >= 29);
    assert_true(clock_ms() - start < 5000);
    assert_false(conn_closed(l->c));
    say(&l->peer, "021150 115150"); /* too late */
    say(&l->peer, "021151 115151");
    assert_answer(l->c, MESSAGE_REPLY, "115151");
}

TEST(a_message_half_received_at_the_deadline_is_not_lost)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say_raw(&l->peer, "00000006 00 0211");
    assert_no_answer(l->c, deadline_in(10), RPYC_ETIMEOUT, "no answer in time");
    say_raw(&l->peer, "50 115150 0a 00000006 00 0211");
    say_raw(&l->peer, "51 115151 0a");
    assert_answer(l->c, MESSAGE_REPLY, "115151");
}

TEST(who_waits_for_the_reader_gives_up_at_its_own_deadline)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker reader;

    asker_start_reading(&reader, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    assert_no_answer(l->c, deadline_in(30), RPYC_ETIMEOUT, "no answer in time");
    say(&l->peer, "021151 115151"); /* too late */
    say(&l->peer, "021150 115150");
    asker_join(&reader);
    assert_int_equal(reader.result, 0);
    assert_int_equal(reader.answer, 0);
}

TEST(a_reader_that_gives_up_passes_the_role_on)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker reader, waiter;

    asker_start_reading(&reader, l, HANDLE_GETROOT, deadline_in(100), "011150 1153" NO_ARGS);
    asker_start_reading(&waiter, l, HANDLE_GETROOT, DEADLINE_NEVER, "011151 1153" NO_ARGS);
    asker_join(&reader);
    assert_int_equal(reader.result, -1);
    assert_int_equal(reader.err.code, RPYC_ETIMEOUT);
    say(&l->peer, "021151 115151");
    asker_join(&waiter);
    assert_int_equal(waiter.result, 0);
    assert_int_equal(waiter.answer, 1);
}

TEST(a_send_that_gives_up_ends_the_connection)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    conn_request_begin(l->c, &out, HANDLE_PING, &seq);
    memset(buffer_extend(&out.buf, LARGE), 0, LARGE);
    assert_int_equal(conn_send(l->c, &out, deadline_in(20), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "sending: timed out");
    assert_true(conn_closed(l->c));
}

TEST(a_peer_that_does_not_read_is_given_up)
{
    AUTO_LINK l = malloc(sizeof(*l));
    struct conn_config config = {.generation = RPYC_GENERATION_6, .stall_ms = 20};
    AUTO_ERROR err = RPYC_ERROR_INIT, why = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    link_open(l, &plain_host, &config);
    conn_request_begin(l->c, &out, HANDLE_PING, &seq);
    memset(buffer_extend(&out.buf, LARGE), 0, LARGE);
    assert_int_equal(conn_send(l->c, &out, DEADLINE_NEVER, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "the peer does not read what it is sent");
    assert_true(conn_closed(l->c));
    assert_int_equal(conn_serve_one(l->c, DEADLINE_NEVER, &why), -1);
    assert_error(&why, RPYC_ECLOSED, "the peer does not read what it is sent");
}

TEST(a_deadline_that_comes_before_a_peer_is_given_up_is_kept)
{
    AUTO_LINK l = malloc(sizeof(*l));
    struct conn_config config = {.generation = RPYC_GENERATION_6, .stall_ms = WATCHDOG * 2000};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    link_open(l, &plain_host, &config);
    conn_request_begin(l->c, &out, HANDLE_PING, &seq);
    memset(buffer_extend(&out.buf, LARGE), 0, LARGE);
    assert_int_equal(conn_send(l->c, &out, deadline_in(20), &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "sending: timed out");
}

/* The socket takes no more, so that a message cannot even begin to go out. */
static void stuff(struct link *l)
{
    char bytes[4096] = {0};

    while (send(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    while (send(l->fd, bytes, 1, MSG_DONTWAIT) > 0)
        ;
}

/* The peer throws away all that is there. */
static void empty(struct link *l)
{
    char bytes[4096];

    while (recv(l->peer.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

TEST(a_send_that_has_not_begun_can_be_given_up)
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

TEST(who_waits_to_send_gives_up_at_its_own_deadline)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker first;

    stuff(l);
    asker_start(&first, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&first.thread); /* in the middle of sending */
    assert_no_answer(l->c, deadline_in(20), RPYC_ETIMEOUT, "");
    assert_false(conn_closed(l->c));
    empty(l);
    say(&l->peer, "021150 115160");
    asker_join(&first);
    assert_int_equal(first.result, 0);
    assert_int_equal(first.answer, 16);
}

TEST(a_close_wakes_who_waits_to_send)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker sender, waiter;

    stuff(l);
    asker_start(&sender, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&sender.thread);
    asker_start(&waiter, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&waiter.thread);
    conn_release(l->c);
    asker_join(&sender);
    asker_join(&waiter);
    assert_int_equal(sender.result, -1);
    assert_int_equal(sender.err.code, RPYC_ECLOSED);
    assert_int_equal(waiter.result, -1);
    assert_int_equal(waiter.err.code, RPYC_ECLOSED);
}

TEST(a_peer_that_keeps_us_busy_does_not_put_the_deadline_off)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    int i;

    for (i = 0; i < 50; i++)
        say(&l->peer, "011150 1151" NO_ARGS);
    assert_no_answer(l->c, 0, RPYC_ETIMEOUT, "no answer in time");
    assert_true(atomic_load(&l->host.served) <= 1);
    assert_false(conn_closed(l->c));
}

TEST(signals_do_not_end_a_send_of_a_host_that_does_not_ask)
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

TEST(signals_do_not_end_a_wait_of_a_host_that_does_not_ask)
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

TEST(a_signal_ends_the_wait_of_a_host_that_says_so)
{
    const deadline_t deadlines[] = {DEADLINE_NEVER, SOON};
    size_t i;

    for (i = 0; i < 2; i++) {
        const struct conn_config config = {.generation = RPYC_GENERATION_6};
        AUTO_LINK l = malloc(sizeof(*l));
        struct nagger n;

        link_open(l, &interruptible_host, &config);
        atomic_store(&l->host.give_up, true);
        nagger_start(&n, pthread_self());
        assert_no_answer(l->c, deadlines[i], RPYC_EINTERRUPT, "interrupted by a signal");
        nagger_stop(&n);
        assert_false(conn_closed(l->c));
        say(&l->peer, "021150 115150"); /* too late */
        say(&l->peer, "021151 115151");
        assert_answer(l->c, MESSAGE_REPLY, "115151");
    }
}

TEST(a_signal_that_the_host_does_not_mind_does_not_end_the_wait)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));
    struct nagger n;

    link_open(l, &interruptible_host, &config);
    nagger_start(&n, pthread_self());
    assert_no_answer(l->c, deadline_in(50), RPYC_ETIMEOUT, "no answer in time");
    assert_true(nagger_stop(&n) > 0);
}

static bool interrupted_by_what_it_did(void *host, bool by_signal)
{
    struct host *h = host;

    return !by_signal && atomic_load(&h->give_up);
}

TEST(a_host_may_give_a_wait_up_after_a_message)
{
    const struct conn_callbacks ops = {.serve = serve, .interrupted = interrupted_by_what_it_did};
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));

    link_open(l, &ops, &config);
    atomic_store(&l->host.give_up, true);
    say(&l->peer, "011150 1151" NO_ARGS);
    assert_no_answer(l->c, SOON, RPYC_EINTERRUPT, "interrupted by a signal");
    say(&l->peer, "021151 115193"); /* even where the message is the reply */
    assert_no_answer(l->c, SOON, RPYC_EINTERRUPT, "interrupted by a signal");
    assert_false(conn_closed(l->c));
    atomic_store(&l->host.give_up, false);
    say(&l->peer, "021152 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
}

TEST(who_waits_for_the_reader_hears_of_signals_too)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));
    struct asker reader, waiter;

    link_open(l, &interruptible_host, &config);
    asker_start_reading(&reader, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    asker_start_reading(&waiter, l, HANDLE_GETROOT, DEADLINE_NEVER, "011151 1153" NO_ARGS);
    atomic_store(&l->host.quitter, waiter.thread.id);
    atomic_store(&l->host.give_up, true); /* the signal went to another thread, say */
    asker_join(&waiter);
    assert_int_equal(waiter.result, -1);
    assert_error(&waiter.err, RPYC_EINTERRUPT, "interrupted by a signal");
    say(&l->peer, "021150 115150");
    asker_join(&reader);
    assert_int_equal(reader.result, 0);
}

/* ---- Several threads ------------------------------------------------------------------------ */

/* A host that runs a signal handler which asks the peer, in the middle of what its thread does. */
static bool handle_signal(void *host, bool by_signal)
{
    struct host *h = host;
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

TEST(a_signal_handler_cannot_send_in_the_middle_of_a_send_of_its_thread)
{
    static const struct conn_callbacks ops = {.serve = serve, .interrupted = handle_signal};
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_LINK l = malloc(sizeof(*l));
    int64_t end = clock_ms() + 10000;
    struct nagger nagger;
    struct asker a;

    link_open(l, &ops, &config);
    l->host.to_ask = l->c;
    stuff(l);
    asker_start(&a, l->c, HANDLE_REPR, DEADLINE_NEVER);
    thread_wait_asleep(&a.thread); /* in the middle of sending */
    nagger_start(&nagger, a.thread.id);
    while (atomic_load(&l->host.result) == 0 && clock_ms() < end)
        sched_yield();
    nagger_stop(&nagger);
    if (atomic_load(&l->host.result) == 0) {
        conn_close(l->c, NULL); /* it would wait for ever */
    } else {
        empty(l);
        say(&l->peer, "021150 115160");
    }
    asker_join(&a);
    assert_int_equal(l->host.why.code, RPYC_ETIMEOUT);
    assert_int_equal(a.result, 0);
    assert_int_equal(a.answer, 16);
    rpyc_error_clear(&l->host.why);
    rpyc_error_clear(&a.err);
}

TEST(replies_out_of_order_find_who_asked)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker first, second;

    asker_start_reading(&first, l, HANDLE_REPR, DEADLINE_NEVER, "011150 1159" NO_ARGS);
    asker_start_reading(&second, l, HANDLE_STR, DEADLINE_NEVER, "011151 115a" NO_ARGS);
    say(&l->peer, "021151 115161");
    asker_join(&second);
    say(&l->peer, "021150 115160");
    asker_join(&first);
    assert_int_equal(first.result, 0);
    assert_int_equal(first.answer, 16);
    assert_int_equal(second.result, 0);
    assert_int_equal(second.answer, 17);
}

TEST(a_reader_that_is_done_passes_the_role_on)
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

/* ---- Requests of the peer ------------------------------------------------------------------- */

TEST(a_request_is_served_while_we_wait)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "011157 1151" NO_ARGS);
    say(&l->peer, "021150 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    assert_int_equal(atomic_load(&l->host.served), 1);
    assert_int_equal(l->host.handler, HANDLE_PING);
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears(&l->peer, "021157 11517a");
    hears_no_more(&l->peer);
}

TEST(a_peer_is_met_by_its_first_message_which_is_seen_to)
{
    AUTO_LINK old = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_LINK new = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_false(conn_has_met(old->c));
    say(&old->peer, "125150 1151" NO_ARGS);
    assert_ok(conn_meet(old->c, SOON, &err), &err);
    assert_ok(conn_meet(old->c, SOON, &err), &err);
    assert_true(conn_has_met(old->c));
    assert_int_equal(conn_envelope(old->c).generation, RPYC_GENERATION_5);
    assert_int_equal(atomic_load(&old->host.served), 1);
    hears(&old->peer, "125250 11517a");
    say(&new->peer, "011150 1151" NO_ARGS);
    assert_ok(conn_meet(new->c, SOON, &err), &err);
    assert_int_equal(conn_envelope(new->c).generation, RPYC_GENERATION_6);
    hears(&new->peer, "021150 11517a");
}

TEST(a_peer_that_says_nothing_is_not_met)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR late = RPYC_ERROR_INIT, gone = RPYC_ERROR_INIT;

    assert_int_equal(conn_meet(l->c, deadline_in(10), &late), -1);
    assert_error(&late, RPYC_ETIMEOUT, "no answer in time");
    peer_close(&l->peer);
    assert_int_equal(conn_meet(l->c, SOON, &gone), -1);
    assert_error(&gone, RPYC_ECLOSED, "hung up");
    assert_false(conn_has_met(l->c));
}

TEST(handlers_that_do_not_exist_are_the_host_s_business)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "011150 11 1603313630" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    assert_int_equal(l->host.handler, 160);
    say(&l->peer, "011150 114f" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    assert_int_equal(l->host.handler, -1);
}

/* Asks the peer in turn, and answers with what it said. */
static int serve_by_asking(struct host *host, struct conn *c, struct message *m,
                           struct rpyc_error *err)
{
    struct outgoing out;
    struct message p;

    host->nested++;
    if (ask(c, HANDLE_REPR, &p, SOON, err) < 0)
        return -1;
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    buffer_put(&out.buf, p.body.pos, (size_t)(p.body.end - p.body.pos));
    message_free(&p);
    return conn_send(c, &out, SOON, err);
}

TEST(requests_nest)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    l->host.serve = serve_by_asking;
    say(&l->peer, "011150 1151" NO_ARGS); /* asks us, within our seq 0 */
    say(&l->peer, "011151 1151" NO_ARGS); /* asks us again, within our seq 1 */
    say(&l->peer, "021152 115152");
    say(&l->peer, "021151 115151");
    say(&l->peer, "021150 115150");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears(&l->peer, "011151 1159" NO_ARGS);
    hears(&l->peer, "011152 1159" NO_ARGS);
    hears(&l->peer, "021151 115152");
    hears(&l->peer, "021150 115151");
}

TEST(the_reply_to_the_outer_request_may_come_first)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    l->host.serve = serve_by_asking;
    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "021150 115150");
    say(&l->peer, "021151 115151");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears(&l->peer, "011151 1159" NO_ARGS);
    hears(&l->peer, "021150 115151");
}

static int serve_by_a_thread_that_asks(struct host *host, struct conn *c, struct message *m,
                                       struct rpyc_error *err)
{
    struct asker a;

    asker_start(&a, c, HANDLE_REPR, SOON);
    asker_join(&a);
    host->nested += a.result == 0 && a.answer == 17;
    rpyc_error_clear(&a.err);
    return serve_42(host, c, m, err);
}

TEST(a_request_that_joins_a_thread_which_asks_the_peer_does_not_deadlock)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->host.serve = serve_by_a_thread_that_asks;
    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "021150 115161");
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    assert_int_equal(l->host.nested, 1);
    hears(&l->peer, "011150 1159" NO_ARGS);
    hears(&l->peer, "021150 11517a");
}

static void serve_one(void *arg)
{
    struct link *l = arg;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    atomic_store(&l->host.result, conn_serve_one(l->c, SOON, &err));
}

/* The peer sends the reply to a request of ours. */
static void say_reply(struct link *l, int64_t seq)
{
    const struct envelope six = {RPYC_GENERATION_6, false};
    AUTO_BUFFER frame = BUFFER_INIT;
    size_t start = message_begin(&frame, &six, MESSAGE_REPLY, seq, NULL);

    box_put(&frame, LABEL_VALUE);
    brine_put_int(&frame, 0);
    assert_int_equal(frame_end(&frame, start, false, NULL), 0);
    say_bytes(&l->peer, frame.data, frame.len);
}

TEST(requests_within_requests_have_a_limit)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_BYTES refusal = {NULL, 0};
    struct thread t;
    int i;

    l->host.serve = serve_by_asking;
    thread_start(&t, serve_one, l);
    for (i = 0; i < 200; i++) {
        AUTO_BYTES request = {NULL, 0};

        say(&l->peer, "011150 1151" NO_ARGS);
        request = next_frame(&l->peer);
        assert_int_equal(request.data[0], MESSAGE_REQUEST);
    }
    say(&l->peer, "011150 1151" NO_ARGS);
    refusal = next_frame(&l->peer);
    assert_bytes(refusal.data, 3, "031150");
    assert_contains(&refusal, "RecursionError");
    assert_contains(&refusal, "too many requests within requests");
    for (i = 199; i >= 0; i--) {
        say_reply(l, i);
        hears(&l->peer, "021150 115150");
    }
    thread_join(&t);
    assert_int_equal(atomic_load(&l->host.result), 1);
    assert_int_equal(l->host.nested, 200);
}

TEST(the_limit_is_for_requests_at_a_time)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    int i;

    for (i = 0; i < 300; i++) {
        say(&l->peer, "011150 1151" NO_ARGS);
        assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
        hears(&l->peer, "021150 11517a");
    }
}

TEST(the_exception_of_one_text_is_vinegar)
{
    const enum rpyc_generation generations[] = {RPYC_GENERATION_6, RPYC_GENERATION_5};
    const char *heads[] = {"031157 ", "125357 "};
    const char *vinegar = "13 11 080e086275696c74696e73 080e084b65794572726f72 10 080a78 "
                          "10 11 080e0f5f72656d6f74655f76657273696f6e "
                          "080e103c76657273696f6e2064656e6965643e 080a78";
    char wanted[256];
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_new(generations[i], false);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        const struct message request = {.kind = MESSAGE_REQUEST, .seq = 7};

        assert_ok(conn_reply_exception(l->c, &request, "builtins", "KeyError", "x", SOON, &err),
                  &err);
        snprintf(wanted, sizeof(wanted), "%s%s", heads[i], vinegar);
        hears(&l->peer, wanted);
    }
}

static int serve_after_a_false_start(struct host *host, struct conn *c, struct message *m,
                                     struct rpyc_error *err)
{
    struct outgoing out;

    (void)host;
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    memset(buffer_extend(&out.buf, 100000), 0, 100000);
    out.buf.failed = true;
    conn_reply_restart(c, &out, m, MESSAGE_EXCEPTION);
    brine_put_int(&out.buf, EXCEPTION_STOP_ITERATION);
    return conn_send(c, &out, SOON, err);
}

TEST(a_reply_can_become_an_exception_half_way)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->host.serve = serve_after_a_false_start;
    say(&l->peer, "011153 1151" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    hears(&l->peer, "031153 51");
    hears_no_more(&l->peer);
}

TEST(a_request_without_a_handler_ends_the_connection)
{
    const char *requests[] = {"011150 51", "011150 11 0a61 115102", "011150 1051", "011150"};
    size_t i;

    for (i = 0; i < 4; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        say(&l->peer, requests[i]);
        assert_int_equal(conn_serve_one(l->c, SOON, &err), -1);
        assert_error(&err, RPYC_EPROTOCOL, "bad brine: ");
        assert_true(conn_closed(l->c));
        assert_int_equal(atomic_load(&l->host.served), 0);
    }
}

static int serve_not_at_all(struct host *host, struct conn *c, struct message *m,
                            struct rpyc_error *err)
{
    (void)c;
    (void)m;
    return error_set(err, (enum rpyc_errcode)host->nested, "this host gives up");
}

TEST(a_host_that_fails_gives_up_the_connection)
{
    /* What would be worth another try is not any more. */
    const enum rpyc_errcode codes[] = {RPYC_ENOMEM, RPYC_EPROTOCOL, RPYC_ETIMEOUT, RPYC_EINTERRUPT},
                            told[] = {RPYC_ENOMEM, RPYC_EPROTOCOL, RPYC_ECLOSED, RPYC_ECLOSED};
    size_t i;

    for (i = 0; i < 4; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        l->host.serve = serve_not_at_all;
        l->host.nested = (int)codes[i];
        say(&l->peer, "011150 1151" NO_ARGS);
        assert_int_equal(conn_serve_one(l->c, SOON, &err), -1);
        assert_error(&err, told[i], "this host gives up");
        assert_true(conn_closed(l->c));
    }
}

TEST(a_host_that_fails_ends_the_wait_it_was_called_from)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    l->host.serve = serve_not_at_all;
    l->host.nested = RPYC_ETIMEOUT;
    say(&l->peer, "011150 1151" NO_ARGS);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "this host gives up");
    assert_true(conn_closed(l->c));
}

/* ---- Serving -------------------------------------------------------------------------------- */

TEST(serving_goes_on_until_the_peer_hangs_up)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "011151 1153" NO_ARGS);
    say(&l->peer, "011152 1154" NO_ARGS);
    shutdown(l->peer.fd, SHUT_WR);
    assert_int_equal(conn_serve(l->c, &err), 0);
    assert_int_equal(atomic_load(&l->host.served), 3);
    hears(&l->peer, "021150 11517a");
    hears(&l->peer, "021151 11517a");
    hears(&l->peer, "021152 11517a");
    hears_the_end(&l->peer);
}

TEST(serving_ends_with_a_goodbye_which_gets_no_answer)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l->peer, "125150 1152" NO_ARGS);
    say(&l->peer, "125151 1151" NO_ARGS); /* too late */
    assert_int_equal(conn_serve(l->c, &err), 0);
    assert_int_equal(atomic_load(&l->host.served), 0);
    assert_true(conn_closed(l->c));
    hears_the_end(&l->peer);
}

TEST(serving_bad_input_is_an_error)
{
    const struct {
        const char *bytes;
        enum rpyc_errcode code;
        const char *text;
    } cases[] = {
        {"00000004 00 00000000 0a", RPYC_EPROTOCOL, "the peer does not use the RPyC protocol"},
        {"00000004 02 00000000 0a", RPYC_EPROTOCOL, "not an RPyC frame"},
        {"00000004 01 00000000 0a", RPYC_EPROTOCOL, "a frame with invalid compressed data"},
        {"20000000 00 ff", RPYC_ELIMIT, "a frame of 536870912 bytes"},
        {"00000008 00 0111", RPYC_EPROTOCOL, "the peer hung up in the middle of a message"},
        {"00000003 00 011107 0a", RPYC_EPROTOCOL, "bad brine: "},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        say_raw(&l->peer, cases[i].bytes);
        shutdown(l->peer.fd, SHUT_WR);
        assert_int_equal(conn_serve(l->c, &err), -1);
        assert_error(&err, cases[i].code, cases[i].text);
        assert_true(conn_closed(l->c));
        hears_the_end(&l->peer);
    }
}

TEST(serving_one_message_has_a_deadline)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(conn_serve_one(l->c, deadline_in(10), &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_false(conn_closed(l->c));
    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "011151 1151" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    assert_int_equal(atomic_load(&l->host.served), 1);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    assert_int_equal(atomic_load(&l->host.served), 2);
    shutdown(l->peer.fd, SHUT_WR);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 0);
}

static void serve_until_the_end(void *arg)
{
    struct link *l = arg;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    atomic_store(&l->host.result, conn_serve(l->c, &err));
}

TEST(a_request_is_answered_while_another_thread_serves)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct thread server;
    struct asker a;

    thread_start(&server, serve_until_the_end, l);
    thread_wait_asleep(&server);
    asker_start_reading(&a, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    say(&l->peer, "011150 1151" NO_ARGS);
    hears(&l->peer, "021150 11517a");
    say(&l->peer, "021150 115150");
    asker_join(&a);
    assert_int_equal(a.result, 0);
    shutdown(l->peer.fd, SHUT_WR);
    thread_join(&server);
    assert_int_equal(atomic_load(&l->host.result), 0);
    assert_int_equal(atomic_load(&l->host.served), 1);
}

TEST(the_first_request_tells_how_to_answer)
{
    const struct {
        const char *request, *reply;
        struct envelope env;
    } cases[] = {
        {"011150 1151" NO_ARGS, "021150 11517a", {RPYC_GENERATION_6, false}},
        {"125150 1151" NO_ARGS, "125250 11517a", {RPYC_GENERATION_5, false}},
    };
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);

        assert_int_equal(conn_envelope(l->c).generation, RPYC_GENERATION_AUTO);
        say(&l->peer, cases[i].request);
        assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
        hears(&l->peer, cases[i].reply);
        assert_int_equal(conn_envelope(l->c).generation, cases[i].env.generation);
        assert_int_equal(conn_envelope(l->c).bound, cases[i].env.bound);
    }
}

/* ---- Bind-threads --------------------------------------------------------------------------- */

#define PEER_THREAD  "00007f9b828ff6c0"
#define OTHER_THREAD "00007f9b828ff7d0"
#define NO_THREAD    "0000000000000000"

/* The next frame: from this thread of ours, to that one of the peer's, and its message. */
#define hears_bound(p, from, to, hex)                                                              \
    do {                                                                                           \
        AUTO_BYTES heard_ = next_frame(p);                                                         \
        assert_true(heard_.len > 16);                                                              \
        assert_int_equal(load_u64(heard_.data), (uint64_t)(from));                                 \
        assert_bytes(heard_.data + 8, 8, to);                                                      \
        assert_bytes(heard_.data + 16, heard_.len - 16, hex);                                      \
    } while (0)

TEST(a_bound_request_names_our_thread_and_none_of_the_peer_s)
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

TEST(a_bound_reply_names_the_thread_that_asked)
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

TEST(a_bound_request_made_while_serving_names_the_thread_that_is_served)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_5, true);

    l->host.serve = serve_by_asking;
    say(&l->peer, PEER_THREAD NO_THREAD "125150 1151" NO_ARGS);
    say(&l->peer, OTHER_THREAD NO_THREAD "125151 1151" NO_ARGS);
    say(&l->peer, OTHER_THREAD NO_THREAD "125251 115151");
    say(&l->peer, PEER_THREAD NO_THREAD "125250 115150");
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "125150 1159" NO_ARGS);
    hears_bound(&l->peer, pthread_self(), OTHER_THREAD, "125151 1159" NO_ARGS);
    hears_bound(&l->peer, pthread_self(), OTHER_THREAD, "125251 115151");
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "125250 115150");

    say(&l->peer, PEER_THREAD NO_THREAD "125252 115152"); /* and at top level it names none again */
    assert_answer(l->c, MESSAGE_REPLY, "115152");
    hears_bound(&l->peer, pthread_self(), NO_THREAD, "125152 1153" NO_ARGS);
}

TEST(a_bound_request_of_another_thread_names_none)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, true);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->host.serve = serve_by_a_thread_that_asks;
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

TEST(a_bound_exception_names_the_thread_that_asked)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, true);

    l->host.serve = serve_after_a_false_start;
    say(&l->peer, PEER_THREAD NO_THREAD "011153 1151" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    hears_bound(&l->peer, pthread_self(), PEER_THREAD, "031153 51");
}

TEST(a_bound_goodbye_names_our_thread)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_5, true);

    conn_goodbye(l->c);
    hears_bound(&l->peer, pthread_self(), NO_THREAD, "125150 1152" NO_ARGS);
    hears_the_end(&l->peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_of_generation_6_gets_its_reply),
        cmocka_unit_test(a_request_of_generation_5_gets_its_reply),
        cmocka_unit_test(an_exception_is_a_reply),
        cmocka_unit_test(requests_are_numbered_from_0),
        cmocka_unit_test(replies_that_nobody_waits_for_are_dropped),
        cmocka_unit_test(what_gets_no_answer_is_acknowledged_at_once),
        cmocka_unit_test(a_posted_request_needs_no_reply),
        cmocka_unit_test(several_requests_go_out_with_one_send),
        cmocka_unit_test(several_requests_keep_their_thread_ids),
        cmocka_unit_test(a_request_that_cannot_be_written_leaves_the_connection),
        cmocka_unit_test(a_request_that_is_given_up_is_not_sent),
        cmocka_unit_test(what_was_complete_before_a_request_that_is_given_up_is_sent),
        cmocka_unit_test(large_messages_go_there_and_back_uncompressed_on_a_local_socket),
        cmocka_unit_test(close_instead_of_a_reply_ends_the_wait),
        cmocka_unit_test(the_end_of_file_between_messages_ends_the_wait),
        cmocka_unit_test(the_end_of_file_within_a_message_is_an_error),
        cmocka_unit_test(a_peer_that_is_gone_before_we_ask_is_an_error_and_no_signal),
        cmocka_unit_test(what_is_not_rpyc_ends_the_connection),
        cmocka_unit_test(the_other_generation_in_the_middle_ends_the_connection),
        cmocka_unit_test(an_answer_over_the_limit_fails_and_the_connection_lives),
        cmocka_unit_test(a_request_over_the_limit_can_be_answered),
        cmocka_unit_test(a_frame_over_the_limit_that_is_no_message_ends_the_connection),
        cmocka_unit_test(a_closed_connection_says_so_ever_after),
        cmocka_unit_test(the_first_one_to_close_says_why),
        cmocka_unit_test(a_close_wakes_everyone_who_waits),
        cmocka_unit_test(a_goodbye_is_a_close_request_and_the_end),
        cmocka_unit_test(a_second_goodbye_says_nothing),
        cmocka_unit_test(the_last_reference_closes_the_socket),
        cmocka_unit_test(a_release_gives_the_socket_back_while_references_are_held),
        cmocka_unit_test(the_fd_may_be_asked_for_while_it_is_given_back),
        cmocka_unit_test(a_request_gives_up_at_its_deadline_and_the_connection_goes_on),
        cmocka_unit_test(a_message_half_received_at_the_deadline_is_not_lost),
        cmocka_unit_test(who_waits_for_the_reader_gives_up_at_its_own_deadline),
        cmocka_unit_test(a_reader_that_gives_up_passes_the_role_on),
        cmocka_unit_test(a_send_that_gives_up_ends_the_connection),
        cmocka_unit_test(a_peer_that_does_not_read_is_given_up),
        cmocka_unit_test(a_deadline_that_comes_before_a_peer_is_given_up_is_kept),
        cmocka_unit_test(a_send_that_has_not_begun_can_be_given_up),
        cmocka_unit_test(who_waits_to_send_gives_up_at_its_own_deadline),
        cmocka_unit_test(a_close_wakes_who_waits_to_send),
        cmocka_unit_test(a_peer_that_keeps_us_busy_does_not_put_the_deadline_off),
        cmocka_unit_test(signals_do_not_end_a_send_of_a_host_that_does_not_ask),
        cmocka_unit_test(signals_do_not_end_a_wait_of_a_host_that_does_not_ask),
        cmocka_unit_test(a_signal_ends_the_wait_of_a_host_that_says_so),
        cmocka_unit_test(a_signal_that_the_host_does_not_mind_does_not_end_the_wait),
        cmocka_unit_test(a_host_may_give_a_wait_up_after_a_message),
        cmocka_unit_test(who_waits_for_the_reader_hears_of_signals_too),
        cmocka_unit_test(a_signal_handler_cannot_send_in_the_middle_of_a_send_of_its_thread),
        cmocka_unit_test(replies_out_of_order_find_who_asked),
        cmocka_unit_test(a_reader_that_is_done_passes_the_role_on),
        cmocka_unit_test(messages_of_several_threads_are_not_mixed),
        cmocka_unit_test(many_threads_use_one_connection),
        cmocka_unit_test(a_request_is_served_while_we_wait),
        cmocka_unit_test(a_peer_is_met_by_its_first_message_which_is_seen_to),
        cmocka_unit_test(a_peer_that_says_nothing_is_not_met),
        cmocka_unit_test(handlers_that_do_not_exist_are_the_host_s_business),
        cmocka_unit_test(requests_nest),
        cmocka_unit_test(the_reply_to_the_outer_request_may_come_first),
        cmocka_unit_test(a_request_that_joins_a_thread_which_asks_the_peer_does_not_deadlock),
        cmocka_unit_test(requests_within_requests_have_a_limit),
        cmocka_unit_test(the_limit_is_for_requests_at_a_time),
        cmocka_unit_test(the_exception_of_one_text_is_vinegar),
        cmocka_unit_test(a_reply_can_become_an_exception_half_way),
        cmocka_unit_test(a_request_without_a_handler_ends_the_connection),
        cmocka_unit_test(a_host_that_fails_gives_up_the_connection),
        cmocka_unit_test(a_host_that_fails_ends_the_wait_it_was_called_from),
        cmocka_unit_test(serving_goes_on_until_the_peer_hangs_up),
        cmocka_unit_test(serving_ends_with_a_goodbye_which_gets_no_answer),
        cmocka_unit_test(serving_bad_input_is_an_error),
        cmocka_unit_test(serving_one_message_has_a_deadline),
        cmocka_unit_test(a_request_is_answered_while_another_thread_serves),
        cmocka_unit_test(the_first_request_tells_how_to_answer),
        cmocka_unit_test(a_bound_request_names_our_thread_and_none_of_the_peer_s),
        cmocka_unit_test(a_bound_reply_names_the_thread_that_asked),
        cmocka_unit_test(a_bound_request_made_while_serving_names_the_thread_that_is_served),
        cmocka_unit_test(a_bound_request_of_another_thread_names_none),
        cmocka_unit_test(a_bound_exception_names_the_thread_that_asked),
        cmocka_unit_test(a_bound_goodbye_names_our_thread),
    };

    return RUN(tests);
}
