/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/exit_finding.h"

#include "buffer.h"
#include "diagnosis/finding.h"
#include "phrases.h"
#include "diagnosis/place.h"
#include "diagnosis/wait_graph.h"

#define NAMES_SHOWN 5

static bool is_shutdown(const struct report_frame *f)
{
    return text_is(f->function, "_shutdown") && place_is_in(f->file, "threading");
}

/* True if a thread is the main thread, and is in threading._shutdown. */
static bool exit_has_begun(const struct report_thread *t)
{
    size_t i;

    for (i = 0; i < t->frames.count && t->main == BOOL_TRUE; i++) {
        if (is_shutdown(&t->frames.items[i]))
            return true;
    }
    return false;
}

bool exit_waits_for_threads(const struct report_thread *t)
{
    return t->main == BOOL_TRUE && t->frames.count > 0 &&
           is_shutdown(&t->frames.items[t->frames.count - 1]);
}

static bool is_waited_for(const struct report_thread *t)
{
    return t->main != BOOL_TRUE && t->daemon == BOOL_FALSE;
}

static bool add(struct report *r, struct report_process *process, size_t count)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct report_finding *f;
    size_t shown = count <= NAMES_SHOWN + 1 ? count : NAMES_SHOWN, named = 0, i;

    sentence_put(&text, "the program exits and waits for ");
    sentence_put(&text,
                 count == 1 ? "a thread that is not a daemon: " : "threads that are not daemons: ");
    for (i = 0; named < shown; i++) {
        if (!is_waited_for(&process->threads.items[i]))
            continue;
        if (named > 0)
            sentence_put(&text, named + 1 == count ? " and " : ", ");
        sentence_put_thread(&text, &process->threads.items[i]);
        named++;
    }
    if (shown < count) {
        sentence_put(&text, " and ");
        sentence_put_number(&text, (int64_t)(count - shown));
        sentence_put(&text, " others");
    }
    f = finding_add(r, &process->findings, FINDING_EXIT, &text, CERTAINTY_KNOWN);
    if (!f || !texts_make(r, &f->members, count))
        return false;
    for (i = 0; i < process->threads.count; i++) {
        if (is_waited_for(&process->threads.items[i]))
            f->members.items[f->members.count++] = process->threads.items[i].id;
    }
    return true;
}

bool diagnose_exit(struct report *r, struct report_process *process)
{
    const struct report_thread *t = process->threads.items;
    const struct report_thread *end = t + process->threads.count;
    size_t count = 0;
    bool exits = false;

    for (; t < end; t++) {
        exits = exits || exit_has_begun(t);
        count += is_waited_for(t);
    }
    return !exits || count == 0 || add(r, process, count);
}
