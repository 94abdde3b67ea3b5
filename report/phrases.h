/* SPDX-License-Identifier: BSD-3-Clause
 *
 * phrases: appends the parts of a sentence to a buffer.
 */
#ifndef REPORT_PHRASES_H
#define REPORT_PHRASES_H

#include "buffer.h"
#include "report.h"

/* The maximum length of a name in a sentence, in bytes; longer names are cut. Without this limit,
 * the sentences about many threads could become far longer than the facts, which a malicious server
 * may have made. */
#define NAME_MAX_BYTES 120

/* Returns how many bytes of a name fit into a sentence. Does not cut a character of UTF-8. */
size_t sentence_fitting(struct report_text text);

/* Append a C string, a text of the report, or a number to a sentence. sentence_put_text cuts a text
 * that is too long and appends "..." to it. It appends nothing if the text is unknown. */
void sentence_put(struct buffer *out, const char *text);
void sentence_put_text(struct buffer *out, struct report_text text);
void sentence_put_number(struct buffer *out, int64_t number);

/* Appends a duration, rounded down to the unit that is shown: "87 ms", "0.1 s", "12 s". */
void sentence_put_duration(struct buffer *out, int64_t ms);

/* Appends the id of a node: "thread 4711" for "thread:4711"; any other id unchanged. */
void sentence_put_id(struct buffer *out, struct report_text id);

/* Appends the name of a thread. If the thread has no name, appends the first of these that is
 * known: its native id, its ident, its id ("thread 4711"). */
void sentence_put_thread(struct buffer *out, const struct report_thread *thread);

#endif
