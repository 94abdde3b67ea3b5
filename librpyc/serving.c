/* SPDX-License-Identifier: BSD-3-Clause */
#include "serving.h"

#include <stdlib.h>

/* How many requests of a connection may be served at a time: nested ones, and those of different
 * threads. A larger number counts as an endless recursion between the two sides. Each level of the
 * recursion needs stack on both sides. */
#define SERVING_MAX 200

/* How many bytes the queued requests of a connection may take together. */
#define QUEUED_MAX ((size_t)64 << 20)

struct serving *serving_of_thread(const struct serving_table *t, pthread_t thread)
{
    struct serving *s;

    LIST_FOREACH (s, &t->list, entry) {
        if (pthread_equal(s->thread, thread))
            return s;
    }
    return NULL;
}

bool serving_is_full(const struct serving_table *t)
{
    return t->count >= SERVING_MAX;
}

/* Returns the outermost entry of s's thread; requests for the thread are queued there. NULL if s is
 * NULL. */
static struct serving *outermost(struct serving *s)
{
    while (s && s->within)
        s = s->within;
    return s;
}

/* Finds the thread that must serve m, with bind-threads. If m names a recipient, this thread is the
 * recipient. Otherwise it is the thread that is serving requests of m->sender, a thread of the
 * peer. Returns the outermost entry of the found thread; NULL: any thread may serve m. */
static struct serving *required(const struct serving_table *t, const struct message *m)
{
    struct serving *s;

    if (m->recipient)
        return outermost(serving_of_thread(t, (pthread_t)m->recipient));
    LIST_FOREACH (s, &t->list, entry) {
        if (!s->within && s->peer_thread == m->sender)
            return s;
    }
    return NULL;
}

struct serving *serving_enter(struct serving_table *t, uint64_t peer_thread)
{
    struct serving *s;

    if (serving_is_full(t))
        return NULL;
    s = t->spare ? t->spare : malloc(sizeof(*s));
    if (!s)
        return NULL;
    t->spare = NULL;
    s->thread = pthread_self();
    s->peer_thread = peer_thread;
    s->within = serving_of_thread(t, s->thread);
    TAILQ_INIT(&s->queued);
    LIST_INSERT_HEAD(&t->list, s, entry);
    t->count++;
    return s;
}

/* Moves the entries within s to the entry around s. If s is an outermost entry, the entries within
 * s become outermost ones, and the first of them takes over the queue of s. */
static void leave_inner(struct serving_table *t, struct serving *s)
{
    struct serving *inner;

    LIST_FOREACH (inner, &t->list, entry) {
        if (inner->within != s)
            continue;
        inner->within = s->within;
        if (!inner->within)
            TAILQ_CONCAT(&inner->queued, &s->queued, entry);
    }
}

void serving_leave(struct serving_table *t, struct serving *s)
{
    if (t->count > 1)
        leave_inner(t, s);
    while (!TAILQ_EMPTY(&s->queued))
        queued_free(serving_dequeue(t, s, false));
    LIST_REMOVE(s, entry);
    t->count--;
    free(t->spare);
    t->spare = s;
}

void serving_free(struct serving_table *t)
{
    free(t->spare);
    t->spare = NULL;
}

/* ---- Queues --------------------------------------------------------------------------------- */

static size_t size_of(const struct message *m)
{
    return sizeof(struct queued) + m->frame.len;
}

/* Queues m at s. Returns 0 if m was queued; m is empty then. Returns 1 if the queued requests would
 * take more than QUEUED_MAX bytes, -1 with RPYC_ENOMEM. */
static int enqueue(struct serving_table *t, struct serving *s, struct message *m, int64_t handler,
                   struct rpyc_error *err)
{
    struct queued *q;

    if (t->queued_bytes + size_of(m) > QUEUED_MAX)
        return 1;
    q = malloc(sizeof(*q));
    if (!q)
        return error_nomem(err);
    message_give_turn(m);
    q->request = *m;
    q->handler = handler;
    *m = (struct message){0};
    TAILQ_INSERT_TAIL(&s->queued, q, entry);
    t->queued_bytes += size_of(&q->request);
    return 0;
}

/* Removes q, which may be NULL, from the queue of s. Returns q. */
static struct queued *take(struct serving_table *t, struct serving *s, struct queued *q)
{
    if (!q)
        return NULL;
    TAILQ_REMOVE(&s->queued, q, entry);
    t->queued_bytes -= size_of(&q->request);
    return q;
}

struct queued *serving_dequeue(struct serving_table *t, struct serving *s, bool nested)
{
    struct queued *q;

    TAILQ_FOREACH (q, &s->queued, entry) {
        if (!nested || q->request.recipient)
            break;
    }
    return take(t, s, q);
}

struct serving *serving_outermost(const struct serving_table *t, pthread_t thread)
{
    return outermost(serving_of_thread(t, thread));
}

struct queued *serving_dequeue_own(struct serving_table *t, bool nested)
{
    struct serving *s = serving_outermost(t, pthread_self());

    return s ? serving_dequeue(t, s, nested) : NULL;
}

struct queued *serving_dequeue_handler(struct serving_table *t, pthread_t thread, int64_t handler)
{
    struct serving *s = serving_outermost(t, thread);
    struct queued *q;

    if (!s)
        return NULL;
    TAILQ_FOREACH (q, &s->queued, entry) {
        if (q->handler == handler)
            break;
    }
    return take(t, s, q);
}

void queued_free(struct queued *q)
{
    message_free(&q->request);
    free(q);
}

int serving_claim(struct serving_table *t, bool bound, struct serving *queue, struct message *m,
                  int64_t handler, struct serving **s, struct rpyc_error *err)
{
    bool is_ordered = handler != HANDLE_STACKS;
    struct serving *own = queue ? queue : serving_outermost(t, pthread_self());
    struct serving *other = bound && is_ordered ? required(t, m) : NULL;

    *s = NULL;
    if (other && other != own)
        return enqueue(t, other, m, handler, err);
    if (queue)
        return enqueue(t, queue, m, handler, err);
    /* If m need not be served in order, its entry names no thread of the peer. Then later requests
     * of m->sender are not queued for the calling thread. */
    *s = serving_enter(t, is_ordered ? m->sender : 0);
    return *s || serving_is_full(t) ? 1 : error_nomem(err);
}
