/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Encodes one process of a report as brine. This is the format of the reply to a STACKS request
 * (HANDLE_STACKS) and of the result of pystuck/_stacks.py.
 *
 * A struct is a tuple of its members in the order of schema.c; a list is a tuple; an enum is its
 * word, a str; a map is a tuple of (name, value); an unknown value is None. If a tuple is shorter
 * than the table in schema.c, the missing members are unknown. If a tuple is longer (a newer
 * program wrote it), the reader skips the additional members.
 */
#ifndef REPORT_CODEC_H
#define REPORT_CODEC_H

#include "buffer.h"
#include "report.h"

struct rpyc_error;

/* Appends a process to out. Errors are stored in out->failed. */
void report_write(struct buffer *out, const struct report_process *process);

/* Reads one process from `len` bytes of brine and adds it to the report. Copies the bytes that it
 * keeps. Returns the process, which r owns, or NULL with err: RPYC_EPROTOCOL with the name of the
 * invalid member, RPYC_ELIMIT if the report exceeds its limit of memory, RPYC_ENOMEM. */
struct report_process *report_read(struct report *r, const void *brine, size_t len,
                                   struct rpyc_error *err);

#endif
