/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A native thread has a thread state in each interpreter in which it has run. The reader reads each
 * thread state as a separate thread of the report. The function below joins the threads of the
 * report that are the same native thread.
 */
#ifndef STACKREADER_NATIVE_THREADS_H
#define STACKREADER_NATIVE_THREADS_H

#include "python_process.h"
#include "report.h"

/* What was read together with a thread of the report. Later checks need these values. */
struct thread_check {
    uint64_t state;   /* the address of its thread state */
    int64_t activity; /* the thread's activity (memory.h) when its frames were read; -1: not known
                       */
    uint64_t hash;    /* a hash of the facts about its locks */
    bool is_first;    /* its thread state is the first one of its interpreter */
};

/* Joins the threads of different interpreters that have the same ident and the same native id,
 * because such threads are one native thread. The threads in process->threads must be in the order
 * of their interpreters, the oldest interpreter first. checks: an entry for each thread. table:
 * room for twice as many numbers as there are threads.
 *
 * A joined thread has the frames of the oldest interpreter first, because code of an interpreter
 * calls code of a newer interpreter. A joined thread is marked as moving if it has run between the
 * readings of its thread states, or if it is not known whether it has run. Up to 3.12, it is also
 * marked as moving if it has frames in the first thread state of a subinterpreter: this thread
 * state has the ident of the thread that created the subinterpreter, even if another thread uses
 * it. */
void native_threads_join(const struct python *py, struct arena *arena,
                         struct report_process *process, struct thread_check *checks,
                         uint64_t *table);

#endif
