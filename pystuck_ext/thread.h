/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads of ours that run Python: none is a threading.Thread, and none shows up in any list of the
 * debuggee's. Each has one Python thread state, made when it first runs Python and kept to its end;
 * in a subinterpreter, which counts as busy while it has more than one, it is made anew each time.
 */
#ifndef PS_THREAD_H
#define PS_THREAD_H

#include <signal.h>

#include "ext.h"

/* Starts a detached thread that may run Python. `name` is for whoever looks with ps or gdb. 0, or
 * an errno. Needs no GIL. The end of a subinterpreter waits for such threads. */
int ps_thread_start(struct ps_state *state, const char *name, void (*run)(void *), void *arg);

/* The same for a thread that there is already: around all that it does. */
void ps_thread_begin(struct ps_state *state);
void ps_thread_end(struct ps_state *state);

/* Takes the GIL, with a signal mask while Python runs, which is what a request's subprocesses and
 * threads inherit. False, without the GIL, where ps_gil_take says
 * so. */
bool ps_thread_enter(struct ps_state *state, const sigset_t *mask);
void ps_thread_leave(struct ps_state *state);

/* With the GIL: takes this thread out of threading's list, where a request that asked for the
 * current thread, or logged, has put it as a dummy. */
void ps_thread_leave_no_dummy(const struct ps_state *state);

/* With the GIL: the end of this thread as far as Python is concerned. Releases the GIL for the last
 * time. */
void ps_thread_leave_python(struct ps_state *state);

/* With the GIL: the idents of all threads of ours that are in Python, as a frozenset: what a stack
 * dump leaves out. */
PyObject *ps_thread_idents(struct ps_state *state);

/* With the GIL: whether what this thread runs now is a request, which may be interrupted. */
void ps_thread_set_interruptible(bool interruptible);

/* With the GIL: has all requests raise SystemExit. */
void ps_thread_interrupt_all(const struct ps_state *state);

/* With the GIL: drops an exception that another thread set on this one (PyThreadState_SetAsyncExc)
 * and that has not been raised yet. It came too late for the request that it was meant for, and
 * must not hit the next one. */
void ps_thread_drop_late_exception(void);

#endif
