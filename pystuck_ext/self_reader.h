/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stack reader on the memory of this process: made and checked by run_server, which has the
 * GIL, and used later by threads that do not.
 */
#ifndef PS_SELF_READER_H
#define PS_SELF_READER_H

#include "ext.h"
#include "stackreader.h"

/* Creates a reader for this process; free it with stackreader_free. Checks it: the stacks that it
 * reads must be those that sys._current_frames() shows. offsets: ps_own_offsets, or wrong ones in a
 * test. Returns NULL, and in *why a constant sentence, if the offsets are not known, or wrong, or
 * memory is short. No exception is set. */
struct stackreader *ps_self_reader_new(const struct offsets *offsets, const char **why);

#endif
