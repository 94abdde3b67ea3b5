/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/file_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs/clock.h"
#include "procfs/folder.h"
#include "procfs/read.h"

uint64_t file_inode(const char *folder, int fd)
{
    char name[32], text[1024];
    int64_t inode;

    snprintf(name, sizeof(name), "fdinfo/%d", fd);
    if (procfs_read_in(folder, name, text, sizeof(text)) <= 0)
        return 0;
    inode = procfs_value(text, "ino:");
    return inode == PROCFS_NONE ? 0 : (uint64_t)inode;
}

/* ---- The file /proc/locks -------------------------------------------------------------------- */

/* A line: "3: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF". The lines of processes that wait for
 * this lock follow, with "-> " before the kind. */
bool file_lock_line(const char *line, const char *kind, pid_t waiter, uint64_t inode, pid_t *holder)
{
    char found[16];
    int pid, skipped = 0;
    uint64_t file;
    bool waits;

    if (sscanf(line, "%*d:%n", &skipped) < 0 || skipped == 0)
        return false;
    line += skipped + strspn(line + skipped, " ");
    waits = strncmp(line, "->", 2) == 0;
    line += waits ? 2 : 0;
    if (sscanf(line, "%15s %*s %*s %d %*x:%*x:%" SCNu64, found, &pid, &file) != 3) {
        *holder = waits ? *holder : 0;
        return false;
    }
    if (!waits)
        *holder = file == inode ? pid : 0;
    return waits && pid == waiter && file == inode && strcmp(found, kind) == 0;
}

/* A lock whose holder is searched for. holder: the process that has set the lock, if is_found. */
struct wanted {
    const char *kind;
    pid_t waiter, holder;
    uint64_t inode;
    bool is_found;
};

static bool look_at(void *arg, char *line)
{
    struct wanted *w = arg;

    w->is_found = file_lock_line(line, w->kind, w->waiter, w->inode, &w->holder);
    return !w->is_found;
}

/* Returns the process that has set the lock; 0: it was not found. */
static pid_t find_holder(const char *kind, pid_t waiter, uint64_t inode, int64_t deadline)
{
    struct wanted w = {.kind = kind, .waiter = waiter, .inode = inode};

    procfs_read_lines("/proc/locks", deadline, look_at, &w);
    return w.is_found ? w.holder : 0;
}

/* ---- The process ----------------------------------------------------------------------------- */

#define LOOKED_AT 2048 /* the most descriptors of a process that are checked */

struct numbers {
    int items[LOOKED_AT];
    size_t count;
};

static bool add_number(void *arg, int dir, const char *name)
{
    struct numbers *n = arg;

    (void)dir;
    n->items[n->count++] = atoi(name);
    return n->count < LOOKED_AT;
}

/* True if `process` has the file open, or if the permission to read its descriptors is missing. The
 * process that has set a lock with flock(2) may have ended, while its children still hold the lock.
 */
static bool has_open(pid_t process, uint64_t inode, int64_t deadline)
{
    char folder[32];
    struct numbers fds = {.count = 0};
    size_t i;
    int dir;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)process);
    dir = folder_of_descriptors(folder);
    if (dir < 0)
        return errno == EACCES || errno == EPERM;
    folder_walk(dir, deadline, add_number, &fds);
    close(dir);
    for (i = 0; i < fds.count && clock_ms() < deadline; i++) {
        if (file_inode(folder, fds.items[i]) == inode)
            return true;
    }
    return false;
}

pid_t file_lock_holder(const char *kind, pid_t waiter, uint64_t inode, int64_t deadline)
{
    pid_t holder = inode ? find_holder(kind, waiter, inode, deadline) : 0;

    return holder > 0 && has_open(holder, inode, deadline) ? holder : 0;
}
