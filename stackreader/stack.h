/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the frames of a thread together with their code, and decides whether the result is exact.
 */
#ifndef STACKREADER_STACK_H
#define STACKREADER_STACK_H

#include "code.h"
#include "frames.h"

/* Reads the frames of a thread. Sets the members `count`, `state`, `activity` and `cut` of *stack,
 * and the members `read` and `line` of each frame. If the stack is moving, reads the stack again,
 * at most STACK_TRIES times in all.
 *
 * activity: what the memory returned for this thread, before the memory forgot what was read and
 * the cache was emptied; -1: not known. If stack->activity has another value afterwards, the thread
 * has run, and the memory has forgotten what was read before. The other arguments are those of
 * frames_read and code_read. */
void stack_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                uint64_t thread, pid_t native_id, int64_t activity, struct raw_stack *stack);

#define STACK_TRIES 50

#endif
