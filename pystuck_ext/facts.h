/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Facts that the collector pystuck/_stacks.py does not know, for the answer to STACKS: what the
 * threads wait for and hold, their states, their system calls, and what the process has used up.
 * The facts are gathered before and after the collector reads the frames, and are added to the
 * collector's answer.
 */
#ifndef PS_FACTS_H
#define PS_FACTS_H

#include "report.h"
#include "session.h"

struct ps_facts {
    struct report report;
    struct report_process *process; /* NULL: nothing is known. ps_facts_add adds to the
                                     * answer only the members that its comment names */
    bool locals;                    /* the frames have local variables */
    int64_t *activity;              /* for each thread: see ps_without_gil_read */
};

/* Call with the GIL, before the frames are collected. Reads the threads, what they wait for and
 * hold, and the objects. This thread keeps the GIL while it reads, so all these facts are of the
 * same moment. If reading with the GIL would take too long, reads again without the GIL; in this
 * case, facts about threads that run may be left out. locals: also reads the local variables of all
 * frames. Fills *facts, which the caller frees with ps_facts_free. */
void ps_facts_begin(struct ps_facts *facts, struct ps_state *state, bool locals);

/* Call with the GIL, after the frames were collected. Adds the states and system calls of the
 * threads, and the shortages. Releases the GIL while it reads. A thread that has run since
 * ps_facts_begin gets no system call. So a thread that gets a system call was in this system call
 * when its frames were collected. */
void ps_facts_read_kernel(struct ps_facts *facts);

/* Completes a process that pystuck/_stacks.py has returned. Adds `native_id`, `state`, `cpu`,
 * `syscall` and `switches` to each thread. If the frames of the thread are still the same as in
 * ps_facts_begin, also adds `waits` and `holds` to the thread, and `locals` to its frames. Adds
 * `objects`, `shortage`, `others`, `exiting`, and items of `missing` to the process. Takes
 * ownership of process, which may be NULL. Returns a new reference. Returns NULL if process is
 * NULL, and NULL with an exception on failure.
 */
PyObject *ps_facts_add(struct ps_facts *facts, PyObject *process);

/* Needs no GIL. */
void ps_facts_free(struct ps_facts *facts);

#endif
