/* SPDX-License-Identifier: BSD-3-Clause
 *
 * database_locks: for which SQLite database a thread waits, and which processes have locked it.
 * SQLite locks certain bytes of the file of the database with fcntl(2), or of the file with "-shm"
 * behind its name; the kernel lists these locks. Uses no heap memory except for the report's arena,
 * and one descriptor at a time.
 */
#ifndef PROCFS_DATABASE_LOCKS_H
#define PROCFS_DATABASE_LOCKS_H

#include "procfs/target_process.h"
#include "report.h"

/* Completes the objects of the kind "database". If no database that the process has open is locked,
 * removes the waits for them: the thread sleeps for another reason. If exactly one of the databases
 * that the process has open is locked so that a connection may have to wait, adds the file of the
 * database and, as far as they are known, the processes that have locked it. */
void database_locks_find(const struct target_process *from, struct arena *arena,
                         struct report_process *process, int64_t deadline);

/* A lock of SQLite. */
struct database_lock {
    int pid;           /* the process that has set the lock; 0 or less: not known */
    uint64_t inode;    /* the inode of the file */
    bool is_write;     /* an exclusive lock */
    bool is_in_memory; /* the lock is in the file with "-shm" behind its name */
};

/* Reads one line of /proc/locks. Returns false if the line is not a lock of SQLite. */
bool database_lock_line(const char *line, struct database_lock *to);

#endif
