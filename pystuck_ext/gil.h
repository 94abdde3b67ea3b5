/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Taking the GIL and giving it back, on any thread: one of ours, which has no Python thread state
 * until it first asks for one, or one of the debuggee's, which has released it in ps_gil_begin_wait
 * and serves the client while it waits.
 */
#ifndef PS_GIL_H
#define PS_GIL_H

#include "ext.h"

/* Which life of Python this process is in: an embedding program may end Python and start it again.
 * Thread states, and all objects, are of one life. */
unsigned ps_gil_life(void);

/* With the GIL of the main interpreter: has all servers closed when Python has ended, and the next
 * life begin. While Python ends, clients are served as far as that is possible. Where all 32 slots
 * of Py_AtExit are taken, the servers live on. */
void ps_gil_at_exit(void);

/* Whether the interpreter is going down, or gone. Needs no GIL. */
bool ps_gil_is_ending(const struct ps_state *state);

/* Takes the GIL. False, without it, when the interpreter is going down or there is no memory.
 *
 * A thread that is in here when the interpreter goes down does not come back: up to 3.13 Python
 * ends it, from 3.14 on it waits for ever. So the caller holds no lock, and owns nothing that
 * others wait for. */
bool ps_gil_take(const struct ps_state *state);
void ps_gil_release(void);

/* Around a wait of a thread that has the GIL and may be one of the debuggee's. What begin returns
 * is for end, which does not return where Python has ended meanwhile. */
PyThreadState *ps_gil_begin_wait(void);
void ps_gil_end_wait(PyThreadState *before);

/* In the middle of work that may be long: lets other threads run once it is their turn, as Python's
 * own code does. */
void ps_gil_share(void);

/* Runs the handlers of signals that came while this thread waits: true if one of them raised an
 * exception, which is set once the wait ends. Without the GIL. */
bool ps_gil_signal_raised(void);

/* Whether this thread has ever had the GIL through ps_gil_take, or is in a wait. */
bool ps_gil_is_known(void);

/* The end of a thread of ours: with the GIL; frees its thread state and releases the GIL for the
 * last time. */
void ps_gil_end_thread(void);

#endif
