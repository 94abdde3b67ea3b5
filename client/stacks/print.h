/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/print: a process's stacks for people, and as JSON.
 */
#ifndef CLIENT_STACKS_PRINT_H
#define CLIENT_STACKS_PRINT_H

#include <stdio.h>

#include "options.h"
#include "report.h"

/* The most bytes that a report takes here: a server could send one that describes far more. */
#define STACKS_MEMORY_MAX ((size_t)1 << 30)

/* Prints a process in a format. As text: for each thread and greenlet its title on a line of its
 * own, then its frames, the innermost last, then an empty line. Plain text is the same without
 * colours, and with names as they are, as the original pystuck prints them. Errors: see ferror. */
void stacks_print(FILE *stream, const struct report_process *process, enum stacks_format format);

#endif
