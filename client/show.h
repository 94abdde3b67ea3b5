/* SPDX-License-Identifier: BSD-3-Clause
 *
 * show: prints the stacks of a report on stdout, and returns the exit status.
 */
#ifndef CLIENT_SHOW_H
#define CLIENT_SHOW_H

#include <stddef.h>

#include "options.h"
#include "report.h"

/* Prints the stacks of a process. Returns the exit status. */
int show_report(struct report_process *process, const struct options *options);

/* Prints the stacks of a process that may run several Pythons. Returns the exit status. */
int show_all(struct report *report, const struct options *options);

/* Prints the stacks of each Python of a process, with a heading. The stacks are in the entries of
 * report->processes from the index `first` on: one entry for each Python. In JSON, prints nothing.
 */
void show_pythons(const struct report *report, size_t first, const struct options *options);

/* Returns the highest of the exit statuses that stacks_check() gives for the processes of a report,
 * from the process with the index `first` on. */
int show_check(const struct report *report, size_t first);

/* Returns the higher one of two exit statuses. */
int show_worst(int status, int other);

#endif
