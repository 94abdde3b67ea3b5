/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_link.h"

int serve(void *owner, struct conn *c, struct message *m, int64_t handler, struct rpyc_error *err)
{
    struct owner *h = owner;

    atomic_fetch_add(&h->served, 1);
    h->handler = handler;
    return h->serve(h, c, m, err);
}

static bool interrupted(void *owner, bool by_signal)
{
    struct owner *h = owner;
    pthread_t quitter = atomic_load(&h->quitter);

    return by_signal && atomic_load(&h->give_up) &&
           (quitter == 0 || pthread_equal(quitter, pthread_self()));
}

const struct conn_callbacks plain_callbacks = {.serve = serve};
const struct conn_callbacks interruptible_callbacks = {.serve = serve, .interrupted = interrupted};

int serve_42(struct owner *owner, struct conn *c, struct message *m, struct rpyc_error *err)
{
    struct outgoing out;

    (void)owner;
    conn_reply_begin(c, &out, m, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_int(&out.buf, 42);
    return conn_send(c, &out, SOON, err);
}

void link_open(struct link *l, const struct conn_callbacks *ops, const struct conn_config *config)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;

    *l = (struct link){.owner.serve = serve_42};
    l->fd = peer_open(&l->peer);
    stream_open(&s, l->fd);
    assert_ok(conn_new(&l->c, &s, ops, &l->owner, config, &err), &err);
}

struct link *link_new(enum rpyc_generation generation, bool bound)
{
    struct link *l = malloc(sizeof(*l));
    struct conn_config config = {.generation = generation, .bound = bound};

    link_open(l, &plain_callbacks, &config);
    return l;
}

void link_free(struct link **l)
{
    peer_close(&(*l)->peer);
    conn_unref((*l)->c);
    free(*l);
}

int ask(struct conn *c, enum handler handler, struct message *p, deadline_t deadline,
        struct rpyc_error *err)
{
    struct outgoing out;
    int64_t seq;

    conn_request_begin(c, &out, handler, &seq);
    box_put(&out.buf, LABEL_VALUE);
    brine_put_tuple(&out.buf, 0);
    return conn_request(c, &out, seq, p, deadline, err);
}

void assert_answer_at(struct conn *c, enum message_kind kind, const char *args, const char *file,
                      int line)
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

void run_asker(void *arg)
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

void asker_start(struct asker *a, struct conn *c, enum handler handler, deadline_t deadline)
{
    *a = (struct asker){.c = c, .handler = handler, .deadline = deadline};
    thread_start(&a->thread, run_asker, a);
}

void asker_start_reading(struct asker *a, struct link *l, enum handler handler, deadline_t deadline,
                         const char *request)
{
    asker_start(a, l->c, handler, deadline);
    hears(&l->peer, request);
    thread_wait_asleep(&a->thread);
}

void asker_join(struct asker *a)
{
    thread_join(&a->thread);
}

int serve_by_asking(struct owner *owner, struct conn *c, struct message *m, struct rpyc_error *err)
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

int serve_by_a_thread_that_asks(struct owner *owner, struct conn *c, struct message *m,
                                struct rpyc_error *err)
{
    struct asker a;

    asker_start(&a, c, HANDLE_REPR, SOON);
    asker_join(&a);
    owner->nested += a.result == 0 && a.answer == 17;
    rpyc_error_clear(&a.err);
    return serve_42(owner, c, m, err);
}

int serve_after_a_false_start(struct owner *owner, struct conn *c, struct message *m,
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
