/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/other_processes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brine.h"
#include "procfs/call_waits.h"
#include "procfs/clock.h"
#include "procfs/folder.h"
#include "procfs/read.h"
#include "procfs/target.h"
#include "procfs/threads.h"
#include "schema.h"

/* ---- Which processes ------------------------------------------------------------------------- */

static void add_process(pid_t *pids, size_t *count, int64_t pid)
{
    size_t i;

    for (i = 0; i < *count && pids[i] != pid; i++)
        ;
    if (i == *count && i < OTHERS_MAX)
        pids[(*count)++] = (pid_t)pid;
}

/* Adds a process if the id is that of a process, "PID@HOST". */
static void add_id_of(struct report_text id, pid_t *pids, size_t *count)
{
    char *end;
    long pid;

    if (!id.data || !memchr(id.data, '@', id.len))
        return;
    pid = strtol(id.data, &end, 10);
    if (*end == '@' && pid > 0 && pid <= INT32_MAX)
        add_process(pids, count, pid);
}

/* Adds those holders of an object that are processes. */
static void add_holders(const struct report_object *o, pid_t *pids, size_t *count)
{
    size_t i;

    for (i = 0; i < o->holders.count; i++)
        add_id_of(o->holders.items[i], pids, count);
}

/* Adds the processes that use the same lock of multiprocessing; one of them may hold it. */
static void add_users(const struct report_object *o, pid_t *pids, size_t *count)
{
    char *at, *end;
    long pid;
    size_t i;

    for (i = 0; i < o->detail.count; i++) {
        if (!text_is(o->detail.items[i].name, "users"))
            continue;
        /* the text of semaphores_find() ends with NUL */
        for (at = (char *)o->detail.items[i].value.data; (pid = strtol(at, &end, 10)) > 0; at = end)
            add_process(pids, count, pid);
    }
}

/* Lists the processes for which the system calls of threads wait, and those that hold objects.
 * First lists the processes for whose end a thread waits. own: the process of the threads. */
static size_t list_processes(const struct report_process *p, pid_t own, pid_t *pids)
{
    size_t count = 0, i, pass;

    for (pass = 0; pass < 2; pass++) {
        for (i = 0; i < p->threads.count; i++) {
            const struct report_thread *t = &p->threads.items[i];
            const struct report_target *target = t->syscall ? t->syscall->target : NULL;

            if (pass == 0 && t->waits)
                add_id_of(t->waits->object, pids, &count);
            if (!target || target->peer_pid == REPORT_UNKNOWN || target->peer_pid == own)
                continue;
            if (pass == 1 || (t->waits && text_is(t->waits->kind, "process")))
                add_process(pids, &count, target->peer_pid);
        }
    }
    for (i = 0; i < p->objects.count; i++) {
        add_holders(&p->objects.items[i], pids, &count);
        add_users(&p->objects.items[i], pids, &count);
    }
    return count;
}

/* ---- One process ----------------------------------------------------------------------------- */

struct ids {
    pid_t items[OTHER_THREADS_MAX];
    size_t count;
    bool is_cut; /* the process has more threads */
};

static bool add_id(void *arg, int dir, const char *name)
{
    struct ids *ids = arg;

    (void)dir;
    ids->is_cut = ids->count == OTHER_THREADS_MAX;
    if (!ids->is_cut)
        ids->items[ids->count++] = (pid_t)atoi(name);
    return !ids->is_cut;
}

static void list_threads(const char *folder, struct ids *ids, int64_t deadline)
{
    char path[PROCFS_PATH_SIZE];
    int dir;

    snprintf(path, sizeof(path), "%s/task", folder);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    folder_walk(dir, deadline, add_id, ids);
    close(dir);
}

/* Reads the kernel's name of a process. The command line is in the memory of the process, which may
 * be locked. */
static struct report_text read_name(struct arena *arena, const char *folder)
{
    char text[64];
    ssize_t len = procfs_read_in(folder, "comm", text, sizeof(text));

    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len <= 0 || !brine_utf8((const uint8_t *)text, (size_t)len))
        return (struct report_text){NULL, 0};
    return report_text_in(arena, text, (size_t)len);
}

/* Sets the threads of a process. Leaves them unknown if not all of them can be read, or
 * if a thread is started or ends meanwhile. */
static void set_threads(const char *folder, struct arena *arena, struct report_other *to,
                        int64_t deadline)
{
    const struct target_process from = {.folder = folder, .pid = (pid_t)to->pid};
    struct target_thread calls[OTHER_THREADS_MAX];
    struct report_thread *threads;
    struct ids ids = {.count = 0}, again = {.count = 0};
    size_t count = 0, i;

    list_threads(folder, &ids, deadline);
    threads = ids.count > 0 && !ids.is_cut ? schema_make(arena, &schema_thread, ids.count) : NULL;
    for (i = 0; threads && i < ids.count && clock_ms() < deadline; i++) {
        struct report_thread *t = &threads[i];

        t->native_id = ids.items[i];
        t->switches = procfs_thread_switches(folder, ids.items[i]);
        t->main = ids.items[i] == from.pid ? BOOL_TRUE : BOOL_FALSE;
        t->state = procfs_thread_state(folder, ids.items[i]);
        if (t->state == STATE_SLEEPING || t->state == STATE_DISK)
            t->syscall = procfs_thread_syscall(folder, ids.items[i], arena);
        if (t->syscall)
            calls[count++] = (struct target_thread){ids.items[i], t->state, t->syscall, -1};
    }
    if (!threads || i < ids.count)
        return;
    targets_find(&from, calls, count, arena, deadline);
    call_waits_set(arena, threads, ids.count, from.pid, to->id);
    list_threads(folder, &again, deadline);
    if (again.count != ids.count ||
        memcmp(again.items, ids.items, ids.count * sizeof(*ids.items)) != 0)
        return;
    call_waits_check(folder, threads, ids.count);
    to->threads.items = threads;
    to->threads.count = ids.count;
}

void other_processes_find(const struct target_process *from, struct arena *arena,
                          struct report_process *process, int64_t deadline)
{
    pid_t pids[OTHERS_MAX];
    char folder[32];
    size_t count, i;

    if (from->is_contained || !process->id.data)
        return;
    count = list_processes(process, from->pid, pids);
    process->others.items = schema_make(arena, &schema_other, count);
    for (i = 0; process->others.items && i < count && clock_ms() < deadline; i++) {
        struct report_other *to = &process->others.items[process->others.count++];

        snprintf(folder, sizeof(folder), "/proc/%d", (int)pids[i]);
        to->pid = pids[i];
        to->id = call_waits_id(arena, to->pid, process->id);
        to->command = read_name(arena, folder);
        set_threads(folder, arena, to, deadline);
    }
}
