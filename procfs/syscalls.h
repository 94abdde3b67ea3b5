/* SPDX-License-Identifier: BSD-3-Clause
 *
 * syscalls: names of the system calls in which a thread may wait.
 */
#ifndef PROCFS_SYSCALLS_H
#define PROCFS_SYSCALLS_H

#include <stdbool.h>

/* Returns the name of a system call of this machine; NULL if the call is not in the list. */
const char *procfs_syscall_name(long number);

/* True if the first argument of the system call is a descriptor. */
bool procfs_syscall_has_fd(long number);

#endif
