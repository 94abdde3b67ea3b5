/* SPDX-License-Identifier: BSD-3-Clause
 *
 * file_locks: finds out which process holds the file lock for which a thread waits. Knows the locks
 * of flock(2) and the record locks of fcntl(2). Uses no heap memory, and one descriptor at a time.
 */
#ifndef PROCFS_FILE_LOCKS_H
#define PROCFS_FILE_LOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Finds the lock for which the process `waiter` waits, and its holder, the process that has set the
 * lock. kind: "FLOCK" or "POSIX". inode: the inode of the file. Returns the holder if the holder
 * still has the file open, or if its descriptors cannot be read for lack of permission. Otherwise
 * returns 0. For example, a lock of an open file description (F_OFD_SETLK) has no holder. */
pid_t file_lock_holder(const char *kind, pid_t waiter, uint64_t inode, int64_t deadline);

/* Looks at one line of /proc/locks. Call this function for one line after the other. If the line is
 * a lock, sets *holder to the process that has set this lock, or to 0 if the lock is of another
 * file. Returns true if the line is that of the waiter; in this case, *holder is the process that
 * has set the lock for which the waiter waits. */
bool file_lock_line(const char *line, const char *kind, pid_t waiter, uint64_t inode,
                    pid_t *holder);

/* Returns the inode of the file of a descriptor; 0 if the kernel (before Linux 5.14) does not tell
 * the inode. folder: "/proc/PID". */
uint64_t file_inode(const char *folder, int fd);

#endif
