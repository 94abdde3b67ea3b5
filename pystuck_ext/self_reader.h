/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stack reader on the memory of this process. run_server, which has the GIL, makes and checks
 * the reader. Later, threads without the GIL use the reader.
 */
#ifndef PS_SELF_READER_H
#define PS_SELF_READER_H

#include "ext.h"
#include "stackreader.h"

/* Creates a reader for this process; free it with stackreader_free. Checks it: the stacks that it
 * reads must be those that sys._current_frames() shows. offsets: ps_own_offsets, or wrong ones in a
 * test. If the offsets are unknown or wrong, or memory is short, returns NULL and sets *why to a
 * constant sentence. If only offsets that locks need are wrong, returns a reader that does not read
 * locks, and sets *why, too. Otherwise sets *why to NULL. No exception is set. */
struct stackreader *ps_self_reader_new(const struct offsets *offsets, const char **why);

/* Creates a reader like one that ps_self_reader_new has made, and does not check it. For a forked
 * child, whose parent had the reader. locks: false if the parent's reader refused locks. On failure
 * returns NULL and sets *why to a constant sentence. Runs no code of Python. */
struct stackreader *ps_self_reader_again(const struct offsets *offsets, bool locks,
                                         const char **why);

#endif
