/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Encodes one process of a report as brine. This is the format of the reply to a STACKS request
 * (HANDLE_STACKS) and of the result of pystuck/_stacks.py.
 *
 * A struct is encoded as a tuple of its members, in the order of schema.c. A list is a tuple, an
 * enum is its word as a str, and a map is a tuple of pairs (name, value). An unknown value is None.
 * If a tuple is shorter than the table in schema.c, the missing members are unknown. If a tuple is
 * longer (a newer program wrote it), the reader skips the additional members.
 */
#ifndef REPORT_CODEC_H
#define REPORT_CODEC_H

#include "buffer.h"
#include "report.h"

struct rpyc_error;

/* Appends a process to out. If there is no memory, sets out->failed. */
void report_write(struct buffer *out, const struct report_process *process);

/* Reads one process from `len` bytes of brine and adds it to the report. Copies the bytes that it
 * keeps. Returns the process, which r owns, or NULL with err set: RPYC_EPROTOCOL if the bytes are
 * not a valid report (the text of the error names the invalid member), RPYC_ELIMIT if the report
 * exceeds its memory limit, RPYC_ENOMEM if there is no memory. */
struct report_process *report_read(struct report *r, const void *brine, size_t len,
                                   struct rpyc_error *err);

#endif
