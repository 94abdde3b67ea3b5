/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/gil_finding.h"

#include <string.h>

#include "buffer.h"
#include "diagnosis/finding.h"
#include "diagnosis/place.h"
#include "phrases.h"

/* True if the thread runs a request of a client. The outermost frame of such a thread has the file
 * "<pystuck>". */
static bool is_serving(const struct report_thread *t)
{
    return t->frames.count > 0 && text_is(t->frames.items[0].file, "<pystuck>");
}

/* Appends the name of the thread that holds the GIL. holder: the entry of this thread in the list
 * of threads, or NULL. Threads of pystuck that serve clients and run no Python are not in the list.
 * So a holder that has an id but is not in the list is such a thread. */
static void put_holder(struct buffer *out, const struct report_gil *gil,
                       const struct report_thread *holder)
{
    if (holder) {
        sentence_put_thread(out, holder);
        if (is_serving(holder))
            sentence_put(out, ", which serves a client of pystuck");
    } else if (gil->holder.data) {
        sentence_put(out, "a thread that serves a client of pystuck");
    } else {
        sentence_put(out, "a thread that is not known");
    }
}

/* Appends what the thread does, as the kernel reports it: ", running", ", in the system call
 * futex". */
static void put_native_state(struct buffer *out, const struct report_thread *t)
{
    static const char *const words[] = {
        [STATE_RUNNING] = ", running",
        [STATE_SLEEPING] = ", sleeping",
        [STATE_DISK] = ", in an uninterruptible sleep",
        [STATE_STOPPED] = ", stopped",
        [STATE_ENDED] = ", ended",
    };

    if (t->syscall && t->syscall->name.data) {
        sentence_put(out, ", in the system call ");
        sentence_put_text(out, t->syscall->name);
    } else if (t->state) {
        sentence_put(out, words[t->state]);
    }
}

static bool is_moving(const struct report_thread *t)
{
    return t->exact == BOOL_FALSE;
}

static void put_c_code(struct buffer *out, const struct report_thread *t)
{
    if (!t->frames.items) {
        sentence_put(out, ", in C code");
    } else if (t->frames.count == 0) {
        sentence_put(out, ", in C code that no Python function has called");
    } else {
        sentence_put(out, ", in C code called from ");
        place_put(out, &t->frames, is_moving(t));
    }
}

static void put_held(struct buffer *out, const struct report_gil *gil,
                     const struct report_thread *holder)
{
    sentence_put(out, "GIL held for at least ");
    sentence_put_duration(out, gil->at_least_ms);
    sentence_put(out, " by ");
    put_holder(out, gil, holder);
    if (holder) {
        put_c_code(out, holder);
        put_native_state(out, holder);
    }
}

static void put_busy(struct buffer *out, const struct report_gil *gil,
                     const struct report_thread *holder)
{
    sentence_put(out, "GIL not available: held by ");
    put_holder(out, gil, holder);
    sentence_put(out, " when the stacks were read");
    if (!holder || !holder->frames.items || holder->frames.count == 0)
        return;
    sentence_put(out, ", in ");
    place_put(out, &holder->frames, is_moving(holder));
}

/* True if the finding about the signal that has ended the process names the thread that has the
 * GIL. */
static bool is_said(const struct report_process *p)
{
    const struct report_thread *holder = finding_thread(p, p->gil->holder);

    return holder && p->signal && finding_thread(p, p->signal->thread) == holder;
}

static void put_dead(struct buffer *out, const struct report_gil *gil,
                     const struct report_thread *holder)
{
    sentence_put(out, "GIL held by ");
    put_holder(out, gil, holder);
    if (!holder || holder->frames.count == 0)
        return;
    sentence_put(out, ", in ");
    place_put(out, &holder->frames, is_moving(holder));
}

static bool add(struct report *r, struct report_process *process, const struct buffer *text,
                enum report_certainty certainty)
{
    static const char gil[] = "gil";
    const struct report_text self = {gil, sizeof(gil) - 1}, holder = process->gil->holder;
    struct report_finding *finding =
        finding_add(r, &process->findings, FINDING_GIL, text, certainty);

    if (!finding)
        return false;
    if (!holder.data)
        return finding_set_one(r, &finding->evidence, self);
    return finding_set_one(r, &finding->members, holder) &&
           finding_set_two(r, &finding->evidence, self, holder);
}

/* True if it is normal that a thread has the GIL: the process was read from outside, and it is not
 * known that one thread has kept the GIL for some time. A process has a thread with the GIL
 * whenever it runs Python code. */
static bool is_harmless(const struct report_process *p)
{
    return p->source == SOURCE_PID && p->gil->at_least_ms == REPORT_UNKNOWN;
}

bool diagnose_gil(struct report *r, struct report_process *process)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const struct report_gil *gil = process->gil;
    const struct report_thread *holder;

    if (!gil || gil->state != GIL_HELD || is_harmless(process) ||
        (process->source == SOURCE_CORE && is_said(process)))
        return true;
    holder = finding_thread(process, gil->holder);
    if (process->source == SOURCE_CORE)
        put_dead(&text, gil, holder);
    else if (gil->at_least_ms != REPORT_UNKNOWN && gil->at_least_ms > 0)
        put_held(&text, gil, holder);
    else
        put_busy(&text, gil, holder);
    return add(r, process, &text, gil->holder.data && !holder ? CERTAINTY_LIKELY : CERTAINTY_KNOWN);
}
