/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A connection's members, and functions that its files share: conn.c, send.c, receive.c and
 * await.c, each of which uses only those before it. Other files include conn.h.
 */
#ifndef RPYC_CONN_INTERNAL_H
#define RPYC_CONN_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "conn.h"
#include "pending.h"
#include "serving.h"

struct conn {
    atomic_int refs;

    /* Set by conn_new and not changed afterwards. */
    const struct conn_callbacks *callbacks;
    void *owner;
    int stall_ms;       /* 0: no limit */
    unsigned max_depth; /* limits for each message: see conn_config */
    size_t max_items;

    struct stream stream; /* `reading` and `sending` protect its use; `lock` protects closing it */

    pthread_mutex_t lock;   /* guards the members down to `sender` */
    pthread_cond_t changed; /* a reply arrived, a role became free, or the connection closed */
    struct envelope env;
    bool was_asked; /* the peer has sent a request */
    bool closed;
    struct rpyc_error why; /* the reason for closing */
    int64_t next_seq;
    struct pending_list pending;  /* requests to the peer without a reply */
    struct serving_table serving; /* requests of the peer without a reply */
    struct buffer spare;          /* memory for the next outgoing message */
    bool reading;                 /* a thread has the read role */
    bool sending;                 /* a thread has the send role */
    pthread_t sender;             /* the thread that has the send role, if `sending` is true */

    /* Used by the thread that has the read role. */
    struct frame_reader reader;
    deadline_t rest_due; /* when more of an incomplete message must have arrived */
    struct turn turn;    /* for messages longer than FRAME_LONG */
    bool reads_in_turn;  /* the message that is being received has the turn */
    size_t kept;         /* bytes of an incomplete message that lost the turn */
    atomic_llong
        turn_due;         /* when the wait for the turn fails; 0: no wait. Any thread may load it */
    deadline_t slice_end; /* end of the current slice of time: see receive.c */
    size_t slice_bytes;   /* received in this slice */
    unsigned idle_slices; /* slices in a row in which nothing was received */
};

/* ---- conn.c --------------------------------------------------------------------------------- */

/* True if the call failed only because of its deadline or a signal. It may be repeated. */
static inline bool conn_may_retry(const struct rpyc_error *err)
{
    return err->code == RPYC_ETIMEOUT || err->code == RPYC_EINTERRUPT;
}

/* Fills err after `why` has closed the connection. A code after which a caller would try again
 * (RPYC_ETIMEOUT, RPYC_ENOMEM) becomes RPYC_ECLOSED, so that rpyc_error_is_fatal() is true. Returns
 * -1. */
int conn_lost_error(const struct rpyc_error *why, struct rpyc_error *err);

/* Fills err with the reason why the connection is closed. Returns -1. Call with c->lock held. */
int conn_closed_error(const struct conn *c, struct rpyc_error *err);

bool conn_deadline_passed(deadline_t deadline);

/* Returns the deadline by which more bytes of an incomplete message must be sent or received. */
deadline_t conn_stalled_at(const struct conn *c, deadline_t deadline);

/* Returns the end of the next part of a wait. It comes soon if the wait can be cancelled or if the
 * owner checks signals: a signal that arrives just before a blocking call does not interrupt it. */
deadline_t conn_next_check(const struct conn *c, deadline_t deadline, bool cancellable);

/* True if the owner ends this thread's wait. by_signal: a signal may have arrived. */
bool conn_interrupted(struct conn *c, bool by_signal);

/* Waits until c->changed is signalled, or until the next check for signals. Call with c->lock
 * held; it is released meanwhile. Errors: RPYC_ETIMEOUT, RPYC_EINTERRUPT. */
int conn_wait_for_change(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* ---- receive.c ------------------------------------------------------------------------------ */

/* Reads one frame into m, and takes the turn if it is a long one. Call with the read role. After an
 * error that conn_may_retry, the bytes of an incomplete frame stay for the next call. */
int conn_receive(struct conn *c, struct message *m, deadline_t deadline, struct rpyc_error *err);

#endif
