/* SPDX-License-Identifier: BSD-3-Clause */
#include "credentials.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define PATH_SIZE 64

/* Capabilities that are not compared. CAP_WAKE_ALARM only lets a process set a timer that wakes the
 * machine. Since systemd 254, every program of a desktop user has this capability. */
#define HARMLESS (UINT64_C(1) << CAP_WAKE_ALARM)

static void widen(struct ps_id_range *range, const unsigned *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        range->low = ids[i] < range->low ? ids[i] : range->low;
        range->high = ids[i] > range->high ? ids[i] : range->high;
    }
}

/* Adds the ids or capabilities in one line of a file such as /proc/PID/status to *all. Returns 1 if
 * the line is one of the three needed lines (Uid, Gid, CapPrm), else 0. */
static int add_line(struct ps_credentials *all, const char *line)
{
    uint64_t capabilities;
    unsigned ids[3];

    if (sscanf(line, "Uid: %u %u %u", &ids[0], &ids[1], &ids[2]) == 3)
        widen(&all->uids, ids, 3);
    else if (sscanf(line, "Gid: %u %u %u", &ids[0], &ids[1], &ids[2]) == 3)
        widen(&all->gids, ids, 3);
    else if (sscanf(line, "CapPrm: %" SCNx64, &capabilities) == 1)
        all->capabilities |= capabilities & ~HARMLESS;
    else
        return 0;
    return 1;
}

/* Adds the rights in an open status file to *all. Returns true if all three lines were found. A
 * line can be longer than the buffer, because a process may have 65536 groups. The rest of such a
 * line is skipped. */
static bool add_lines(struct ps_credentials *all, FILE *status)
{
    bool at_start = true;
    char line[256];
    int found = 0;

    while (fgets(line, sizeof(line), status)) {
        if (at_start)
            found += add_line(all, line);
        at_start = strchr(line, '\n') != NULL;
    }
    return found == 3;
}

/* Adds the rights in a status file to *all. On failure returns false and sets errno: ENOENT or
 * ESRCH if the thread has ended, 0 if a line is missing. */
static bool add_status(struct ps_credentials *all, const char *path)
{
    FILE *status = fopen(path, "re");
    bool added;
    int why;

    if (!status)
        return false;
    errno = 0;
    added = add_lines(all, status);
    why = errno;
    fclose(status);
    errno = why;
    return added;
}

static const struct ps_credentials nothing = {.uids = {UINT32_MAX, 0}, .gids = {UINT32_MAX, 0}};

/* ---- This process --------------------------------------------------------------------------- */

/* Adds the rights of one thread to *all. name: the entry of the thread in /proc/self/task. Returns
 * true if the rights were added, or if the thread has ended. */
static bool add_thread(struct ps_credentials *all, const char *name)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", name);
    return add_status(all, path) || errno == ENOENT || errno == ESRCH;
}

/* Returns the next entry of /proc/self/task. Returns NULL with errno 0 at the end, and NULL with
 * another errno on failure. */
static const struct dirent *next_thread(DIR *threads)
{
    const struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(threads);
    } while (entry && entry->d_name[0] == '.');
    return entry;
}

bool ps_credentials_of_program(struct ps_credentials *all)
{
    DIR *threads = opendir("/proc/self/task");
    const struct dirent *thread;
    bool known;

    *all = nothing;
    if (!threads)
        return false;
    while ((thread = next_thread(threads))) {
        if (!add_thread(all, thread->d_name))
            break;
    }
    known = !thread && errno == 0 && all->uids.low <= all->uids.high;
    closedir(threads);
    return known;
}

/* ---- The process at the other end ----------------------------------------------------------- */

/* Returns the pid of a pidfd's process; 0 if the process has ended, or has no pid in this
 * namespace. */
static int pid_of(int pidfd)
{
    char path[PATH_SIZE], line[256];
    int pid = 0;
    FILE *info;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    info = fopen(path, "re");
    if (!info)
        return 0;
    while (pid == 0 && fgets(line, sizeof(line), info))
        (void)sscanf(line, "Pid: %d", &pid);
    fclose(info);
    return pid > 0 ? pid : 0;
}

/* True if a user namespace maps every id to itself. The initial namespace does so; a privileged
 * process can make another namespace that does so. path: the uid_map or gid_map of a process in the
 * namespace. */
static bool is_whole_map(const char *path)
{
    unsigned inside = 1, outside = 1, count = 0;
    FILE *map = fopen(path, "re");
    bool is_whole;

    if (!map)
        return false;
    is_whole = fscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
               outside == 0 && count == UINT32_MAX;
    fclose(map);
    return is_whole;
}

bool ps_every_gid_has_a_number(void)
{
    return is_whole_map("/proc/self/gid_map");
}

/* True if the process `pid` is in the same user namespace as this process. Capabilities in another
 * namespace are rights over other objects. The kernel shows the namespace of `pid` only if this
 * process has all capabilities of `pid`. If the kernel does not show the namespace, the uid maps of
 * both processes must map every id to itself. */
static bool is_in_our_namespace(int pid)
{
    struct stat ours, theirs;
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
    if (stat("/proc/self/ns/user", &ours) == 0 && stat(path, &theirs) == 0)
        return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
    snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
    return is_whole_map("/proc/self/uid_map") && is_whole_map(path);
}

/* True if the process has got no rights from its executable file, by a set-user-ID bit or file
 * capabilities. If a process has got such rights, root owns its files in /proc. A process can get
 * such rights even after it has connected, when it executes another file. */
static bool has_own_rights_only(int pid, uid_t uid)
{
    char path[PATH_SIZE];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    return stat(path, &st) == 0 && st.st_uid == uid;
}

static bool read_capabilities(int pid, uint64_t *capabilities)
{
    struct ps_credentials all = nothing;
    char path[PATH_SIZE];
    bool known;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    known = add_status(&all, path);
    *capabilities = all.capabilities;
    return known;
}

/* Reads files of /proc by the peer's pid. If the pidfd shows the same pid before and after the
 * files are read, no other process has got the pid meanwhile, and the files belonged to the peer.
 */
bool ps_capabilities_of_peer(int fd, uid_t uid, uint64_t *capabilities)
{
    socklen_t len = sizeof(int);
    bool known = false;
    int pidfd, pid;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0)
        return false;
    pid = pid_of(pidfd);
    if (pid > 0)
        known = has_own_rights_only(pid, uid) && is_in_our_namespace(pid) &&
                read_capabilities(pid, capabilities) && has_own_rights_only(pid, uid) &&
                pid_of(pidfd) == pid;
    close(pidfd);
    return known;
}
