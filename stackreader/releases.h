/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the code of a frame says about the locks that the frame has taken: whether it may have
 * released a lock in the meantime, and which locks it will release in a `finally` block.
 */
#ifndef STACKREADER_RELEASES_H
#define STACKREADER_RELEASES_H

#include "value_stack.h"

/* True if the frame may have accessed the attribute `release` of an object since it executed the
 * instruction at offset `since` (in bytes; -1: since it began). True also if the code accesses this
 * attribute of an object that is not known. To find out of which object, uses the present values of
 * variables and attributes. */
bool may_release(const struct python *py, struct value_room *room, const struct raw_frame *frame,
                 int64_t since, uint64_t object);

/* A lock that a frame has probably taken by acquire(). */
struct acquired {
    uint64_t object;
    int64_t since; /* the offset of the instruction that accesses the attribute `acquire` */
};

#define ACQUIRED_MAX 4 /* the most locks of one frame */

/* Finds the objects whose `acquire` the frame has accessed, and whose `release` it will access in a
 * `finally` block that it is in. This is a guess, since acquire() may have failed, and since the
 * present values of variables and attributes show which objects these are. Leaves out an object
 * that the frame may have released since then. Returns the number of objects. */
size_t acquired_until_finally(const struct python *py, struct value_room *room,
                              const struct raw_frame *frame, struct acquired found[ACQUIRED_MAX]);

#endif
