/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A process's part of a report as brine: what request HANDLE_STACKS returns and pystuck/_stacks.py
 * makes.
 *
 * A struct is a tuple of its members in the order of shape.c, a list is a tuple, an enum its word,
 * a map a tuple of (name, value), and what is unknown is None. A tuple may be shorter than the
 * table: the rest is unknown; or longer: a newer writer's members are passed over.
 */
#ifndef REPORT_CODEC_H
#define REPORT_CODEC_H

#include "buffer.h"
#include "report.h"

struct rpyc_error;

/* Appends a process. Errors are the buffer's. */
void report_write(struct buffer *out, const struct report_process *process);

/* Reads one process from len bytes of brine, which it copies from, and adds it to the report.
 * Returns it, or NULL with err: RPYC_EPROTOCOL names the member that is wrong, RPYC_ELIMIT and
 * RPYC_ENOMEM as the arena says. */
struct report_process *report_read(struct report *r, const void *brine, size_t len,
                                   struct rpyc_error *err);

#endif
