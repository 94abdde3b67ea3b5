/* SPDX-License-Identifier: BSD-3-Clause */
#include "pending.h"

#include <stdlib.h>

/* Requests being served at a time, one within the other or side by side. More is a runaway
 * recursion over the wire; each level costs stack on both sides. */
#define SERVING_MAX 200

/* What the requests that wait for their turn may take in all, in bytes. */
#define QUEUED_MAX ((size_t)64 << 20)

/* How long a peer may take to read that a request is refused, in ms. */
#define REFUSAL_MS 10000

/* A request that waits for the thread that it is for. */
struct queued {
    struct message request;
    int64_t handler;
    struct queued *next;
};

/* ---- The list of those who serve ------------------------------------------------------------ */

/* With the lock held. */
static bool is_full(const struct conn *c)
{
    return c->serving_count >= SERVING_MAX;
}

/* With the lock held: enters this thread as one that serves the peer's thread; NULL if there are
 * too many, or no memory. */
static struct serving *enter(struct conn *c, const struct message *m)
{
    struct serving *s = is_full(c) ? NULL : calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->thread = pthread_self();
    s->peer_thread = m->sender;
    s->within = serving_of_thread(c, s->thread);
    s->next = c->serving;
    c->serving = s;
    c->serving_count++;
    return s;
}

struct serving *serving_of_thread(const struct conn *c, pthread_t thread)
{
    struct serving *s;

    for (s = c->serving; s && !pthread_equal(s->thread, thread); s = s->next)
        ;
    return s;
}

/* What the requests of one thread of ours are queued at: the outermost that it serves. */
static struct serving *outermost(struct serving *s)
{
    while (s && s->within)
        s = s->within;
    return s;
}

/* With the lock held: who has to serve a request, if that is not just anybody: the thread of ours
 * that it names, or the one that serves the same thread of the peer's, after what it is at. */
static struct serving *owner(const struct conn *c, const struct message *m)
{
    struct serving *s;

    if (!c->env.bound)
        return NULL;
    if (m->recipient)
        return outermost(serving_of_thread(c, (pthread_t)m->recipient));
    for (s = c->serving; s; s = s->next) {
        if (!s->within && s->peer_thread == m->sender)
            return s;
    }
    return NULL;
}

/* ---- Queues --------------------------------------------------------------------------------- */

static size_t size_of(const struct queued *q)
{
    return sizeof(*q) + q->request.frame.len;
}

/* With the lock held: 0: has taken m. 1: the queue is full. -1: RPYC_ENOMEM. */
static int enqueue(struct conn *c, struct serving *s, struct message *m, int64_t handler,
                   struct rpyc_error *err)
{
    struct queued *q;

    if (c->queued_bytes + sizeof(*q) + m->frame.len > QUEUED_MAX)
        return 1;
    q = malloc(sizeof(*q));
    if (!q)
        return error_nomem(err);
    message_give_turn(m);
    *q = (struct queued){*m, handler, NULL};
    *m = (struct message){0};
    if (s->queue)
        s->last->next = q;
    else
        s->queue = q;
    s->last = q;
    c->queued_bytes += size_of(q);
    return 0;
}

/* With the lock held: the first one of the queue, or of those within what the thread is at (the
 * ones that name it); NULL for none. */
static struct queued *dequeue(struct conn *c, struct serving *s, bool nested)
{
    struct queued **at = &s->queue, *before = NULL, *q;

    while (*at && nested && !(*at)->request.recipient) {
        before = *at;
        at = &before->next;
    }
    q = *at;
    if (!q)
        return NULL;
    *at = q->next;
    if (s->last == q)
        s->last = before;
    c->queued_bytes -= size_of(q);
    return q;
}

static void queued_free(struct queued *q)
{
    message_free(&q->request);
    free(q);
}

/* With the lock held: what is within an entry that ends is within what that is in from now on.
 * Greenlets may end in another order than they were begun in. What waits for the entry's turn goes
 * to the first of them. */
static void leave_inner(struct conn *c, struct serving *s)
{
    struct serving *inner;

    for (inner = c->serving; inner; inner = inner->next) {
        if (inner->within != s)
            continue;
        inner->within = s->within;
        if (!inner->within && !inner->queue) {
            inner->queue = s->queue;
            inner->last = s->last;
            s->queue = NULL;
        }
    }
}

/* With the lock held: takes an entry out of the list. */
static void leave(struct conn *c, struct serving *s)
{
    struct serving **at;
    struct queued *q;

    leave_inner(c, s);
    while ((q = dequeue(c, s, false)))
        queued_free(q);
    for (at = &c->serving; *at && *at != s; at = &(*at)->next)
        ;
    *at = s->next;
    c->serving_count--;
    free(s);
}

/* ---- Serving -------------------------------------------------------------------------------- */

int serving_claim(struct conn *c, struct message *m, int64_t handler, struct serving **s,
                  struct rpyc_error *err)
{
    struct serving *other = owner(c, m);

    *s = NULL;
    if (other && !pthread_equal(other->thread, pthread_self()))
        return enqueue(c, other, m, handler, err);
    *s = enter(c, m);
    return *s || is_full(c) ? 1 : error_nomem(err);
}

int serving_run(struct conn *c, struct serving *s, struct message *m, int64_t handler,
                struct rpyc_error *err)
{
    int result = c->ops->serve(c->host, c, m, handler, err);
    struct queued *q;

    pthread_mutex_lock(&c->lock);
    while (result == 0 && !c->closed && (q = dequeue(c, s, false))) {
        s->peer_thread = q->request.sender;
        pthread_mutex_unlock(&c->lock);
        result = c->ops->serve(c->host, c, &q->request, q->handler, err);
        queued_free(q);
        pthread_mutex_lock(&c->lock);
    }
    leave(c, s);
    pthread_mutex_unlock(&c->lock);
    return result;
}

bool serving_within(struct conn *c, bool any)
{
    struct serving *s = outermost(serving_of_thread(c, pthread_self())), *inner;
    struct queued *q = s && !c->closed ? dequeue(c, s, !any) : NULL;
    struct rpyc_error why = RPYC_ERROR_INIT;
    bool full;
    int result;

    if (!q)
        return false;
    full = is_full(c);
    inner = enter(c, &q->request);
    pthread_mutex_unlock(&c->lock);
    if (inner)
        result = serving_run(c, inner, &q->request, q->handler, &why);
    else
        result = full ? serving_refuse(c, &q->request, &why) : error_nomem(&why);
    queued_free(q);
    if (result < 0)
        conn_close(c, &why);
    pthread_mutex_lock(&c->lock);
    return true;
}

int serving_refuse(struct conn *c, const struct message *m, struct rpyc_error *err)
{
    bool full;

    pthread_mutex_lock(&c->lock);
    full = is_full(c);
    pthread_mutex_unlock(&c->lock);
    return conn_reply_exception(c, m, "builtins", full ? "RecursionError" : "RuntimeError",
                                full ? "too many requests within requests"
                                     : "too many requests wait for this thread",
                                deadline_in(REFUSAL_MS), err);
}
