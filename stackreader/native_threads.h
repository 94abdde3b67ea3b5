/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One native thread has a thread state in each interpreter in which it has run. The reader reads
 * each of them as a thread of its own; here they become one.
 */
#ifndef STACKREADER_NATIVE_THREADS_H
#define STACKREADER_NATIVE_THREADS_H

#include "python_process.h"
#include "report.h"

/* What was read with a thread of the report, for the checks that follow. */
struct thread_check {
    uint64_t state;   /* the address of its thread state */
    int64_t activity; /* the thread's activity (memory.h) when its frames were read; -1: not known
                       */
    uint64_t hash;    /* a hash of the facts about its locks */
    bool is_first;    /* its thread state is the first one of its interpreter */
};

/* Joins the threads of different interpreters that have the same ident and the same native id: they
 * are one native thread. process->threads are in the order of their interpreters, the oldest first.
 * checks: one for each of them. table: room for twice as many numbers as there are threads.
 *
 * The joined thread has the frames of the oldest interpreter first, since the code of one
 * interpreter calls that of a newer one. It is marked as moving if it has run between the readings,
 * or if that is not known. It is also marked if, up to 3.12, the code of a subinterpreter runs in
 * its first thread state: this has the ident of the thread that created the interpreter, whichever
 * thread runs it. */
void native_threads_join(const struct python *py, struct arena *arena,
                         struct report_process *process, struct thread_check *checks,
                         uint64_t *table);

#endif
