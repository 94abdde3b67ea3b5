/* SPDX-License-Identifier: BSD-3-Clause
 *
 * thread_notes: what is known about each thread, greenlet and task, as lines of text. pystuck
 * prints these lines below the frames of the thread:
 *
 *     # waits for Lock lock, held by Thread-1 (work) since test.py:17, now in work (test.py:18)
 *     # in the system call recvfrom on descriptor 5: TCP 127.0.0.1:40000 -> 127.0.0.1:5432
 *     # running, 98 % of a core over 20 ms
 */
#ifndef REPORT_DIAGNOSIS_THREAD_NOTES_H
#define REPORT_DIAGNOSIS_THREAD_NOTES_H

#include "diagnosis/wait_graph.h"

/* The most findings that are printed as text. */
#define FINDINGS_SHOWN 10

/* Sets `notes` of all threads, greenlets and tasks of a process. g: the graph of this process,
 * after cycles_find(). Returns false if there is no memory. */
bool diagnose_threads(struct report *r, struct report_process *process, const struct wait_graph *g);

#endif
