/* SPDX-License-Identifier: BSD-3-Clause */
#include "facts.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "gil.h"
#include "procfs/thread_facts.h"
#include "reserve.h"
#include "shortage.h"
#include "without_gil.h"

#define MEMORY_MAX ((size_t)64 << 20)

/* Limits for the memory that is read, in bytes. LIMIT_WITH_GIL: for reading with the GIL, which
 * takes up to about 20 ms. LIMIT_WITHOUT_GIL: for reading without the GIL, which takes up to about
 * 200 ms. */
#define LIMIT_WITH_GIL    (STACKREADER_LIMIT / 100)
#define LIMIT_WITHOUT_GIL (STACKREADER_LIMIT / 10)

/* ---- Threads, waits and holds ---------------------------------------------------------------- */

/* Reads the process. Returns true if all was read. */
static bool read_process(struct ps_facts *f, struct ps_state *state, int64_t limit)
{
    bool complete;

    ps_reserve_lend(1); /* a descriptor for files of /proc */
    f->process = ps_without_gil_read(state, &f->report, limit, f->locals, &f->activity, &complete);
    ps_reserve_take_back();
    return complete;
}

/* Reads the process with the GIL. If reading with the GIL would take too long, reads the process
 * again without the GIL, so that the program can run. Returns true if all was read. */
static bool read_twice(struct ps_facts *f, struct ps_state *state)
{
    bool complete = read_process(f, state, LIMIT_WITH_GIL);
    PyThreadState *before;

    if (!f->process || complete)
        return complete;
    before = ps_gil_begin_wait();
    report_free(&f->report);
    report_init(&f->report, MEMORY_MAX);
    complete = read_process(f, state, LIMIT_WITHOUT_GIL);
    ps_gil_end_wait(before);
    return complete;
}

/* Makes an empty process in f->report, for the facts that need no stack reader. NULL: no memory. */
static struct report_process *make_process(struct ps_facts *f)
{
    report_free(&f->report);
    return report_add_process(&f->report);
}

/* Makes the activity of the calling thread unknown, so that the thread gets no state: the thread
 * runs only because it collects the facts. */
static void leave_out_own_thread(struct ps_facts *f)
{
    pid_t own = (pid_t)syscall(SYS_gettid);
    size_t i;

    for (i = 0; f->activity && i < f->process->threads.count; i++) {
        if (f->process->threads.items[i].native_id == own)
            f->activity[i] = -1;
    }
}

void ps_facts_begin(struct ps_facts *f, struct ps_state *state, bool locals)
{
    const char *why = "they could not be read";
    bool complete;

    *f = (struct ps_facts){.locals = locals};
    report_init(&f->report, MEMORY_MAX);
    complete = read_twice(f, state);
    if (f->process)
        why = "not all could be read";
    else
        f->process = make_process(f);
    if (!f->process)
        return;
    leave_out_own_thread(f);
    if (complete) {
        if (!stackreader_reads_locks(state->reader))
            report_add_missing(&f->report.arena, f->process, "locks",
                               "they cannot be read in this release of Python");
        return;
    }
    report_add_missing(&f->report.arena, f->process, "locks", why);
    report_add_missing(&f->report.arena, f->process, "system calls", why);
}

/* ---- What the kernel tells ------------------------------------------------------------------- */

void ps_facts_read_kernel(struct ps_facts *f)
{
    PyThreadState *before;

    if (!f->process)
        return;
    before = ps_gil_begin_wait();
    ps_shortage_find(&f->report.arena, f->process);
    ps_reserve_lend(1);
    ps_without_gil_fill_threads(&f->report.arena, f->process, f->activity);
    ps_reserve_take_back();
    ps_gil_end_wait(before);
}

void ps_facts_free(struct ps_facts *f)
{
    report_free(&f->report);
}
