/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/shortage_finding.h"

#include "buffer.h"
#include "diagnosis/finding.h"
#include "shortage_text.h"

static bool add(struct report *r, struct report_process *process,
                const struct report_shortage *shortage)
{
    static const char id[] = "shortage";
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct report_finding *finding;

    report_put_shortage(&text, shortage);
    if (text.len == 0)
        return !text.failed;
    finding = finding_add(r, &process->findings, FINDING_SHORTAGE, &text, CERTAINTY_KNOWN);
    return finding &&
           finding_set_one(r, &finding->evidence, (struct report_text){id, sizeof(id) - 1});
}

bool diagnose_shortage(struct report *r, struct report_process *process)
{
    size_t i;

    for (i = 0; i < process->shortage.count; i++) {
        if (!add(r, process, &process->shortage.items[i]))
            return false;
    }
    return true;
}
