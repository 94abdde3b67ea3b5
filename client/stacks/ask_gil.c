/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/ask_gil.h"

#include <stdio.h>

#include "clean.h"
#include "diagnosis/diagnose.h"
#include "diagnosis/gil_finding.h"
#include "stacks/fetch.h"
#include "stacks/print.h"
#include "text.h"

/* The maximum time to wait for the connection, and the maximum time to wait for the answer, in ms.
 */
#define ANSWER_MS 1000

/* Copies `text`, which another process made, to out->text, and escapes it. Returns false if there
 * is no memory. */
static bool copy(struct gil_words *out, struct report_text text)
{
    FILE *stream = fmemopen(out->text, sizeof(out->text), "w");

    if (!stream)
        return false;
    text_print_name(stream, text.data, text.len);
    fclose(stream);
    out->text[sizeof(out->text) - 1] = '\0';
    return true;
}

bool stacks_ask_gil(const struct options *options, struct gil_words *out)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct report report __attribute__((cleanup(report_free)));
    const struct stacks_wish wish = {.execute = false, .bare = true};
    const struct report_finding *finding;
    const struct report_process *process;
    struct options soon = *options;

    if (soon.timeout_ms == 0 || soon.timeout_ms > ANSWER_MS)
        soon.timeout_ms = ANSWER_MS;
    report_init(&report, STACKS_MEMORY_MAX);
    if (stacks_fetch_apart(&soon, &wish, &report, &err) < 0)
        return false;
    process = &report.processes.items[0];
    finding = diagnose_find(process, FINDING_GIL);
    if (!finding)
        return false;
    out->is_kept = process->gil->at_least_ms != REPORT_UNKNOWN;
    return copy(out, finding->text);
}
