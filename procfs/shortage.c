/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/shortage.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "procfs/descriptors.h"
#include "procfs/folder.h"
#include "procfs/read.h"
#include "procfs/clock.h"

#define STATUS_SIZE  4096
#define RESOURCES    8  /* the maximum number of resources that are reported */
#define GROUPS_ABOVE 16 /* how many levels of control groups are looked at */
#define BYTES_IN_KB  1024

/* The state of shortage_find() for one process. */
struct search {
    struct arena *arena;
    const char *folder;
    int64_t deadline; /* ms of CLOCK_MONOTONIC */
    char limits[STATUS_SIZE], status[STATUS_SIZE];
    struct report_shortage found[RESOURCES];
    size_t count;
};

/* True if a limit is (nearly) used up. False if the number or the limit is unknown. */
static bool is_short(int64_t used, int64_t limit)
{
    if (used == PROCFS_NONE || limit == PROCFS_NONE || used < 0)
        return false;
    return used >= limit - limit / SHORTAGE_LEFT;
}

/* Adds a resource to the list of resources that are used up. resource: a constant string. detail:
 * is copied; may be NULL. */
static void add(struct search *s, const char *resource, int64_t used, int64_t limit,
                const char *detail)
{
    struct report_shortage *new = &s->found[s->count];

    if (s->count == RESOURCES)
        return;
    s->count++;
    new->resource = (struct report_text){resource, strlen(resource)};
    new->used = used;
    new->limit = limit;
    new->detail = (struct report_text){NULL, 0};
    if (detail && detail[0])
        new->detail = report_text_in(s->arena, detail, strlen(detail));
}

static void add_if_short(struct search *s, const char *resource, int64_t used, int64_t limit)
{
    if (is_short(used, limit))
        add(s, resource, used, limit, NULL);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void find_descriptors(struct search *s)
{
    int64_t limit = procfs_value(s->limits, "Max open files");
    char detail[DESCRIPTORS_DETAIL_SIZE];
    int64_t used;

    /* Counting the descriptors takes time, and is not needed if the process's table of descriptors
     * is too small to reach the limit. */
    if (!is_short(procfs_value(s->status, "FDSize:"), limit))
        return;
    used = descriptors_count(s->folder, s->deadline);
    if (!is_short(used, limit))
        return;
    descriptors_describe(s->folder, s->deadline, detail);
    add(s, "file descriptors", used, limit, detail);
}

/* True if this capability is among the effective capabilities of the process. */
static bool has_capability(const struct search *s, int capability)
{
    const char *line = strstr(s->status, "\nCapEff:");
    uint64_t set;

    return line && sscanf(line, "\nCapEff: %" SCNx64, &set) == 1 && set >> capability & 1;
}

static void find_open_files(struct search *s)
{
    char text[128];
    int64_t used, limit;

    if (has_capability(s, CAP_SYS_ADMIN) ||
        procfs_read("/proc/sys/fs/file-nr", text, sizeof(text)) < 0)
        return;
    if (sscanf(text, "%" SCNd64 " %*d %" SCNd64, &used, &limit) == 2)
        add_if_short(s, "open files of the machine", used, limit);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static int64_t user_of(const char *status)
{
    const char *line = strstr(status, "\nUid:");

    return line ? procfs_value(line + 1, "Uid:") : PROCFS_NONE;
}

/* A count of the threads of a user. */
struct user_threads {
    int64_t user, sum;
};

/* Adds the threads of a process to the count, if the process belongs to the user. */
static void add_threads(void *arg, pid_t pid)
{
    char folder[32], status[STATUS_SIZE];
    struct user_threads *of = arg;
    int64_t threads;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
    if (procfs_read_in(folder, "status", status, sizeof(status)) < 0 || user_of(status) != of->user)
        return;
    threads = procfs_value(status, "Threads:");
    if (threads != PROCFS_NONE)
        of->sum += threads;
}

/* Returns the number of threads of all processes of a user. Processes that /proc does not show, or
 * that were not read before the deadline, are not counted. */
static int64_t threads_of_user(int64_t user, int64_t deadline)
{
    struct user_threads of = {.user = user};

    folder_walk_processes(deadline, add_threads, &of);
    return of.sum;
}

/* Returns the number of threads of the whole machine. */
static int64_t threads_of_machine(void)
{
    char text[128];
    int64_t all;

    if (procfs_read("/proc/loadavg", text, sizeof(text)) < 0 ||
        sscanf(text, "%*s %*s %*s %*d/%" SCNd64, &all) != 1)
        return PROCFS_NONE;
    return all;
}

static void find_threads(struct search *s)
{
    int64_t limit = procfs_value(s->limits, "Max processes"), user = user_of(s->status);

    if (user == 0 || user == PROCFS_NONE || has_capability(s, CAP_SYS_RESOURCE) ||
        has_capability(s, CAP_SYS_ADMIN))
        return;
    /* Counting the user's threads takes time, and is not needed if the number of threads of the
     * whole machine is not close to the limit.
     */
    if (is_short(threads_of_machine(), limit))
        add_if_short(s, "threads of the user", threads_of_user(user, s->deadline), limit);
}

/* ---- Control groups -------------------------------------------------------------------------- */

/* Copies the path of the process's control group to `path`. all: the text of the file
 * /proc/PID/cgroup. controller: for control groups of version 1, the name of the controller, as in
 * the line "N:pids:/path"; "" for version 2, which has the line "0::/path". Returns false if there
 * is no such line or the path is too long. */
static bool group_of(const char *all, const char *controller, char *path, size_t size)
{
    const char *line, *names, *start;
    size_t len;

    for (line = all; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        names = line + strcspn(line, ":\n");
        if (*names != ':')
            continue;
        len = strcspn(++names, ":\n");
        if (names[len] != ':' || len != strlen(controller) || strncmp(names, controller, len) != 0)
            continue;
        start = names + len + 1;
        len = strcspn(start, "\n");
        if (len >= size)
            return false;
        memcpy(path, start, len);
        path[len] = '\0';
        return true;
    }
    return false;
}

/* Returns the size in bytes of the caches of files, which the file memory.stat shows. The kernel
 * frees these caches when memory is short. */
static int64_t caches_of(const char *folder)
{
    char text[STATUS_SIZE];
    int64_t active, inactive;

    if (procfs_read_in(folder, "memory.stat", text, sizeof(text)) < 0)
        return 0;
    active = procfs_value(text, "active_file ");
    inactive = procfs_value(text, "inactive_file ");
    return (active == PROCFS_NONE ? 0 : active) + (inactive == PROCFS_NONE ? 0 : inactive);
}

/* A limit of control groups, of version 1 or 2. used and limit: names of files. */
struct group_limit {
    const char *resource, *controller;
    const char *used, *limit;
    bool has_caches;
};

/* Looks at the control group in one folder. If its limit of the resource is (nearly) used up, adds
 * the resource and returns true. */
static bool find_in_group(struct search *s, const struct group_limit *l, const char *folder)
{
    int64_t limit = procfs_number_in(folder, l->limit), used;

    if (limit == PROCFS_NONE)
        return false;
    used = procfs_number_in(folder, l->used);
    if (used != PROCFS_NONE && l->has_caches && is_short(used, limit))
        used -= caches_of(folder);
    add_if_short(s, l->resource, used, limit);
    return is_short(used, limit);
}

/* Looks at the control group of the process and at the groups above it, up to the first group whose
 * limit is (nearly) used up. root: where the hierarchy is mounted. path: the path of the process's
 * group below root; is changed. */
static void find_in_groups(struct search *s, const struct group_limit *l, const char *root,
                           char *path)
{
    char folder[PROCFS_PATH_SIZE], *slash;

    for (int i = 0; i < GROUPS_ABOVE; i++) {
        if (snprintf(folder, sizeof(folder), "%s%s", root, path) < (int)sizeof(folder) &&
            find_in_group(s, l, folder))
            return;
        slash = strrchr(path, '/');
        if (!slash || path[1] == '\0')
            return;
        slash[slash == path] = '\0';
    }
}

static void find_group_limits(struct search *s)
{
    static const struct group_limit v2[] = {
        {"threads of the control group", "", "pids.current", "pids.max", false},
        {"memory of the control group", "", "memory.current", "memory.max", true},
    };
    static const struct group_limit v1[] = {
        {"threads of the control group", "pids", "pids.current", "pids.max", false},
        {"memory of the control group", "memory", "memory.usage_in_bytes", "memory.limit_in_bytes",
         true},
    };
    char all[STATUS_SIZE], path[PROCFS_PATH_SIZE], root[64];
    size_t i;

    if (procfs_read_in(s->folder, "cgroup", all, sizeof(all)) < 0)
        return;
    for (i = 0; i < sizeof(v2) / sizeof(*v2); i++)
        if (group_of(all, "", path, sizeof(path)))
            find_in_groups(s, &v2[i], "/sys/fs/cgroup", path);
    for (i = 0; i < sizeof(v1) / sizeof(*v1); i++) {
        snprintf(root, sizeof(root), "/sys/fs/cgroup/%s", v1[i].controller);
        if (group_of(all, v1[i].controller, path, sizeof(path)))
            find_in_groups(s, &v1[i], root, path);
    }
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static int64_t in_bytes(int64_t kb)
{
    return kb == PROCFS_NONE || kb > INT64_MAX / BYTES_IN_KB ? PROCFS_NONE : kb * BYTES_IN_KB;
}

static void find_memory(struct search *s, int64_t given)
{
    int64_t all = in_bytes(procfs_value(s->status, "VmSize:"));
    int64_t data = in_bytes(procfs_value(s->status, "VmData:"));

    add_if_short(s, "address space", all == PROCFS_NONE ? all : all + given,
                 procfs_value(s->limits, "Max address space"));
    add_if_short(s, "data memory", data == PROCFS_NONE ? data : data + given,
                 procfs_value(s->limits, "Max data size"));
}

/* ---- The entry point ------------------------------------------------------------------------- */

void shortage_find(struct arena *arena, struct report_process *process, const char *folder,
                   int64_t given)
{
    struct search s = {
        .arena = arena, .folder = folder, .deadline = clock_ms() + SHORTAGE_BUDGET_MS};
    struct report_shortage *items;

    if (procfs_read_in(folder, "limits", s.limits, sizeof(s.limits)) < 0 ||
        procfs_read_in(folder, "status", s.status, sizeof(s.status)) < 0)
        return;
    find_descriptors(&s);
    find_threads(&s);
    find_group_limits(&s);
    find_memory(&s, given);
    find_open_files(&s);
    items = arena_array(arena, s.count, sizeof(*items));
    if (!items)
        return;
    memcpy(items, s.found, s.count * sizeof(*items));
    process->shortage.items = items;
    process->shortage.count = s.count;
}
