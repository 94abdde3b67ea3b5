/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reports as JSON (doc/stacks.schema.json). Each struct is a JSON object whose members have the
 * same names. An unknown value is null.
 */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include "buffer.h"
#include "report.h"

struct rpyc_error;

/* Append a process, or a whole report, as an indented JSON document in ASCII that ends with a
 * newline. If there is no memory, set out->failed. */
void report_write_json(struct buffer *out, const struct report_process *process);
void report_write_json_all(struct buffer *out, const struct report *r);

/* Like the two functions above, but each document is on one line. */
void report_write_json_line(struct buffer *out, const struct report_process *process);
void report_write_json_line_all(struct buffer *out, const struct report *r);

/* Reads a JSON document, which one of the functions above has written, into r. r must be empty.
 * Ignores members that this version does not know. Members that the document does not have are
 * unknown in r. Returns 0, or -1 with err set: RPYC_EPROTOCOL if the text is not JSON or a member
 * has the wrong type (err then names the member), RPYC_ELIMIT if the text is too long, RPYC_ENOMEM
 * if there is no memory. */
int report_read_json(struct report *r, const char *text, size_t len, struct rpyc_error *err);

#endif
