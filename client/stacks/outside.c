/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "codec.h"
#include "connect/find.h"
#include "connect/namespaces.h"
#include "diagnosis/diagnose.h"
#include "locate.h"
#include "memory_pid.h"
#include "process.h"
#include "procfs/patient.h"
#include "procfs/shortage.h"
#include "schema.h"
#include "stackreader.h"
#include "stacks/permission.h"
#include "stacks/process_facts.h"
#include "stacks/sources.h"
#include "stacks/whole_file.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* The first size of the buffer for the list of mappings, in bytes. Most lists are shorter; a longer
 * one is read again. */
#define MAPS_SIZE_MIN ((size_t)1 << 16)
#define MAPS_SIZE_MAX ((size_t)1 << 28)
#define MAPS_MS       1000 /* how long to wait for the list of mappings, at most */
#define READ_TRIES    3
#define MODULE        "_pystuck." /* the file name of the extension module begins with it */

_Static_assert(OUTSIDE_TEXT_SIZE >= PERMISSION_TEXT_SIZE, "room for permission_explain()");

/* Copies of the Pythons of a process, as brine, from the moment when their stacks were read. They
 * are used if something that is read later blocks. The thread that reads adds copies; the thread
 * that waits uses the first `count` of them. */
struct stacks_read {
    struct buffer copies[LOCATE_MAX];
    atomic_size_t count;
};

/* A process whose stacks are being read. */
struct outside_process {
    pid_t pid;
    int timeout_ms;  /* how long the reading may be blocked */
    bool locals;     /* also read local variables */
    int pidfd;       /* -1: the kernel has no such descriptors */
    int64_t started; /* when it was started, in ns since the boot of the machine; 0: not known */
    struct memory_pid memory;
    char *maps_text;
    struct mappings mappings;
    struct located pythons[LOCATE_MAX];
    size_t python_count; /* all Pythons; the readable ones come first */

    /* Points to the path of the file that is being opened or read, or to NULL if there is no such
     * file. The path is a part of maps_text. The thread that waits reads the path. */
    _Atomic(const char *) *at_file;

    struct stacks_read *read;
};

static enum outside_result fail(struct outside *out, enum outside_result result, const char *format,
                                ...) __attribute__((format(printf, 3, 4)));

static enum outside_result fail(struct outside *out, enum outside_result result, const char *format,
                                ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(out->why, sizeof(out->why), format, args);
    va_end(args);
    out->result = result;
    return result;
}

/* Writes a sentence that begins with the process: "process 7 (python3 x.py) has ended". */
static enum outside_result fail_of(struct outside *out, enum outside_result result, pid_t pid,
                                   const char *end)
{
    char *command = process_command(pid);

    if (command)
        fail(out, result, "process %d (%.*s) %s", (int)pid, find_brief(command), command, end);
    else
        fail(out, result, "process %d %s", (int)pid, end);
    free(command);
    return result;
}

static enum outside_result not_allowed(struct outside *out, pid_t pid)
{
    permission_explain(pid, out->why);
    out->result = OUTSIDE_NOT_ALLOWED;
    return out->result;
}

/* Fails with the reason why /proc does not have the process: the process does not exist, or is
 * hidden. */
static enum outside_result no_process(struct outside *out, pid_t pid)
{
    if (kill(pid, 0) == 0 || errno == EPERM) {
        permission_explain_hidden(pid, out->why);
        out->result = OUTSIDE_NO_PROCESS;
        return out->result;
    }
    return fail(out, OUTSIDE_NO_PROCESS, "there is no process %d", (int)pid);
}

/* ---- Opening it ------------------------------------------------------------------------------ */

/* Reads the list of mappings. Returns 0 or an errno. */
static int read_mappings(struct outside_process *t)
{
    char path[64];
    size_t size = MAPS_SIZE_MIN;
    /* The time limit for reading the list, in ms. It is shorter than timeout_ms, because
     * outside_read() gives up if this function is blocked for timeout_ms. */
    int maps_ms = t->timeout_ms / 3 < MAPS_MS ? t->timeout_ms / 3 : MAPS_MS;
    ssize_t len;

    memory_pid_path(&t->memory, "maps", path, sizeof(path));
    for (;;) {
        free(t->maps_text);
        t->maps_text = malloc(size);
        if (!t->maps_text)
            return ENOMEM;
        len = procfs_read_patiently(path, t->maps_text, size, maps_ms);
        if (len < 0)
            return errno;
        if ((size_t)len < size - 1 || size == MAPS_SIZE_MAX)
            return mappings_parse(&t->mappings, t->maps_text, (size_t)len) ? 0 : ENOMEM;
        size *= 16;
    }
}

/* Returns the first mapping that is readable and belongs to a file; NULL: there is no such mapping.
 * Mappings without a file are not used, because the kernel does not let other processes read some
 * of them. */
static const struct mapping *first_file(const struct mappings *ms)
{
    size_t i;

    for (i = 0; i < ms->count; i++)
        if (ms->items[i].readable && ms->items[i].path[0] == '/')
            return &ms->items[i];
    return NULL;
}

/* True if the process that was opened has ended. Another process may have the same ID now. The
 * parent of the process may not have waited for it yet: then only its memory is gone. */
static bool has_ended(struct outside_process *t)
{
    struct pollfd end = {.fd = t->pidfd, .events = POLLIN};
    const struct mapping *file = first_file(&t->mappings);

    if (t->pidfd >= 0)
        return poll(&end, 1, 0) > 0;
    return process_started_after_boot(t->pid) != t->started ||
           (file && memory_pid_try(&t->memory, file->start) == ESRCH);
}

static bool maps_pystuck(const struct mappings *ms)
{
    size_t i;

    for (i = 0; i < ms->count; i++)
        if (strncmp(mapping_name(&ms->items[i]), MODULE, strlen(MODULE)) == 0)
            return true;
    return false;
}

static enum outside_result say_errno(struct outside *out, const struct outside_process *t,
                                     int error)
{
    char text[128];

    switch (error) {
    case 0:
        return OUTSIDE_READ;
    case ESRCH:
    case ENOENT:
        return t->memory.thread_count > 0
                   ? fail_of(out, OUTSIDE_NO_PROCESS, t->pid,
                             "has ended, but its parent has not waited for it yet")
                   : no_process(out, t->pid);
    case EPERM:
    case EACCES:
        return t->memory.thread_count > 0 ? not_allowed(out, t->pid) : no_process(out, t->pid);
    case ETIMEDOUT:
        return fail_of(out, OUTSIDE_FAILED, t->pid,
                       "cannot be read: one of its threads keeps the lock of its memory in the "
                       "kernel (mmap_lock)");
    default:
        snprintf(text, sizeof(text), "cannot be read: %s", strerror(error));
        return fail_of(out, OUTSIDE_FAILED, t->pid, text);
    }
}

/* Opens the process, and finds out whether its memory may be read. */
static enum outside_result open_process(struct outside_process *t, struct outside *out)
{
    pid_t pid = t->pid;
    const struct mapping *file;
    int error;

    t->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    t->started = process_started_after_boot(pid);
    error = memory_pid_open(&t->memory, pid);
    if (error == 0)
        error = read_mappings(t);
    if (error != 0)
        return say_errno(out, t, error);
    out->has_pystuck = maps_pystuck(&t->mappings);
    file = first_file(&t->mappings);
    if (!file)
        return fail_of(out, OUTSIDE_NO_PYTHON, pid,
                       has_ended(t)
                           ? "has ended"
                           : "has no memory: it is a thread of the kernel, or is about to end");
    return say_errno(out, t, memory_pid_try(&t->memory, file->start));
}

static void close_process(struct outside_process *t)
{
    memory_pid_close(&t->memory);
    mappings_free(&t->mappings);
    free(t->maps_text);
    if (t->pidfd >= 0)
        close(t->pidfd);
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* True if an open file is the file of a mapping. On some file systems (overlayfs, btrfs), the
 * device of a mapping differs from the device of the file. */
static bool is_file_of(int fd, const struct mapping *m)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == m->inode;
}

/* Opens the file of a mapping: through /proc/PID/map_files, which only root may use; through the
 * link to the executable; or by its path in the root directory of the process. Returns -1 if none
 * of these ways leads to the file. */
static int open_file(const struct outside_process *t, const struct mapping *m)
{
    char path[96];
    int fd, root;

    snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)t->pid,
             (unsigned long long)m->start, (unsigned long long)m->end);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)t->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && is_file_of(fd, m))
        return fd;
    if (fd >= 0)
        close(fd);
    root = namespaces_open_root(t->pid);
    if (root < 0)
        return -1;
    fd = namespaces_open_in_root(root, m->path);
    close(root);
    if (fd < 0 || !is_file_of(fd, m)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    root = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    return root;
}

static const void *read_file(const struct locate_files *files, const struct mapping *m,
                             size_t *size)
{
    const struct outside_process *t = files->source;
    const void *data = NULL;
    int fd;

    atomic_store(t->at_file, m->path);
    fd = open_file(t, m);
    if (fd >= 0) {
        data = whole_file_read(fd, size);
        close(fd);
    }
    atomic_store(t->at_file, NULL);
    return data;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Writes a sentence about the Pythons of the process, except the first one: "process 7 (./server)
 * also runs Python 3.13.0". The report contains the threads of all Pythons that can be read. */
static void describe_others(const struct outside_process *t, struct outside *out)
{
    char *command = process_command(t->pid), why[LOCATE_TEXT_SIZE];
    size_t len, i;

    snprintf(out->also, sizeof(out->also), "process %d (%.*s) also", (int)t->pid,
             command ? find_brief(command) : 0, command ? command : "");
    free(command);
    for (i = 1; i < t->python_count; i++) {
        locate_explain(&t->pythons[i], why, sizeof(why));
        len = strlen(out->also);
        snprintf(out->also + len, sizeof(out->also) - len, "%s %s", i > 1 ? ", and" : "", why);
    }
}

/* Finds the Pythons of the process. */
static enum outside_result find_pythons(struct outside_process *t, struct outside *out)
{
    struct memory memory = memory_pid(&t->memory);
    const struct locate_files files = {.open = read_file, .close = whole_file_close, .source = t};
    char why[LOCATE_TEXT_SIZE];

    t->python_count = locate_pythons(&memory, &t->mappings, &files, t->pythons, LOCATE_MAX);
    if (t->python_count > 1)
        describe_others(t, out);
    if (t->python_count > 0 && t->pythons[0].state == PYTHON_READABLE)
        return OUTSIDE_READ;
    if (has_ended(t))
        return fail_of(out, OUTSIDE_NO_PROCESS, t->pid, "has ended");
    locate_explain(t->python_count > 0 ? &t->pythons[0] : NULL, why, sizeof(why));
    return fail_of(out, OUTSIDE_NO_PYTHON, t->pid, why);
}

/* Keeps a copy of a Python whose stacks were read. */
static void keep_stacks(struct stacks_read *read, const struct report_process *process)
{
    size_t count = atomic_load(&read->count);

    if (count == LOCATE_MAX)
        return;
    report_write(&read->copies[count], process);
    if (!read->copies[count].failed)
        atomic_store(&read->count, count + 1);
}

/* Reads the threads of one Python into *to. */
static bool read_python(const struct outside_process *t, const struct located *python,
                        struct report *report, struct report_process *to)
{
    const struct stackreader_wish wish = {.locks = true, .locals = t->locals};
    struct memory memory = memory_pid(&t->memory);
    enum stackreader_result result = STACKREADER_NONE;
    struct stackreader *reader;
    const char *why;
    int i;

    reader = stackreader_new(&memory, &python->offsets, python->runtime, &why);
    if (!reader)
        return false;
    for (i = 0; i < READ_TRIES && result == STACKREADER_NONE; i++)
        result = stackreader_read(reader, &report->arena, to, &wish);
    if (result == STACKREADER_CUT)
        report_add_missing(&report->arena, to, "some threads", STACKREADER_CUT_TEXT);
    for (i = 0; i < (int)to->threads.count; i++) {
        if (stackreader_activity(reader, (size_t)i) >= 0)
            to->threads.items[i].switches = stackreader_activity(reader, (size_t)i);
    }
    stackreader_set_absent(reader, &report->arena, to);
    if (result != STACKREADER_NONE)
        keep_stacks(t->read, to);
    facts_watch_gil(reader, &memory, report, to);
    stackreader_free(reader);
    return result != STACKREADER_NONE;
}

/* Reads one Python of the process. */
static enum outside_result fill(struct outside_process *t, size_t index, struct report *report,
                                struct report_process *process, struct outside *out)
{
    const struct located *python = &t->pythons[index];
    char version[32];

    locate_version(python, version, sizeof(version));
    process->python = report_text(report, version, strlen(version));
    facts_begin(report, process, &t->memory);
    if (!read_python(t, python, report, process))
        return has_ended(t)
                   ? fail_of(out, OUTSIDE_NO_PROCESS, t->pid, "ended while its stacks were read")
                   : fail_of(out, OUTSIDE_FAILED, t->pid,
                             "has no threads whose stacks can be read");
    facts_fill(report, process, &t->memory);
    report_number_process(report, process, index);
    sources_fill_of(report, process, t->pid);
    if (has_ended(t))
        return fail_of(out, OUTSIDE_NO_PROCESS, t->pid, "ended while its stacks were read");
    if (!diagnose_complete(report, process))
        return fail(out, OUTSIDE_FAILED, "out of memory");
    return OUTSIDE_READ;
}

/* Adds one Python of the process to the report. Adds nothing if it cannot be read. */
static enum outside_result add_python(struct outside_process *t, size_t index,
                                      struct report *report, struct outside *out)
{
    struct report_process *process = report_add_process(report);

    if (!process)
        return fail(out, OUTSIDE_FAILED, "out of memory");
    if (fill(t, index, report, process, out) != OUTSIDE_READ)
        report->processes.count--;
    return out->result;
}

/* Adds the Pythons of the process to the report. If the first Python cannot be read, adds nothing
 * and sets *out to the reason. Leaves out any later Python that cannot be read. */
static void add_pythons(struct outside_process *t, struct report *report, struct outside *out)
{
    struct outside other = {.result = OUTSIDE_READ};
    size_t i;

    if (add_python(t, 0, report, out) != OUTSIDE_READ)
        return;
    for (i = 1; i < t->python_count && t->pythons[i].state == PYTHON_READABLE; i++)
        add_python(t, i, report, &other);
}

/* ---- On a thread of its own ------------------------------------------------------------------ */

/* The arguments and results of the thread that reads one process. This thread and the thread that
 * waits for it each own a reference to this struct. If the reading thread is left behind, it keeps
 * its reference. */
struct job {
    atomic_int refs;
    struct outside_process process;
    struct report report;
    struct outside out;
    _Atomic(const char *) at_file; /* as in struct outside_process */
    struct stacks_read read;
};

static void job_unref(void *arg)
{
    struct job *job = arg;

    if (atomic_fetch_sub(&job->refs, 1) > 1)
        return;
    close_process(&job->process);
    report_free(&job->report);
    for (size_t i = 0; i < LOCATE_MAX; i++)
        buffer_free(&job->read.copies[i]);
    free(job);
}

static void job_run(void *arg)
{
    struct job *job = arg;
    struct outside_process *t = &job->process;

    if (open_process(t, &job->out) == OUTSIDE_READ && find_pythons(t, &job->out) == OUTSIDE_READ)
        add_pythons(t, &job->report, &job->out);
}

/* Writes a sentence that says what blocks the reading. */
static enum outside_result say_blocked(const struct job *job, struct outside *out)
{
    const char *file = atomic_load(&job->at_file);
    double seconds = job->process.timeout_ms / 1000.0;
    char text[768];

    if (file)
        snprintf(text, sizeof(text),
                 "cannot be read: its file %.512s could not be read for %g s: the disk or the file "
                 "server does not answer",
                 file, seconds);
    else
        snprintf(text, sizeof(text),
                 "cannot be read: the kernel has not shown its memory for %g s. One of its threads "
                 "keeps the lock of its memory in the kernel (mmap_lock), or a part of its memory "
                 "is in a file on a disk or file server that does not answer",
                 seconds);
    return fail_of(out, OUTSIDE_FAILED, job->process.pid, text);
}

/* Completes a Python whose stacks were read before the reading was blocked: adds what needs nothing
 * of the process but its files, and says what is missing. */
static bool complete(struct report *report, struct report_process *process, size_t index,
                     const struct job *job)
{
    static const char *const parts[] = {"states of threads", "system calls"};
    char why[128];
    struct report_text text;
    size_t i;

    snprintf(why, sizeof(why), "the kernel has not shown them for %g s",
             job->process.timeout_ms / 1000.0);
    text = report_text(report, why, strlen(why));
    for (i = 0; text.data && i < sizeof(parts) / sizeof(*parts); i++)
        report_add_missing(&report->arena, process, parts[i], text.data);
    facts_end(report, process);
    report_number_process(report, process, index);
    sources_fill_of(report, process, job->process.pid);
    return diagnose_complete(report, process);
}

/* Adds the Pythons whose stacks were read before the reading was blocked. Returns false and adds
 * nothing if there are none. */
static bool add_read(struct report *report, struct job *job)
{
    const size_t before = report->processes.count, count = atomic_load(&job->read.count);
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct report_process *process;
    size_t i;

    for (i = 0; i < count; i++) {
        process = report_read(report, job->read.copies[i].data, job->read.copies[i].len, &err);
        if (!process || !complete(report, process, i, job))
            break;
    }
    rpyc_error_clear(&err);
    if (i < count)
        report->processes.count = before;
    return report->processes.count > before;
}

/* Takes from the other thread's results what it found before it read any stacks. */
static void take_found(struct outside *to, const struct outside *from)
{
    to->has_pystuck = from->has_pystuck;
    memcpy(to->also, from->also, sizeof(to->also));
}

static struct job *job_new(pid_t pid, int timeout_ms, bool locals, size_t memory_max)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    atomic_init(&job->refs, 2);
    job->process = (struct outside_process){.pid = pid,
                                            .timeout_ms = timeout_ms,
                                            .locals = locals,
                                            .pidfd = -1,
                                            .memory = {.folder = -1, .file = -1},
                                            .at_file = &job->at_file,
                                            .read = &job->read};
    report_init(&job->report, memory_max);
    job->out.result = OUTSIDE_READ;
    return job;
}

enum outside_result outside_read(struct report *report, pid_t pid, int timeout_ms, bool locals,
                                 struct outside *out)
{
    struct job *job =
        job_new(pid, timeout_ms > 0 ? timeout_ms : OUTSIDE_TIMEOUT_MS, locals, report->arena.max);
    int error = ENOMEM;

    *out = (struct outside){.result = OUTSIDE_READ};
    if (job)
        error = procfs_run_patiently(job_run, job_unref, job, job->process.timeout_ms);
    if (error == ETIMEDOUT) {
        if (add_read(report, job))
            take_found(out, &job->out);
        else
            say_blocked(job, out);
        job_unref(job);
        return out->result;
    }
    if (error != 0)
        fail(out, OUTSIDE_FAILED, "cannot start a thread: %s", strerror(error));
    else
        *out = job->out;
    if (out->result == OUTSIDE_READ && !report_take_processes(report, &job->report))
        fail(out, OUTSIDE_FAILED, "out of memory");
    if (job) {
        atomic_store(&job->refs, 1); /* the other thread does not use it any more */
        job_unref(job);
    }
    return out->result;
}

void outside_conclude(struct report *report)
{
    if (!diagnose_between(report))
        report->findings.count = 0;
}
