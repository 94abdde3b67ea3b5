/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sentences about resources that a process has used up.
 */
#ifndef REPORT_SHORTAGE_TEXT_H
#define REPORT_SHORTAGE_TEXT_H

#include "buffer.h"
#include "report.h"

/* Appends one line without a newline: "out of file descriptors: 1024 of 1024 open, most of them:
 * 1,003 sockets to 10.0.0.5:5432". The line begins with "nearly out of" if less than the limit is
 * used. Appends nothing if the resource or a number is unknown. The detail may contain control
 * characters: see struct report_text. */
void report_put_shortage(struct buffer *out, const struct report_shortage *shortage);

#endif
