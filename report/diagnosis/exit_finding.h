/* SPDX-License-Identifier: BSD-3-Clause
 *
 * exit_finding: the finding that the main thread has ended its code, and that Python waits for
 * other threads before it exits. Python waits for all threads that are not daemons.
 */
#ifndef REPORT_DIAGNOSIS_EXIT_FINDING_H
#define REPORT_DIAGNOSIS_EXIT_FINDING_H

#include "diagnosis/wait_graph.h"
#include "report.h"

/* The `kind` of the finding. */
#define FINDING_EXIT "exit"

/* True if the thread is the main thread, and its innermost frame is threading._shutdown: it waits
 * until all threads that are not daemons have ended. False if threading._shutdown has called
 * another Python function, such as the function that ends the executors. */
bool exit_waits_for_threads(const struct report_thread *thread);

/* True if the thread is the main thread, and the program ends. If this thread waits, the finding of
 * diagnose_exit says for what. */
bool exit_has_begun(const struct report_process *process, const struct report_thread *thread);

/* Adds the finding if the program ends, and its main thread waits for other threads or runs Python
 * code: a function that was registered with atexit, a __del__, the callback of a weakref, or the
 * flush of the program's own sys.stdout. The finding does not say which of them it is. g: the graph
 * of the process. Returns false if there is no memory. */
bool diagnose_exit(struct report *r, struct report_process *process, const struct wait_graph *g);

#endif
