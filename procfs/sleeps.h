/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sleeps: how long a system call will still wait. This time is known if an argument of the call is
 * the time at which the call ends. If the argument is a duration, the remaining time is not known,
 * because the time at which the call began is not known.
 */
#ifndef PROCFS_SLEEPS_H
#define PROCFS_SLEEPS_H

#include "procfs/target_process.h"
#include "report.h"

/* Returns the time that is left until the call ends by itself, in ms, or REPORT_UNKNOWN. */
int64_t sleep_left_ms(const struct target_process *from, const struct report_syscall *call);

#endif
