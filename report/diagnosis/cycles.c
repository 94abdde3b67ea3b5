/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/cycles.h"

#include <stdlib.h>

static void free_array(void *array)
{
    free(*(void **)array);
}

#define AUTO_ARRAY __attribute__((cleanup(free_array)))

/* ---- Nodes that are stuck -------------------------------------------------------------------- */

/* The edges in the other direction. The nodes with an edge to node n are from[first[n]] to
 * from[first[n + 1] - 1]. */
struct reversed {
    size_t *first, *from;
};

static void reversed_free(struct reversed *r)
{
    free(r->first);
    free(r->from);
}

static bool reverse(const struct wait_graph *g, struct reversed *r)
{
    size_t i, e;

    r->first = calloc(g->count + 2, sizeof(*r->first));
    r->from = calloc(g->edge_count + 1, sizeof(*r->from));
    if (!r->first || !r->from)
        return false;
    for (e = 0; e < g->edge_count; e++)
        r->first[g->edges[e] + 2]++;
    for (i = 2; i < g->count + 2; i++)
        r->first[i] += r->first[i - 1];
    for (i = 0; i < g->count; i++) {
        for (e = g->nodes[i].first_edge; e < g->nodes[i].first_edge + g->nodes[i].edges; e++)
            r->from[r->first[g->edges[e] + 1]++] = i;
    }
    return true;
}

/* Sets is_stuck of all nodes, and then clears is_stuck of the nodes that may continue. To find
 * these nodes, begins with the nodes that are not lost and have no edges, and follows the edges
 * backwards. todo: an array with room for all nodes. */
static void mark_stuck(struct wait_graph *g, const struct reversed *r, size_t *todo)
{
    size_t count = 0, i, e, from;

    for (i = 0; i < g->count; i++) {
        g->nodes[i].is_stuck = g->nodes[i].edges > 0 || g->nodes[i].is_lost;
        if (!g->nodes[i].is_stuck)
            todo[count++] = i;
    }
    while (count > 0) {
        i = todo[--count];
        for (e = r->first[i]; e < r->first[i + 1]; e++) {
            from = r->from[e];
            if (!g->nodes[from].is_stuck)
                continue;
            g->nodes[from].is_stuck = false;
            todo[count++] = from;
        }
    }
}

static bool find_stuck(struct wait_graph *g)
{
    AUTO_ARRAY size_t *todo = calloc(g->count + 1, sizeof(*todo));
    __attribute__((cleanup(reversed_free))) struct reversed r = {NULL, NULL};
    bool done = reverse(g, &r);

    if (done && todo)
        mark_stuck(g, &r, todo);
    return done && todo;
}

/* ---- Cycles ---------------------------------------------------------------------------------- */

/* The state of Tarjan's algorithm. order[n]: the position of node n in the order of the visits,
 * from 1; 0: not visited yet. low[n]: the lowest order of the nodes that n is known to lead to. */
struct search {
    size_t *order, *low;
    size_t *open;  /* a stack: visited nodes whose cycle is not known */
    size_t *path;  /* a stack: the nodes from the start to the present one */
    size_t *next;  /* the next edge of each node to follow */
    bool *is_open; /* the node is in `open` */
    size_t opened, depth, visited;
};

static void visit(const struct wait_graph *g, struct search *s, size_t node)
{
    s->order[node] = s->low[node] = ++s->visited;
    s->next[node] = g->nodes[node].first_edge;
    s->open[s->opened++] = node;
    s->is_open[node] = true;
    s->path[s->depth++] = node;
}

static bool leads_to_itself(const struct wait_graph *g, size_t node)
{
    size_t e, end = g->nodes[node].first_edge + g->nodes[node].edges;

    for (e = g->nodes[node].first_edge; e < end; e++) {
        if (g->edges[e] == node)
            return true;
    }
    return false;
}

/* Removes the nodes from the top of the stack `open` to `node`, including `node`: they are one
 * strongly connected component.
 * If this component is a cycle, sets the member `cycle` of its nodes to a new number. */
static void close_component(struct wait_graph *g, struct search *s, size_t node)
{
    bool is_cycle = s->open[s->opened - 1] != node || leads_to_itself(g, node);
    size_t member;

    g->cycles += is_cycle;
    do {
        member = s->open[--s->opened];
        s->is_open[member] = false;
        g->nodes[member].cycle = is_cycle ? g->cycles : 0;
    } while (member != node);
}

/* Follows the next edge of the last node of the path. If the node has no further edge, removes the
 * node from the path. */
static void step(struct wait_graph *g, struct search *s)
{
    size_t node = s->path[s->depth - 1], to, before;

    if (s->next[node] < g->nodes[node].first_edge + g->nodes[node].edges) {
        to = g->edges[s->next[node]++];
        if (s->order[to] == 0)
            visit(g, s, to);
        else if (s->is_open[to] && s->order[to] < s->low[node])
            s->low[node] = s->order[to];
        return;
    }
    s->depth--;
    if (s->depth > 0) {
        before = s->path[s->depth - 1];
        if (s->low[node] < s->low[before])
            s->low[before] = s->low[node];
    }
    if (s->low[node] == s->order[node])
        close_component(g, s, node);
}

/* Numbers the cycles in the order of their first nodes. new: an array of zeros for all cycles. */
static void renumber(struct wait_graph *g, size_t *new)
{
    size_t i, numbered = 0;

    for (i = 0; i < g->count; i++) {
        struct wait_node *node = &g->nodes[i];

        if (node->cycle == 0)
            continue;
        if (new[node->cycle] == 0)
            new[node->cycle] = ++numbered;
        node->cycle = new[node->cycle];
    }
}

bool cycles_find(struct wait_graph *g)
{
    AUTO_ARRAY size_t *numbers = calloc(6 * (g->count + 1), sizeof(*numbers));
    AUTO_ARRAY bool *is_open = calloc(g->count + 1, sizeof(*is_open));
    size_t step_size = g->count + 1, i;
    struct search s;

    if (!numbers || !is_open || !find_stuck(g))
        return false;
    s = (struct search){.order = numbers,
                        .low = numbers + step_size,
                        .open = numbers + 2 * step_size,
                        .path = numbers + 3 * step_size,
                        .next = numbers + 4 * step_size,
                        .is_open = is_open};
    g->cycles = 0;
    for (i = 0; i < g->count; i++) {
        if (!g->nodes[i].is_stuck || s.order[i] != 0)
            continue;
        visit(g, &s, i);
        while (s.depth > 0)
            step(g, &s);
    }
    renumber(g, numbers + 5 * step_size);
    return true;
}
