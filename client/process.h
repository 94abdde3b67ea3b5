/* SPDX-License-Identifier: BSD-3-Clause
 *
 * process: what /proc says of a process.
 */
#ifndef CLIENT_PROCESS_H
#define CLIENT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* Reads a file of /proc, or what of it fits, into a string. How long that is, or -1. */
ssize_t process_read(const char *path, char *out, size_t size);

/* When a thread was started; 0: not known. */
time_t process_started(pid_t pid, pid_t tid);

/* Whether it has been stopped, by SIGSTOP or a Ctrl-Z, and can answer nobody. */
bool process_is_stopped(pid_t pid);

/* As whom it acts: its effective user. (uid_t)-1: not known. */
uid_t process_user(pid_t pid);

/* The command line: its words with blanks in between, for free(). A process that has none (it is
 * about to end) has a name. NULL: out of memory. */
char *process_command(pid_t pid);

/* Whether one of its descriptors is that socket. */
enum process_has { PROCESS_HAS, PROCESS_HAS_NOT, PROCESS_NOT_TOLD };

enum process_has process_has_socket(pid_t pid, pid_t tid, unsigned long inode);

#endif
