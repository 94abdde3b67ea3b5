/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/others.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect/find.h"
#include "diagnosis/diagnose.h"
#include "diagnosis/place.h"
#include "process.h"
#include "procfs/call_waits.h"
#include "procfs/clock.h"
#include "procfs/threads.h"
#include "stacks/outside.h"

#define OTHERS_MS 500 /* how long the other processes of a process may be read */

static struct report_other *other_at(const struct report *r, size_t process, size_t index)
{
    return &r->processes.items[process].others.items[index];
}

/* Returns a command line without the folder of its program: "/bin/sleep 9" becomes "sleep 9". */
static const char *without_folder(const char *command)
{
    const size_t word = strcspn(command, " ");
    const char *slash = memrchr(command, '/', word);

    return slash ? slash + 1 : command;
}

static void set_command(struct report *r, struct report_other *other)
{
    char *command = process_command((pid_t)other->pid);
    struct report_text text = {NULL, 0};
    const char *start;

    if (command && command[0] != '[') { /* in brackets, it is the name that is known already */
        start = without_folder(command);
        text = report_text_of_bytes(r, start, (size_t)find_brief(start));
    }
    if (text.data)
        other->command = text;
    free(command);
}

/* Reads one of the other processes of a process. The threads and objects of the other process stay
 * in the memory of the report. */
static void read_one(struct report *r, size_t process, size_t index, int timeout_ms)
{
    const pid_t pid = (pid_t)other_at(r, process, index)->pid;
    const size_t count = r->processes.count;
    struct outside outside;

    set_command(r, other_at(r, process, index));
    if (outside_read(r, pid, timeout_ms, false, &outside) == OUTSIDE_READ)
        report_complete_other(r, other_at(r, process, index), &r->processes.items[count]);
    r->processes.count = count;
}

/* True if the thread has not run since it was read, and does not run now. */
static bool is_unmoved(const char *folder, const struct report_thread *t)
{
    return t->switches != REPORT_UNKNOWN &&
           procfs_thread_state(folder, (pid_t)t->native_id) == STATE_SLEEPING &&
           procfs_thread_switches(folder, (pid_t)t->native_id) == t->switches;
}

/* Removes waits for processes of threads that have run since they were read, so that the waits of
 * all processes are of the same moment. If a thread waits for a lock of multiprocessing and has run
 * since, makes its `switches` unknown. */
static void check_threads(int64_t pid, struct report_thread *threads, size_t count)
{
    char folder[32];
    size_t i;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
    call_waits_check(folder, threads, count);
    for (i = 0; i < count; i++) {
        if (threads[i].waits && text_is(threads[i].waits->kind, "semlock") &&
            !is_unmoved(folder, &threads[i]))
            threads[i].switches = REPORT_UNKNOWN;
    }
}

static void check_waits(const struct report *r, size_t index)
{
    const struct report_process *p = &r->processes.items[index];
    size_t i;

    check_threads(p->pid, p->threads.items, p->threads.count);
    for (i = 0; i < p->others.count; i++) {
        const struct report_other *other = &p->others.items[i];

        check_threads(other->pid, other->threads.items, other->threads.count);
    }
}

/* ---- The workers of a multiprocessing.Pool --------------------------------------------------- */

/* True if the thread takes part in computing the results of a Pool: it waits for a result, or sends
 * tasks, or receives results. */
static bool uses_pool(const struct report_thread *t)
{
    size_t i;

    if (t->waits && text_is(t->waits->kind, "future"))
        return true;
    for (i = 0; i < t->frames.count; i++) {
        const struct report_frame *f = &t->frames.items[i];

        if ((text_is(f->function, "_handle_tasks") || text_is(f->function, "_handle_results")) &&
            place_is_in(f->file, "multiprocessing/pool"))
            return true;
    }
    return false;
}

static bool pools_are_unmoved(const struct report_process *p)
{
    char folder[32];
    size_t i, j;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)p->pid);
    for (i = 0; i < p->threads.count; i++) {
        if (uses_pool(&p->threads.items[i]) && !is_unmoved(folder, &p->threads.items[i]))
            return false;
    }
    for (i = 0; i < p->others.count; i++) {
        const struct report_other *other = &p->others.items[i];

        snprintf(folder, sizeof(folder), "/proc/%d", (int)other->pid);
        for (j = 0; j < other->threads.count; j++) {
            if (other->threads.items[j].main == BOOL_TRUE &&
                !is_unmoved(folder, &other->threads.items[j]))
                return false;
        }
    }
    return true;
}

/* If a task or a result may be on its way between the processes, marks the results of Pools as
 * moving: it is not known whether a worker computes them. */
static void check_pools(const struct report *r, size_t index)
{
    static const struct report_text moving = {"moving", 6};
    const struct report_process *p = &r->processes.items[index];
    size_t i;

    if (pools_are_unmoved(p))
        return;
    for (i = 0; i < p->objects.count; i++) {
        const report_pairs *detail = &p->objects.items[i].detail;

        if (detail->count > 0 && text_is(detail->items[0].name, "workers"))
            detail->items[0].value = moving;
    }
}

/* ---- All processes --------------------------------------------------------------------------- */

void others_read(struct report *r, size_t index)
{
    const int64_t deadline = clock_ms() + OTHERS_MS;
    int64_t left;
    size_t i;

    for (i = 0; i < r->processes.items[index].others.count; i++) {
        left = deadline - clock_ms();
        if (left <= 0 || other_at(r, index, i)->pid <= 0 || other_at(r, index, i)->pid > INT32_MAX)
            continue;
        read_one(r, index, i, (int)left);
    }
    check_waits(r, index);
    check_pools(r, index);
}

bool others_conclude(struct report *r, size_t index)
{
    if (r->processes.items[index].others.count == 0)
        return true;
    others_read(r, index);
    return diagnose(r, &r->processes.items[index]);
}
