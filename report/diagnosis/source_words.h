/* SPDX-License-Identifier: BSD-3-Clause
 *
 * source_words: the words in a source line for the object for which the line waits: "dst.lock" in
 * "with dst.lock:" and "self.jobs" in "job = self.jobs.get()".
 *
 * The thread waits in this line, so the object is the value of these words. If the line has several
 * statements or calls that may wait, there are no words.
 */
#ifndef REPORT_DIAGNOSIS_SOURCE_WORDS_H
#define REPORT_DIAGNOSIS_SOURCE_WORDS_H

#include "report.h"

/* Returns the words, as a part of the line; an unknown text if there are none. kind: what is waited
 * for, as in report_wait. */
struct report_text source_words_find(struct report_text line, struct report_text kind);

#endif
