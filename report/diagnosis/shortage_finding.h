/* SPDX-License-Identifier: BSD-3-Clause
 *
 * shortage_finding: a finding for each resource that the process has run out of.
 */
#ifndef REPORT_DIAGNOSIS_SHORTAGE_FINDING_H
#define REPORT_DIAGNOSIS_SHORTAGE_FINDING_H

#include "report.h"

/* The `kind` of these findings. */
#define FINDING_SHORTAGE "shortage"

/* Adds a finding for each entry of process->shortage. Returns false if there is no memory. */
bool diagnose_shortage(struct report *r, struct report_process *process);

#endif
