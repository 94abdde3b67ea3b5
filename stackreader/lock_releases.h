/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the code of a frame says about the locks that the frame has taken: whether the code may have
 * released a lock in the meantime, and which locks it will release in a `finally` block.
 */
#ifndef STACKREADER_LOCK_RELEASES_H
#define STACKREADER_LOCK_RELEASES_H

#include "value_stack.h"

/* True if the frame may have accessed the attribute `release` of `object` since it executed the
 * instruction at the offset `since` (in bytes; -1: since the frame began). The present values of
 * variables and attributes show of which object an instruction accesses the attribute `release`. If
 * these values do not show the object, this function assumes that the object is `object`. */
bool may_release(const struct python *py, struct value_room *room, const struct raw_frame *frame,
                 int64_t since, uint64_t object);

/* A lock that a frame has probably taken by acquire(). */
struct acquired {
    uint64_t object;
    int64_t since; /* the offset of the instruction that accesses the attribute `acquire` */
};

#define ACQUIRED_MAX 8 /* the most locks of one frame */

/* Finds the objects that the frame has probably acquired by calls and not released:
 *
 * - The frame has accessed the attribute `acquire` of the object, and is in a `try` whose `finally`
 *   block accesses the attribute `release` of the object.
 * - The frame has executed a statement `object.acquire()`, and cannot have reached its present
 *   instruction in another way.
 *
 * The result is a guess, because acquire() may have failed, because the objects are found by the
 * present values of variables and attributes, and because any thread may release a Lock. Leaves out
 * an object that the frame may have released after acquire(). May write an object twice. Returns
 * the number of objects. */
size_t acquired_by_calls(const struct python *py, struct value_room *room,
                         const struct raw_frame *frame, struct acquired found[ACQUIRED_MAX]);

#define RELEASED_BY_CALLS_MAX 4 /* the most locks of one frame */

/* Finds the objects of which the frame may have accessed the attribute `release`, if the code of
 * the frame accesses no attribute `acquire`: such a frame has released what another function took.
 * Leaves out objects that the present values of variables and attributes do not show. Returns the
 * number of objects. */
size_t released_by_calls(const struct python *py, struct value_room *room,
                         const struct raw_frame *frame, uint64_t found[RELEASED_BY_CALLS_MAX]);

#endif
