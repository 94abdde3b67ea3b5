/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Long messages, one at a time. Connections that share turns do not use more memory together than
 * one of them may. A connection takes the turn before it receives or inflates more than FRAME_LONG
 * bytes of a message, and releases it when the message's memory has been freed.
 */
#ifndef RPYC_TURNS_H
#define RPYC_TURNS_H

#include <pthread.h>
#include <stdatomic.h>

#include "queue.h"
#include "stream.h"

struct turns;

/* A connection's place in the turns. Only one thread at a time may call turn_take for it. */
struct turn {
    struct turns *turns; /* a reference; NULL: no turns are needed, and turn_take always succeeds */
    atomic_bool has;

    /* turns->lock guards the members below. */
    bool queued, waiting;
    atomic_bool stopped;
    size_t kept; /* bytes that the connection keeps without having the turn */
    TAILQ_ENTRY(turn) entry;
};

/* Creates turns with one reference. kept_max: how many bytes all connections together may keep
 * without the turn. NULL: out of memory. */
struct turns *turns_new(size_t kept_max);
struct turns *turns_ref(struct turns *turns);
void turns_unref(struct turns *turns);

/* Call turn_init before all functions below, and turn_end when done. turns may be NULL. */
void turn_init(struct turn *t, struct turns *turns);
void turn_end(struct turn *t);

/* For the child of a fork, where the connection is not used any more. Async-signal-safe. */
void turn_forked(struct turn *t);

/* Waits for the turn. True: this connection has it, or had it before. The connection that waits
 * longest is next. A place in the queue is kept between calls, but does not delay others meanwhile.
 * */
bool turn_take(struct turn *t, deadline_t until);

/* Removes the connection from the queue. */
void turn_leave(struct turn *t);

/* Makes turn_take fail at once instead of waiting, from now on. */
void turn_stop(struct turn *t);

/* True if another connection waits for the turn. */
bool turn_is_wanted(struct turn *t);

/* Releases the turn, if this connection has it. */
void turn_give(struct turn *t);

/* Counts n bytes that the connection keeps without the turn. False, and not counted, if all
 * connections together would keep too many. */
bool turn_keep(struct turn *t, size_t n);
void turn_unkeep(struct turn *t, size_t n);

#endif
