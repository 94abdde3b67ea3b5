/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/process_facts: what the kernel tells about a process whose stacks were read from outside.
 */
#ifndef CLIENT_STACKS_PROCESS_FACTS_H
#define CLIENT_STACKS_PROCESS_FACTS_H

#include "memory_pid.h"
#include "report.h"
#include "stackreader.h"

/* Why the stacks of greenlets are not read from memory. Only the lists of the garbage collector
 * lead to all greenlets, and these lists change while they are read. The members of a greenlet's
 * C++ objects differ with the release of greenlet, with Python and with the compiler, and nothing
 * in the memory tells their offsets. */
#define NO_GREENLETS "pystuck cannot find them in the memory of a process"

/* Fills in what is known of the process before anything of it is read: its IDs, its host, and the
 * time. */
void facts_begin(struct report *report, struct report_process *process,
                 const struct memory_pid *memory);

/* Fills in what the memory of the process does not contain: the command line of the process, the
 * states and system calls of its threads, the resources that it has used up, and what is missing in
 * the report. Call after facts_begin(). The kernel may block this function. `switches` of each
 * thread must have been set before the frames of the thread were read. If a thread has run since
 * then, its system call is not set. */
void facts_fill(struct report *report, struct report_process *process,
                const struct memory_pid *memory);

/* Fills in what is missing in each report of a process that is read from outside. facts_fill()
 * calls this function. */
void facts_end(struct report *report, struct report_process *process);

/* If a thread holds the GIL, watches the threads for up to 450 ms to find out whether C code keeps
 * the GIL. C code keeps it if another thread asks for it in vain, or if the thread that has it
 * stays in the same call. If C code keeps it, sets at_least_ms and evidence of process->gil. */
void facts_watch_gil(struct stackreader *reader, const struct memory *memory, struct report *report,
                     struct report_process *process);

#endif
