/* SPDX-License-Identifier: BSD-3-Clause
 *
 * signal_finding: the finding that a signal has ended the process, and which thread got it.
 */
#ifndef REPORT_DIAGNOSIS_SIGNAL_FINDING_H
#define REPORT_DIAGNOSIS_SIGNAL_FINDING_H

#include "report.h"

/* The `kind` of the finding. */
#define FINDING_SIGNAL "signal"

/* Adds the finding if process->signal is known. Returns false if there is no memory. */
bool diagnose_signal(struct report *r, struct report_process *process);

#endif
