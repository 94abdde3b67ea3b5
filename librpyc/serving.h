/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests of the peer that are being served, and which thread serves which. Knows no connection
 * and takes no lock: every table belongs to one connection, whose lock guards it.
 *
 * With bind-threads, each message names the peer's thread that sent it. Requests of one peer thread
 * are served in order, by one thread of this process; those of different peer threads are served
 * side by side. A request for a busy thread is queued at that thread's outermost entry.
 */
#ifndef RPYC_SERVING_H
#define RPYC_SERVING_H

#include <pthread.h>

#include "message.h"
#include "queue.h"

/* A request that is queued for a busy thread. */
struct queued {
    TAILQ_ENTRY(queued) entry;
    struct message request;
    int64_t handler;
};

TAILQ_HEAD(queued_list, queued);

/* A request that a thread of this process is serving. It is allocated and never on a stack, like
 * struct pending. */
struct serving {
    LIST_ENTRY(serving) entry;
    pthread_t thread;
    uint64_t peer_thread;      /* 0 without bind-threads */
    struct serving *within;    /* the request of the same thread that contains this one, or NULL */
    struct queued_list queued; /* used in a thread's outermost entry only */
    bool attending; /* in an outermost entry: its thread queues each request that it reads */
};

/* All requests of one connection that are being served. Valid when filled with zeros. */
struct serving_table {
    LIST_HEAD(, serving) list; /* the latest first */
    unsigned count;
    size_t queued_bytes;
};

/* The innermost request that a thread is serving; NULL: none. */
struct serving *serving_of_thread(const struct serving_table *t, pthread_t thread);

/* True if no further request may be served: see SERVING_MAX. */
bool serving_is_full(const struct serving_table *t);

/* Decides which thread serves a request. Call before another message is read.
 *  1: the calling thread. *s is its entry, to be ended by serving_leave; or NULL if too many
 *     requests are served or queued, and this one has to be refused.
 *  0: another thread, or the calling one later; m was queued for it. m is taken and empty.
 * -1: RPYC_ENOMEM.
 * bound: bind-threads is in use. */
int serving_claim(struct serving_table *t, bool bound, struct message *m, int64_t handler,
                  struct serving **s, struct rpyc_error *err);

/* Adds an entry for the calling thread; NULL: the table is full or there is no memory. */
struct serving *serving_enter(struct serving_table *t, uint64_t peer_thread);

/* Removes and frees an entry, and frees the requests that are still queued at it. Entries may end
 * in another order than they were entered in (greenlets): those within s are moved to the entry
 * around s. */
void serving_leave(struct serving_table *t, struct serving *s);

/* Removes the first request queued at s; the caller frees it with queued_free. nested: only a
 * request that names this thread as its recipient, so it belongs to what the thread is serving.
 * NULL: there is none. */
struct queued *serving_dequeue(struct serving_table *t, struct serving *s, bool nested);

/* Like serving_dequeue, for the outermost entry of the calling thread. Returns NULL also if the
 * thread serves no request. */
struct queued *serving_dequeue_own(struct serving_table *t, bool nested);

/* Removes the first request to a handler that is queued for the calling thread; the caller frees it
 * with queued_free. NULL: there is none. */
struct queued *serving_dequeue_handler(struct serving_table *t, int64_t handler);

/* The outermost entry of the calling thread; NULL: it serves no request. */
struct serving *serving_outermost(const struct serving_table *t);

void queued_free(struct queued *q);

#endif
