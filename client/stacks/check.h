/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/check: what --check tests.
 */
#ifndef CLIENT_STACKS_CHECK_H
#define CLIENT_STACKS_CHECK_H

#include "report.h"

/* The exit statuses for --check. CHECK_DEADLOCK: threads can never continue. CHECK_GIL: the GIL was
 * not available. If both are true, the result is CHECK_GIL. */
enum stacks_check { CHECK_OK = 0, CHECK_DEADLOCK = 3, CHECK_GIL = 4 };

/* Returns what the diagnosis of a process has found. */
enum stacks_check stacks_check(const struct report_process *process);

#endif
