/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/folder.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procfs/clock.h"
#include "procfs/read.h"

/* An entry of a folder, as getdents64(2) writes it. */
struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t len;
    uint8_t type;
    char name[];
};

int folder_of_descriptors(const char *folder)
{
    char path[PROCFS_PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/fd", folder);

    return n < (int)sizeof(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

int64_t folder_walk(int dir, int64_t deadline, bool (*each)(void *arg, int dir, const char *name),
                    void *arg)
{
    char bytes[4096] __attribute__((aligned(8)));
    const struct entry *e;
    int64_t count = 0;
    long n, at;

    while (clock_ms() < deadline && (n = syscall(SYS_getdents64, dir, bytes, sizeof(bytes))) > 0)
        for (at = 0; at < n; at += e->len) {
            e = (const struct entry *)(bytes + at);
            if (!isdigit((unsigned char)e->name[0]))
                continue;
            count++;
            if (each && !each(arg, dir, e->name))
                return count;
        }
    return count;
}

/* Reads the entries of /proc from a position on. Returns the number of bytes, 0 at the end, or
 * -1. */
static long read_entries(off_t position, char *bytes, size_t size)
{
    int dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n = -1;

    if (dir < 0)
        return -1;
    if (lseek(dir, position, SEEK_SET) == position)
        n = syscall(SYS_getdents64, dir, bytes, size);
    close(dir);
    return n;
}

bool folder_walk_processes(int64_t deadline, void (*each)(void *arg, pid_t pid), void *arg)
{
    char bytes[4096] __attribute__((aligned(8)));
    const struct entry *e;
    off_t position = 0;
    long n, at;

    while ((n = read_entries(position, bytes, sizeof(bytes))) > 0)
        for (at = 0; at < n; at += e->len) {
            e = (const struct entry *)(bytes + at);
            position = e->next;
            if (!isdigit((unsigned char)e->name[0]))
                continue;
            if (clock_ms() >= deadline)
                return false;
            each(arg, (pid_t)atoi(e->name));
        }
    return n == 0;
}
