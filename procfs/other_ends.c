/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/other_ends.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procfs/clock.h"
#include "procfs/folder.h"

struct search {
    struct other_end *ends;
    size_t count;
    pid_t own, process; /* process: the process that is being searched */
    int64_t deadline;
};

static void add_process(struct other_end *end, pid_t process, pid_t own)
{
    if (process == own)
        end->is_own = true;
    else if (end->first == 0)
        end->first = process;
    else if (end->first != process)
        end->several = true;
}

/* True if an open file has this access mode. The permissions of the link in /proc/PID/fd show the
 * mode.
 */
static bool has_access(int dir, const char *name, mode_t access)
{
    struct stat st;

    return access == 0 ||
           (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & access));
}

static bool visit_descriptor(void *arg, int dir, const char *name)
{
    struct search *s = arg;
    char link[sizeof(s->ends->link)];
    ssize_t len = readlinkat(dir, name, link, sizeof(link) - 1);
    size_t i;

    if (len <= 0)
        return true;
    link[len] = '\0';
    for (i = 0; i < s->count; i++) {
        struct other_end *end = &s->ends[i];

        if (strcmp(end->link, link) == 0 && has_access(dir, name, end->access))
            add_process(end, s->process, s->own);
    }
    return true;
}

static void visit_process(void *arg, pid_t process)
{
    struct search *s = arg;
    char folder[32];
    int dir;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)process);
    dir = folder_of_descriptors(folder);
    if (dir < 0)
        return;
    s->process = process;
    folder_walk(dir, s->deadline, visit_descriptor, s);
    close(dir);
}

bool other_ends_search(struct other_end *ends, size_t count, pid_t own, int64_t deadline)
{
    struct search s = {.ends = ends, .count = count, .own = own, .deadline = deadline};

    return folder_walk_processes(deadline, visit_process, &s) && clock_ms() < deadline;
}

pid_t other_end_process(const struct other_end *end, pid_t own)
{
    if (end->several)
        return 0;
    if (end->first != 0)
        return end->first;
    return end->is_own ? own : 0;
}
