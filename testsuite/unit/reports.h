/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the tests of reports share.
 */
#ifndef REPORTS_H
#define REPORTS_H

#include "report.h"
#include "unit.h"

#define AUTO_REPORT _cleanup_(report_free) struct report

/* True if text is known and equal. */
bool is_text(struct report_text text, const char *wanted);

/* Returns a text that is not copied; NULL: an unknown one. */
struct report_text literal(const char *text);

#endif
