/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/blocker_finding.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "diagnosis/actor_words.h"
#include "diagnosis/exit_finding.h"
#include "diagnosis/finding.h"
#include "diagnosis/other_words.h"
#include "phrases.h"
#include "diagnosis/wait_words.h"

/* The most lines of a finding. Each line is about one waiter. */
#define LINES_MAX 4

/* The most findings about blockers. */
#define BLOCKERS_MAX 10

/* A thread, greenlet or task that waits, and the blocker at the end of its chain. */
struct waiter {
    size_t node, blocker;
    size_t group; /* how many wait for the same blocker, this one included */
};

struct making {
    struct report *r;
    struct report_process *process;
    const struct wait_graph *g;
    const struct making *first; /* if g has guesses: what was found without guesses; else NULL */
    /* blocker[n]: the blocker of node n; NO_NODE: not known yet. The second half of this array,
     * from g->count on, has a count for each node: how many waiters have the node as their blocker.
     */
    size_t *blocker;
    struct waiter *waiters;
    size_t count;
};

/* True if a process has ended, and its parent has not waited for it yet. */
static bool has_ended(const struct wait_graph *g, size_t node)
{
    const struct report_process *p = &g->processes[g->nodes[node].process];

    return p->threads.count == 1 && p->threads.items[0].state == STATE_ENDED;
}

/* Returns the process for which a thread waits, or the process that has the object for which the
 * thread waits. Returns NO_NODE if the report does not have the process, if the process has ended,
 * if there are several, or if the thread waits for input from the process, since this is the normal
 * state of many threads. */
static size_t process_of_wait(const struct wait_graph *g, size_t actor)
{
    const struct report_wait *wait = wait_graph_wait(g, actor);
    const struct report_object *object;
    size_t found;

    if (text_is(wait->kind, "input"))
        return NO_NODE;
    found = wait_graph_find(g, g->nodes[actor].process, wait->object);
    if (found != NO_NODE && g->nodes[found].kind == NODE_OBJECT) {
        object = g->nodes[found].item;
        found = object->holder_status == HOLDER_KNOWN && object->holders.count == 1
                    ? wait_graph_find(g, g->nodes[actor].process, object->holders.items[0])
                    : NO_NODE;
        if (found != NO_NODE && g->nodes[found].kind == NODE_THREAD)
            found = wait_graph_find(g, g->nodes[actor].process,
                                    g->processes[g->nodes[found].process].id);
    }
    return found != NO_NODE && g->nodes[found].kind == NODE_PROCESS && !has_ended(g, found)
               ? found
               : NO_NODE;
}

/* True if a node waits for a lock that a thread of another process holds. */
static bool is_held_elsewhere(const struct wait_graph *g, const struct wait_node *n)
{
    const struct wait_node *target = n->edges == 1 ? &g->nodes[g->edges[n->first_edge]] : NULL;

    return target && target->kind == NODE_OBJECT && report_detail(target->item, "elsewhere").data;
}

/* Returns the only thread, greenlet, task or process on which an actor depends, or NO_NODE. A task
 * or greenlet also depends on the thread that runs it, but does not wait for this thread. */
static size_t next_actor(const struct wait_graph *g, size_t actor)
{
    const struct wait_node *n = &g->nodes[actor], *target;

    if (n->is_stuck)
        return NO_NODE;
    if (n->kind == NODE_THREAD && wait_graph_wait(g, actor) &&
        (wait_is_for_process(wait_graph_wait(g, actor)) || is_held_elsewhere(g, n)))
        return process_of_wait(g, actor);
    if (n->edges != 1)
        return NO_NODE;
    if (g->edges[n->first_edge] == wait_graph_runner(g, actor))
        return NO_NODE;
    target = &g->nodes[g->edges[n->first_edge]];
    if (target->kind != NODE_OBJECT)
        return g->edges[n->first_edge];
    return target->edges == 1 ? g->edges[target->first_edge] : NO_NODE;
}

/* Returns the last actor of the chain that begins with `actor`. Sets the blocker of all actors of
 * the chain, so the chains of all actors are followed in linear time. A chain has an end: a process
 * ends it, and the other steps follow the only edges of nodes, so a cycle of such steps is a cycle
 * of the graph, whose nodes are stuck. */
static size_t follow(const struct making *m, size_t actor)
{
    size_t last = actor, next, n;

    while (m->blocker[last] == NO_NODE && (next = next_actor(m->g, last)) != NO_NODE)
        last = next;
    if (m->blocker[last] != NO_NODE)
        last = m->blocker[last];
    for (n = actor; m->blocker[n] == NO_NODE; n = next) {
        m->blocker[n] = last;
        next = n == last ? n : next_actor(m->g, n);
    }
    return last;
}

/* True if the finding about the end of the program says what this node waits for. */
static bool is_said_by_exit(const struct making *m, size_t node)
{
    return m->g->nodes[node].kind == NODE_THREAD &&
           exit_has_begun(m->process, m->g->nodes[node].item);
}

/* True if the graph without guesses shows what the node waits for. */
static bool is_found_already(const struct making *m, size_t node)
{
    return m->first && (m->first->g->nodes[node].is_stuck || m->first->blocker[node] != node);
}

static void find_waiters(struct making *m)
{
    size_t *groups = m->blocker + m->g->count, i;

    for (i = 0; i < m->g->count; i++) {
        size_t last = m->g->nodes[i].kind == NODE_OBJECT ? i : follow(m, i);

        if ((m->g->has_others && m->g->nodes[i].process > 0) || is_said_by_exit(m, i))
            continue;
        if (last == i || m->g->nodes[last].is_stuck || is_found_already(m, i))
            continue;
        m->waiters[m->count++] = (struct waiter){i, last, 0};
        groups[last]++;
    }
    for (i = 0; i < m->count; i++)
        m->waiters[i].group = groups[m->waiters[i].blocker];
}

/* A comparison function for qsort(3) that puts the waiters of one blocker together, and the blocker
 * with the most waiters first. */
static int compare(const void *left, const void *right)
{
    const struct waiter *a = left, *b = right;

    if (a->group != b->group)
        return a->group > b->group ? -1 : 1;
    if (a->blocker != b->blocker)
        return a->blocker < b->blocker ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* ---- The text -------------------------------------------------------------------------------- */

/* Returns the first note about an actor, or an unknown text. */
static struct report_text first_note(const struct wait_node *n)
{
    const report_texts *notes =
        n->kind == NODE_THREAD     ? &((const struct report_thread *)n->item)->notes
        : n->kind == NODE_GREENLET ? &((const struct report_greenlet *)n->item)->notes
        : n->kind == NODE_TASK     ? &((const struct report_task *)n->item)->notes
                                   : NULL;

    return notes && notes->count > 0 ? notes->items[0] : (struct report_text){NULL, 0};
}

/* Appends what the blocker does: ", which sleeps for another 998 s". A note without a verb, such as
 * "in the system call read", gets one. */
static void put_activity(struct buffer *out, const struct wait_graph *g, size_t blocker)
{
    const struct report_wait *wait = wait_graph_wait(g, blocker);
    struct report_text note = first_note(&g->nodes[blocker]);
    bool has_verb =
        text_begins(note, "sleeps ") || text_begins(note, "has ") || text_begins(note, "waits ");

    if (g->nodes[blocker].kind == NODE_PROCESS) {
        other_words_put(out, g, blocker);
        return;
    }
    if (wait) {
        sentence_put(out, ", which ");
        wait_words_put_target(out, g, blocker);
        sentence_put(out, wait->timed == BOOL_TRUE ? ", with a timeout" : "");
        return;
    }
    if (!note.data || note.len == 0)
        return;
    sentence_put(out, has_verb ? ", which " : ", which is ");
    buffer_put(out, note.data, note.len);
}

/* Appends "reader-0 waits" or "3 threads apparently wait". */
static void put_waiters(struct buffer *out, const struct making *m, const struct waiter *w,
                        enum report_certainty certainty)
{
    static const char *const doubts[] = {[CERTAINTY_KNOWN] = " wait",
                                         [CERTAINTY_SEEN] = " apparently wait",
                                         [CERTAINTY_LIKELY] = " perhaps wait"};
    size_t i, kinds[NODE_PROCESS + 1] = {0};

    if (w->group == 1) {
        actor_put(out, m->g, w->node, 0);
        sentence_put(out, doubts[certainty]);
        sentence_put(out, "s");
        return;
    }
    for (i = 0; i < w->group; i++)
        kinds[m->g->nodes[w[i].node].kind]++;
    sentence_put_number(out, (int64_t)w->group);
    sentence_put(out, kinds[NODE_THREAD] == w->group     ? " threads"
                      : kinds[NODE_TASK] == w->group     ? " tasks"
                      : kinds[NODE_GREENLET] == w->group ? " greenlets"
                      : kinds[NODE_GREENLET] == 0        ? " threads and tasks"
                      : kinds[NODE_TASK] == 0            ? " threads and greenlets"
                                                         : " threads, greenlets and tasks");
    sentence_put(out, doubts[certainty]);
}

static void put_text(struct buffer *out, const struct making *m, const struct waiter *w,
                     enum report_certainty certainty)
{
    put_waiters(out, m, w, certainty);
    sentence_put(out, " for ");
    actor_put(out, m->g, w->blocker, 0);
    actor_put_line(out, m->g, w->blocker);
    put_activity(out, m->g, w->blocker);
}

static bool add_line(const struct making *m, struct report_finding *f, size_t node)
{
    const struct report_wait *wait = wait_graph_wait(m->g, node);
    struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    actor_put(&line, m->g, node, 0);
    actor_put_line(&line, m->g, node);
    buffer_put_u8(&line, ' ');
    if (wait) {
        wait_words_put(&line, m->g, node, false);
        sentence_put(&line, wait->timed == BOOL_TRUE ? ", with a timeout" : "");
    } else {
        sentence_put(&line, "awaits ");
        actor_put(&line, m->g, next_actor(m->g, node), 0);
    }
    return texts_add(m->r, &f->lines, &line);
}

static bool add_lines(const struct making *m, struct report_finding *f, const struct waiter *w)
{
    size_t i;

    if (!texts_make(m->r, &f->lines, LINES_MAX))
        return false;
    for (i = 0; i < w->group && i < LINES_MAX; i++) {
        if (!add_line(m, f, w[i].node))
            return false;
    }
    return true;
}

/* ---- The finding ----------------------------------------------------------------------------- */

/* Returns how certain it is that a node waits, and that the node on which it depends holds the
 * object. */
static enum report_certainty certainty_of(const struct wait_graph *g, size_t node)
{
    const struct report_wait *wait = wait_graph_wait(g, node);
    const struct wait_node *n = &g->nodes[node];
    const struct report_hold *hold =
        n->edges == 1 ? wait_graph_hold(g, next_actor(g, node), g->edges[n->first_edge]) : NULL;

    if (hold && hold->certainty == CERTAINTY_LIKELY)
        return CERTAINTY_LIKELY;
    if (is_held_elsewhere(g, n)) /* the processes were not read at the same moment */
        return CERTAINTY_SEEN;
    return (!wait || wait->certainty == CERTAINTY_KNOWN) &&
                   (!hold || hold->certainty == CERTAINTY_KNOWN)
               ? CERTAINTY_KNOWN
               : CERTAINTY_SEEN;
}

/* Returns the least certainty of the waiters w[0] to w[w->group - 1]. */
static enum report_certainty least_certainty(const struct wait_graph *g, const struct waiter *w)
{
    enum report_certainty least = CERTAINTY_KNOWN, one;
    size_t i;

    for (i = 0; i < w->group; i++) {
        one = certainty_of(g, w[i].node);
        if (one == CERTAINTY_LIKELY || (one == CERTAINTY_SEEN && least == CERTAINTY_KNOWN))
            least = one;
    }
    return least;
}

/* Adds the finding about one blocker. Its waiters are w[0] to w[w->group - 1]. */
static bool add(const struct making *m, const struct waiter *w)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const enum report_certainty certainty = least_certainty(m->g, w);
    struct report_finding *f;
    size_t i;

    put_text(&text, m, w, certainty);
    f = finding_add(m->r, &m->process->findings,
                    m->first ? FINDING_PERHAPS_BLOCKER : FINDING_BLOCKER, &text, certainty);
    if (!f || !finding_set_one(m->r, &f->evidence, wait_graph_id(m->g, w->blocker)) ||
        !texts_make(m->r, &f->members, w->group))
        return false;
    for (i = 0; i < w->group; i++)
        f->members.items[f->members.count++] = wait_graph_id(m->g, w[i].node);
    return add_lines(m, f, w);
}

static bool add_all(struct making *m)
{
    size_t added = 0, i;

    find_waiters(m);
    qsort(m->waiters, m->count, sizeof(*m->waiters), compare);
    for (i = 0; i < m->count && added < BLOCKERS_MAX; i += m->waiters[i].group, added++) {
        if (!add(m, &m->waiters[i]))
            return false;
    }
    return true;
}

static void making_free(struct making *m)
{
    free(m->blocker);
    free(m->waiters);
}

/* Adds the findings that follow from m->g. */
static bool make(struct making *m)
{
    size_t i;

    m->blocker = calloc(2 * m->g->count + 1, sizeof(*m->blocker));
    m->waiters = calloc(m->g->count + 1, sizeof(*m->waiters));
    for (i = 0; m->blocker && i < m->g->count; i++)
        m->blocker[i] = NO_NODE;
    return m->blocker && m->waiters && add_all(m);
}

bool diagnose_blockers(struct report *r, struct report_process *process, const struct wait_graph *g,
                       const struct wait_graph *guessed)
{
    struct making certain
        __attribute__((cleanup(making_free))) = {.r = r, .process = process, .g = g};
    struct making perhaps __attribute__((cleanup(making_free))) = {
        .r = r, .process = process, .g = guessed, .first = &certain};

    return make(&certain) && (guessed->count == 0 || make(&perhaps));
}
