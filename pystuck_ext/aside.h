/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Calls Python code that may block, on another thread. If the code blocks, that thread is left
 * behind.
 */
#ifndef PS_ASIDE_H
#define PS_ASIDE_H

#include "ext.h"

/* The function run_aside(function, patience) of the module. Starts a thread of pystuck, which calls
 * function() with all signals blocked; its result and its exception are dropped. Meanwhile the
 * caller waits without the GIL. patience() returns the number of seconds to wait before it is
 * called again; a negative number ends the wait. Returns True if function() has returned. Returns
 * False if the wait has ended before that; the thread then continues until function() returns.
 * Returns NULL with RuntimeError if no thread can be started, or with the exception of patience().
 */
PyObject *ps_run_aside(PyObject *module, PyObject *args);
extern const char ps_run_aside_doc[];

#endif
