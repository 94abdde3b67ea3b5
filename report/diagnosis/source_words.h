/* SPDX-License-Identifier: BSD-3-Clause
 *
 * source_words: finds the words that name an object in the source line in which a thread waits for
 * the object: "dst.lock" in "with dst.lock:" and "self.jobs" in "job = self.jobs.get()".
 *
 * Because the thread waits in this line, the object is the value of these words. If the line has
 * several statements or calls that may wait, there are no words.
 */
#ifndef REPORT_DIAGNOSIS_SOURCE_WORDS_H
#define REPORT_DIAGNOSIS_SOURCE_WORDS_H

#include "report.h"

/* Returns the words, as a part of the line; an unknown text if there are none. kind: what is waited
 * for, as in report_wait. */
struct report_text source_words_find(struct report_text line, struct report_text kind);

#endif
