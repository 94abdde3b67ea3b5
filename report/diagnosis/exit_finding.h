/* SPDX-License-Identifier: BSD-3-Clause
 *
 * exit_finding: the finding that the main thread has ended its code, and that Python waits for
 * other threads before it exits. Python waits for all threads that are not daemons.
 */
#ifndef REPORT_DIAGNOSIS_EXIT_FINDING_H
#define REPORT_DIAGNOSIS_EXIT_FINDING_H

#include "report.h"

/* The `kind` of the finding. */
#define FINDING_EXIT "exit"

/* True if the thread is the main thread, and its innermost frame is threading._shutdown: it waits
 * until all threads that are not daemons have ended. False if threading._shutdown has called
 * another Python function, such as the function that ends the executors. */
bool exit_waits_for_threads(const struct report_thread *thread);

/* Adds the finding if the main thread is in threading._shutdown. Returns false if there is no
 * memory. */
bool diagnose_exit(struct report *r, struct report_process *process);

#endif
