/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/print: prints the stacks of a process as text or JSON.
 */
#ifndef CLIENT_STACKS_PRINT_H
#define CLIENT_STACKS_PRINT_H

#include <stdio.h>

#include "options.h"
#include "report.h"

/* The most memory that a report may use. A malicious server could send one that needs more. */
#define STACKS_MEMORY_MAX ((size_t)1 << 30)

/* Prints a process. Text: the findings, a line for each, and an empty line, if there are any; for
 * each thread and greenlet a title on a line of its own, with "(moving)" if the stack is not exact,
 * the frames, the innermost last, and an empty line; then a line that says what is missing. Plain:
 * titles and frames alone, without colours and without escapes in names, like the original pystuck.
 * Errors: see ferror(). */
void stacks_print(FILE *stream, const struct report_process *process, enum stacks_format format);

#endif
