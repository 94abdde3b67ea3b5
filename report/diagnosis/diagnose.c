/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/diagnose.h"

#include <string.h>

#include "diagnosis/gil_finding.h"
#include "diagnosis/shortage_finding.h"
#include "diagnosis/signal_finding.h"

bool diagnose(struct report *r, struct report_process *process)
{
    process->findings.items = arena_array(&r->arena, 0, sizeof(struct report_finding));
    process->findings.count = 0;
    return process->findings.items && diagnose_signal(r, process) && diagnose_gil(r, process) &&
           diagnose_shortage(r, process);
}

const struct report_finding *diagnose_find(const struct report_process *process, const char *kind)
{
    size_t i;

    for (i = 0; i < process->findings.count; i++) {
        const struct report_finding *f = &process->findings.items[i];

        if (f->kind.data && f->kind.len == strlen(kind) &&
            memcmp(f->kind.data, kind, f->kind.len) == 0)
            return f;
    }
    return NULL;
}
