/* SPDX-License-Identifier: BSD-3-Clause
 *
 * process: reads facts about a process from /proc.
 */
#ifndef CLIENT_PROCESS_H
#define CLIENT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Returns the time at which a thread was started, in s since 1970. 0: not known. */
time_t process_started(pid_t pid, pid_t tid);

/* Returns when a process was started, in ns since 1970. The time is computed from the present
 * setting of the system's clock, and rounded down to a tick of the kernel (PROCESS_TICK_NS). 0: not
 * known. */
int64_t process_started_ns(pid_t pid);
#define PROCESS_TICK_NS 10000000L

/* Returns how long after the boot of the machine a process was started, in ns, rounded down to a
 * tick of the kernel. All calls for the same process return the same time, even if the system's
 * clock is set. 0: there is no such process. */
int64_t process_started_after_boot(pid_t pid);

/* Returns the effective user of a process. (uid_t)-1: not known. */
uid_t process_user(pid_t pid);

/* Returns the process that a thread belongs to. Returns tid itself if tid is a process, or if the
 * process is not known. */
pid_t process_of_thread(pid_t tid);

/* Returns the parent of a process. 0: the process has no parent, or its parent is not known. */
pid_t process_parent(pid_t pid);

/* Returns the command line of a process, for free(). The words are separated by spaces, and line
 * breaks are replaced by spaces. If the command line is empty or cannot be read in time, returns
 * the name of the process in brackets. The command line is empty if the process is about to end,
 * for example. Reading it takes too long if a thread holds the lock of the process's memory. NULL:
 * the process has ended, or out of memory. */
char *process_command(pid_t pid);

/* PROCESS_UNKNOWN: the descriptors of the process cannot be read. */
enum process_has { PROCESS_HAS, PROCESS_HAS_NOT, PROCESS_UNKNOWN };

/* Finds out whether the process has a descriptor for the socket with this inode. tid: a thread of
 * the process. */
enum process_has process_has_socket(pid_t pid, pid_t tid, unsigned long inode);

#endif
