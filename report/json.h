/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reports as JSON (doc/stacks.schema.json). Members have names; an unknown value is null.
 */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include "buffer.h"
#include "report.h"

struct rpyc_error;

/* Append a process, or a whole report, as an indented JSON document in ASCII that ends with a
 * newline. Errors are stored in out->failed. */
void report_write_json(struct buffer *out, const struct report_process *process);
void report_write_json_all(struct buffer *out, const struct report *r);

/* Reads a JSON document of one of the two functions above into r, which must be empty. The document
 * is a process, or a whole report. Ignores members that this version does not know; members that
 * are missing in the document are unknown in r. Returns 0, or -1 with err: RPYC_EPROTOCOL if the
 * text is not JSON, or with the name of a member that has the wrong type. */
int report_read_json(struct report *r, const char *text, size_t len, struct rpyc_error *err);

#endif
