/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/exit_finding.h"

#include "buffer.h"
#include "diagnosis/finding.h"
#include "diagnosis/other_words.h"
#include "phrases.h"
#include "diagnosis/place.h"
#include "diagnosis/wait_graph.h"
#include "diagnosis/wait_words.h"

#define NAMES_SHOWN 5

static bool is_shutdown(const struct report_frame *f)
{
    return text_is(f->function, "_shutdown") && place_is_in(f->file, "threading");
}

/* True if a thread is the main thread, and is in threading._shutdown. */
static bool is_in_shutdown(const struct report_thread *t)
{
    size_t i;

    for (i = 0; i < t->frames.count && t->main == BOOL_TRUE; i++) {
        if (is_shutdown(&t->frames.items[i]))
            return true;
    }
    return false;
}

/* True if the main thread runs Python code after threading._shutdown has returned. */
static bool runs_last_code(const struct report_process *p, const struct report_thread *t)
{
    return p->exiting == BOOL_TRUE && t->main == BOOL_TRUE && t->frames.count > 0 &&
           !is_in_shutdown(t);
}

bool exit_has_begun(const struct report_process *process, const struct report_thread *t)
{
    return is_in_shutdown(t) || runs_last_code(process, t);
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

/* Appends what a thread waits for: ", which waits for an Event to be set". */
static void put_wait(struct buffer *out, const struct wait_graph *g, size_t node)
{
    size_t holder;

    if (!wait_graph_wait(g, node))
        return;
    sentence_put(out, ", which ");
    wait_words_put(out, g, node, g->nodes[node].cycle > 0);
    holder = wait_words_holder(g, node);
    if (holder != NO_NODE && g->nodes[holder].kind == NODE_PROCESS)
        other_words_put(out, g, holder);
}

/* Adds the finding that the main thread waits for `count` threads. */
static bool add_threads(struct report *r, struct report_process *process,
                        const struct wait_graph *g, size_t count)
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
        if (count == 1)
            put_wait(&text, g, i);
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

/* Adds the finding that the main thread, which is the node `node`, runs Python code at the end of
 * the program: an exit handler, a __del__, the callback of a weakref, or the like. */
static bool add_last_code(struct report *r, struct report_process *process,
                          const struct wait_graph *g, size_t node)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const struct report_thread *t = &process->threads.items[node];
    const struct report_frame *first = &t->frames.items[0];
    struct report_finding *f;

    sentence_put(&text, "the program exits and is in ");
    sentence_put_text(&text, first->function);
    if (first->file.data) {
        sentence_put(&text, " (");
        place_put_line(&text, first->file, first->line);
        buffer_put_u8(&text, ')');
    }
    put_wait(&text, g, node);
    f = finding_add(r, &process->findings, FINDING_EXIT, &text, CERTAINTY_KNOWN);
    return f && finding_set_one(r, &f->members, t->id);
}

bool diagnose_exit(struct report *r, struct report_process *process, const struct wait_graph *g)
{
    const struct report_thread *t = process->threads.items;
    size_t count = 0, i;
    bool exits = false;

    for (i = 0; i < process->threads.count; i++) {
        if (runs_last_code(process, &t[i]) && t[i].interpreter <= 0)
            return g->nodes[i].is_stuck || add_last_code(r, process, g, i);
        exits = exits || is_in_shutdown(&t[i]);
        count += is_waited_for(&t[i]);
    }
    return !exits || count == 0 || add_threads(r, process, g, count);
}
