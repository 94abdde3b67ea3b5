/* SPDX-License-Identifier: BSD-3-Clause
 *
 * process: reads what /proc tells about a process.
 */
#ifndef CLIENT_PROCESS_H
#define CLIENT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The time at which a thread was started; 0: not known. */
time_t process_started(pid_t pid, pid_t tid);

/* The time at which a process was started, in ns since 1970 by the present clock, rounded down to a
 * tick of the kernel (PROCESS_TICK_NS); 0: not known. */
int64_t process_started_ns(pid_t pid);
#define PROCESS_TICK_NS 10000000L

/* The effective user of a process. (uid_t)-1: not known. */
uid_t process_user(pid_t pid);

/* The command line of a process, with spaces between the words, for free(). A process without one,
 * which is about to end, or whose command line cannot be read because its memory is locked: its
 * name in brackets. NULL: out of memory. */
char *process_command(pid_t pid);

/* PROCESS_UNKNOWN: the descriptors of the process cannot be read. */
enum process_has { PROCESS_HAS, PROCESS_HAS_NOT, PROCESS_UNKNOWN };

/* Whether a descriptor of the process is the socket with this inode. tid: a thread of the process.
 */
enum process_has process_has_socket(pid_t pid, pid_t tid, unsigned long inode);

#endif
