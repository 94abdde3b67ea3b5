/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Takes and releases the GIL, on two kinds of thread. Threads of pystuck have no Python thread
 * state before they first call ps_gil_take. Threads of the program release the GIL in
 * ps_gil_begin_wait, and may serve the client while they wait.
 */
#ifndef PS_GIL_H
#define PS_GIL_H

#include "ext.h"
#include "stream.h"

/* Returns the number of times that Python has ended in this process. A program that embeds Python
 * may end Python and start it again, which begins a new life of Python. A thread state, and every
 * Python object, exists in one life only. Needs no GIL. */
unsigned ps_gil_life(void);

/* Call with the GIL of the main interpreter. Registers, with Py_AtExit, a function that Python
 * calls when it has ended. The registered function begins the next life, closes all servers and
 * calls ended(), without the GIL. While Python is ending, clients are still served. If all 32 slots
 * of Py_AtExit are in use, the function is not registered, and the servers are not closed. */
void ps_gil_at_exit(void (*ended)(void));

/* True if the interpreter is shutting down or has ended. Needs no GIL. */
bool ps_gil_is_ending(const struct ps_state *state);

/* Takes the GIL. Returns false, and does not hold the GIL, if the interpreter is shutting down or
 * there is no memory.
 *
 * If the interpreter shuts down during the call, the call does not return: up to Python 3.13 the
 * thread is ended, from 3.14 on the thread waits forever. So the caller must hold no lock, and must
 * own nothing that another thread waits for. */
bool ps_gil_take(const struct ps_state *state);
void ps_gil_release(void);

/* A thread that has the GIL calls ps_gil_begin_wait before a wait, to release the GIL, and
 * ps_gil_end_wait after the wait, to take the GIL again. Pass the result of ps_gil_begin_wait to
 * ps_gil_end_wait. If Python has ended during the wait, ps_gil_end_wait does not return, like
 * ps_gil_take. */
PyThreadState *ps_gil_begin_wait(void);
void ps_gil_end_wait(PyThreadState *before);

/* The state of a thread that waits for the client's reply, and serves the client's requests during
 * the wait. */
struct ps_waiter {
    /* A KeyboardInterrupt that was raised while the thread served a request. This exception ends
     * the wait, and is raised on this thread after the wait. A reference, or NULL. */
    PyObject *interrupt;
    deadline_t deadline; /* the deadline of the wait; 0: the thread does not wait */
    bool defer_signals;  /* handlers of signals run only after the wait */
};

/* Returns the calling thread's waiter. Needs no GIL. */
struct ps_waiter *ps_waiter(void);

/* Call often during long work: releases the GIL for a moment every 5 ms, like Python's own code. */
void ps_gil_share(void);

/* Runs the handlers of signals that have arrived during a wait. Call without the GIL. Returns true
 * if a handler raised an exception; the exception stays set in the thread state until the wait
 * ends. */
bool ps_gil_signal_raised(void);

/* True if the calling thread has released the GIL with ps_gil_release or ps_gil_begin_wait, and has
 * not taken the GIL again since then. */
bool ps_gil_is_known(void);

/* Call with the GIL, on a thread of pystuck. Frees the thread state and releases the GIL. */
void ps_gil_end_thread(void);

#endif
