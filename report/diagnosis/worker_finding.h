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

/* True if an object is a result of a multiprocessing.Pool, and all worker processes of this Pool
 * are known to wait for tasks. */
bool worker_is_missing(const struct wait_graph *g, size_t object);

/* Adds a finding for each thread of the process that waits for a result for which worker_is_missing
 * returns true. Returns false if there is no memory. */
bool diagnose_workers(struct report *r, struct report_process *process, const struct wait_graph *g);

#endif
