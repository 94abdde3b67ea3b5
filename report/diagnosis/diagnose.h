/* SPDX-License-Identifier: BSD-3-Clause
 *
 * diagnose: draws all conclusions from the facts about a process.
 */
#ifndef REPORT_DIAGNOSIS_DIAGNOSE_H
#define REPORT_DIAGNOSIS_DIAGNOSE_H

#include "report.h"

/* Replaces the findings of a process, and the notes of its threads, greenlets and tasks, by those
 * that follow from its facts. The worst finding comes first. r must own the process. Returns false
 * if there is no memory. */
bool diagnose(struct report *r, struct report_process *process);

/* Completes a process whose facts are all known: sets `tool` to this version of pystuck, draws the
 * conclusions, and merges equal stacks. Returns false if there is no memory. */
bool diagnose_complete(struct report *r, struct report_process *process);

/* Replaces the findings of a report by those that concern several of its processes. There are such
 * findings only if the facts have ids of other processes ("PID@HOST/..."). No collector of pystuck
 * makes such ids, but other programs that write reports may make them. Returns false if there is no
 * memory. */
bool diagnose_between(struct report *r);

/* Returns the first finding of a kind, or NULL. */
const struct report_finding *diagnose_find(const struct report_process *process, const char *kind);

#endif
