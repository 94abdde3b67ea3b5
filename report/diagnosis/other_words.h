/* SPDX-License-Identifier: BSD-3-Clause
 *
 * other_words: sentences about what another process does, for which a thread waits.
 */
#ifndef REPORT_DIAGNOSIS_OTHER_WORDS_H
#define REPORT_DIAGNOSIS_OTHER_WORDS_H

#include "buffer.h"
#include "diagnosis/wait_graph.h"

/* Appends what a process does: ", which writes to a full pipe whose other end this process has",
 * ", which sleeps for another 998 s". Describes a thread of the process that waits for the process
 * that the report is about, if there is one, else the main thread. Appends nothing if nothing is
 * known about the threads. node: the node of the process. */
void other_words_put(struct buffer *out, const struct wait_graph *g, size_t node);

#endif
