/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/print: prints the stacks of a process as text or JSON.
 */
#ifndef CLIENT_STACKS_PRINT_H
#define CLIENT_STACKS_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "diagnosis/lock_list.h"
#include "options.h"
#include "report.h"

/* The most memory that a report may use, in bytes. A malicious server could send a report that
 * needs more memory. */
#define STACKS_MEMORY_MAX ((size_t)1 << 30)

/* Prints findings as stacks_print() does with FORMAT_TEXT. Prints nothing in the other formats. */
void stacks_print_findings(FILE *stream, const report_findings *findings,
                           enum stacks_format format);

/* Prints why a process is stuck, as text: the findings, and each thread and greenlet that has
 * notes, with its notes and only one of its frames. If there is nothing to print, prints a line
 * that says so. */
void stacks_print_why(FILE *stream, const struct report_process *process, bool is_full);

/* Prints a list of locks as text. If the list is empty, prints a line that says so. */
void stacks_print_locks(FILE *stream, const lock_list *locks);

/* Prints the stacks of a process. FORMAT_TEXT prints these parts, if the process has them:
 *   - each finding: one line, and further lines that begin with two spaces. An empty line follows
 *     the last finding.
 *   - each thread and greenlet: a line with the title; the frames, the innermost last; the notes,
 *     such as what the thread waits for, on lines that begin with "  # "; and an empty line. If the
 *     stack is not exact, the title has a remark: "(incomplete)" if the stack is from a core file,
 *     else "(moving)".
 *   - the tasks of asyncio (print_tasks.h)
 *   - a line that says what is missing
 * If is_full is false, many threads with equal stacks are printed once, and the frames that only
 * start a thread or the program are left out. FORMAT_PLAIN prints only titles and frames, without
 * colours and without escapes in names, like the original pystuck. Errors: see ferror(). */
void stacks_print(FILE *stream, const struct report_process *process, enum stacks_format format,
                  bool is_full);

/* Prints the tasks of a process, as stacks_print() does with FORMAT_TEXT. If the process has no
 * tasks, prints a line that says so. */
void stacks_print_tasks(FILE *stream, const struct report_process *process, bool is_full);

/* Prints a line above the stacks of one of several processes, and an empty line. */
void stacks_print_heading(FILE *stream, const char *heading, enum stacks_format format);

/* Prints a report of several processes as one JSON document. format: FORMAT_JSON, or
 * FORMAT_JSON_LINES for a document on one line. */
void stacks_print_json_all(FILE *stream, const struct report *report, enum stacks_format format);

#endif
