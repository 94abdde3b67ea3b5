/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests to the peer that have no reply yet. This file knows no connections and takes no locks.
 * Each list belongs to one connection, whose lock guards the list and the requests in it.
 */
#ifndef RPYC_PENDING_H
#define RPYC_PENDING_H

#include "message.h"
#include "queue.h"

/* One request to the peer. It is always on the heap. It cannot be on the stack of the thread that
 * waits: that stack may be swapped out (greenlets) or unmapped (a daemon thread when the
 * interpreter ends). */
struct pending {
    LIST_ENTRY(pending) entry; /* in the list until done, or until the request is forgotten */
    int64_t seq;
    bool done;
    bool cancelled;
    bool cancellable;     /* other threads can cancel it, so the wait for its reply checks this from
                           * time to time */
    bool awaited;         /* a thread waits and will take the reply at once */
    struct message reply; /* set when done is true; its frame is empty after the reply was taken */
    void (*notify)(void *arg); /* called when done or when the connection closes; NULL: no call */
    void *notify_arg;
};

LIST_HEAD(pending_list, pending);

/* Allocates a request that is in no list yet; free() releases it. NULL: out of memory. */
struct pending *pending_new(int64_t seq);

/* The result of pending_complete. After releasing the lock the caller calls notify(arg), unless
 * notify is NULL. */
struct completion {
    bool claimed; /* false: no request waits for this reply, and the caller still owns it */
    void (*notify)(void *arg);
    void *arg;
};

/* Moves a reply to its request and removes the request from the list. A reply is not claimed if it
 * answers a DEL or if its request was forgotten. */
struct completion pending_complete(struct pending_list *list, struct message *reply);

/* Finds a request whose notify function was not called yet. Moves this function and its argument to
 * *out, so that the request has no notify function any more. The caller calls out->notify after
 * releasing the lock. Returns false if there is no such request. */
bool pending_next_notification(struct pending_list *list, struct completion *out);

#endif
