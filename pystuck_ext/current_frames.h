/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The frames of all threads, also in a process with interpreters that do not share one GIL.
 */
#ifndef PS_CURRENT_FRAMES_H
#define PS_CURRENT_FRAMES_H

#include "ext.h"

/* Returns what sys._current_frames() returns: a dict of the innermost frame of each thread, by
 * ident. From Python 3.12 on, an interpreter may have its own GIL. If an interpreter of the process
 * has another GIL, the dict has only threads of the calling interpreter, because
 * sys._current_frames() would use the frames of other interpreters without their GIL, and make
 * frame objects that these interpreters free in the wrong allocator. Call with the GIL. A new
 * reference, or NULL with an exception. */
PyObject *ps_current_frames(void);

/* True if an interpreter of the process has another GIL than the calling interpreter, or if this is
 * not known. In this case, ps_current_frames() leaves out threads. Call with the GIL. */
bool ps_has_other_gil(void);

#endif
