/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/check.h"

#include "diagnosis/deadlock_finding.h"
#include "diagnosis/diagnose.h"
#include "diagnosis/gil_finding.h"

enum stacks_check stacks_check(const struct report_process *process)
{
    /* In a core file, it is normal that a thread has the GIL. */
    if (process->source != SOURCE_CORE && diagnose_find(process, FINDING_GIL))
        return CHECK_GIL;
    if (diagnose_find(process, FINDING_DEADLOCK) || diagnose_find(process, FINDING_ABANDONED))
        return CHECK_DEADLOCK;
    return CHECK_OK;
}
