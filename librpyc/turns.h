/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The turn: the right to receive a long message. Of the connections that share a struct turns, only
 * one has the turn at a time. So all these connections together do not use more memory for long
 * messages than one connection may use. A connection takes the turn before it receives or inflates
 * more than FRAME_LONG bytes of a message. It releases the turn when the message's memory has been
 * freed.
 */
#ifndef RPYC_TURNS_H
#define RPYC_TURNS_H

#include <pthread.h>
#include <stdatomic.h>

#include "queue.h"
#include "stream.h"

struct turns;

/* One connection: whether it has the turn, and its place in the queue. Only one thread at a time
 * may call turn_take for a connection. */
struct turn {
    struct turns *turns; /* a reference; NULL: nothing is shared, and turn_take always succeeds */
    atomic_bool has;

    /* turns->lock guards the members below. */
    bool queued, waiting;
    atomic_bool stopped;
    size_t kept; /* bytes that the connection keeps without having the turn */
    TAILQ_ENTRY(turn) entry;
};

/* Creates a struct turns with one reference. kept_max: how many bytes all connections together may
 * keep without the turn. NULL: out of memory. */
struct turns *turns_new(size_t kept_max);
struct turns *turns_ref(struct turns *turns);
void turns_unref(struct turns *turns);

/* Call turn_init before the functions below, and turn_end when the connection is freed. turns may
 * be NULL. */
void turn_init(struct turn *t, struct turns *turns);
void turn_end(struct turn *t);

/* Resets the turn and its lock in the child of a fork, where the threads that used them do not
 * exist. The child does not use the connection any more. Async-signal-safe. */
void turn_forked(struct turn *t);

/* Waits for the turn, until the time `until` at the latest. Returns true if this connection has the
 * turn now. The connection that has waited longest gets the turn next. After this function has
 * returned false, the connection keeps its place in the queue for the next call. Until that call,
 * the connections behind it in the queue may get the turn before it. */
bool turn_take(struct turn *t, deadline_t until);

/* Removes the connection from the queue. */
void turn_leave(struct turn *t);

/* From now on, turn_take returns false instead of waiting. */
void turn_stop(struct turn *t);

/* True if another connection waits for the turn. */
bool turn_is_wanted(struct turn *t);

/* Releases the turn, if this connection has it. */
void turn_give(struct turn *t);

/* turn_keep counts n bytes that the connection keeps without the turn. Returns false, and counts
 * nothing, if all connections together would keep more than kept_max bytes. turn_unkeep subtracts n
 * bytes. */
bool turn_keep(struct turn *t, size_t n);
void turn_unkeep(struct turn *t, size_t n);

#endif
