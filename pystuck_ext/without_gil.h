/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The answer to STACKS of a process that cannot run Python: the stacks come from the stack reader,
 * the states of threads from the kernel, and what needs Python was remembered by run_server.
 */
#ifndef PS_WITHOUT_GIL_H
#define PS_WITHOUT_GIL_H

#include "gil_helper.h"
#include "log.h"
#include "session.h"

/* With the GIL, in run_server: makes state->reader and state->without_gil, unless they exist in
 * this process, and remembers the program's arguments. If there is no reader, or memory is short,
 * STACKS is not answered without the GIL; the log hears why. No exception is set. */
void ps_without_gil_prepare(struct ps_state *state, struct ps_log *log);

/* With the GIL: frees both, at the end of a subinterpreter, whose threads have ended. */
void ps_without_gil_free(struct ps_state *state);

/* True if it is time to answer without Python, instead of waiting for the GIL. asked: when the
 * request was read. budget_ms: how long a collection with the GIL may take; running: it has begun.
 */
bool ps_without_gil_is_due(const struct ps_gil_look *look, deadline_t asked, int64_t budget_ms,
                           bool running);

/* Appends the result (PS_STACKS_VERSION, process) to out. Needs no GIL; waits for another answer
 * that is being made, and may return that one. Returns false if no thread can be read. */
bool ps_without_gil_answer(struct ps_state *state, struct buffer *out);

#endif
