/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/wait_graph.h"

#include <stdlib.h>
#include <string.h>

#include "schema.h"

/* An id and its node. process: the index of the process in which the id is valid; ALL_PROCESSES for
 * ids of processes. */
struct wait_id {
    size_t process;
    struct report_text text;
    size_t node;
};

#define ALL_PROCESSES SIZE_MAX

/* The maximum length of an id, in bytes. Without this limit, a malicious report could make the
 * diagnosis compare long ids for each thread that waits for an object. */
#define ID_MAX 1024

/* The most holds of a thread of another process that are looked at, for the same reason. */
#define HOLDS_MAX 64

/* PEERS_MAX: a thread that waits because of a pipe or socket gets no edges if the processes at both
 * ends have more threads than this. PEER_WAITERS_MAX: the most threads that get edges because of
 * pipes and sockets. */
#define PEERS_MAX        128
#define PEER_WAITERS_MAX 256

/* The fact that a thread, greenlet or task (the holder) holds an object. holder and object are
 * indices of nodes. */
struct wait_hold {
    size_t holder, object;
    const struct report_hold *fact;
};

/* ---- Nodes and their ids --------------------------------------------------------------------- */

static int compare_ids(const void *left, const void *right)
{
    const struct wait_id *a = left, *b = right;
    int order;

    if (a->process != b->process)
        return a->process < b->process ? -1 : 1;
    if (a->text.len != b->text.len)
        return a->text.len < b->text.len ? -1 : 1;
    order = a->text.len > 0 ? memcmp(a->text.data, b->text.data, a->text.len) : 0;
    return order != 0 ? order : (a->node > b->node) - (a->node < b->node);
}

/* Returns the first node with this id in the process with the index `process`, or NO_NODE. */
static size_t find_in(const struct wait_graph *g, size_t process, struct report_text id)
{
    const struct wait_id key = {process, id, 0};
    size_t low = 0, high = g->id_count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (compare_ids(&g->ids[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == g->id_count || g->ids[low].process != process || !text_equals(g->ids[low].text, id))
        return NO_NODE;
    return g->ids[low].node;
}

size_t wait_graph_find(const struct wait_graph *g, size_t process, struct report_text id)
{
    const char *slash;
    size_t node, len;

    if (!id.data || id.len > ID_MAX)
        return NO_NODE;
    node = find_in(g, process, id);
    if (node == NO_NODE)
        node = find_in(g, ALL_PROCESSES, id);
    slash = memchr(id.data, '/', id.len);
    if (node != NO_NODE || !slash)
        return node;
    len = (size_t)(slash - id.data);
    node = find_in(g, ALL_PROCESSES, (struct report_text){id.data, len});
    if (node == NO_NODE)
        return NO_NODE;
    return find_in(g, g->nodes[node].process, (struct report_text){slash + 1, id.len - len - 1});
}

static void add_node(struct wait_graph *g, enum wait_node_kind kind, const void *item,
                     size_t process, struct report_text id)
{
    if (id.data && id.len <= ID_MAX)
        g->ids[g->id_count++] =
            (struct wait_id){kind == NODE_PROCESS ? ALL_PROCESSES : process, id, g->count};
    g->nodes[g->count++] = (struct wait_node){.kind = kind, .item = item, .process = process};
}

static void add_nodes(struct wait_graph *g, size_t process)
{
    const struct report_process *p = &g->processes[process];
    size_t i;

    for (i = 0; i < p->threads.count; i++)
        add_node(g, NODE_THREAD, &p->threads.items[i], process, p->threads.items[i].id);
    for (i = 0; i < p->greenlets.count; i++)
        add_node(g, NODE_GREENLET, &p->greenlets.items[i], process, p->greenlets.items[i].id);
    for (i = 0; i < p->tasks.count; i++)
        add_node(g, NODE_TASK, &p->tasks.items[i], process, p->tasks.items[i].id);
    for (i = 0; i < p->objects.count; i++)
        add_node(g, NODE_OBJECT, &p->objects.items[i], process, p->objects.items[i].id);
    add_node(g, NODE_PROCESS, p, process, p->id);
}

/* ---- Holds ----------------------------------------------------------------------------------- */

static int compare_holds(const void *left, const void *right)
{
    const struct wait_hold *a = left, *b = right;

    if (a->holder != b->holder)
        return a->holder < b->holder ? -1 : 1;
    return (a->object > b->object) - (a->object < b->object);
}

const struct report_hold *wait_graph_hold(const struct wait_graph *g, size_t holder, size_t object)
{
    const struct wait_hold key = {holder, object, NULL}, *found;

    found = g->hold_count > 0 ? bsearch(&key, g->holds, g->hold_count, sizeof(key), compare_holds)
                              : NULL;
    return found ? found->fact : NULL;
}

static void add_holds(struct wait_graph *g, size_t holder)
{
    const struct wait_node *node = &g->nodes[holder];
    const struct report_hold *holds;
    size_t i, object, count;

    if (!node->item) /* cannot be; clang-tidy does not see this */
        return;
    if (node->kind == NODE_THREAD) {
        holds = ((const struct report_thread *)node->item)->holds.items;
        count = ((const struct report_thread *)node->item)->holds.count;
    } else if (node->kind == NODE_GREENLET) {
        holds = ((const struct report_greenlet *)node->item)->holds.items;
        count = ((const struct report_greenlet *)node->item)->holds.count;
    } else {
        holds = ((const struct report_task *)node->item)->holds.items;
        count = ((const struct report_task *)node->item)->holds.count;
    }
    for (i = 0; i < count; i++) {
        object = wait_graph_find(g, node->process, holds[i].object);
        if (object != NO_NODE)
            g->holds[g->hold_count++] = (struct wait_hold){holder, object, &holds[i]};
    }
}

/* Returns a text as a number; SIZE_MAX if it is not a number of at most nine digits. */
static size_t number_of(struct report_text text)
{
    size_t number = 0, i;

    if (!text.data || text.len == 0 || text.len > 9)
        return SIZE_MAX;
    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return SIZE_MAX;
        number = number * 10 + (size_t)(text.data[i] - '0');
    }
    return number;
}

/* True if a waiter can get the object only after a holder has released the object. */
static bool depends_on_holders(const struct report_object *o)
{
    static const char *const single[] = {"lock", "rlock", "import", "flock", "buffer"};
    size_t i;

    if (o->holder_status != HOLDER_KNOWN)
        return false;
    for (i = 0; i < sizeof(single) / sizeof(*single); i++) {
        if (text_is(o->kind, single[i]))
            return o->holders.count == 1;
    }
    if (text_is(o->kind, "semaphore") || text_is(o->kind, "semlock"))
        return o->holders.count == number_of(report_detail(o, "permits"));
    return text_is(o->kind, "future") || text_is(o->kind, "pool") || text_is(o->kind, "children");
}

/* True if the object is a lock with only one possible holder, and it is a guess that this holder
 * has the lock. */
static bool is_guessed(const struct report_object *o)
{
    return o->holder_status == HOLDER_NOT_KNOWN && o->holders.count == 1 &&
           text_is(o->kind, "lock");
}

/* True if the waiters of an object may depend on its holders: because of the kind of the object, or
 * because its holder has ended or is in the parent process. */
static bool may_hold(const struct wait_graph *g, size_t object)
{
    const struct report_object *o = g->nodes[object].item;

    return depends_on_holders(o) || o->holder_status == HOLDER_ENDED ||
           o->holder_status == HOLDER_INHERITED;
}

static bool is_certain(int certainty)
{
    return certainty == CERTAINTY_KNOWN || certainty == CERTAINTY_SEEN;
}

/* True if any process may release the object: a Lock of multiprocessing. The process that has
 * acquired it does not learn of this. */
static bool is_releasable(const struct report_object *o)
{
    return text_is(o->kind, "semlock") && !text_is(report_detail(o, "recursive"), "yes");
}

/* True if a hold may be an edge of the graph. hold: NULL if the report does not contain the hold.
 */
static bool is_edge(const struct wait_graph *g, const struct report_object *o,
                    const struct report_hold *hold)
{
    if (!hold)
        return true;
    if (g->has_guesses)
        return is_certain(hold->certainty) || hold->certainty == CERTAINTY_LIKELY;
    return is_certain(hold->certainty) && (!is_releasable(o) || hold->by == HOLD_BY_WITH);
}

/* Adds an edge. The edges of one node are adjacent in the array, so `from` must be the last node to
 * which an edge was added, or a node without edges. */
static void add_edge(struct wait_graph *g, struct wait_node *from, size_t to)
{
    g->edges[g->edge_count++] = to;
    from->edges++;
}

/* True if only the thread that acquired the object can release it, and this thread has ended or is
 * in the parent process. False for a Lock of multiprocessing, because any process may release such
 * a Lock. */
static bool is_lost(const struct report_object *o)
{
    if (o->holder_status != HOLDER_ENDED && o->holder_status != HOLDER_INHERITED)
        return false;
    return !text_is(o->kind, "semlock") ||
           (o->holder_status == HOLDER_ENDED && text_is(report_detail(o, "recursive"), "yes"));
}

static bool depends_on(const struct wait_graph *g, const struct report_object *o)
{
    return depends_on_holders(o) || (g->has_guesses && is_guessed(o));
}

/* True if the holder of the object is in another process than the object's waiters. */
static bool is_elsewhere(const struct report_object *o)
{
    return report_detail(o, "elsewhere").data;
}

/* True if a node is a thread that waits for a lock of multiprocessing, and that did not run between
 * its own reading and the end of the reading of the other processes. So what it holds and what the
 * threads of other processes hold is of the same moment. */
static bool has_not_run(const struct wait_graph *g, size_t node)
{
    const struct report_thread *t = g->nodes[node].kind == NODE_THREAD ? g->nodes[node].item : NULL;

    return t && t->waits && text_is(t->waits->kind, "semlock") && t->switches != REPORT_UNKNOWN;
}

/* Returns the hold of a lock of multiprocessing by a thread of another process, which has an object
 * of its own for this lock. Returns NULL if it is not found. */
static const struct report_hold *hold_elsewhere(const struct wait_graph *g, size_t holder,
                                                const struct report_object *lock)
{
    const struct report_thread *t = g->nodes[holder].item;
    size_t i, object;

    for (i = 0; i < t->holds.count && i < HOLDS_MAX; i++) {
        object = wait_graph_find(g, g->nodes[holder].process, t->holds.items[i].object);
        if (object != NO_NODE && g->nodes[object].kind == NODE_OBJECT &&
            text_equals(report_detail(g->nodes[object].item, "semaphore"),
                        report_detail(lock, "semaphore")))
            return &t->holds.items[i];
    }
    return NULL;
}

/* True if a thread may be a holder, for an edge of the graph, of a lock of multiprocessing that its
 * own process, other than that of the waiters, reports as held by it. */
static bool is_edge_elsewhere(const struct wait_graph *g, const struct report_object *lock,
                              size_t holder)
{
    const struct report_hold *hold;

    if (!has_not_run(g, holder))
        return false;
    hold = hold_elsewhere(g, holder, lock);
    return hold && is_edge(g, lock, hold);
}

static void add_holder_edges(struct wait_graph *g, size_t object)
{
    struct wait_node *node = &g->nodes[object];
    const struct report_object *o = node->item;
    const struct report_hold *hold;
    size_t i, holder;

    node->is_lost = is_lost(o);
    for (i = 0; depends_on(g, o) && i < o->holders.count; i++) {
        holder = wait_graph_find(g, node->process, o->holders.items[i]);
        hold = holder != NO_NODE ? wait_graph_hold(g, holder, object) : NULL;
        if (holder == NO_NODE || g->nodes[holder].kind == NODE_OBJECT || !is_edge(g, o, hold) ||
            (is_elsewhere(o) && !is_edge_elsewhere(g, o, holder))) {
            g->edge_count -= node->edges;
            node->edges = 0;
            return;
        }
        add_edge(g, node, holder);
    }
}

const struct report_wait *wait_graph_wait(const struct wait_graph *g, size_t node)
{
    const void *item = g->nodes[node].item;

    if (!item) /* as in add_holds */
        return NULL;
    switch (g->nodes[node].kind) {
    case NODE_THREAD:
        return ((const struct report_thread *)item)->waits;
    case NODE_GREENLET:
        return ((const struct report_greenlet *)item)->waits;
    case NODE_TASK:
        return ((const struct report_task *)item)->waits;
    case NODE_OBJECT:
    case NODE_PROCESS:
        break;
    }
    return NULL;
}

struct report_text wait_graph_id(const struct wait_graph *g, size_t node)
{
    const void *item = g->nodes[node].item;

    switch (g->nodes[node].kind) {
    case NODE_THREAD:
        return ((const struct report_thread *)item)->id;
    case NODE_GREENLET:
        return ((const struct report_greenlet *)item)->id;
    case NODE_TASK:
        return ((const struct report_task *)item)->id;
    case NODE_OBJECT:
        return ((const struct report_object *)item)->id;
    case NODE_PROCESS:
        break;
    }
    return ((const struct report_process *)item)->id;
}

bool wait_is_for_peer(const struct report_wait *wait)
{
    return text_is(wait->kind, "input") || text_is(wait->kind, "output") ||
           text_is(wait->kind, "child") || text_is(wait->kind, "file-lock");
}

bool wait_is_for_process(const struct report_wait *wait)
{
    return text_is(wait->kind, "process") || text_is(wait->kind, "children") ||
           text_is(wait->kind, "peers") || text_is(wait->kind, "workers") ||
           text_is(wait->kind, "database") || wait_is_for_peer(wait);
}

/* True if the kernel contradicts the wait of a thread: the thread runs, or it does not wait for a
 * process but is in a system call other than futex. Also true if futex has a timeout (its fourth
 * argument), unless the graph has edges for waits that end by themselves. Also true if the frames
 * of the thread may be of different moments. */
static bool contradicts(const struct wait_graph *g, const struct report_thread *t)
{
    const struct report_syscall *call = t->syscall;

    if (t->exact == BOOL_FALSE || t->state == STATE_RUNNING)
        return true;
    if (t->waits && wait_is_for_process(t->waits))
        return false;
    if (!call || !call->name.data || text_is(call->name, "restart_syscall"))
        return false;
    return !text_is(call->name, "futex") ||
           (!g->has_timed && call->args.count > 3 && call->args.items[3] != 0);
}

/* True if `waiter` holds the object, and the object may be one that its holder can take again. The
 * kind "semlock" is included, because such an object may be a multiprocessing.RLock. */
static bool may_take_again(const struct wait_graph *g, size_t waiter, size_t target)
{
    const struct report_object *o = g->nodes[target].item;

    if (g->nodes[target].kind != NODE_OBJECT || o->holders.count != 1)
        return false;
    if (!text_is(o->kind, "rlock") && !text_is(o->kind, "import") && !text_is(o->kind, "semlock"))
        return false;
    return wait_graph_find(g, g->nodes[target].process, o->holders.items[0]) == waiter;
}

/* Returns the node for which a waiter certainly waits, or NO_NODE. */
static size_t target_of(const struct wait_graph *g, size_t waiter)
{
    const struct wait_node *node = &g->nodes[waiter];
    const struct report_wait *wait = wait_graph_wait(g, waiter);
    size_t target;

    if (!wait || !is_certain(wait->certainty) ||
        (wait->timed == BOOL_TRUE && !(g->has_timed && node->kind == NODE_THREAD)))
        return NO_NODE;
    if (node->kind == NODE_THREAD && contradicts(g, node->item))
        return NO_NODE;
    target = wait_graph_find(g, node->process, wait->object);
    if (target == NO_NODE || may_take_again(g, waiter, target))
        return NO_NODE;
    if (g->nodes[target].kind == NODE_OBJECT && is_elsewhere(g->nodes[target].item) &&
        !has_not_run(g, waiter))
        return NO_NODE;
    return target;
}

/* Adds the edges of a task to the tasks that it awaits. Adds none if the wait ends by itself after
 * some time, or if one of these tasks is not in the graph. */
static void add_awaits(struct wait_graph *g, struct wait_node *node)
{
    const struct report_task *task = node->item;
    size_t i, other;

    if (task->waits && (!is_certain(task->waits->certainty) || task->waits->timed == BOOL_TRUE))
        return;
    for (i = 0; i < task->awaits.count; i++) {
        other = wait_graph_find(g, node->process, task->awaits.items[i]);
        if (other == NO_NODE || g->nodes[other].kind != NODE_TASK) {
            g->edge_count -= node->edges;
            node->edges = 0;
            return;
        }
        add_edge(g, node, other);
    }
}

/* Returns the node of a thread with this id, or NO_NODE. */
static size_t find_thread(const struct wait_graph *g, size_t process, struct report_text id)
{
    const size_t found = wait_graph_find(g, process, id);

    return found != NO_NODE && g->nodes[found].kind == NODE_THREAD ? found : NO_NODE;
}

size_t wait_graph_runner(const struct wait_graph *g, size_t actor)
{
    const struct wait_node *node = &g->nodes[actor];
    const struct report_object *loop;
    size_t found;

    if (node->kind == NODE_GREENLET)
        return find_thread(g, node->process, ((const struct report_greenlet *)node->item)->thread);
    if (node->kind != NODE_TASK)
        return NO_NODE;
    found = wait_graph_find(g, node->process, ((const struct report_task *)node->item)->loop);
    if (found == NO_NODE || g->nodes[found].kind != NODE_OBJECT)
        return NO_NODE;
    loop = g->nodes[found].item;
    if (!text_is(loop->kind, "loop") || loop->holders.count != 1)
        return NO_NODE;
    return find_thread(g, node->process, loop->holders.items[0]);
}

/* Adds the edges from a task or greenlet, `actor`, to what the actor waits for. If no such edge is
 * certain, adds an edge to the thread that runs the actor, because the actor can continue only if
 * this thread continues. */
static void add_run_edges(struct wait_graph *g, size_t actor)
{
    struct wait_node *node = &g->nodes[actor];
    size_t target;

    if (node->kind == NODE_TASK)
        add_awaits(g, node);
    if (node->edges > 0)
        return;
    target = target_of(g, actor);
    if (target == NO_NODE || (g->nodes[target].kind == NODE_OBJECT && !may_hold(g, target)))
        target = wait_graph_runner(g, actor);
    if (target != NO_NODE)
        add_edge(g, node, target);
}

size_t wait_graph_first_thread(const struct wait_graph *g, size_t node)
{
    const struct report_process *p = g->nodes[node].item;

    return node - p->objects.count - p->tasks.count - p->greenlets.count - p->threads.count;
}

/* Returns the node of the thread without which the process cannot end. This is the main thread if
 * the process runs Python, or the only thread. Returns NO_NODE if it is not known. */
static size_t main_thread_of(const struct wait_graph *g, size_t node)
{
    const struct report_process *p = g->nodes[node].item;
    size_t i;

    for (i = 0; i < p->threads.count; i++) {
        if (p->threads.items[i].main == BOOL_TRUE && (p->python.data || p->threads.count == 1))
            return wait_graph_first_thread(g, node) + i;
    }
    return NO_NODE;
}

static void add_thread_edges(struct wait_graph *g, struct wait_node *from, size_t process)
{
    const struct report_process *p = g->nodes[process].item;
    size_t i;

    for (i = 0; i < p->threads.count; i++)
        add_edge(g, from, wait_graph_first_thread(g, process) + i);
}

/* Adds the edges of a thread that waits because of a pipe or socket: to the threads of the process
 * `peer`, which has the other end. If the thread's own process has the other end, too, the threads
 * of its own process could also end the wait. In this case, a thread that writes to a full pipe has
 * edges to these threads, too. A thread that reads has no edges at all, because signal handlers
 * could also write to the pipe. No edges are added if the report lacks threads of these processes.
 */
static void add_peer_edges(struct wait_graph *g, struct wait_node *node, size_t peer)
{
    const struct report_thread *t = node->item;
    const struct report_target *target = t->syscall ? t->syscall->target : NULL;
    const struct report_process *other = g->nodes[peer].item, *own = &g->processes[node->process];
    const bool is_child = text_is(t->waits->kind, "child");
    const bool is_output = text_is(t->waits->kind, "output") ||
                           (is_child && t->syscall && text_is(t->syscall->name, "write"));
    size_t self = NO_NODE;

    if (!target || !target->own_end || (is_child && target->peer_pid != other->pid) ||
        other->threads.count == 0 || other->threads.count + own->threads.count > PEERS_MAX ||
        g->peer_waiters == PEER_WAITERS_MAX || report_lacks_threads(other) ||
        report_lacks_threads(own))
        return;
    if (target->own_end == BOOL_TRUE) {
        self = is_output ? wait_graph_find(g, node->process, own->id) : NO_NODE;
        if (self == NO_NODE)
            return;
    }
    g->peer_waiters++;
    add_thread_edges(g, node, peer);
    if (self != NO_NODE)
        add_thread_edges(g, node, self);
}

static void add_wait_edges(struct wait_graph *g, size_t waiter)
{
    struct wait_node *node = &g->nodes[waiter];
    const struct report_wait *wait = wait_graph_wait(g, waiter);
    size_t target;

    if (node->kind == NODE_TASK || node->kind == NODE_GREENLET) {
        add_run_edges(g, waiter);
        return;
    }
    target = target_of(g, waiter);
    if (target == NO_NODE)
        return;
    if (g->nodes[target].kind != NODE_PROCESS) {
        add_edge(g, node, target);
    } else if (node->kind == NODE_THREAD && wait_is_for_peer(wait)) {
        add_peer_edges(g, node, target);
    } else {
        target = main_thread_of(g, target);
        if (target != NO_NODE)
            add_edge(g, node, target);
    }
}

/* ---- The graph ------------------------------------------------------------------------------- */

/* Upper limits for the numbers of nodes, holds and edges. */
struct sizes {
    size_t nodes, holds, edges, peer_waiters;
};

static struct sizes measure(const struct report_process *p)
{
    struct sizes s = {0};
    size_t i;

    s.edges = p->threads.count + p->greenlets.count + p->tasks.count;
    s.nodes = s.edges + p->objects.count + 1;
    for (i = 0; i < p->threads.count; i++) {
        s.holds += p->threads.items[i].holds.count;
        if (p->threads.items[i].waits && wait_is_for_peer(p->threads.items[i].waits))
            s.peer_waiters++;
    }
    for (i = 0; i < p->greenlets.count; i++)
        s.holds += p->greenlets.items[i].holds.count;
    for (i = 0; i < p->tasks.count; i++) {
        s.edges += p->tasks.items[i].awaits.count;
        s.holds += p->tasks.items[i].holds.count;
    }
    for (i = 0; i < p->objects.count; i++)
        s.edges += p->objects.items[i].holders.count;
    return s;
}

static bool allocate(struct wait_graph *g)
{
    struct sizes all = {0}, one;
    size_t i;

    for (i = 0; i < g->process_count; i++) {
        one = measure(&g->processes[i]);
        all.nodes += one.nodes;
        all.holds += one.holds;
        all.edges += one.edges;
        all.peer_waiters += one.peer_waiters;
    }
    if (all.peer_waiters > PEER_WAITERS_MAX)
        all.peer_waiters = PEER_WAITERS_MAX;
    all.edges += all.peer_waiters * PEERS_MAX;
    g->nodes = calloc(all.nodes + 1, sizeof(*g->nodes));
    g->ids = calloc(all.nodes + 1, sizeof(*g->ids));
    g->holds = calloc(all.holds + 1, sizeof(*g->holds));
    g->edges = calloc(all.edges + 1, sizeof(*g->edges));
    return g->nodes && g->ids && g->holds && g->edges;
}

static bool make(struct wait_graph *g)
{
    size_t i;

    if (!allocate(g))
        return false;
    for (i = 0; i < g->process_count; i++)
        add_nodes(g, i);
    qsort(g->ids, g->id_count, sizeof(*g->ids), compare_ids);
    for (i = 0; i < g->count; i++) {
        if (g->nodes[i].kind != NODE_OBJECT && g->nodes[i].kind != NODE_PROCESS)
            add_holds(g, i);
    }
    qsort(g->holds, g->hold_count, sizeof(*g->holds), compare_holds);
    for (i = 0; i < g->count; i++) {
        g->nodes[i].first_edge = g->edge_count;
        if (g->nodes[i].kind == NODE_OBJECT)
            add_holder_edges(g, i);
        else
            add_wait_edges(g, i);
    }
    return true;
}

bool wait_graph_make(struct wait_graph *g, const struct report_process *processes, size_t count)
{
    *g = (struct wait_graph){.processes = processes, .process_count = count};
    return make(g);
}

/* True if the graph with guesses may have an edge from the object, but the other graph has none. */
static bool may_be_guessed(const struct report_object *o)
{
    return is_guessed(o) || (is_releasable(o) && depends_on_holders(o));
}

static bool has_guessed_edges(const struct report_process *p, bool has_timed)
{
    size_t i;

    for (i = 0; i < p->objects.count; i++) {
        if (may_be_guessed(&p->objects.items[i]))
            return true;
    }
    for (i = 0; has_timed && i < p->threads.count; i++) {
        if (p->threads.items[i].waits && p->threads.items[i].waits->timed == BOOL_TRUE)
            return true;
    }
    return false;
}

bool wait_graph_make_guessed(struct wait_graph *g, const struct report_process *process,
                             bool has_timed)
{
    *g = (struct wait_graph){
        .processes = process, .process_count = 1, .has_guesses = true, .has_timed = has_timed};
    return !has_guessed_edges(process, has_timed) || make(g);
}

/* The largest number of other processes in a graph. */
#define OTHERS_MAX 64

static void convert(const struct report_other *from, struct report_process *to)
{
    schema_init(&schema_process, to);
    to->id = from->id;
    to->pid = from->pid;
    to->name = from->command;
    to->python = from->python;
    to->threads.items = from->threads.items;
    to->threads.count = from->threads.count;
    to->objects.items = from->objects.items;
    to->objects.count = from->objects.count;
}

bool wait_graph_make_with_others(struct wait_graph *g, const struct report_process *process)
{
    size_t count = process->others.count < OTHERS_MAX ? process->others.count : OTHERS_MAX, i;
    struct report_process *all = calloc(count + 1, sizeof(*all));
    bool made;

    if (!all)
        return false;
    all[0] = *process;
    for (i = 0; i < count; i++)
        convert(&process->others.items[i], &all[i + 1]);
    made = wait_graph_make(g, all, count + 1);
    g->has_others = true;
    g->made = all;
    return made;
}

size_t wait_graph_viewer(const struct wait_graph *g, size_t node)
{
    return g->has_others ? g->viewer : g->nodes[node].process;
}

void wait_graph_free(struct wait_graph *g)
{
    free(g->made);
    free(g->nodes);
    free(g->ids);
    free(g->holds);
    free(g->edges);
    *g = (struct wait_graph){0};
}
