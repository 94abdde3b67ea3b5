/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the kernel reports about a thread of this process, from /proc/self/task. Each call opens one
 * file for a short time. Does not use Python.
 */
#ifndef PS_KERNEL_STATE_H
#define PS_KERNEL_STATE_H

#include <sys/types.h>

#include "report.h"

/* Returns the state of a thread, an enum report_state; 0 if it is not known. */
int ps_kernel_state(pid_t thread);

/* Returns the system call in which a thread waits: its name, if known, its arguments, and its
 * descriptor. Returns NULL with errno 0 if the thread runs or is in no system call. Returns NULL
 * with another errno if the call cannot be read: EACCES or EPERM if the process is not dumpable,
 * such as after setuid(2). */
struct report_syscall *ps_kernel_syscall(pid_t thread, struct arena *arena);

#endif
