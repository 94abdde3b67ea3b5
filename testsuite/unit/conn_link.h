/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A connection under test, its owner, and the peer at the other end of its socket. For test_conn.c,
 * test_send.c, test_receive.c, test_await.c and test_await_requests.c.
 */
#ifndef CONN_LINK_H
#define CONN_LINK_H

#include "conn.h"
#include "unit.h"

#define SOON deadline_in(60000)

struct owner {
    int (*serve)(struct owner *owner, struct conn *c, struct message *m, struct rpyc_error *err);
    atomic_int served, result;
    int64_t handler;            /* the handler of the latest request */
    atomic_bool give_up;        /* what the `interrupted` callback returns */
    _Atomic(pthread_t) quitter; /* the only thread for which give_up counts; 0: all threads */
    struct conn *to_ask;   /* a signal handler sends a request to it and sets NULL; see `why` */
    struct rpyc_error why; /* the error of the signal handler's request */
    int nested;
};

struct link {
    struct conn *c;
    int fd; /* the connection's, borrowed */
    struct peer peer;
    struct owner owner;
};

static inline int serve(void *owner, struct conn *c, struct message *m, int64_t handler,
                        struct rpyc_error *err)
{
    struct owner *h = owner;

    atomic_fetch_add(&h->served, 1);
    h->handler = handler;
    return h->serve(h, c, m, err);
}

static inline bool interrupted(void *owner, bool by_signal)
{
    struct owner *h = owner;
    pthread_t quitter = atomic_load(&h->quitter);

    return by_signal && atomic_load(&h->give_up) &&
           (quitter == 0 || pthread_equal(quitter, pthread_self()));
}

static const struct conn_callbacks plain_callbacks = {.serve = serve};
static const struct conn_callbacks interruptible_callbacks = {.serve = serve,
                                                              .interrupted = interrupted};

/* Answers each request with the int 42. */
static inline int serve_42(struct owner *owner, struct conn *c, struct message *m,
                           struct rpyc_error *err)
{
    struct outgoing out;

    (void)owner;
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_int(&out.buf, 42);
    return conn_send(c, &out, SOON, err);
}

static inline void link_open(struct link *l, const struct conn_callbacks *ops,
                             const struct conn_config *config)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;
    int fds[2];

    *l = (struct link){.owner.serve = serve_42};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&s, fds[0]);
    l->fd = fds[0];
    l->peer.fd = fds[1];
    assert_ok(conn_new(&l->c, &s, ops, &l->owner, config, &err), &err);
}

static inline struct link *link_new(enum rpyc_generation generation, bool bound)
{
    struct link *l = malloc(sizeof(*l));
    struct conn_config config = {.generation = generation, .bound = bound};

    link_open(l, &plain_callbacks, &config);
    return l;
}

static inline void link_free(struct link **l)
{
    peer_close(&(*l)->peer);
    conn_unref((*l)->c);
    free(*l);
}

#define AUTO_LINK _cleanup_(link_free) struct link *

/* ---- Asking --------------------------------------------------------------------------------- */

#define NO_ARGS "115102"

/* Sends a request without arguments and waits for its reply. */
static inline int ask(struct conn *c, enum handler handler, struct message *p, deadline_t deadline,
                      struct rpyc_error *err)
{
    struct outgoing out;
    int64_t seq;

    conn_request_begin(c, &out, handler, &seq);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_tuple(&out.buf, 0);
    return conn_request(c, &out, seq, p, deadline, err);
}

/* Checks that GETROOT gets a reply with these arguments. */
static inline void assert_answer_at(struct conn *c, enum message_kind kind, const char *args,
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

/* Checks that GETROOT fails, with this error. */
#define assert_no_answer(c, deadline, errcode, text)                                               \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        struct message p_;                                                                         \
        assert_int_equal(ask(c, HANDLE_GETROOT, &p_, deadline, &err_), -1);                        \
        assert_error(&err_, errcode, text);                                                        \
    } while (0)

/* A thread that sends a request, and the outcome. */
struct asker {
    struct thread thread;
    struct conn *c;
    enum handler handler;
    deadline_t deadline;
    int result;
    int64_t answer; /* the int in the box of the reply */
    struct rpyc_error err;
};

static inline void run_asker(void *arg)
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

static inline void asker_start(struct asker *a, struct conn *c, enum handler handler,
                               deadline_t deadline)
{
    *a = (struct asker){.c = c, .handler = handler, .deadline = deadline};
    thread_start(&a->thread, run_asker, a);
}

/* Starts a thread and returns when it has the read role: it has sent its request and sleeps. */
static inline void asker_start_reading(struct asker *a, struct link *l, enum handler handler,
                                       deadline_t deadline, const char *request)
{
    asker_start(a, l->c, handler, deadline);
    hears(&l->peer, request);
    thread_wait_asleep(&a->thread);
}

static inline void asker_join(struct asker *a)
{
    thread_join(&a->thread);
}

/* ---- Serve callbacks ------------------------------------------------------------------------ */

/* Sends a request to the peer and answers with its reply. */
static inline int serve_by_asking(struct owner *owner, struct conn *c, struct message *m,
                                  struct rpyc_error *err)
{
    struct outgoing out;
    struct message p;

    owner->nested++;
    if (ask(c, HANDLE_REPR, &p, SOON, err) < 0)
        return -1;
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    buffer_put(&out.buf, p.body.pos, (size_t)(p.body.end - p.body.pos));
    message_free(&p);
    return conn_send(c, &out, SOON, err);
}

static inline int serve_by_a_thread_that_asks(struct owner *owner, struct conn *c,
                                              struct message *m, struct rpyc_error *err)
{
    struct asker a;

    asker_start(&a, c, HANDLE_REPR, SOON);
    asker_join(&a);
    owner->nested += a.result == 0 && a.answer == 17;
    rpyc_error_clear(&a.err);
    return serve_42(owner, c, m, err);
}

static inline int serve_after_a_false_start(struct owner *owner, struct conn *c, struct message *m,
                                            struct rpyc_error *err)
{
    struct outgoing out;

    (void)owner;
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    memset(buffer_extend(&out.buf, 100000), 0, 100000);
    out.buf.failed = true;
    conn_reply_restart(c, &out, m, MESSAGE_EXCEPTION);
    brine_put_int(&out.buf, EXCEPTION_STOP_ITERATION);
    return conn_send(c, &out, SOON, err);
}

#endif
