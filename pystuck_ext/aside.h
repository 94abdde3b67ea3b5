/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Calls Python code that may block, on another thread. If the code blocks, the caller stops waiting
 * and the other thread stays blocked.
 */
#ifndef PS_ASIDE_H
#define PS_ASIDE_H

#include "ext.h"

/* The function run_aside(function, patience) of the module. Starts a thread of pystuck, which calls
 * function() with all signals blocked. The result or the exception of function() is dropped. During
 * the call of function(), the caller waits without the GIL. patience() returns the number of
 * seconds to wait before patience() is called again; a negative number ends the wait. run_aside()
 * returns True if function() has returned. It returns False if the wait has ended before function()
 * has returned; the thread then continues to run until function() returns. Returns NULL with
 * RuntimeError if no thread can be started, or with the exception of patience().
 */
PyObject *ps_run_aside(PyObject *module, PyObject *args);
extern const char ps_run_aside_doc[];

#endif
