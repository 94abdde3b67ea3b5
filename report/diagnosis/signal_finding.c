/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/signal_finding.h"

#include "buffer.h"
#include "diagnosis/finding.h"
#include "phrases.h"
#include "diagnosis/place.h"

/* Appends the name of the signal and its cause: "SIGSEGV at the address 0x8". */
static void put_signal(struct buffer *out, const struct report_process *process)
{
    const struct report_signal *s = process->signal;

    if (s->name.data) {
        sentence_put_text(out, s->name);
    } else {
        sentence_put(out, "signal ");
        sentence_put_number(out, s->number);
    }
    if (s->address.data) {
        sentence_put(out, " at the address ");
        sentence_put_text(out, s->address);
    }
    if (s->sender != REPORT_UNKNOWN && s->sender != process->pid) {
        sentence_put(out, ", sent by process ");
        sentence_put_number(out, s->sender);
        sentence_put(out, ",");
    }
}

static void put_thread(struct buffer *out, const struct report_signal *s,
                       const struct report_thread *thread)
{
    sentence_put(out, " in ");
    if (thread) {
        sentence_put_thread(out, thread);
        if (thread->frames.count == 0)
            return;
        sentence_put(out, ", in ");
        place_put(out, &thread->frames, thread->exact == BOOL_FALSE);
        return;
    }
    sentence_put(out, "thread ");
    sentence_put_number(out, s->native_id);
    sentence_put(out, ", which has no Python stack");
}

bool diagnose_signal(struct report *r, struct report_process *process)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    static const char id[] = "signal";
    const struct report_text self = {id, sizeof(id) - 1};
    const struct report_signal *s = process->signal;
    struct report_finding *finding;

    if (!s || s->number == REPORT_UNKNOWN)
        return true;
    sentence_put(&text, "ended by ");
    put_signal(&text, process);
    if (s->native_id != REPORT_UNKNOWN)
        put_thread(&text, s, finding_thread(process, s->thread));
    finding = finding_add(r, &process->findings, FINDING_SIGNAL, &text, CERTAINTY_KNOWN);
    if (!finding || !finding_set_one(r, &finding->evidence, self))
        return false;
    return !s->thread.data || finding_set_one(r, &finding->members, s->thread);
}
