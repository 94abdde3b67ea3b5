/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of the system calls in which a thread may wait. Does not use Python.
 */
#ifndef PS_SYSCALL_NAMES_H
#define PS_SYSCALL_NAMES_H

#include <stdbool.h>

/* Returns the name of a system call of this machine; NULL if it is not in the list. */
const char *ps_syscall_name(long number);

/* True if the first argument of the system call is a descriptor. */
bool ps_syscall_has_fd(long number);

#endif
