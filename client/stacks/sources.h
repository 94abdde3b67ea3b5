/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/sources: source lines that the client reads itself, for a process on this machine.
 */
#ifndef CLIENT_STACKS_SOURCES_H
#define CLIENT_STACKS_SOURCES_H

#include "report.h"

/* Fills in the source of the frames of a process that have none, and for which the file may be
 * read:
 *   - the connection fd leads to the process with this pid, in the client's PID namespace
 *   - the name of the file is absolute, and it is a regular file in the file system of the process
 *   - neither the content nor the inode of the file has changed since the process was started
 *   - the client's user may read it, and the user of the process as well
 * If no such frame is left without source, source lines are no longer said to be missing.
 * A file server that does not answer costs 300 ms: then a thread is left behind. p is in r. */
void sources_fill(struct report *r, struct report_process *p, int fd);

#endif
