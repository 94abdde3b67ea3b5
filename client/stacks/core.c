/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/core.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "core_arguments.h"
#include "diagnosis/diagnose.h"
#include "locate.h"
#include "memory_core.h"
#include "procfs/patient.h"
#include "schema.h"
#include "stackreader.h"
#include "stacks/core_trouble.h"
#include "stacks/process_facts.h"
#include "stacks/sources.h"
#include "stacks/whole_file.h"

/* The state of the reading of a core file. */
struct dump {
    const char *path;
    struct core core;
    struct core_images images;
    struct memory_core source;
    struct memory memory;
    struct located pythons[LOCATE_MAX]; /* the readable ones come first */
    size_t python_count;
    bool locals;    /* also read local variables */
    int timeout_ms; /* how long the reading may be blocked */
    char *why;      /* room for a sentence: CORE_WHY_SIZE bytes */
};

static void dump_close(struct dump *d)
{
    core_images_close(&d->images);
    core_close(&d->core);
}

static enum core_outcome fail(const struct dump *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum core_outcome fail(const struct dump *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(d->why, CORE_WHY_SIZE, format, args);
    va_end(args);
    return CORE_HAS_NOTHING;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Raises the soft limit of open files to the hard limit, because the files that the process had
 * mapped stay open while the core file is read. A process may have mapped thousands of libraries.
 */
static void allow_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum core_outcome open_core(struct dump *d)
{
    int fd = core_open_file(d->path);
    enum core_result result;
    uint16_t machine;

    if (fd < 0) {
        trouble_open(d->why, CORE_WHY_SIZE, d->path);
        return CORE_IS_WRONG;
    }
    result = core_open(&d->core, fd, &machine);
    if (result == CORE_OK)
        return CORE_WAS_READ;
    trouble_core(d->why, CORE_WHY_SIZE, d->path, fd, result, machine);
    return result == CORE_UNREADABLE || result == CORE_NO_MEMORY ? CORE_HAS_NOTHING : CORE_IS_WRONG;
}

/* Opens the executables and libraries that the user has named. */
static enum core_outcome open_images(struct dump *d, const struct options *options)
{
    enum give_result result;
    size_t i;

    if (!core_images_open(&d->images, &d->core))
        return fail(d, "out of memory");
    if (d->images.patience_ms > d->timeout_ms / 3)
        d->images.patience_ms = d->timeout_ms / 3; /* this thread must not be given up meanwhile */
    for (i = 0; i < options->exe_count; i++) {
        result = core_images_give(&d->images, options->exes[i]);
        if (result == GIVE_OK)
            continue;
        trouble_given(d->why, CORE_WHY_SIZE, options->exes[i], &d->images, result);
        return CORE_IS_WRONG;
    }
    d->source = (struct memory_core){&d->core, &d->images};
    d->memory = memory_core(&d->source);
    return CORE_WAS_READ;
}

/* ---- Finding the Pythons --------------------------------------------------------------------- */

/* Reads a whole file that the process had mapped, because the sections of this file are needed. */
static const void *read_file(const struct locate_files *files, const struct mapping *m,
                             size_t *size)
{
    const struct dump *d = files->source;
    const struct core_image *image;

    if (m->inode == 0)
        return NULL;
    image = core_images_get(&d->images, (size_t)m->inode - 1);
    return image->state == IMAGE_FOUND ? whole_file_read(image->fd, size) : NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Returns the index of the file that probably contains the Python of the process, if this file was
 * not found on this machine. The file is a libpython, or the executable if there is no libpython.
 * Returns CORE_NO_FILE if the process has no such file, or if it was found. */
static size_t find_lost(const struct dump *d)
{
    size_t executable = core_executable(&d->core), i;

    for (i = 0; i < d->core.file_count; i++) {
        if (strncmp(base_name(d->core.files[i].path), "libpython", 9) == 0)
            return core_images_get(&d->images, i)->state != IMAGE_FOUND ? i : CORE_NO_FILE;
    }
    if (executable == CORE_NO_FILE || core_images_get(&d->images, executable)->state == IMAGE_FOUND)
        return CORE_NO_FILE;
    return executable;
}

static const char *process_name(const struct dump *d)
{
    return d->core.name[0] ? d->core.name : "?";
}

/* True if the core file is cut and the missing part probably contained the state of the Python.
 * python: the Python that was found, or NULL. lost: the result of find_lost(). */
static bool is_cut_off(const struct dump *d, const struct located *python, size_t lost)
{
    if (!core_is_cut(&d->core))
        return false;
    if (lost != CORE_NO_FILE)
        return core_images_get(&d->images, lost)->state == IMAGE_UNCHECKED;
    return !python || python->state == PYTHON_NOT_RUNNING || python->state == PYTHON_CONTRADICTS;
}

/* True if the core file contains some of the memory that the process has written. */
static bool has_written_memory(const struct core *core)
{
    const struct core_segment *s = core->segments, *end = s + core->segment_count;

    for (; s < end; s++) {
        if (s->writable && s->saved > 0)
            return true;
    }
    return false;
}

/* Explains why no Python can be read. python: a Python that was found, but cannot be read; NULL: no
 * Python was found. */
static enum core_outcome no_python(const struct dump *d, const struct located *python)
{
    bool is_known = python && python->state != PYTHON_CONTRADICTS;
    size_t lost = is_known ? CORE_NO_FILE : find_lost(d);
    char end[LOCATE_TEXT_SIZE];

    if (is_cut_off(d, python, lost)) {
        trouble_cut(end, sizeof(end), &d->core);
        return fail(d, "%s %s, and this part contains no stacks", d->path, end);
    }
    if (!core_is_cut(&d->core) && !has_written_memory(&d->core))
        return fail(d,
                    "%s does not contain the memory that the process has written: the process's "
                    "coredump_filter left this memory out, see core(5)",
                    d->path);
    if (lost != CORE_NO_FILE) {
        trouble_image(d->why, CORE_WHY_SIZE, d->path, &d->images, lost);
        return CORE_HAS_NOTHING;
    }
    if (!python && d->core.file_count == 0)
        return fail(d,
                    "%s does not say which files the process had mapped, so the process's Python "
                    "cannot be found",
                    d->path);
    locate_explain(python, end, sizeof(end));
    return fail(d, "%s: process %d (%s) %s", d->path, (int)d->core.pid, process_name(d), end);
}

static enum core_outcome find_pythons(struct dump *d)
{
    const struct locate_files files = {.open = read_file, .close = whole_file_close, .source = d};

    d->python_count = locate_pythons(&d->memory, &d->core.mappings, &files, d->pythons, LOCATE_MAX);
    if (d->python_count == 0)
        return no_python(d, NULL);
    return d->pythons[0].state == PYTHON_READABLE ? CORE_WAS_READ : no_python(d, &d->pythons[0]);
}

/* Writes a sentence about the Pythons of the process, except the first one. The report contains the
 * threads of all Pythons that can be read. */
static void describe_others(const struct dump *d)
{
    char what[LOCATE_TEXT_SIZE];
    size_t len, i;

    if (d->python_count > 1)
        fail(d, "%s: process %d (%s) also", d->path, (int)d->core.pid, process_name(d));
    for (i = 1; i < d->python_count; i++) {
        locate_explain(&d->pythons[i], what, sizeof(what));
        len = strlen(d->why);
        snprintf(d->why + len, CORE_WHY_SIZE - len, "%s %s", i > 1 ? ", and" : "", what);
    }
}

/* ---- Threads --------------------------------------------------------------------------------- */

static bool read_python(const struct dump *d, const struct located *python, struct report *r,
                        struct report_process *to)
{
    const struct stackreader_wish wish = {.locks = true, .locals = d->locals};
    enum stackreader_result result;
    struct stackreader *reader;
    const char *why;

    reader = stackreader_new(&d->memory, &python->offsets, python->runtime, &why);
    if (!reader)
        return false;
    result = stackreader_read(reader, &r->arena, to, &wish);
    stackreader_set_absent(reader, &r->arena, to);
    stackreader_free(reader);
    if (result == STACKREADER_CUT)
        report_add_missing(&r->arena, to, "some threads", STACKREADER_CUT_TEXT);
    return result != STACKREADER_NONE;
}

/* ---- The process ----------------------------------------------------------------------------- */

static void set_arguments(const struct dump *d, struct report *r, struct report_process *p)
{
    struct core_arguments arguments;
    const char *text;
    size_t i;

    if (!core_arguments_read(&d->core, &arguments)) {
        report_add_missing(&r->arena, p, "arguments", "the core file does not have them");
        return;
    }
    p->argv.items = arena_array(&r->arena, arguments.count, sizeof(*p->argv.items));
    for (text = arguments.text, i = 0; p->argv.items && i < arguments.count; i++) {
        p->argv.items[i] = report_text_of_bytes(r, text, strlen(text));
        text += strlen(text) + 1;
    }
    p->argv.count = p->argv.items ? i : 0;
    core_arguments_free(&arguments);
}

static void set_process(const struct dump *d, const struct located *python, struct report *r,
                        struct report_process *p)
{
    size_t executable = core_executable(&d->core);
    char version[32];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    p->schema = REPORT_SCHEMA;
    p->time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    p->source = SOURCE_CORE;
    if (d->core.pid > 0) {
        p->pid = d->core.pid;
        p->ppid = d->core.parent;
    }
    if (executable != CORE_NO_FILE)
        p->exe = report_text_of_bytes(r, d->core.files[executable].path,
                                      strlen(d->core.files[executable].path));
    locate_version(python, version, sizeof(version));
    p->python = report_text(r, version, strlen(version));
    set_arguments(d, r, p);
}

/* Returns the thread with this native id, or NULL. */
static const struct report_thread *find_thread(const struct report_process *p, pid_t native_id)
{
    const struct report_thread *t = p->threads.items, *end = t + p->threads.count;

    for (; t < end; t++) {
        if (t->native_id == native_id)
            return t;
    }
    return NULL;
}

static struct report_text signal_name(struct report *r, int number)
{
    static const char *const names[] = {
        [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",   [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT",
        [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",   [SIGSEGV] = "SIGSEGV", [SIGSYS] = "SIGSYS",
        [SIGXCPU] = "SIGXCPU", [SIGXFSZ] = "SIGXFSZ",
    };
    const char *name = number < (int)(sizeof(names) / sizeof(*names)) ? names[number] : NULL;

    return report_text(r, name, name ? strlen(name) : 0);
}

static void set_signal(const struct dump *d, struct report *r, struct report_process *p)
{
    const struct core_signal *from = &d->core.signal;
    const struct report_thread *thread;
    struct report_signal *to;
    char address[32];

    if (from->number == 0)
        return;
    to = p->signal = schema_make(&r->arena, &schema_signal, 1);
    if (!to)
        return;
    to->number = from->number;
    to->name = signal_name(r, from->number);
    to->native_id = from->thread;
    thread = find_thread(p, from->thread);
    if (thread)
        to->thread = thread->id;
    if (from->has_address) {
        snprintf(address, sizeof(address), "0x%" PRIx64, from->address);
        to->address = report_text(r, address, strlen(address));
    }
    if (from->sender > 0)
        to->sender = from->sender;
}

/* Adds a missing part with a reason that is copied. */
static void add_missing(struct report *r, struct report_process *p, const char *what,
                        const char *why)
{
    struct report_text copy = report_text_of_bytes(r, why, strlen(why) + 1);

    if (copy.data)
        report_add_missing(&r->arena, p, what, copy.data);
}

/* If the file that contains the Python interpreter was not found, adds a missing part with this
 * reason. This file has the names of C functions; without these names, many waits are not known. */
static void set_lost(const struct dump *d, struct report *r, struct report_process *p)
{
    size_t lost = find_lost(d);
    char why[CORE_WHY_SIZE];

    if (lost == CORE_NO_FILE)
        return;
    snprintf(why, sizeof(why),
             "only a part is known without %s, which is not on this machine or has been replaced: "
             "name this file with --exe FILE",
             d->core.files[lost].path);
    add_missing(r, p, "locks", why);
}

static void set_missing(const struct dump *d, struct report *r, struct report_process *p)
{
    static const char no_code[] = "no code can run in a core file";
    char cut[128], why[160];

    report_add_missing(&r->arena, p, "repr", no_code);
    if (!p->tasks.items)
        report_add_missing(&r->arena, p, "tasks", no_code);
    if (!p->greenlets.items)
        report_add_missing(&r->arena, p, "greenlets", NO_GREENLETS);
    report_add_missing(
        &r->arena, p, "source lines",
        "a file is not on this machine, or has changed since the core file was written");
    set_lost(d, r, p);
    if (!core_is_cut(&d->core))
        return;
    trouble_cut(cut, sizeof(cut), &d->core);
    snprintf(why, sizeof(why), "the core file %s", cut);
    add_missing(r, p, "the memory that the core file does not contain", why);
}

/* Adds the source lines from files that have not changed since the core file was written. */
static void set_sources(const struct dump *d, struct report *r, struct report_process *p)
{
    struct stat st;

    if (fstat(d->core.fd, &st) == 0)
        sources_fill_dead(r, p, st.st_uid,
                          (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
}

/* Reads one Python of the process. */
static enum core_outcome fill(const struct dump *d, size_t index, struct report *r,
                              struct report_process *p)
{
    const struct located *python = &d->pythons[index];

    if (!read_python(d, python, r, p))
        return no_python(
            d, &(struct located){.state = PYTHON_NOT_RUNNING, .version = python->version});
    set_process(d, python, r, p);
    report_number_process(r, p, index);
    set_signal(d, r, p);
    set_missing(d, r, p);
    set_sources(d, r, p);
    return diagnose_complete(r, p) ? CORE_WAS_READ : fail(d, "out of memory");
}

/* Adds one Python of the process to the report. Adds nothing if it cannot be read. */
static enum core_outcome add_python(const struct dump *d, size_t index, struct report *report)
{
    struct report_process *process = report_add_process(report);
    enum core_outcome outcome;

    if (!process)
        return fail(d, "out of memory");
    outcome = fill(d, index, report, process);
    if (outcome != CORE_WAS_READ)
        report->processes.count--;
    return outcome;
}

/* Adds the Pythons of the process to the report. Fails if the first Python cannot be read. Leaves
 * out any later Python that cannot be read. */
static enum core_outcome add_pythons(const struct dump *d, struct report *report)
{
    enum core_outcome outcome = add_python(d, 0, report);
    size_t i;

    if (outcome != CORE_WAS_READ)
        return outcome;
    for (i = 1; i < d->python_count && d->pythons[i].state == PYTHON_READABLE; i++)
        add_python(d, i, report);
    *d->why = '\0'; /* it may be about one of the others */
    describe_others(d);
    return CORE_WAS_READ;
}

/* Reads the core file d->path. */
static enum core_outcome read_core(struct dump *d, const struct options *options,
                                   struct report *report)
{
    enum core_outcome outcome;

    allow_files();
    outcome = open_core(d);
    if (outcome == CORE_WAS_READ)
        outcome = open_images(d, options);
    if (outcome == CORE_WAS_READ)
        outcome = find_pythons(d);
    return outcome == CORE_WAS_READ ? add_pythons(d, report) : outcome;
}

/* ---- On a thread of its own ------------------------------------------------------------------ */

/* The arguments and results of the separate thread that reads a core file. The thread is separate
 * because the file may be on a file server that does not answer. If this thread is left behind, it
 * owns this struct. Otherwise, the thread that waits for it owns this struct. */
struct job {
    const struct options *options;
    int timeout_ms; /* how long the reading may be blocked */
    struct dump dump;
    struct report report;
    enum core_outcome outcome;
    char why[CORE_WHY_SIZE];
};

static void job_run(void *arg)
{
    struct job *job = arg;

    job->outcome = read_core(&job->dump, job->options, &job->report);
}

static void job_free(void *arg)
{
    struct job *job = arg;

    dump_close(&job->dump);
    report_free(&job->report);
    free(job);
}

static struct job *job_new(const struct options *options, size_t memory_max)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->options = options;
    job->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : CORE_TIMEOUT_MS;
    job->dump = (struct dump){.path = options->core,
                              .locals = options->locals,
                              .timeout_ms = job->timeout_ms,
                              .why = job->why,
                              .core = {.fd = -1}};
    report_init(&job->report, memory_max);
    return job;
}

/* Moves what the separate thread has found to the report and to `why`. Frees the job. */
static enum core_outcome finish(struct job *job, struct report *report, char *why)
{
    enum core_outcome outcome = job->outcome;

    memcpy(why, job->why, CORE_WHY_SIZE);
    if (outcome == CORE_WAS_READ && !report_take_processes(report, &job->report)) {
        snprintf(why, CORE_WHY_SIZE, "out of memory");
        outcome = CORE_HAS_NOTHING;
    }
    job_free(job);
    return outcome;
}

enum core_outcome stacks_from_core(struct report *report, const struct options *options, char *why)
{
    struct job *job = job_new(options, report->arena.max);
    int error = ENOMEM, timeout_ms;

    if (job) {
        timeout_ms = job->timeout_ms;
        error = procfs_run_patiently(job_run, job_free, job, timeout_ms);
    }
    if (error == 0)
        return finish(job, report, why);
    if (error == ETIMEDOUT) {
        snprintf(why, CORE_WHY_SIZE,
                 "%s cannot be read: the disk or file server of this file, or of a file that the "
                 "process had mapped, has not answered for %g s",
                 options->core, timeout_ms / 1000.0);
        return CORE_HAS_NOTHING;
    }
    snprintf(why, CORE_WHY_SIZE, "cannot start a thread: %s", strerror(error));
    if (job)
        job_free(job);
    return CORE_HAS_NOTHING;
}
