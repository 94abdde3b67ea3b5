/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/thread_facts.h"

#include <errno.h>

#include "procfs/clock.h"
#include "procfs/target.h"
#include "procfs/threads.h"

/* Returns the ID that this process has for a thread; 0: it is not known. */
static pid_t id_of(const struct target_process *from, const struct report_thread *t)
{
    if (t->native_id == REPORT_UNKNOWN)
        return 0;
    return from->thread_id ? from->thread_id(from->arg, (pid_t)t->native_id) : (pid_t)t->native_id;
}

/* Sets the state and the system call of a thread. Returns false if this process is not allowed to
 * read the call. */
static bool set_thread(const struct target_process *from, struct arena *arena,
                       struct report_thread *t, pid_t thread)
{
    t->state = procfs_thread_state(from->folder, thread);
    if (t->state != STATE_SLEEPING && t->state != STATE_DISK)
        return true;
    t->syscall = procfs_thread_syscall(from->folder, thread, arena);
    return t->syscall || (errno != EACCES && errno != EPERM);
}

/* Finds out what the threads' system calls are on. */
static void set_targets(const struct target_process *from, struct arena *arena,
                        const struct report_process *p, int64_t deadline)
{
    struct target_thread *threads = arena_array(arena, p->threads.count, sizeof(*threads));
    size_t i, count = 0;

    for (i = 0; threads && i < p->threads.count; i++) {
        const struct report_thread *t = &p->threads.items[i];

        if (t->syscall)
            threads[count++] = (struct target_thread){id_of(from, t), t->state, t->syscall};
    }
    targets_find(from, threads, count, arena, deadline);
}

void thread_facts_fill(const struct target_process *from, struct arena *arena,
                       struct report_process *process, const char *denied, int budget_ms)
{
    int64_t end = clock_ms() + budget_ms;
    bool allowed = true;
    pid_t thread;
    size_t i;

    for (i = 0; i < process->threads.count && clock_ms() < end; i++) {
        struct report_thread *t = &process->threads.items[i];

        thread = id_of(from, t);
        if (thread > 0)
            allowed = set_thread(from, arena, t, thread) && allowed;
    }
    if (!allowed)
        report_add_missing(arena, process, "system calls", denied);
    if (i < process->threads.count)
        report_add_missing(arena, process, "states of threads", "there are too many threads");
    set_targets(from, arena, process, clock_ms() + budget_ms);
}
