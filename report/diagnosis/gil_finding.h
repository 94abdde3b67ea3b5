/* SPDX-License-Identifier: BSD-3-Clause
 *
 * gil_finding: the finding that the GIL is not available.
 *
 * The finding is added if the state of the GIL is "held". There are two cases. If it is known for
 * how long one thread has kept the GIL, the finding says that this thread runs C code, because a
 * thread that runs Python releases the GIL after a few milliseconds when another thread asks for
 * it. If this time is not known, the program's threads run Python in turn, and the finding does not
 * mention C code.
 *
 * For a core file, the finding names the thread that had the GIL. This finding is left out if the
 * finding about the signal that ended the process names this thread.
 */
#ifndef REPORT_DIAGNOSIS_GIL_FINDING_H
#define REPORT_DIAGNOSIS_GIL_FINDING_H

#include "report.h"

/* The `kind` of the finding. */
#define FINDING_GIL "gil"

/* Adds the finding if the GIL is held. Returns false if there is no memory. */
bool diagnose_gil(struct report *r, struct report_process *process);

#endif
