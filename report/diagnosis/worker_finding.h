/* SPDX-License-Identifier: BSD-3-Clause
 *
 * worker_finding: finds threads that wait for a result which no worker process computes. A
 * multiprocessing.Pool replaces a worker that has ended by a new worker, but the task of the ended
 * worker is lost.
 */
#ifndef REPORT_DIAGNOSIS_WORKER_FINDING_H
#define REPORT_DIAGNOSIS_WORKER_FINDING_H

#include <stdbool.h>

#include "diagnosis/wait_graph.h"
#include "report.h"

/* The `kind` of the finding. */
#define FINDING_WORKER "worker-died"

/* Adds a finding for each thread of the process that waits for a result of a multiprocessing.Pool
 * whose worker processes are all known to wait for tasks. Adds none if one of the threads with
 * which a Pool sends tasks and receives results has ended, or does not wait: the task or the result
 * may be there. Returns false if there is no memory. */
bool diagnose_workers(struct report *r, struct report_process *process, const struct wait_graph *g);

#endif
