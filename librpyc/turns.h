/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Long messages, one at a time: what several connections share so that together they do not take
 * more memory than one of them may. A connection takes the turn before it receives or inflates more
 * than FRAME_LONG bytes, and gives it up once the message's memory is free.
 */
#ifndef RPYC_TURNS_H
#define RPYC_TURNS_H

#include <pthread.h>
#include <stdatomic.h>

#include "queue.h"
#include "stream.h"

struct turns;

/* A connection's part in it. One thread at a time may be in turn_take. */
struct turn {
    struct turns *turns; /* a reference; NULL: there are no turns, and it always has one */
    atomic_bool has;

    /* turns->lock guards the rest. */
    bool queued, waiting;
    atomic_bool stopped;
    size_t kept; /* bytes without the turn */
    TAILQ_ENTRY(turn) entry;
};

/* kept_max: the bytes that all connections together may keep without the turn. NULL: no memory. One
 * reference. */
struct turns *turns_new(size_t kept_max);
struct turns *turns_ref(struct turns *turns);
void turns_unref(struct turns *turns);

/* turns may be NULL. */
void turn_init(struct turn *t, struct turns *turns);
void turn_end(struct turn *t);

/* In a child after a fork, where the connection goes no further. Async-signal-safe. */
void turn_forked(struct turn *t);

/* Waits for the turn: true if it has it, or had it before. Who waits first has it first; a place in
 * the queue is kept from one call to the next, but does not hold up others meanwhile. */
bool turn_take(struct turn *t, deadline_t until);

/* Gives up the place in the queue. */
void turn_leave(struct turn *t);

/* From now on turn_take does not wait. */
void turn_stop(struct turn *t);

/* Whether others wait. */
bool turn_is_wanted(struct turn *t);

/* Gives up the turn, if it has it. */
void turn_give(struct turn *t);

/* Counts n bytes that the connection keeps without the turn. False where that is too much for all
 * connections together: then they are not counted. */
bool turn_keep(struct turn *t, size_t n);
void turn_unkeep(struct turn *t, size_t n);

#endif
