/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lists of many names in few words: "worker-0 ... worker-989, Thread-7 (fill)".
 *
 * Names that differ only in one number, which goes up by one from name to name, are a run.
 */
#ifndef REPORT_NAME_RUNS_H
#define REPORT_NAME_RUNS_H

#include "buffer.h"
#include "report.h"

/* Sorts the names (numbers in them by their values) and appends them to *out. Of a run of three or
 * more names, appends only the first and the last one. Appends at most 10 runs and single names,
 * and then the number of the other names. The names must be known. */
void name_runs_put(struct buffer *out, struct report_text *names, size_t count);

#endif
