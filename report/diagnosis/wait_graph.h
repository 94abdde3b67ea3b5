/* SPDX-License-Identifier: BSD-3-Clause
 *
 * wait_graph: which threads wait for which, as a graph, from the facts about one or more processes.
 *
 * A node is a thread, greenlet, task, object or process of the report. An edge leads from a waiter
 * to what it waits for, and from an object to the nodes that hold it. A thread that waits for the
 * end of a process has an edge to the main thread of that process. A thread that waits for data, or
 * for room for data, in a pipe has an edge to each thread of the processes that have the other end.
 * A node that has edges can continue only if one of the nodes to which the edges lead continues.
 * This is certain, except that these may also end the wait for data or room in a pipe: a thread of
 * the process that the report is about that runs no Python, since the report does not have it; a
 * process that may not be read. There is no edge for these facts:
 *
 * * a wait or a hold that is a guess (CERTAINTY_LIKELY), or whose certainty is not known
 * * a wait that ends by itself after some time
 * * a wait that contradicts the kernel: the thread runs, or is in a system call other than futex.
 *   The kernel itself reports waits for processes
 * * a wait for data, or for room for data, if the report lacks Python threads of the processes
 * * an object whose holder is not known
 * * a Lock of multiprocessing that was not taken by a `with`: any process may have released it
 * since, and the process that has taken it does not learn of this
 * * a lock of multiprocessing whose holder is in another process, unless the waiter and the holder
 *   both wait for such locks, and have not run while the processes were read
 * * an object that any thread may release or set: an Event, a Condition, a Queue, a Barrier, or a
 *   Semaphore of which some permits may be held by code that the collector has not seen
 * * an RLock that the waiter itself holds, since the waiter can take the RLock again
 * * a wait for an id, or a holder with an id, that no node of the report has
 *
 * wait_graph_make_guessed() adds edges for the first two of these facts, and for Locks of
 * multiprocessing that were not taken by a `with`.
 *
 * A task or greenlet that has none of these edges has an edge to the thread that runs it.
 *
 * The time to make a graph is n log n for n nodes, ids and holds. A node is found by its id in
 * log n.
 */
#ifndef REPORT_DIAGNOSIS_WAIT_GRAPH_H
#define REPORT_DIAGNOSIS_WAIT_GRAPH_H

#include "report.h"

enum wait_node_kind { NODE_THREAD, NODE_GREENLET, NODE_TASK, NODE_OBJECT, NODE_PROCESS };

struct wait_node {
    enum wait_node_kind kind;
    const void *item; /* the struct in the report: a struct report_thread for NODE_THREAD, ... */
    size_t process;   /* the index of its process */
    size_t first_edge, edges;
    bool is_lost;  /* an object that no living thread can release */
    bool is_stuck; /* set by cycles_find(): the node can never continue */
    size_t cycle;  /* set by cycles_find(): the number of its cycle, from 1; 0: it is in none */
};

#define NO_NODE SIZE_MAX

struct wait_id;
struct wait_hold;

struct wait_graph {
    const struct report_process *processes;
    size_t process_count;
    struct wait_node *nodes;
    size_t count;
    size_t *edges; /* the indices of nodes */
    size_t edge_count;
    bool has_guesses;    /* edges may be guesses that a thread holds a lock */
    bool has_timed;      /* edges may be waits of threads that end by themselves */
    size_t cycles;       /* set by cycles_find(): the number of cycles */
    size_t peer_waiters; /* how many threads have edges because of pipes and sockets */
    bool has_others; /* processes[0] is the process that the report is about; the others are those
                      * for which its threads wait */
    size_t viewer;   /* with has_others: what wait_graph_viewer() returns; usually 0 */
    struct report_process *made; /* the array of processes, if the graph has made it; or NULL */
    struct wait_id *ids;
    size_t id_count;
    struct wait_hold *holds;
    size_t hold_count;
};

/* Makes the graph of `count` processes. The nodes are in the order of the report: for each process
 * its threads, greenlets, tasks and objects, and then the process. The graph refers to the
 * processes: do not change or free the processes while the graph is used. Returns false if there is
 * no memory. Call wait_graph_free in either case. */
bool wait_graph_make(struct wait_graph *g, const struct report_process *processes, size_t count);

/* Like wait_graph_make, for one process, but also adds two kinds of edges that are not certain. The
 * first kind leads from a lock to its only holder, if it is a guess that this holder has the lock.
 * The second kind leads from a thread to what it waits for, if the wait ends by itself after some
 * time; these edges are added only if has_timed is true. If there are no edges of these kinds,
 * leaves the graph empty and returns true. */
bool wait_graph_make_guessed(struct wait_graph *g, const struct report_process *process,
                             bool has_timed);
void wait_graph_free(struct wait_graph *g);

/* Like wait_graph_make, for one process and for the processes that its member `others` describes.
 */
bool wait_graph_make_with_others(struct wait_graph *g, const struct report_process *process);

/* Returns the index of the process from whose point of view a sentence about the node is written.
 * In the sentence, a node of another process has the name of that process behind its own name. The
 * result is g->viewer if g->has_others is true, else the process of the node. */
size_t wait_graph_viewer(const struct wait_graph *g, size_t node);

/* Returns the node of the first thread of a process; the other threads follow it. node: the node of
 * the process. */
size_t wait_graph_first_thread(const struct wait_graph *g, size_t node);

/* Returns the node with an id, or NO_NODE. id: an id in the facts about the process with the index
 * `process`. It may be the id of a node of this process, "PID@HOST" for a whole process, or
 * "PID@HOST/" and the id of a node of another process. Ids of more than 1024 bytes are not found.
 */
size_t wait_graph_find(const struct wait_graph *g, size_t process, struct report_text id);

/* Returns the id that a node has in the report about its process. */
struct report_text wait_graph_id(const struct wait_graph *g, size_t node);

/* Returns the node of the thread that runs a greenlet, or the loop of a task. Returns NO_NODE if
 * this thread is not known. actor: the node of the greenlet or task; for any other node, the result
 * is NO_NODE. */
size_t wait_graph_runner(const struct wait_graph *g, size_t actor);

/* Returns what a node waits for. NULL: the node is an object or a process, or is not known to wait.
 */
const struct report_wait *wait_graph_wait(const struct wait_graph *g, size_t node);

/* wait_is_for_process returns true if a thread waits for another process, in a system call other
 * than futex. It waits until that process or any child ends, or that process has the other end of a
 * pipe or socket, or a lock of a file or database. wait_is_for_peer returns true only if a pipe, a
 * socket or a file lock is the reason for the wait, or if the thread is in Popen.communicate(). */
bool wait_is_for_process(const struct report_wait *wait);
bool wait_is_for_peer(const struct report_wait *wait);

/* Returns the fact that a node holds an object. NULL: the node is not known to hold the object. */
const struct report_hold *wait_graph_hold(const struct wait_graph *g, size_t holder, size_t object);

#endif
