/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/deadlock_finding.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "diagnosis/actor_words.h"
#include "diagnosis/finding.h"
#include "phrases.h"
#include "diagnosis/wait_words.h"

/* The most threads that a finding names. */
#define SHOWN_MAX 10

struct making {
    struct report *r;
    report_findings *list;
    const struct wait_graph *g;
    size_t *members; /* the nodes of all cycles, sorted by their cycles */
    size_t *first;   /* first[c], first[c + 1]: begin and end of cycle c in `members` */
    size_t *path;    /* the nodes of the cycle that the sentence names, in order */
    size_t *at;      /* at[n]: 1 + the index of node n in `path`; 0: not in it */
    size_t length;   /* of the path */
};

static bool is_actor(const struct wait_graph *g, size_t node)
{
    return g->nodes[node].kind != NODE_OBJECT;
}

/* ---- One cycle ------------------------------------------------------------------------------- */

/* Sorts the nodes by their cycles. */
static void sort_members(struct making *m)
{
    const struct wait_graph *g = m->g;
    size_t i;

    for (i = 0; i < g->count; i++)
        m->first[g->nodes[i].cycle + 1]++;
    for (i = 1; i <= g->cycles + 1; i++)
        m->first[i] += m->first[i - 1];
    for (i = 0; i < g->count; i++)
        m->members[m->first[g->nodes[i].cycle]++] = i;
    for (i = g->cycles + 1; i > 0; i--)
        m->first[i] = m->first[i - 1];
    m->first[0] = 0;
}

static int64_t native_id_of(const struct wait_graph *g, size_t node)
{
    return g->nodes[node].kind == NODE_THREAD
               ? ((const struct report_thread *)g->nodes[node].item)->native_id
               : REPORT_UNKNOWN;
}

/* Returns the thread that was started last, or another actor if the cycle has no thread. */
static size_t find_start(const struct making *m, size_t cycle)
{
    size_t i, start = NO_NODE;

    for (i = m->first[cycle]; i < m->first[cycle + 1]; i++) {
        if (!is_actor(m->g, m->members[i]))
            continue;
        if (start == NO_NODE || native_id_of(m->g, m->members[i]) >= native_id_of(m->g, start))
            start = m->members[i];
    }
    return start;
}

/* Returns the node to which the first edge of `node` within its cycle leads. */
static size_t next_in_cycle(const struct wait_graph *g, size_t node)
{
    size_t e = g->nodes[node].first_edge;

    while (g->nodes[g->edges[e]].cycle != g->nodes[node].cycle)
        e++;
    return g->edges[e];
}

/* Follows the waits from `node` and stores the nodes in m->path, until a node comes a second time.
 * Returns that node: the cycle begins there. The nodes of the path before it only lead to the
 * cycle. */
static size_t follow(struct making *m, size_t node)
{
    m->length = 0;
    while (m->at[node] == 0) {
        m->path[m->length++] = node;
        m->at[node] = m->length;
        node = next_in_cycle(m->g, node);
    }
    return node;
}

/* Sets m->path to nodes of the cycle. Each node of the path leads to the next node, and the last
 * node leads to the first node. The first node is an actor. If each node of the cycle leads to only
 * one node of the cycle, the path contains all nodes of the cycle and begins with `start`. */
static void find_path(struct making *m, size_t start)
{
    size_t first = follow(m, start), i;

    if (!is_actor(m->g, first)) /* its holder is an actor, since an object does not hold objects */
        first = next_in_cycle(m->g, first);
    for (i = 0; i < m->length; i++)
        m->at[m->path[i]] = 0;
    follow(m, first);
}

static size_t count_actors(const struct wait_graph *g, const size_t *nodes, size_t count)
{
    size_t actors = 0, i;

    for (i = 0; i < count; i++)
        actors += is_actor(g, nodes[i]);
    return actors;
}

/* ---- The text -------------------------------------------------------------------------------- */

/* Appends "transfer-1 waits for a Lock that it holds itself". */
static void put_self(struct buffer *out, const struct making *m)
{
    const size_t node = m->path[0], process = wait_graph_viewer(m->g, node);
    struct report_object object = {0};

    actor_put(out, m->g, node, process);
    if (m->length < 2) {
        sentence_put(out, " waits for itself");
        return;
    }
    object = *(const struct report_object *)m->g->nodes[m->path[1]].item;
    object.words = (struct report_text){NULL, 0};
    if (text_is(object.kind, "future")) {
        sentence_put(out, " waits for the result of a Future that ");
        sentence_put(out, report_detail(&object, "queued").data ? "is queued in its own pool"
                                                                : "it computes itself");
        return;
    }
    sentence_put(out, " waits for ");
    wait_words_put_object(out, &object);
    sentence_put(out, " that it holds itself");
}

/* Appends "transfer-1 -> transfer-0 -> transfer-1". */
static void put_names(struct buffer *out, const struct making *m, size_t actors)
{
    const size_t shown = actors <= SHOWN_MAX ? actors : SHOWN_MAX - 1;
    const size_t process = wait_graph_viewer(m->g, m->path[0]);
    size_t i, put = 0;

    for (i = 0; put < shown; i++) {
        if (!is_actor(m->g, m->path[i]))
            continue;
        actor_put(out, m->g, m->path[i], process);
        sentence_put(out, " -> ");
        put++;
    }
    if (shown < actors) {
        sentence_put_number(out, (int64_t)(actors - shown));
        sentence_put(out, " others -> ");
    }
    actor_put(out, m->g, m->path[0], process);
}

static void put_text(struct buffer *out, const struct making *m, size_t actors_of_cycle)
{
    const size_t actors = count_actors(m->g, m->path, m->length);

    sentence_put(out, m->g->has_guesses ? "not known whether this is a deadlock: " : "DEADLOCK: ");
    if (actors == 1)
        put_self(out, m);
    else
        put_names(out, m, actors);
    if (actors == actors_of_cycle)
        return;
    sentence_put(out, " (and ");
    sentence_put_number(out, (int64_t)(actors_of_cycle - actors));
    sentence_put(out, " more that wait for these)");
}

static void put_line(struct buffer *out, const struct wait_graph *g, size_t node, size_t process)
{
    size_t next;

    actor_put(out, g, node, process);
    actor_put_line(out, g, node);
    buffer_put_u8(out, ' ');
    if (wait_graph_wait(g, node))
        wait_words_put(out, g, node, !g->has_guesses);
    else
        sentence_put(out, "is ready");
    next = next_in_cycle(g, node);
    if (next != wait_graph_runner(g, node))
        return;
    sentence_put(out, ", but only ");
    actor_put(out, g, next, process);
    sentence_put(out, " can run it");
}

static bool add_line(const struct making *m, struct report_finding *f, size_t node)
{
    struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    if (!is_actor(m->g, node) || f->lines.count == SHOWN_MAX)
        return true;
    put_line(&line, m->g, node, wait_graph_viewer(m->g, m->path[0]));
    return texts_add(m->r, &f->lines, &line);
}

/* Adds lines for the nodes of the path, then for the other nodes of the cycle. */
static bool add_lines(const struct making *m, struct report_finding *f, size_t cycle)
{
    size_t i;

    if (!texts_make(m->r, &f->lines, SHOWN_MAX))
        return false;
    for (i = 0; i < m->length; i++) {
        if (!add_line(m, f, m->path[i]))
            return false;
    }
    for (i = m->first[cycle]; i < m->first[cycle + 1]; i++) {
        if (m->at[m->members[i]] == 0 && !add_line(m, f, m->members[i]))
            return false;
    }
    return true;
}

/* ---- The finding ----------------------------------------------------------------------------- */

/* Appends the id of a node to a list. If the finding does not belong to the process of the node,
 * puts the id of this process in front. In this case, if the node has no id, appends only the id of
 * the process. */
static bool add_id(const struct making *m, report_texts *list, size_t node)
{
    struct buffer id __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const struct report_text local = wait_graph_id(m->g, node);
    const struct report_process *p = &m->g->processes[m->g->nodes[node].process];

    if (m->g->process_count == 1 || !p->id.data || m->g->nodes[node].kind == NODE_PROCESS ||
        (m->g->has_others && p == m->g->processes)) {
        list->items[list->count++] = local;
        return true;
    }
    buffer_put(&id, p->id.data, p->id.len);
    if (local.data) {
        buffer_put_u8(&id, '/');
        buffer_put(&id, local.data, local.len);
    }
    return texts_add(m->r, list, &id);
}

static bool add_ids(const struct making *m, struct report_finding *f, size_t cycle)
{
    const size_t count = m->first[cycle + 1] - m->first[cycle];
    size_t i;

    if (!texts_make(m->r, &f->members, count) || !texts_make(m->r, &f->evidence, count))
        return false;
    for (i = m->first[cycle]; i < m->first[cycle + 1]; i++) {
        if (!add_id(m, is_actor(m->g, m->members[i]) ? &f->members : &f->evidence, m->members[i]))
            return false;
    }
    return true;
}

/* Returns LIKELY if the graph has guesses. Else returns KNOWN if all waits and holds of the cycle
 * are known, else SEEN. */
static enum report_certainty certainty_of(const struct making *m, size_t cycle)
{
    const struct wait_graph *g = m->g;
    const struct report_wait *wait;
    const struct report_hold *hold;
    size_t i, node;

    if (g->has_guesses)
        return CERTAINTY_LIKELY;
    for (i = m->first[cycle]; i < m->first[cycle + 1]; i++) {
        node = m->members[i];
        wait = wait_graph_wait(g, node);
        hold = is_actor(g, node) ? NULL : wait_graph_hold(g, next_in_cycle(g, node), node);
        if ((wait && wait->certainty != CERTAINTY_KNOWN) ||
            (hold && hold->certainty != CERTAINTY_KNOWN))
            return CERTAINTY_SEEN;
    }
    return CERTAINTY_KNOWN;
}

/* True if the findings concern several processes of a report. False if they concern one process,
 * even if the graph also has processes for which its threads wait. */
static bool is_between(const struct wait_graph *g)
{
    return g->process_count > 1 && !g->has_others;
}

static bool is_in_several_processes(const struct making *m, size_t cycle)
{
    size_t i;

    for (i = m->first[cycle] + 1; i < m->first[cycle + 1]; i++) {
        if (m->g->nodes[m->members[i]].process != m->g->nodes[m->members[i - 1]].process)
            return true;
    }
    return false;
}

static bool add_deadlock(struct making *m, size_t cycle)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    const size_t start = find_start(m, cycle);
    const size_t *members = m->members + m->first[cycle];
    struct report_finding *f;

    if (start == NO_NODE || (is_between(m->g) && !is_in_several_processes(m, cycle)))
        return true;
    find_path(m, start);
    put_text(&text, m, count_actors(m->g, members, m->first[cycle + 1] - m->first[cycle]));
    f = finding_add(m->r, m->list, m->g->has_guesses ? FINDING_PERHAPS : FINDING_DEADLOCK, &text,
                    certainty_of(m, cycle));
    return f && add_ids(m, f, cycle) && add_lines(m, f, cycle);
}

/* ---- Objects that no living thread can release ----------------------------------------------- */

static size_t lost_target(const struct wait_graph *g, size_t node)
{
    size_t target;

    if (!is_actor(g, node) || g->nodes[node].edges != 1)
        return NO_NODE;
    target = g->edges[g->nodes[node].first_edge];
    return g->nodes[target].is_lost ? target : NO_NODE;
}

static struct report_finding *begin_abandoned(const struct making *m, size_t object, size_t waiter)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct report_object named = *(const struct report_object *)m->g->nodes[object].item;
    struct report_finding *f;

    if (!named.words.data)
        named.words = wait_words_of(m->g, waiter);
    sentence_put(&text, "ABANDONED: ");
    wait_words_put_object(&text, &named);
    sentence_put(&text, ", ");
    wait_words_put_lost(&text, m->g, object);
    sentence_put(&text, ": no living thread can release it");
    f = finding_add(m->r, m->list, FINDING_ABANDONED, &text, CERTAINTY_KNOWN);
    return f && finding_set_one(m->r, &f->evidence, named.id) ? f : NULL;
}

/* Adds the finding about an object that no living thread can release. waiters: the nodes that wait
 * for the object. */
static bool add_abandoned(const struct making *m, size_t object, const size_t *waiters,
                          size_t count)
{
    struct report_finding *f = begin_abandoned(m, object, waiters[0]);
    size_t i;

    if (!f || !texts_make(m->r, &f->members, count) || !texts_make(m->r, &f->lines, SHOWN_MAX))
        return false;
    for (i = 0; i < count; i++) {
        struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

        if (!add_id(m, &f->members, waiters[i]))
            return false;
        if (i >= SHOWN_MAX)
            continue;
        actor_put(&line, m->g, waiters[i], wait_graph_viewer(m->g, object));
        actor_put_line(&line, m->g, waiters[i]);
        sentence_put(&line, " waits for it");
        if (!texts_add(m->r, &f->lines, &line))
            return false;
    }
    return true;
}

/* Adds a finding for each object for which nodes wait, and whose member is_lost is set. Overwrites
 * m->at, m->path and m->members. After this, m->members contains the waiters, sorted by their
 * objects. */
static bool add_all_abandoned(struct making *m)
{
    const struct wait_graph *g = m->g;
    size_t i, target, start;

    memset(m->at, 0, g->count * sizeof(*m->at));
    for (i = 0; i < g->count; i++) { /* at[object]: how many nodes wait for it */
        target = lost_target(g, i);
        if (target != NO_NODE)
            m->at[target]++;
    }
    for (i = 0, start = 0; i < g->count; i++) { /* path[object]: where its next waiter is stored */
        m->path[i] = start;
        start += m->at[i];
    }
    for (i = 0; i < g->count; i++) {
        target = lost_target(g, i);
        if (target != NO_NODE)
            m->members[m->path[target]++] = i;
    }
    for (i = 0; i < g->count; i++) {
        if (m->at[i] > 0 && !add_abandoned(m, i, m->members + m->path[i] - m->at[i], m->at[i]))
            return false;
    }
    return true;
}

/* ---- All findings ---------------------------------------------------------------------------- */

/* True if a node of the cycle can never continue, according to the graph without guesses. */
static bool is_certain_already(const struct making *m, size_t cycle, const struct wait_graph *known)
{
    size_t i;

    for (i = m->first[cycle]; i < m->first[cycle + 1]; i++) {
        if (known->nodes[m->members[i]].is_stuck)
            return true;
    }
    return false;
}

/* Adds the findings about all cycles of m->g. known: if m->g has guesses, the graph without them,
 * which has the same nodes; else NULL. */
static bool add_all(struct making *m, const struct wait_graph *known)
{
    const struct wait_graph *g = m->g;
    size_t *room = calloc(4 * (g->count + 3), sizeof(*room)), cycle;
    bool done = room;

    if (!room)
        return false;
    m->members = room;
    m->first = room + g->count + 3;
    m->path = room + 2 * (g->count + 3);
    m->at = room + 3 * (g->count + 3);
    sort_members(m);
    for (cycle = 1; done && cycle <= g->cycles; cycle++)
        done = (known && is_certain_already(m, cycle, known)) || add_deadlock(m, cycle);
    if (done && !known && !is_between(g))
        done = add_all_abandoned(m);
    free(room);
    return done;
}

bool diagnose_deadlocks(struct report *r, report_findings *list, const struct wait_graph *g)
{
    struct making m = {.r = r, .list = list, .g = g};

    return add_all(&m, NULL);
}

bool diagnose_perhaps_deadlocks(struct report *r, report_findings *list, const struct wait_graph *g,
                                const struct wait_graph *guessed)
{
    struct making m = {.r = r, .list = list, .g = guessed};

    return guessed->cycles == 0 || add_all(&m, g);
}
