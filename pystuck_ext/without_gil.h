/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The answer to STACKS of a process that cannot run Python. The stacks come from the stack reader,
 * the states of threads from the kernel. Facts that only Python can tell were stored by run_server.
 */
#ifndef PS_WITHOUT_GIL_H
#define PS_WITHOUT_GIL_H

#include "gil_helper.h"
#include "log.h"
#include "session.h"

/* Call with the GIL, in run_server or why. Makes state->reader and state->without_gil, unless they
 * exist in this process, and stores the program's arguments. If no reader can be made, or memory is
 * short, logs the reason; STACKS is then not answered without the GIL. Sets no exception. */
void ps_without_gil_prepare(struct ps_state *state, struct ps_log *log);

/* Call with the GIL. True if ps_without_gil_prepare was called in this process. */
bool ps_without_gil_is_prepared(const struct ps_state *state);

/* Call with the GIL, at the end of a subinterpreter, when its threads have ended. Frees
 * state->reader and state->without_gil. */
void ps_without_gil_free(struct ps_state *state);

/* Appends the result (PS_STACKS_VERSION, process) to out. Needs no GIL. If another thread is making
 * an answer, waits for it, and may append the same answer. Returns false if no thread can be read.
 */
bool ps_without_gil_answer(struct ps_state *state, struct buffer *out);

/* Reads all threads and what they wait for and hold, and adds a process to the report. Needs no
 * GIL, and does not wait for another thread. limit, locals: as in struct stackreader_wish. Sets
 * *activity to an array in the report, with stackreader_activity() of each thread; NULL: no
 * memory. Sets *complete to false if not all threads could be read. Returns NULL if there is no
 * stack reader, if another thread uses it, or if it can read no thread. */
struct report_process *ps_without_gil_read(struct ps_state *state, struct report *report,
                                           int64_t limit, bool locals, int64_t **activity,
                                           bool *complete);

/* Returns the stack reader, for the calling thread alone until ps_without_gil_return_reader. NULL:
 * there is none, or another thread uses it. Needs no GIL. */
struct stackreader *ps_without_gil_take_reader(struct ps_state *state);
void ps_without_gil_return_reader(struct ps_state *state);

/* Sets the time and the ids of the process, the states and the system calls of its threads, and the
 * processes for which the threads wait, as the kernel reports them. Adds what could not be read to
 * the list p->missing. activity: as ps_without_gil_read returns it;
 * threads that have run since they were read get no system call. Needs no GIL. Opens one descriptor
 * at a time. */
void ps_without_gil_fill_threads(struct arena *a, struct report_process *p,
                                 const int64_t *activity);

#endif
