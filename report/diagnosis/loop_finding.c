/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/loop_finding.h"

#include "buffer.h"
#include "diagnosis/finding.h"
#include "phrases.h"
#include "diagnosis/place.h"
#include "diagnosis/syscall_words.h"
#include "diagnosis/wait_words.h"

/* True if a callback of an asyncio loop is on the stack, and no other loop runs inside it. */
static bool is_in_callback(const report_frames *frames)
{
    const struct report_frame *innermost;
    size_t i;

    if (frames->count == 0)
        return false;
    innermost = &frames->items[frames->count - 1];
    if (place_is_in(innermost->file, "selectors"))
        return false;
    for (i = 0; i + 1 < frames->count; i++) {
        if (text_is(frames->items[i].function, "_run") &&
            place_is_in(frames->items[i].file, "asyncio/events"))
            return true;
    }
    return false;
}

/* True if the thread waits for something other than the GIL. Python waits for the GIL in the system
 * call futex. */
static bool is_waiting(const struct report_thread *t)
{
    if (t->exact == BOOL_FALSE || t->state == STATE_RUNNING)
        return false;
    return t->waits || (t->syscall && t->syscall->name.data && !text_is(t->syscall->name, "futex"));
}

/* Adds the finding about a thread. node: the thread's node in g. */
static bool add(struct report *r, struct report_process *process, const struct wait_graph *g,
                size_t node)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const struct report_thread *t = g->nodes[node].item;
    struct report_finding *f;

    sentence_put(&text, "the asyncio loop of ");
    sentence_put_thread(&text, t);
    sentence_put(&text, " is blocked by a synchronous call: ");
    place_put(&text, &t->frames, false);
    sentence_put(&text, ", ");
    if (t->waits)
        wait_words_put(&text, g, node, false);
    else
        syscall_words_put(&text, t->syscall, process);
    f = finding_add(r, &process->findings, FINDING_LOOP, &text,
                    t->waits ? t->waits->certainty : CERTAINTY_KNOWN);
    return f && finding_set_one(r, &f->members, t->id);
}

bool diagnose_loops(struct report *r, struct report_process *process, const struct wait_graph *g)
{
    size_t i;

    for (i = 0; i < process->threads.count;
         i++) { /* the first nodes of the graph are the threads */
        const struct report_thread *t = &process->threads.items[i];

        if (is_waiting(t) && is_in_callback(&t->frames) && !add(r, process, g, i))
            return false;
    }
    return true;
}
