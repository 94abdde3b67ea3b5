/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The members of struct conn, and functions for conn.c, send.c, receive.c and await.c only. Each of
 * these files uses only functions of the files before it in this list. Other files include conn.h.
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

    /* Set by conn_new and not changed later. */
    const struct conn_callbacks *callbacks;
    void *owner;
    int stall_ms;       /* 0: no limit */
    unsigned max_depth; /* limits for each message: see conn_config */
    size_t max_items;

    atomic_uint envelope; /* see conn_envelope; set by conn_new, then by the thread that has the
                             read role */

    struct stream stream; /* used by the threads that have the read role and the send role; closed
                             with `lock` held */

    pthread_mutex_t lock;   /* guards the members down to `for_other` */
    pthread_cond_t changed; /* a reply arrived, a role became free, or the connection closed */
    bool was_asked;         /* the peer has sent a request */
    bool closed;
    struct rpyc_error why; /* why the connection was closed; RPYC_OK: no reason was given */
    int64_t next_seq;
    struct pending_list pending;  /* requests to the peer that have no reply yet */
    struct serving_table serving; /* requests of the peer that are being served */
    struct buffer spare;          /* memory for the next outgoing message */

    /* The thread that has the read role queues each request here. NULL: that thread serves the
     * requests itself. */
    struct serving *queue;
    pthread_t sender; /* the thread that has the send role, if `sending` is true */
    bool sending;     /* a thread has the send role */
    bool reading;     /* a thread has the read role */
    bool at_end;      /* conn_attend_for has read the end of the peer's stream */
    bool for_other;   /* the thread that has the read role is in conn_attend_for */

    /* Used by the thread that has the read role. */
    struct frame_reader reader;
    deadline_t rest_due;   /* the time by which more of an incomplete message must arrive; else the
                            * peer is too slow */
    struct turn turn;      /* needed to receive a message longer than FRAME_LONG: see turns.h */
    bool reads_in_turn;    /* the turn is held for the message that is being received */
    size_t kept;           /* size of an incomplete message that lost the turn, in bytes */
    atomic_llong turn_due; /* deadline of the wait for the turn; 0: no message waits. Any thread may
                              load it */
    deadline_t slice_end;  /* end of the current slice of time: see receive.c */
    size_t slice_bytes;    /* received in this slice */
    unsigned idle_slices;  /* successive slices in which too little was received */
};

/* ---- conn.c --------------------------------------------------------------------------------- */

/* err: the error of a call that failed. True if the call failed only because of its deadline or a
 * signal. The caller may then repeat the call. */
static inline bool conn_may_retry(const struct rpyc_error *err)
{
    return err->code == RPYC_ETIMEOUT || err->code == RPYC_EINTERRUPT;
}

/* Fills err for a call that fails because the connection was closed with the error `why`. Copies
 * `why` if it is fatal (rpyc_error_is_fatal). Otherwise copies only its text, and sets the code to
 * RPYC_ECLOSED: after a code like RPYC_ETIMEOUT or RPYC_ENOMEM, a caller would try again. Returns
 * -1. */
int conn_lost_error(const struct rpyc_error *why, struct rpyc_error *err);

/* Fills err with the reason why the connection is closed. Returns -1. Call with c->lock held. */
int conn_closed_error(const struct conn *c, struct rpyc_error *err);

bool conn_deadline_passed(deadline_t deadline);

/* Sets what conn_envelope returns. Call in conn_new, or with the read role. */
void conn_set_envelope(struct conn *c, struct envelope env);

/* Returns the time by which more bytes of an incomplete message must be sent or received: stall_ms
 * from now, but at the latest `deadline`. */
deadline_t conn_stalled_at(const struct conn *c, deadline_t deadline);

/* A long wait is done in parts. Returns the end of the next part: `deadline`, or an earlier time if
 * the wait can be cancelled or the owner checks signals. The parts are needed because a signal that
 * arrives just before a blocking call does not interrupt the call. */
deadline_t conn_next_check(const struct conn *c, deadline_t deadline, bool cancellable);

/* Calls the owner's `interrupted`. Returns true if this thread has to end its wait. by_signal: a
 * signal may have arrived. */
bool conn_interrupted(struct conn *c, bool by_signal);

/* Waits until c->changed is signalled, until the deadline, or until the next check for signals.
 * Call with c->lock held; the lock is released meanwhile. Errors: RPYC_ETIMEOUT,
 * RPYC_EINTERRUPT. */
int conn_wait_for_change(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* ---- receive.c ------------------------------------------------------------------------------ */

/* Reads one frame into m->frame. Takes the turn if the frame is long. Call with the read role. If
 * the call fails and conn_may_retry is true, the bytes of an incomplete frame are kept for the next
 * call. */
int conn_receive(struct conn *c, struct message *m, deadline_t deadline, struct rpyc_error *err);

#endif
