/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Python frame below what a thread runs for a client. A native thread has none, and much of
 * Python looks for one: globals(), dir(), eval(), warnings.warn(), sys._getframe(). Needs the GIL.
 */
#ifndef PS_PYFRAME_H
#define PS_PYFRAME_H

#include "session.h"

/* The code of the frame's function, for the module's state. A new reference. */
PyObject *ps_pyframe_make_code(void);

/* Runs run(arg) in a new frame, whose globals and locals are the client's namespace. run() must
 * leave no exception set. Returns 0; -1 with an exception. That may have come before run() was
 * called (no memory, no stack) or after it (a signal's handler, an exception that another thread
 * set): if it matters which, run() has to say so. */
int ps_pyframe_run(struct ps_session *s, void (*run)(void *), void *arg);

/* Frees what ps_pyframe_run keeps for the next time. */
void ps_pyframe_clear(struct ps_session *s);

/* The client's namespace, a dict: a new reference, or NULL with an exception. With the classic
 * service, what eval and execute run in. Other services do not show it; it is empty there but for
 * __builtins__, so that a client who gets hold of globals() gets nothing of the service's. */
PyObject *ps_session_namespace(struct ps_session *s);

#endif
