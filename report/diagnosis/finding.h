/* SPDX-License-Identifier: BSD-3-Clause
 *
 * finding: adds findings to a list of a report.
 */
#ifndef REPORT_DIAGNOSIS_FINDING_H
#define REPORT_DIAGNOSIS_FINDING_H

#include "buffer.h"
#include "report.h"

/* Appends a finding to a list and returns it. The lists of members, evidence and lines of the new
 * finding are empty. list: the findings of r or of a process of r. All findings that are already in
 * the list must have been added by this function. kind: a string constant. text: the sentence,
 * which is copied. Returns NULL if there is no memory. Pointers to earlier findings in the list
 * become invalid. */
struct report_finding *finding_add(struct report *r, report_findings *list, const char *kind,
                                   const struct buffer *text, enum report_certainty certainty);

/* Set a list of a finding (its members or evidence) to one id or to two ids. Return false if there
 * is no memory. */
bool finding_set_one(struct report *r, report_texts *list, struct report_text id);
bool finding_set_two(struct report *r, report_texts *list, struct report_text first,
                     struct report_text second);

/* Returns the thread of the process with this id, or NULL. */
const struct report_thread *finding_thread(const struct report_process *process,
                                           struct report_text id);

/* Makes an empty list of texts with room for `room` of them. Returns false if there is no memory.
 */
bool texts_make(struct report *r, report_texts *list, size_t room);

/* Copies a sentence to the end of a list that has room. Returns false if there is no memory. */
bool texts_add(struct report *r, report_texts *list, const struct buffer *text);

#endif
