/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Collects all facts about this process with the GIL. The Python code in pystuck/_stacks.py
 * collects the stacks. The files facts.c and facts_add.c add the facts that the Python code does
 * not know.
 */
#ifndef PS_COLLECT_H
#define PS_COLLECT_H

#include "session.h"

/* Flags of ps_collect: what to collect besides the bare stacks. Flags may be added up. Except for
 * LOCALS, these are the flags of collect() in pystuck/_stacks.py, with the same values. */
enum {
    PS_COLLECT_REPR = 1,
    PS_COLLECT_SOURCE = 2,
    PS_COLLECT_LOCALS = 4, /* local variables; no code of the program runs */
    PS_COLLECT_GREENLETS = 8,
    PS_COLLECT_TASKS = 16
};

/* The limit, in ms, for the total time of those calls to the program's code that may block. */
#define PS_COLLECT_BUDGET_MS 500

/* Imports pystuck/_stacks.py, unless it has been imported. Returns 0, or -1 with an exception. */
int ps_collect_prepare(struct ps_state *state);

/* Returns the facts about this process as a tuple that report/codec.h describes. own_thread: also
 * collect the calling thread, which otherwise is left out. Releases the GIL from time to time. A
 * new reference, or NULL with an exception. */
PyObject *ps_collect(struct ps_state *state, long flags, long budget_ms, bool own_thread);

#endif
