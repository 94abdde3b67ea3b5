/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reports as JSON (doc/stacks.schema.json): members by name, null for what is unknown.
 */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include "buffer.h"
#include "report.h"

struct rpyc_error;

/* Appends a process, or a whole report, as an indented JSON document in ASCII, with a
 * newline at the end. Errors are the buffer's. */
void report_write_json(struct buffer *out, const struct report_process *process);
void report_write_json_all(struct buffer *out, const struct report *r);

/* Reads a document that one of the two wrote: adds its processes to r, which must be empty, and for
 * a whole report also the rest. Members that are not known are passed over, those that are not
 * there are unknown. Returns 0, or -1 with err: RPYC_EPROTOCOL for text that is not JSON or a
 * member of the wrong type, which is named. */
int report_read_json(struct report *r, const char *text, size_t len, struct rpyc_error *err);

#endif
