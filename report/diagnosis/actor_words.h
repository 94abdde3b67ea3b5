/* SPDX-License-Identifier: BSD-3-Clause
 *
 * actor_words: names of actors, and where they are, in sentences. An actor is a node of a wait
 * graph that is not an object: a thread, greenlet, task or process.
 */
#ifndef REPORT_DIAGNOSIS_ACTOR_WORDS_H
#define REPORT_DIAGNOSIS_ACTOR_WORDS_H

#include "buffer.h"
#include "diagnosis/wait_graph.h"

/* Appends the name of a thread, greenlet, task or process. If the node does not belong to the
 * process with the index `process`, also appends the process of the node: "worker-1 of 4711@db1".
 * If the graph has been made with wait_graph_make_with_others, the process of the report is called
 * "this process", and every other process is called "process 4711 (python3 worker.py)". */
void actor_put(struct buffer *out, const struct wait_graph *g, size_t node, size_t process);

/* Appends the name of the node with this id. If no node has the id, appends the id itself. */
void actor_put_id(struct buffer *out, const struct wait_graph *g, size_t process,
                  struct report_text id);

/* Returns the frames of a node; NULL if the node is an object or a process, or has no frames. */
const report_frames *actor_frames(const struct wait_graph *g, size_t node);

/* Appends the line of the program in which a node waits: " (bank.py:9)". If this line is not known,
 * appends the line of the innermost frame of the program. Appends nothing if the node has no
 * frames. */
void actor_put_line(struct buffer *out, const struct wait_graph *g, size_t node);

/* True if the node's frames may have been read at different moments. */
bool actor_is_moving(const struct wait_graph *g, size_t node);

#endif
