/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests of the peer that are being served, and which thread serves which. This file knows
 * nothing of connections and takes no locks. Each table belongs to one connection, whose lock
 * guards it.
 *
 * With bind-threads, each message names the peer's thread that sent it. Requests of one peer thread
 * are served in order, by one thread of this process. Requests of different peer threads may be
 * served at the same time. If a request must be served by a thread that is still serving another
 * request, the new request is queued at the outermost entry of that thread.
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

/* A request that a thread of this process is serving. It is always on the heap, for the reason that
 * struct pending gives. */
struct serving {
    LIST_ENTRY(serving) entry;
    pthread_t thread;
    uint64_t peer_thread;      /* 0 without bind-threads */
    struct serving *within;    /* the request that the thread was serving when it began this one; or
                                * NULL */
    struct queued_list queued; /* only used in a thread's outermost entry */
};

/* All requests of one connection that are being served. Valid when filled with zeros. */
struct serving_table {
    LIST_HEAD(, serving) list; /* the latest first */
    unsigned count;
    size_t queued_bytes;
    struct serving *spare; /* memory for the next entry; or NULL */
};

/* Frees the memory of a table without entries. */
void serving_free(struct serving_table *t);

/* Returns the innermost request that a thread is serving; NULL: none. */
struct serving *serving_of_thread(const struct serving_table *t, pthread_t thread);

/* True if no further request may be served: see SERVING_MAX. */
bool serving_is_full(const struct serving_table *t);

/* Decides which thread serves the request m. Call before another message is read. bound:
 * bind-threads is in use. queue: if not NULL, m is queued at this entry, unless m must be queued
 * for another thread. HANDLE_STACKS need not be served in order: if queue is NULL, the calling
 * thread serves it. Returns
 *    1: The calling thread serves m. *s is set to the new entry for m, for serving_leave; or to
 *       NULL if too many requests are served or queued; the caller must then refuse m.
 *    0: m was queued: for another thread, or at `queue`. m is empty now.
 *   -1: RPYC_ENOMEM. */
int serving_claim(struct serving_table *t, bool bound, struct serving *queue, struct message *m,
                  int64_t handler, struct serving **s, struct rpyc_error *err);

/* Adds and returns an entry for a request that the calling thread begins to serve. NULL: the table
 * is full, or there is no memory. */
struct serving *serving_enter(struct serving_table *t, uint64_t peer_thread);

/* Removes and frees an entry, and frees the requests that are still queued at it. The entries of a
 * thread may end in another order than they began (greenlets). So entries within s become entries
 * within the entry around s. */
void serving_leave(struct serving_table *t, struct serving *s);

/* Removes and returns the first request that is queued at s; the caller frees it with queued_free.
 * nested: only looks for requests that name the thread of s as their recipient. Such a request
 * belongs to the request that this thread is serving. NULL: there is none. */
struct queued *serving_dequeue(struct serving_table *t, struct serving *s, bool nested);

/* Like serving_dequeue, for the outermost entry of the calling thread. Returns NULL also if the
 * thread serves no request. */
struct queued *serving_dequeue_own(struct serving_table *t, bool nested);

/* Of the requests that are queued for a thread, removes and returns the first one to this handler.
 * The caller frees it with queued_free. NULL: there is none. */
struct queued *serving_dequeue_handler(struct serving_table *t, pthread_t thread, int64_t handler);

/* Returns the outermost entry of a thread; NULL: the thread serves no request. */
struct serving *serving_outermost(const struct serving_table *t, pthread_t thread);

void queued_free(struct queued *q);

#endif
