/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/thread_facts.h"

#include <errno.h>
#include <time.h>

#include "procfs/call_waits.h"
#include "procfs/any_of.h"
#include "procfs/clock.h"
#include "procfs/database_locks.h"
#include "procfs/other_processes.h"
#include "procfs/semaphores.h"
#include "procfs/target.h"
#include "procfs/threads.h"

/* The time between two readings of the CPU time of a thread, in ms. CPU_MS is for threads of
 * another process. Their CPU time is not exact: see procfs_thread_cpu_ns. */
#define OWN_CPU_MS 20
#define CPU_MS     60

/* Returns the ID that this process has for a thread; 0: it is not known. */
static pid_t id_of(const struct target_process *from, const struct report_thread *t)
{
    if (t->native_id == REPORT_UNKNOWN)
        return 0;
    return from->thread_id ? from->thread_id(from->arg, (pid_t)t->native_id) : (pid_t)t->native_id;
}

/* True if facts about a thread can be read. before: see thread_facts_fill. */
static bool is_readable(const struct target_process *from, const struct report_process *p, size_t i,
                        const int64_t *before)
{
    return (!before || before[i] >= 0 || !from->is_own) && id_of(from, &p->threads.items[i]) > 0;
}

/* True if it cannot be found out whether a thread of the main interpreter is in the same call as
 * when its frames were read. */
static bool has_unknown_call(const struct report_thread *t, const int64_t *before, size_t i)
{
    return before && before[i] < 0 && t->interpreter == 0;
}

/* Sets the state and, if has_call is true, the system call of a thread. Returns false if this
 * process is not allowed to read the call. */
static bool set_thread(const struct target_process *from, struct arena *arena,
                       struct report_thread *t, pid_t thread, bool has_call)
{
    t->state = procfs_thread_state(from->folder, thread);
    if (!has_call || (t->state != STATE_SLEEPING && t->state != STATE_DISK))
        return true;
    t->syscall = procfs_thread_syscall(from->folder, thread, arena);
    return t->syscall || (errno != EACCES && errno != EPERM);
}

/* Finds out what the threads' system calls wait for. */
static void set_targets(const struct target_process *from, struct arena *arena,
                        const struct report_process *p, const int64_t *before, int64_t deadline)
{
    struct target_thread *threads = arena_array(arena, p->threads.count, sizeof(*threads));
    size_t i, count = 0;

    for (i = 0; threads && i < p->threads.count; i++) {
        const struct report_thread *t = &p->threads.items[i];

        if (t->syscall)
            threads[count++] = (struct target_thread){id_of(from, t), t->state, t->syscall,
                                                      before ? before[i] : -1};
    }
    targets_find(from, threads, count, arena, deadline);
}

/* Removes the system calls of threads that have run since their frames were read. */
static void remove_moved(const struct target_process *from, const struct report_process *p,
                         const int64_t *before)
{
    size_t i;

    for (i = 0; i < p->threads.count; i++) {
        struct report_thread *t = &p->threads.items[i];

        if (before[i] < 0 || (!t->syscall && t->state != STATE_DISK) ||
            procfs_thread_activity(from, id_of(from, t)) == before[i])
            continue;
        t->syscall = NULL;
        if (t->state == STATE_DISK)
            t->state = 0; /* it may not sleep any more */
    }
}

/* ---- Running threads ------------------------------------------------------------------------- */

/* A thread that runs, and the first reading of its CPU time. */
struct running {
    struct report_thread *thread;
    int64_t cpu_ns, at_ns;
};

static void begin_running(const struct target_process *from, struct report_thread *t,
                          struct running *to)
{
    to->thread = t;
    to->cpu_ns = procfs_thread_cpu_ns(from, id_of(from, t));
    to->at_ns = clock_ns();
}

/* Reads the CPU time of a thread again, and sets `cpu` of the thread. If the thread has used less
 * than half of a CPU, also sets its state again, because it may have run for a moment only. */
static void end_running(const struct target_process *from, struct arena *arena,
                        const struct running *r)
{
    struct report_thread *t = r->thread;
    int64_t used = procfs_thread_cpu_ns(from, id_of(from, t)), ns = clock_ns() - r->at_ns;
    double percent;

    if (r->cpu_ns < 0 || used < r->cpu_ns || ns <= 0 ||
        !(t->cpu = arena_alloc(arena, sizeof(*t->cpu))))
        return;
    percent = 100.0 * (double)(used - r->cpu_ns) / (double)ns;
    t->cpu->percent = percent < 100 ? percent : 100;
    t->cpu->over_ms = (ns + 500000) / 1000000;
    if (percent < 50)
        t->state = procfs_thread_state(from->folder, id_of(from, t));
}

/* Waits until the first readings of all threads are old enough, and makes the second readings. */
static void measure_running(const struct target_process *from, struct arena *arena,
                            const struct running *running, size_t count)
{
    int64_t left;
    size_t i;

    if (count == 0)
        return;
    left = running[count - 1].at_ns + (from->is_own ? OWN_CPU_MS : CPU_MS) * INT64_C(1000000) -
           clock_ns();
    if (left > 0)
        nanosleep(&(struct timespec){.tv_nsec = left}, NULL);
    for (i = 0; i < count; i++)
        end_running(from, arena, &running[i]);
}

/* ---- Other processes ------------------------------------------------------------------------- */

/* True if a thread waits for a result of a multiprocessing.Pool. */
static bool waits_for_pool(const struct report_process *p)
{
    size_t i;

    for (i = 0; i < p->objects.count; i++) {
        if (p->objects.items[i].detail.count > 0 &&
            text_is(p->objects.items[i].detail.items[0].name, "workers"))
            return true;
    }
    return false;
}

/* If the threads are those of this process, sets `switches` of each thread that has not run since
 * its frames were read. For another process, does nothing: `switches` was set before the frames
 * were read. */
static void set_switches(const struct target_process *from, const struct report_process *p,
                         const int64_t *before)
{
    const bool has_pool = waits_for_pool(p);
    size_t i;

    for (i = 0; before && from->is_own && i < p->threads.count; i++) {
        struct report_thread *t = &p->threads.items[i];

        if ((!t->waits && !has_pool) || !t->syscall)
            continue;
        t->switches = procfs_thread_switches(from->folder, id_of(from, t));
        if (t->switches < 0 || procfs_thread_activity(from, id_of(from, t)) != before[i])
            t->switches = REPORT_UNKNOWN;
    }
}

/* Finds the processes for which the threads wait. Checks at the end that the threads still wait, so
 * that what the processes do and the waits of the threads are of the same moment. */
static void set_others(const struct target_process *from, struct arena *arena,
                       struct report_process *p, const int64_t *before, int64_t deadline)
{
    call_waits_set(arena, p->threads.items, p->threads.count, from->pid, p->id);
    any_of_set_waits(from, arena, p, deadline);
    set_switches(from, p, before);
    call_waits_check(from->folder, p->threads.items, p->threads.count);
    call_waits_convert(arena, p);
    database_locks_find(from, arena, p, deadline);
    semaphores_find(from, arena, p, deadline);
    other_processes_find(from, arena, p, deadline);
    call_waits_check(from->folder, p->threads.items, p->threads.count);
}

/* ---- All threads ----------------------------------------------------------------------------- */

void thread_facts_fill(const struct target_process *from, struct arena *arena,
                       struct report_process *process, const int64_t *before, const char *denied,
                       int budget_ms)
{
    struct running *running = arena_array(arena, process->threads.count, sizeof(*running));
    int64_t end = clock_ms() + budget_ms;
    bool allowed = true;
    size_t count = 0, i;

    for (i = 0; i < process->threads.count && clock_ms() < end; i++) {
        struct report_thread *t = &process->threads.items[i];

        if (!is_readable(from, process, i, before))
            continue;
        allowed =
            set_thread(from, arena, t, id_of(from, t), !has_unknown_call(t, before, i)) && allowed;
        if (t->state == STATE_RUNNING && running)
            begin_running(from, t, &running[count++]);
    }
    if (!allowed)
        report_add_missing(arena, process, "system calls", denied);
    if (i < process->threads.count)
        report_add_missing(arena, process, "states of threads", "there are too many threads");
    set_targets(from, arena, process, before, clock_ms() + budget_ms);
    measure_running(from, arena, running, count);
    if (before)
        remove_moved(from, process, before);
    if (from->is_contained)
        return; /* the process has other IDs for the processes that its threads wait for */
    set_others(from, arena, process, before, clock_ms() + budget_ms);
}
