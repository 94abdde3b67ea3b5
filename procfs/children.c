/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/children.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procfs/clock.h"
#include "procfs/folder.h"
#include "procfs/read.h"

/* The children that were found. group: only children of this process group; 0: all. */
struct listing {
    const char *folder;
    int64_t group;
    pid_t *items;
    size_t count;
    bool is_cut;
};

/* Returns the process group of a process; -1 if it is not known. */
static int64_t group_of(pid_t pid)
{
    char folder[32], text[512], *end;
    int group;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
    if (procfs_read_in(folder, "stat", text, sizeof(text)) <= 0)
        return -1;
    end = strrchr(text, ')'); /* the end of the name, which may contain ')' */
    return end && sscanf(end + 1, " %*c %*d %d", &group) == 1 ? group : -1;
}

/* Adds the children that a thread has started. */
static bool add_of_thread(void *arg, int dir, const char *thread)
{
    struct listing *l = arg;
    char name[64], text[4096], *at, *end;
    ssize_t len;
    long pid;

    (void)dir;
    snprintf(name, sizeof(name), "task/%.20s/children", thread);
    len = procfs_read_in(l->folder, name, text, sizeof(text));
    l->is_cut = l->is_cut || len == (ssize_t)sizeof(text) - 1;
    for (at = text; len > 0 && (pid = strtol(at, &end, 10)) > 0; at = end) {
        if (l->group > 0 && group_of((pid_t)pid) != l->group)
            continue;
        if (l->count == CHILDREN_MAX)
            l->is_cut = true;
        else
            l->items[l->count++] = (pid_t)pid;
    }
    return !l->is_cut;
}

/* Returns the process group for whose processes a call waits; 0: it waits for any child; -1: it
 * waits for one certain child, or for no child. folder: the folder of the calling process. */
static int64_t group_of_call(const char *folder, const struct report_syscall *call)
{
    const int64_t *args = call->args.items;
    int child;

    if (call->args.count < 2)
        return -1;
    if (text_is(call->name, "wait4")) {
        child = (int)args[0];
        return child > 0    ? -1
               : child == 0 ? group_of((pid_t)strtol(folder + strlen("/proc/"), NULL, 10))
               : child < -1 ? -(int64_t)child
                            : 0;
    }
    if (!text_is(call->name, "waitid") || (args[0] != P_ALL && args[0] != P_PGID))
        return -1;
    return args[0] == P_ALL ? 0 : args[1] > 0 ? args[1] : -1;
}

size_t children_of_call(const char *folder, const struct report_syscall *call,
                        pid_t children[CHILDREN_MAX], int64_t deadline)
{
    struct listing l = {.folder = folder, .items = children};
    char path[PROCFS_PATH_SIZE];
    int dir;

    l.group = group_of_call(folder, call);
    if (l.group < 0)
        return 0;
    snprintf(path, sizeof(path), "%s/task", folder);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return 0;
    folder_walk(dir, deadline, add_of_thread, &l);
    close(dir);
    return l.is_cut || clock_ms() >= deadline ? 0 : l.count;
}
