/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads of pystuck that run Python. They are not threading.Thread objects, and functions such as
 * threading.enumerate() do not return them. In the main interpreter, each thread has one Python
 * thread state, which it makes when it first runs Python and keeps until it ends. In a
 * subinterpreter, each thread makes a new thread state each time it runs Python, because a
 * subinterpreter counts as busy while it has more than one thread state.
 */
#ifndef PS_THREAD_H
#define PS_THREAD_H

#include <signal.h>
#include <stdint.h>

#include "ext.h"

/* Starts a detached thread that may run Python. name: for ps(1) and gdb. Returns 0 or an errno.
 * Needs no GIL. The end of a subinterpreter waits for the thread. */
int ps_thread_start(struct ps_state *state, const char *name, void (*run)(void *), void *arg);

/* Call without the GIL, at the start and at the end of a thread that may run Python and was not
 * started by ps_thread_start. */
void ps_thread_begin(struct ps_state *state);
void ps_thread_end(struct ps_state *state);

/* ps_thread_enter takes the GIL and sets the signal mask. If a request starts subprocesses or
 * threads, they inherit this mask. ps_thread_enter returns false, and does not hold the GIL, if the
 * interpreter is shutting down or there is no memory. ps_thread_leave blocks signals again and
 * releases the GIL.
 */
bool ps_thread_enter(struct ps_state *state, const sigset_t *mask);
void ps_thread_leave(struct ps_state *state);

/* Call with the GIL. Removes this thread from threading's list of threads. If a request calls
 * threading.current_thread(), or logs, threading adds this thread to the list as a dummy thread. */
void ps_thread_leave_no_dummy(const struct ps_state *state);

/* Call when Python has ended. Waits until the threads of requests that still were in Python have
 * noticed that. They notice when they next ask for the GIL, and then end; from Python 3.14 on, they
 * sleep forever. If Python was started again before that, they would use their thread states, which
 * were freed. Waits for 1 s at most, and no longer if all these threads have slept for 50 ms, in a
 * call of C code for example. */
void ps_thread_await_end(void);

/* Call with the GIL. Deletes this thread's Python thread state, and removes the thread from
 * pystuck's list. Releases the GIL. */
void ps_thread_leave_python(struct ps_state *state);

/* Call with the GIL. Returns the idents of all threads of pystuck that have run Python in this
 * interpreter, as a frozenset. Stacks leave these threads out. A new reference, or NULL with
 * MemoryError. */
PyObject *ps_thread_idents(struct ps_state *state);

/* Stores the idents of the threads of pystuck that have run Python, in any interpreter. Stores at
 * most `room` idents, and returns how many it has stored. Needs no GIL. */
size_t ps_thread_list(uint64_t *idents, size_t room);

/* Call with the GIL. Sets whether this thread now runs a request that ps_thread_interrupt_all may
 * interrupt. */
void ps_thread_set_interruptible(bool interruptible);

/* Call with the GIL. Raises SystemExit in all requests that run in this interpreter. */
void ps_thread_interrupt_all(const struct ps_state *state);

/* Call both with the GIL. Between ps_thread_stop_tracing and ps_thread_resume_tracing, Python does
 * not call functions of sys.settrace, sys.setprofile and sys.monitoring on this thread. */
static inline void ps_thread_stop_tracing(void)
{
#if PY_VERSION_HEX >= 0x030b0000
    PyThreadState_EnterTracing(PyThreadState_Get());
#else
    PyThreadState_Get()->tracing++;
#endif
}

static inline void ps_thread_resume_tracing(void)
{
#if PY_VERSION_HEX >= 0x030b0000
    PyThreadState_LeaveTracing(PyThreadState_Get());
#else
    PyThreadState_Get()->tracing--;
#endif
}

/* Call with the GIL. Drops an exception that another thread has set on this thread
 * (PyThreadState_SetAsyncExc) and that has not been raised yet. It came too late for the request
 * that it was meant for, and must not be raised in the next request. */
static inline void ps_thread_drop_late_exception(void)
{
    if (PyThreadState_Get()->async_exc)
        PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), NULL);
}

#endif
