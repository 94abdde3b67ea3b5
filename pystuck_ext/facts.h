/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Facts for an answer to STACKS that the Python code which collects the stacks does not know: what
 * the threads wait for and hold, their states, their system calls, and what the process has used
 * up. They are gathered before and after that code reads the frames, and added to its answer.
 */
#ifndef PS_FACTS_H
#define PS_FACTS_H

#include "report.h"
#include "session.h"

struct ps_facts {
    struct report report;
    struct report_process *process; /* NULL: nothing is known. Of its members, only those that are
                                     * named below are facts */
    bool locals;                    /* the frames have local variables */
    int64_t *activity;              /* for each thread: see ps_without_gil_read */
};

/* Call with the GIL, before the frames are collected. Reads the threads, what they wait for and
 * hold, and the objects. This thread keeps the GIL meanwhile, so all these facts are of the same
 * moment. If that would take too long, releases the GIL: then facts about threads that run may be
 * left out. locals: also reads the local variables of all frames. Fills *facts, which the caller
 * frees with ps_facts_free. */
void ps_facts_begin(struct ps_facts *facts, struct ps_state *state, bool locals);

/* Call with the GIL, after the frames were collected. Adds the states and system calls of the
 * threads, and the shortages. Releases the GIL while it reads. A thread that has run since
 * ps_facts_begin gets no system call: so the calls are those in which the collected frames are. */
void ps_facts_read_kernel(struct ps_facts *facts);

/* Completes a process that pystuck/_stacks.py has returned. Adds to the threads `waits` and
 * `holds`, and to their frames `locals`, if the frames are still the same as in ps_facts_begin, and
 * `native_id`, `state`, `cpu` and `syscall`; adds `objects`, `shortage`, and items of `missing`.
 * Takes ownership of process, which may be NULL. Returns a new reference. Returns NULL if process
 * is NULL, and NULL with an exception on failure. */
PyObject *ps_facts_add(struct ps_facts *facts, PyObject *process);

/* Needs no GIL. */
void ps_facts_free(struct ps_facts *facts);

#endif
