/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/loop_finding.h"

#include <string.h>

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

/* Returns the hub of gevent that a thread runs; NULL: none. */
static const struct report_object *hub_of(const struct report_process *process,
                                          const struct report_thread *t)
{
    size_t i;

    for (i = 0; i < process->objects.count; i++) {
        const struct report_object *o = &process->objects.items[i];

        if (text_is(o->kind, "hub") && o->holders.count == 1 && t->id.data &&
            text_equals(o->holders.items[0], t->id))
            return o;
    }
    return NULL;
}

/* True if the hub of gevent cannot run: another greenlet runs in its thread, or one of its
 * callbacks. */
static bool is_hub_blocked(const struct report_object *hub, const report_frames *frames)
{
    static const char package[] = "/gevent/";
    struct report_text file;

    if (text_is(object_detail(hub, "state"), "waiting"))
        return true;
    if (frames->count == 0)
        return false;
    file = frames->items[frames->count - 1].file;
    return file.data && !memmem(file.data, file.len, package, sizeof(package) - 1);
}

/* Adds the finding about a thread. kind: "asyncio loop" or "gevent hub". node: the thread's node in
 * g. */
static bool add(struct report *r, struct report_process *process, const struct wait_graph *g,
                const char *kind, size_t node)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const struct report_thread *t = g->nodes[node].item;
    struct report_finding *f;

    sentence_put(&text, "the ");
    sentence_put(&text, kind);
    sentence_put(&text, " of ");
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
        const struct report_object *hub = is_waiting(t) ? hub_of(process, t) : NULL;

        if (is_waiting(t) && is_in_callback(&t->frames) && !add(r, process, g, "asyncio loop", i))
            return false;
        if (hub && is_hub_blocked(hub, &t->frames) && !add(r, process, g, "gevent hub", i))
            return false;
    }
    return true;
}
