/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sleeps: how long a system call will still wait. This is known if the call was given the time at
 * which it ends. If the call was given a duration, the time that is left is not known, because it
 * is not known when the call began.
 */
#ifndef PROCFS_SLEEPS_H
#define PROCFS_SLEEPS_H

#include "procfs/target_process.h"
#include "report.h"

/* Returns the time that is left until the call ends by itself, in ms, or REPORT_UNKNOWN. */
int64_t sleep_left_ms(const struct target_process *from, const struct report_syscall *call);

#endif
