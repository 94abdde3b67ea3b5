/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/sources: reads source lines in the client itself, for a process on this machine.
 */
#ifndef CLIENT_STACKS_SOURCES_H
#define CLIENT_STACKS_SOURCES_H

#include <stdint.h>
#include <sys/types.h>

#include "report.h"

/* Fills in the source lines of frames that have no source line yet. The client reads a file only
 * under these conditions:
 *   - the connection fd leads to the process p->pid, in the client's PID namespace
 *   - the name of the file is absolute, and leads to a regular file in the file system of the
 *     process
 *   - neither the content nor the inode of the file has changed since the process was started
 *   - the client's user and the user of the process may both read the file
 * If all frames with absolute file names have source lines after this work, removes source lines
 * from p->missing. Waits at most 300 ms for the files. If a file server does not answer in this
 * time, the thread that reads the files continues to run. p must belong to r. */
void sources_fill(struct report *r, struct report_process *p, int fd);

/* Like sources_fill(), but for the process `pid` of this machine, without a connection. */
void sources_fill_of(struct report *r, struct report_process *p, pid_t pid);
/* Like sources_fill_of(), but for a process that has ended. The client reads regular files from its
 * own file system. It reads a file only if the content and the inode of the file have not changed
 * since the time `latest`, in ns since 1970, and if the client's user and `user` may both read the
 * file. */
void sources_fill_dead(struct report *r, struct report_process *p, uid_t user, int64_t latest);

#endif
