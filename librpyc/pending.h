/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is inside a connection: its requests of ours that wait for a reply, and those of the peer's
 * that are being served. For conn.c, pending.c and serving.c alone.
 */
#ifndef RPYC_PENDING_H
#define RPYC_PENDING_H

#include <pthread.h>
#include <stdatomic.h>

#include "conn.h"

/* A request of the peer that one of our threads is serving. Not on that thread's stack: it may be
 * swapped out under us (greenlets), or end without a word (a daemon thread at the end of the
 * interpreter). */
struct serving {
    pthread_t thread;
    uint64_t peer_thread;
    struct serving *within; /* the request that this one is within, on the same thread */
    struct queued *queue;   /* with bind-threads: what is for this thread, the outermost one's, */
    struct queued *last;    /* ... and the end of that, if there is any */
    struct serving *next;
};

/* A request of ours under way. */
struct pending {
    int64_t seq;
    bool done;
    bool cancelled;
    bool plain;           /* nobody else knows of it, to cancel it */
    bool awaited;         /* a thread waits for the reply, and takes it at once */
    struct message reply; /* once done, until it is fetched */
    conn_notify notify;   /* to be called once it is done, or the connection is closed; or NULL */
    void *notify_arg;
    struct pending *next;
};

struct conn {
    atomic_int refs;
    struct stream stream;
    const struct conn_callbacks *ops;
    void *host;
    int stall_ms;       /* 0: never */
    unsigned max_depth; /* of each message: see conn_config */
    size_t max_items;

    pthread_mutex_t lock;   /* guards all that follows, up to the reader, and closing the stream */
    pthread_cond_t changed; /* a reply arrived, a role is free, or it is closed */
    struct envelope env;
    bool was_asked; /* a request has come in */
    bool closed;
    struct rpyc_error why;
    int64_t next_seq;
    struct pending *pending; /* requests of ours without a reply */
    struct serving *serving; /* requests of the peer without a reply, the latest first */
    unsigned serving_count;
    size_t queued_bytes; /* of the requests that wait for the thread that they are for */
    struct buffer spare; /* memory for the next outgoing message */
    bool reading;        /* somebody has the role of reading, */
    bool sending;        /* ... of sending: a message is going out, */
    pthread_t sender;    /* ... on this thread */

    struct frame_reader reader; /* belongs to whoever reads, */
    deadline_t rest_due;        /* ... until then something more of an incomplete message is due, */
    struct turn turn;           /* for long messages, */
    bool reads_in_turn;         /* ... which the message that is being received has, */
    size_t kept;                /* ... or does not have any more, with so many bytes of it here, */
    atomic_llong turn_due;      /* ... or has to get until then; 0: it does not wait for it */
    deadline_t slice_end;       /* of the time in which something has to come, */
    size_t slice_bytes;         /* ... and how much has, */
    unsigned idle_slices;       /* ... and in how many nothing has */
};

/* ---- conn.c, for pending.c ------------------------------------------------------------------- */

/* With the lock held: fills err with why the connection ended. */
int conn_closed_error(const struct conn *c, struct rpyc_error *err);

bool conn_deadline_passed(deadline_t deadline);

/* The end of the next stretch of a wait. It is a short one where the wait can be cancelled, or the
 * host wants to hear of signals: one that comes just before a call that waits does not interrupt
 * it. */
deadline_t conn_next_stretch(const struct conn *c, deadline_t deadline, bool cancellable);

/* One step of waiting, with the lock held before and after: reads if nobody does, waits for whoever
 * does else. -1: RPYC_ETIMEOUT, RPYC_EINTERRUPT. An error of the connection shows in c->closed. */
int conn_step(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* When a message is given up if nothing more of it goes out, or comes in, until then. */
deadline_t conn_stalled_at(const struct conn *c, deadline_t deadline);

/* Whether the host wants a wait given up. */
bool conn_interrupted(struct conn *c, bool by_signal);

/* ---- receive.c, for conn.c ------------------------------------------------------------------- */

/* Reads one frame into m, with its turn if it is a long one. The caller has the role of reading.
 * What was read of an incomplete one stays for the next call. */
int conn_receive(struct conn *c, struct message *m, deadline_t deadline, struct rpyc_error *err);

/* ---- pending.c, for conn.c ------------------------------------------------------------------- */

/* What became of a reply; and whom to tell, once the lock is free: notify is NULL for nobody. */
struct completion {
    bool claimed;
    conn_notify notify;
    void *arg;
};

/* With the lock held: gives a reply to the request that it is for, and takes m. Nobody claims the
 * reply to a DEL, or one that came too late: that is for pending_unclaimed. */
struct completion pending_complete(struct conn *c, struct message *m);

/* Shows a reply that nobody waits for to the host. Takes m. */
void pending_unclaimed(struct conn *c, struct message *m);

/* Tells all who wait for a reply without a thread of theirs that the connection is closed. */
void pending_notify_closed(struct conn *c);

/* ---- serving.c, for both --------------------------------------------------------------------- */

/* With the lock held: the innermost request that a thread is serving; NULL for none. */
struct serving *serving_of_thread(const struct conn *c, pthread_t thread);

/* With the lock held, and before anything else is read: who serves a request. 1: the caller, by
 * serving_run, or, where *s is NULL, for too many are being served or wait, by serving_refuse. 0:
 * another thread, which is at one of the same thread of the peer's, or which the request names; m
 * is taken. -1: RPYC_ENOMEM. */
int serving_claim(struct conn *c, struct message *m, int64_t handler, struct serving **s,
                  struct rpyc_error *err);

/* Serves a request, and after it all that has been left for this thread meanwhile. */
int serving_run(struct conn *c, struct serving *s, struct message *m, int64_t handler,
                struct rpyc_error *err);
int serving_refuse(struct conn *c, const struct message *m, struct rpyc_error *err);

/* In a wait, with the lock held before and after: serves a request that another thread has read and
 * that names this one, or any that has been left for it. False: there is none. */
bool serving_within(struct conn *c, bool any);

#endif
