/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/loop_finding.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "diagnosis/finding.h"
#include "phrases.h"
#include "diagnosis/place.h"
#include "diagnosis/syscall_words.h"
#include "diagnosis/wait_words.h"

/* True if a callback of asyncio's own loop is on the stack. */
static bool is_in_asyncio(const report_frames *frames)
{
    size_t i;

    for (i = 0; i + 1 < frames->count; i++) {
        if (text_is(frames->items[i].function, "_run") &&
            place_is_in(frames->items[i].file, "asyncio/events"))
            return true;
    }
    return false;
}

/* True if a callback of asyncio's own loop is on the stack. False if the innermost function is in
 * the module selectors: then another loop, which the callback runs, waits for events. */
static bool is_in_callback(const report_frames *frames)
{
    return frames->count > 0 && !place_is_in(frames->items[frames->count - 1].file, "selectors") &&
           is_in_asyncio(frames);
}

/* True if the thread waits for something other than the GIL. A thread in the system call futex may
 * wait for the GIL, so the result is then false, unless it is known what the thread waits for. */
static bool is_waiting(const struct report_thread *t)
{
    if (t->exact == BOOL_FALSE || t->state == STATE_RUNNING)
        return false;
    return t->waits || (t->syscall && t->syscall->name.data && !text_is(t->syscall->name, "futex"));
}

/* True if the hub of gevent cannot run, because its thread runs another greenlet or a callback of
 * the hub. frames: the frames of this thread. */
static bool is_hub_blocked(const struct report_object *hub, const report_frames *frames)
{
    static const char package[] = "/gevent/";
    struct report_text file;

    if (text_is(report_detail(hub, "state"), "waiting"))
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

const char *loop_words(const struct wait_graph *g, size_t task)
{
    const struct wait_node *node = &g->nodes[task];
    const struct report_task *t = node->item;
    const size_t loop = wait_graph_find(g, node->process, t->loop);
    bool is_trio = loop != NO_NODE && g->nodes[loop].kind == NODE_OBJECT &&
                   text_begins(((const struct report_object *)g->nodes[loop].item)->type, "trio.");

    return is_trio ? "trio loop" : "asyncio loop";
}

/* For each thread of the process: true if its hub or a task of its loop has been looked at. A
 * malicious report may have many of them for one thread. */
struct seen {
    bool *threads;
};

static void seen_free(struct seen *seen)
{
    free(seen->threads);
}

static bool seen_make(struct seen *seen, const struct report_process *process)
{
    seen->threads = calloc(process->threads.count + 1, sizeof(*seen->threads));
    return seen->threads;
}

/* Marks a thread. Returns true if it was marked before. node: a node of a thread in the graph. */
static bool seen_before(const struct seen *seen, size_t node)
{
    const bool before = seen->threads[node];

    seen->threads[node] = true;
    return before;
}

/* Adds the findings about hubs of gevent. */
static bool add_of_hubs(struct report *r, struct report_process *process,
                        const struct wait_graph *g)
{
    struct seen seen __attribute__((cleanup(seen_free))) = {NULL};
    size_t i, node;

    if (!seen_make(&seen, process))
        return false;
    for (i = 0; i < process->objects.count; i++) {
        const struct report_object *hub = &process->objects.items[i];
        const struct report_thread *t;

        if (!text_is(hub->kind, "hub") || hub->holders.count != 1)
            continue;
        node = wait_graph_find(g, 0, hub->holders.items[0]);
        if (node >= process->threads.count || seen_before(&seen, node))
            continue;
        t = g->nodes[node].item;
        if (is_waiting(t) && is_hub_blocked(hub, &t->frames) &&
            !add(r, process, g, "gevent hub", node))
            return false;
    }
    return true;
}

/* Adds the findings about loops whose callbacks are not on the stack, such as those of uvloop and
 * trio: a task of the loop runs, and the thread waits. */
static bool add_of_tasks(struct report *r, struct report_process *process,
                         const struct wait_graph *g)
{
    const size_t first = process->threads.count + process->greenlets.count;
    struct seen seen __attribute__((cleanup(seen_free))) = {NULL};
    size_t i, node;

    if (!seen_make(&seen, process))
        return false;
    for (i = 0; i < process->tasks.count; i++) {
        const struct report_task *task = &process->tasks.items[i];
        const struct report_thread *t;

        node = text_is(task->state, "running") ? wait_graph_runner(g, first + i) : NO_NODE;
        if (node >= process->threads.count || seen_before(&seen, node))
            continue;
        t = g->nodes[node].item;
        if (is_waiting(t) && t->frames.count > 0 && !is_in_asyncio(&t->frames) &&
            !add(r, process, g, loop_words(g, first + i), node))
            return false;
    }
    return true;
}

bool diagnose_loops(struct report *r, struct report_process *process, const struct wait_graph *g)
{
    size_t i;

    /* The first nodes of the graph are the threads. */
    for (i = 0; i < process->threads.count; i++) {
        const struct report_thread *t = &process->threads.items[i];

        if (is_waiting(t) && is_in_callback(&t->frames) && !add(r, process, g, "asyncio loop", i))
            return false;
    }
    return add_of_hubs(r, process, g) && add_of_tasks(r, process, g);
}
