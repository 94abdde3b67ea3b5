/* SPDX-License-Identifier: BSD-3-Clause
 *
 * other_words: if a thread waits for another process, sentences about what that process does.
 */
#ifndef REPORT_DIAGNOSIS_OTHER_WORDS_H
#define REPORT_DIAGNOSIS_OTHER_WORDS_H

#include "buffer.h"
#include "diagnosis/wait_graph.h"

/* Appends what a process does, such as ", which sleeps for another 998 s", or ", which writes to a
 * full pipe whose other end this process has". node: the node of the process. Describes a thread of
 * the process that waits for the process that the report is about. If there is no such thread,
 * describes the main thread. Appends nothing if nothing is known about the threads. */
void other_words_put(struct buffer *out, const struct wait_graph *g, size_t node);

#endif
