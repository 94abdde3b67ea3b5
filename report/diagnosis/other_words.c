/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/other_words.h"

#include "diagnosis/actor_words.h"
#include "diagnosis/place.h"
#include "diagnosis/syscall_words.h"
#include "diagnosis/wait_words.h"
#include "phrases.h"

static const struct report_thread *thread_at(const struct wait_graph *g, size_t node)
{
    return g->nodes[node].item;
}

/* True if the thread waits for the process that the report is about, because of a pipe or socket.
 */
static bool waits_for_subject(const struct wait_graph *g, size_t node)
{
    const struct report_wait *wait = wait_graph_wait(g, node);

    return wait && (text_is(wait->kind, "output") || text_is(wait->kind, "input")) &&
           text_equals(wait->object, g->processes[0].id);
}

/* Returns the node of the thread that explains best what the process does, or NO_NODE. */
static size_t find_thread(const struct wait_graph *g, size_t process)
{
    const size_t first = wait_graph_first_thread(g, process);
    const size_t count = g->processes[g->nodes[process].process].threads.count;
    size_t found = NO_NODE, i;

    for (i = first; i < first + count; i++) {
        if (waits_for_subject(g, i))
            return i;
        if (thread_at(g, i)->main == BOOL_TRUE)
            found = i;
    }
    return found;
}

/* Appends ", whose MainThread", if the process has several threads, else ", which". */
static void put_subject(struct buffer *out, const struct wait_graph *g, size_t process,
                        const struct report_thread *t)
{
    if (!t->name.data || g->processes[g->nodes[process].process].threads.count == 1) {
        sentence_put(out, ", which");
        return;
    }
    sentence_put(out, ", whose thread ");
    sentence_put_thread(out, t);
}

/* Appends what the kernel tells about the thread. */
static void put_call(struct buffer *out, const struct wait_graph *g, size_t process,
                     const struct report_thread *t)
{
    struct buffer call __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    if (t->syscall)
        syscall_words_put(&call, t->syscall, &g->processes[g->nodes[process].process]);
    if (call.len == 0 && t->state != STATE_RUNNING && t->state < STATE_STOPPED)
        return;
    put_subject(out, g, process, t);
    if (call.len > 0)
        sentence_put(out, memcmp(call.data, "in ", 3) == 0 ? " is " : " ");
    else
        sentence_put(out, t->state == STATE_RUNNING ? " runs"
                          : t->state == STATE_ENDED ? " has ended"
                                                    : " is stopped by a signal");
    buffer_put(out, call.data, call.len);
    if (call.failed)
        out->failed = true;
    if (t->exact != BOOL_TRUE || t->frames.count == 0)
        return;
    sentence_put(out, ", in ");
    place_put(out, &t->frames, false);
}

void other_words_put(struct buffer *out, const struct wait_graph *g, size_t node)
{
    const size_t thread = find_thread(g, node);
    struct wait_graph inner = *g; /* for sentences that do not repeat the name of the process */
    const struct report_thread *t;

    if (thread == NO_NODE)
        return;
    t = thread_at(g, thread);
    if (!t->waits) {
        put_call(out, g, node, t);
        return;
    }
    put_subject(out, g, node, t);
    buffer_put_u8(out, ' ');
    inner.viewer = g->nodes[node].process;
    wait_words_put(out, &inner, thread, g->nodes[thread].cycle > 0);
}
