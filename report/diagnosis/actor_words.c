/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/actor_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "phrases.h"
#include "diagnosis/place.h"

/* Appends a name. If the name is unknown, appends the kind and the id: "task 0x7f". If the id is
 * also unknown, appends "a task that is not known". */
static void put_name_or_id(struct buffer *out, const char *kind, struct report_text name,
                           struct report_text id)
{
    if (name.data && name.len > 0) {
        sentence_put_text(out, name);
        return;
    }
    if (!id.data)
        sentence_put(out, "a ");
    sentence_put(out, kind);
    if (!id.data) {
        sentence_put(out, " that is not known");
        return;
    }
    buffer_put_u8(out, ' ');
    sentence_put_text(out, id);
}

/* True if the sentence contains the command line of a process already. */
static bool is_named(const struct buffer *sentence, int64_t pid)
{
    char name[48];
    int len = snprintf(name, sizeof(name), "process %" PRId64 " (", pid);

    return sentence->len > 0 && memmem(sentence->data, sentence->len, name, (size_t)len);
}

/* Appends "process 4711 (python3 worker.py)", or "this process". Leaves the command line out if the
 * sentence contains it already. */
static void put_other(struct buffer *out, const struct wait_graph *g,
                      const struct report_process *p)
{
    if (p == g->processes) {
        sentence_put(out, "this process");
        return;
    }
    sentence_put(out, "process ");
    sentence_put_number(out, p->pid);
    if (!p->name.data || is_named(out, p->pid))
        return;
    sentence_put(out, " (");
    sentence_put_text(out, p->name);
    sentence_put(out, ")");
}

static void put_process(struct buffer *out, const struct wait_graph *g,
                        const struct report_process *p)
{
    if (g->has_others && p->pid != REPORT_UNKNOWN) {
        put_other(out, g, p);
        return;
    }
    if (p->name.data && p->name.len > 0) {
        sentence_put_text(out, p->name);
        return;
    }
    if (!p->id.data && p->pid == REPORT_UNKNOWN) {
        sentence_put(out, "a process that is not known");
        return;
    }
    sentence_put(out, "process ");
    if (p->id.data)
        sentence_put_text(out, p->id);
    else
        sentence_put_number(out, p->pid);
}

/* True if the node is the only thread of another process. This thread is called by the name of its
 * process. */
static bool is_whole_process(const struct wait_graph *g, size_t node)
{
    const struct report_process *p = &g->processes[g->nodes[node].process];

    return g->has_others && p != g->processes && g->nodes[node].kind == NODE_THREAD &&
           p->threads.count == 1;
}

void actor_put(struct buffer *out, const struct wait_graph *g, size_t node, size_t process)
{
    const struct wait_node *n = &g->nodes[node];
    const struct report_greenlet *greenlet = n->item;
    const struct report_task *task = n->item;
    const struct report_object *object = n->item;

    if (is_whole_process(g, node)) {
        put_process(out, g, &g->processes[n->process]);
        return;
    }
    switch (n->kind) {
    case NODE_THREAD:
        sentence_put_thread(out, n->item);
        break;
    case NODE_GREENLET:
        put_name_or_id(out, "greenlet", greenlet->name, greenlet->id);
        break;
    case NODE_TASK:
        put_name_or_id(out, "task", task->name, task->id);
        break;
    case NODE_OBJECT:
        put_name_or_id(out, "object", object->words, object->id);
        break;
    case NODE_PROCESS:
        put_process(out, g, n->item);
        return;
    }
    if (n->process == process)
        return;
    sentence_put(out, " of ");
    put_process(out, g, &g->processes[n->process]);
}

void actor_put_id(struct buffer *out, const struct wait_graph *g, size_t process,
                  struct report_text id)
{
    const size_t node = wait_graph_find(g, process, id);

    if (node != NO_NODE)
        actor_put(out, g, node, process);
    else
        sentence_put_id(out, id);
}

const report_frames *actor_frames(const struct wait_graph *g, size_t node)
{
    const void *item = g->nodes[node].item;
    const report_frames *frames = NULL;

    switch (g->nodes[node].kind) {
    case NODE_THREAD:
        frames = &((const struct report_thread *)item)->frames;
        break;
    case NODE_GREENLET:
        frames = &((const struct report_greenlet *)item)->frames;
        break;
    case NODE_TASK:
        frames = &((const struct report_task *)item)->frames;
        break;
    case NODE_OBJECT:
    case NODE_PROCESS:
        break;
    }
    return frames && frames->items && frames->count > 0 ? frames : NULL;
}

bool actor_is_moving(const struct wait_graph *g, size_t node)
{
    return g->nodes[node].kind == NODE_THREAD &&
           ((const struct report_thread *)g->nodes[node].item)->exact == BOOL_FALSE;
}

void actor_put_line(struct buffer *out, const struct wait_graph *g, size_t node)
{
    const report_frames *frames = actor_frames(g, node);
    const struct report_wait *wait = wait_graph_wait(g, node);
    const struct report_frame *frame;

    if (!frames)
        return;
    frame = place_own_frame(frames);
    if (wait && wait->frame >= 0 && (uint64_t)wait->frame < frames->count &&
        place_is_own(&frames->items[wait->frame]))
        frame = &frames->items[wait->frame];
    if (!frame->file.data)
        return;
    sentence_put(out, actor_is_moving(g, node) ? " (about " : " (");
    place_put_line(out, frame->file, frame->line);
    buffer_put_u8(out, ')');
}
