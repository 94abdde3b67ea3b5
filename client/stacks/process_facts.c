/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/process_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "diagnosis/finding.h"
#include "process.h"
#include "procfs/clock.h"
#include "procfs/patient.h"
#include "procfs/read.h"
#include "procfs/shortage.h"
#include "procfs/thread_facts.h"
#include "schema.h"

#define ARGV_SIZE 131072 /* the most bytes of a command line that are read */
#define ARGV_MS   100    /* how long to wait for the command line */
#define NS_PER_S  1e9

#define THREADS_MS 300 /* how long to read the states of threads, and what their calls are on */

#define OUTSIDE "the stacks were read from outside the process"

/* How long the GIL is watched, and the time between two reads of its state, in ms. */
#define WATCH_MS 150
#define LOOK_MS  10

/* A thread that wakes up at least this number of times while the GIL is watched is waiting for the
 * GIL. Such a thread wakes up after each sys.getswitchinterval(), usually every 5 ms. */
#define WAKES_MIN 5

/* ---- Texts ----------------------------------------------------------------------------------- */

static struct report_text text_of_number(struct report *r, const char *format, int64_t number,
                                         struct report_text end)
{
    char text[400];
    int len = snprintf(text, sizeof(text), format, number, (int)end.len, end.data);

    return report_text(r, text, len > 0 && len < (int)sizeof(text) ? (size_t)len : 0);
}

/* ---- The process ----------------------------------------------------------------------------- */

/* True if the process is in the same namespace as pystuck, or if its namespace cannot be read.
 * namespace: the kind of namespace, which is the name of a file in /proc/PID/ns. */
static bool is_in_our(const char *namespace, pid_t pid)
{
    char path[64], ours[64];
    struct stat its, mine;

    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, namespace);
    snprintf(ours, sizeof(ours), "/proc/self/ns/%s", namespace);
    return stat(path, &its) < 0 || stat(ours, &mine) < 0 || its.st_ino == mine.st_ino;
}

static void set_host(struct report *r, struct report_process *p, pid_t pid)
{
    char host[256];

    if (gethostname(host, sizeof(host)) < 0)
        return;
    host[sizeof(host) - 1] = '\0';
    if (is_in_our("uts", pid))
        p->host = report_text_of_bytes(r, host, strlen(host));
    /* For a process in a container, use the process ID and the machine's name as they are outside
     * of the container. */
    p->id = text_of_number(r, "%" PRId64 "@%.*s", p->host.data ? p->pid : pid,
                           report_text_of_bytes(r, host, strlen(host)));
}

static void set_argv(struct report *r, struct report_process *p, const char *folder)
{
    char path[64], *text = malloc(ARGV_SIZE), *at;
    size_t count = 0, i;
    ssize_t len = -1;

    snprintf(path, sizeof(path), "%s/cmdline", folder);
    if (text)
        len = procfs_read_patiently(path, text, ARGV_SIZE, ARGV_MS);
    for (at = text; len > 0 && at < text + len; at += strlen(at) + 1)
        count++;
    if (count > 0)
        p->argv.items = arena_array(&r->arena, count, sizeof(*p->argv.items));
    for (at = text, i = 0; p->argv.items && i < count; at += strlen(at) + 1)
        p->argv.items[i++] = report_text_of_bytes(r, at, strlen(at));
    p->argv.count = p->argv.items ? count : 0;
    free(text);
}

static void set_exe(struct report *r, struct report_process *p, const char *folder)
{
    char path[64], target[4096];
    ssize_t len;

    snprintf(path, sizeof(path), "%s/exe", folder);
    len = readlink(path, target, sizeof(target));
    if (len > 0)
        p->exe = report_text_of_bytes(r, target, (size_t)len);
}

void facts_begin(struct report *report, struct report_process *process,
                 const struct memory_pid *memory)
{
    int64_t started = process_started_ns(memory->pid);
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    process->schema = REPORT_SCHEMA;
    process->source = SOURCE_PID;
    process->time = (double)now.tv_sec + (double)now.tv_nsec / NS_PER_S;
    process->pid = memory_pid(memory).pid;
    process->pid_outside = memory->pid;
    if (started > 0)
        process->started = (double)started / NS_PER_S;
    set_host(report, process, memory->pid);
}

static void set_process(struct report *r, struct report_process *p, const struct memory_pid *m)
{
    char folder[32], status[4096];
    int64_t parent = PROCFS_NONE;

    snprintf(folder, sizeof(folder), "/proc/%d", (int)m->pid);
    if (p->pid == m->pid && procfs_read_in(folder, "status", status, sizeof(status)) > 0)
        parent = procfs_value(status, "PPid:");
    if (parent != PROCFS_NONE)
        p->ppid = parent;
    set_argv(r, p, folder);
    set_exe(r, p, folder);
    shortage_find(&r->arena, p, folder, 0);
}

/* ---- Its threads ----------------------------------------------------------------------------- */

static bool read_memory(const void *memory, uint64_t address, void *to, size_t size)
{
    return memory_read(memory, address, to, size);
}

static pid_t thread_id(const void *memory, pid_t theirs)
{
    return memory_pid_thread(((const struct memory *)memory)->source, theirs);
}

static int64_t switches(const void *memory, pid_t thread)
{
    return memory_pid_switches(((const struct memory *)memory)->source, thread);
}

/* True if the process is in another PID namespace than pystuck. */
static bool is_contained(const struct report_process *p, const struct memory_pid *m)
{
    return p->pid != m->pid || !is_in_our("pid", m->pid);
}

/* Returns an array with `switches` of each thread, or -1 if it is not known. NULL: no memory. */
static int64_t *copy_switches(struct report *r, const struct report_process *p)
{
    int64_t *all = arena_array(&r->arena, p->threads.count, sizeof(*all));
    size_t i;

    for (i = 0; all && i < p->threads.count; i++)
        all[i] = p->threads.items[i].switches >= 0 ? p->threads.items[i].switches : -1;
    return all;
}

static void set_threads(struct report *r, struct report_process *p, const struct memory_pid *m)
{
    struct memory memory = memory_pid(m);
    char folder[32];
    const struct target_process from = {.folder = folder,
                                        .pid = m->pid,
                                        .is_contained = is_contained(p, m),
                                        .read_memory = read_memory,
                                        .thread_id = thread_id,
                                        .switches = switches,
                                        .arg = &memory};

    snprintf(folder, sizeof(folder), "/proc/%d", (int)m->pid);
    thread_facts_fill(&from, &r->arena, p, copy_switches(r, p), "the kernel does not allow it",
                      THREADS_MS);
}

void facts_end(struct report *report, struct report_process *process)
{
    report_add_missing(&report->arena, process, "repr", OUTSIDE);
    report_add_missing(&report->arena, process, "source lines", OUTSIDE);
    if (!process->tasks.items)
        report_add_missing(&report->arena, process, "tasks", OUTSIDE);
    if (!process->greenlets.items)
        report_add_missing(&report->arena, process, "greenlets",
                           NO_GREENLETS "; a server shows them");
}

void facts_fill(struct report *report, struct report_process *process,
                const struct memory_pid *memory)
{
    set_process(report, process, memory);
    set_threads(report, process, memory);
    facts_end(report, process);
}

/* ---- The GIL --------------------------------------------------------------------------------- */

static int64_t activity_of(const struct memory *m, const struct report_thread *t)
{
    return t->native_id == REPORT_UNKNOWN ? -1 : m->activity(m, (pid_t)t->native_id);
}

/* Like activity_of(), but if the thread runs, first waits up to 10 ms until it does not run. Does
 * not wait after the deadline, a time in ms of CLOCK_MONOTONIC. */
static int64_t activity_at_rest(const struct memory *m, const struct report_thread *t,
                                int64_t deadline)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int64_t found = activity_of(m, t);
    int i;

    if (t->native_id == REPORT_UNKNOWN)
        return -1;
    for (i = 0; i < 10 && found < 0 && clock_ms() < deadline; i++) {
        nanosleep(&pause, NULL);
        found = activity_of(m, t);
    }
    return found;
}

/* What was found out while the GIL was watched. */
struct watch {
    int64_t ms;       /* for how long one thread has kept the GIL; 0: it has not, or not known */
    bool is_one_call; /* at each look, this thread was in the same instruction, a call of C code */
};

/* Waits for WATCH_MS, or until the GIL is released or another thread gets it. holder: the index of
 * the thread that has the GIL. */
static struct watch wait_for_change(struct stackreader *reader, const struct gil *before,
                                    size_t holder)
{
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    struct stackreader_call first, call;
    struct watch w = {.is_one_call = stackreader_call(reader, holder, &first)};
    int64_t start = clock_ms(), now = start;
    struct gil gil = *before;

    while (now - start < WATCH_MS && gil.locked && gil.holder == before->holder &&
           gil.switches == before->switches) {
        nanosleep(&look, NULL);
        w.is_one_call = w.is_one_call && stackreader_call(reader, holder, &call) &&
                        call.frame == first.frame && call.at == first.at;
        if (!stackreader_gil(reader, 0, &gil))
            return (struct watch){0};
        now = clock_ms();
    }
    w.ms = now - start >= WATCH_MS ? now - start : 0;
    return w;
}

/* True if a thread other than the holder has woken up at least WAKES_MIN times, which means that it
 * waits for the GIL. before: the earlier result of look_at_all(), from which the wakeups are
 * counted. */
static bool is_asked_for(const struct memory *m, const struct report_process *p,
                         const struct report_thread *holder, const int64_t *before)
{
    int64_t deadline = clock_ms() + WATCH_MS;
    size_t i;

    for (i = 0; i < p->threads.count; i++) {
        const struct report_thread *t = &p->threads.items[i];

        if (t != holder && before[i] >= 0 &&
            activity_at_rest(m, t, deadline) >= before[i] + WAKES_MIN)
            return true;
    }
    return false;
}

/* Returns an array with the result of activity_of() for the holder of the GIL, and of
 * activity_at_rest() for all other threads. NULL: no memory.
 */
static int64_t *look_at_all(const struct memory *m, struct report *report,
                            const struct report_process *p, const struct report_thread *holder)
{
    int64_t *found = arena_array(&report->arena, p->threads.count, sizeof(*found));
    int64_t deadline = clock_ms() + WATCH_MS;
    size_t i;

    for (i = 0; found && i < p->threads.count; i++) {
        const struct report_thread *t = &p->threads.items[i];

        found[i] = t == holder ? activity_of(m, t) : activity_at_rest(m, t, deadline);
    }
    return found;
}

void facts_watch_gil(struct stackreader *reader, const struct memory *memory, struct report *report,
                     struct report_process *process)
{
    static const char slept[] = "the thread has the GIL and waits in the kernel",
                      kept[] = "C code keeps the GIL: it did not change hands, although another "
                               "thread asked for it",
                      called[] = "the thread has the GIL, and was in the same call of C code "
                                 "whenever it was looked at";
    const struct report_thread *holder;
    struct gil gil;
    struct watch watch = {0};
    int64_t *before;
    size_t i;
    bool asleep;

    if (!process->gil || process->gil->state != GIL_HELD ||
        !(holder = finding_thread(process, process->gil->holder)) ||
        !stackreader_gil(reader, 0, &gil))
        return;
    i = (size_t)(holder - process->threads.items);
    before = look_at_all(memory, report, process, holder);
    if (before)
        watch = wait_for_change(reader, &gil, i);
    if (watch.ms == 0)
        return;
    asleep = before[i] >= 0 && activity_of(memory, holder) == before[i];
    if (!asleep && !watch.is_one_call && !is_asked_for(memory, process, holder, before))
        return;
    process->gil->at_least_ms = watch.ms;
    process->gil->evidence = asleep              ? (struct report_text){slept, sizeof(slept) - 1}
                             : watch.is_one_call ? (struct report_text){called, sizeof(called) - 1}
                                                 : (struct report_text){kept, sizeof(kept) - 1};
}
