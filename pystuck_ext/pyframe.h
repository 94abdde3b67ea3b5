/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Python frame in which a thread runs code for a client. A native thread has no frame, but many
 * functions of Python need a frame: globals(), dir(), eval(), warnings.warn(), sys._getframe().
 * Needs the GIL.
 */
#ifndef PS_PYFRAME_H
#define PS_PYFRAME_H

#include "session.h"

/* Makes the code object of the frame's function. The module's state keeps this code object. A new
 * reference. */
PyObject *ps_pyframe_make_code(void);

/* Runs run(arg) in a new frame whose globals and locals are the client's namespace. run() must
 * leave no exception set. Returns 0, or -1 with an exception. The exception may have been raised
 * before run() was called (no memory, no stack) or after run() has returned (by a signal handler,
 * or by another thread). If a caller must distinguish these two cases, run() must record that it
 * was called. */
int ps_pyframe_run(struct ps_session *s, void (*run)(void *), void *arg);

/* Frees the functions that ps_pyframe_run keeps for later calls, and the session's namespace. */
void ps_pyframe_clear(struct ps_session *s);

/* Returns the client's namespace, a dict: a new reference, or NULL with an exception. The classic
 * service runs eval and execute in this namespace. With other services the namespace contains only
 * __builtins__, so that a client that can call globals() finds nothing of the service. */
PyObject *ps_session_namespace(struct ps_session *s);

#endif
