/* SPDX-License-Identifier: BSD-3-Clause
 *
 * watched: the descriptors for which poll(2), select(2) and epoll_wait(2) wait. Uses no heap
 * memory, and opens only one file at a time.
 */
#ifndef PROCFS_WATCHED_H
#define PROCFS_WATCHED_H

#include "procfs/target_process.h"
#include "report.h"

#define WATCHED_MAX 16 /* descriptors that are listed for one call */

struct watched {
    int fd;
    uint64_t inode;     /* the inode of its file, as epoll reports it; 0: not known */
    const char *events; /* "input", "output", "input and output" or "errors" */
};

/* Lists the descriptors for which a call waits, in `out`. Returns the number of these descriptors,
 * at most WATCHED_MAX. Returns -1 if the descriptors are not known. */
int watched_find(const struct target_process *from, const struct report_syscall *call,
                 struct watched *out);

/* Reads one line of the file in /proc/PID/fdinfo of an epoll descriptor. Returns false if the line
 * is not about a watched descriptor. */
bool watched_parse(const char *line, struct watched *out);

#endif
