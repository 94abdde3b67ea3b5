/* SPDX-License-Identifier: BSD-3-Clause */
#include "without_gil.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "codec.h"
#include "gil_held.h"
#include "own_offsets.h"
#include "reserve.h"
#include "self_reader.h"
#include "server.h"
#include "procfs/thread_facts.h"
#include "procfs/threads.h"
#include "schema.h"
#include "shortage.h"
#include "thread.h"

/* Times in ms. */
#define FRESH_MS  100 /* how long an answer may also be sent to other clients */
#define KERNEL_MS 100 /* how long to read the states of threads, and what their calls are on */

/* The memory for a report, in bytes. RESERVED is always there; LARGE is mapped if a report does not
 * fit into it.
 */
#define RESERVED ((size_t)16 << 20)
#define LARGE    ((size_t)512 << 20)

/* The memory that is reserved for the reply, in bytes. */
#define REPLY_RESERVED ((size_t)192 << 10)

/* The memory on the stack for the texts about resources that are used up, in bytes. */
#define SHORTAGE_MEMORY 8192

#define OWN_THREADS_MAX 4096

struct ps_without_gil {
    unsigned fork_count;   /* ps_fork_count() of the process that it reads */
    pthread_mutex_t lock;  /* guards what follows, and the use of the reader */
    struct report facts;   /* one process, with what run_server has stored */
    void *memory;          /* RESERVED bytes, zeroed */
    struct buffer reply;   /* the latest answer */
    deadline_t replied_at; /* 0: there is none */
    uint64_t own[OWN_THREADS_MAX];
};

/* ---- With the GIL: what to remember ---------------------------------------------------------- */

/* Returns a str for an object, as _argument() in pystuck/_stacks.py does: the content of a str,
 * else the repr(). Runs no code of the program. Returns a new reference, or NULL with an exception.
 */
static PyObject *str_of(PyObject *obj)
{
    if (PyUnicode_Check(obj))
        return PyUnicode_FromObject(obj);
    if (PyLong_CheckExact(obj) || PyFloat_CheckExact(obj) || PyBool_Check(obj) ||
        PyBytes_CheckExact(obj) || obj == Py_None)
        return PyObject_Repr(obj);
    return PyBaseObject_Type.tp_repr(obj);
}

/* Returns str_of(obj) as a text, with lone surrogates as escapes. On failure returns an unknown
 * text (data is NULL), without an exception. */
static struct report_text text_of(struct report *r, PyObject *obj)
{
    ps_auto PyObject *str = obj ? str_of(obj) : NULL;
    ps_auto PyObject *bytes =
        str ? PyUnicode_AsEncodedString(str, "utf-8", "backslashreplace") : NULL;
    struct report_text text = {NULL, 0};

    if (bytes)
        text = report_text(r, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    PyErr_Clear();
    return text;
}

static void set_argv(struct report *r, struct report_process *p)
{
    PyObject *argv = PySys_GetObject("argv");
    Py_ssize_t count = argv && PyList_CheckExact(argv) ? PyList_GET_SIZE(argv) : 0, i;

    p->argv.items = arena_array(&r->arena, (size_t)count, sizeof(*p->argv.items));
    if (!p->argv.items)
        return;
    p->argv.count = (size_t)count;
    for (i = 0; i < count && i < PyList_GET_SIZE(argv); i++) {
        ps_auto PyObject *item = ps_new_ref(PyList_GET_ITEM(argv, i));

        p->argv.items[i] = text_of(r, item);
    }
}

static void set_exe(struct report *r, struct report_process *p)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path));
    ps_auto PyObject *str = len > 0 ? PyUnicode_DecodeFSDefaultAndSize(path, len) : NULL;

    p->exe = text_of(r, str);
}

static void set_host(struct report *r, struct report_process *p)
{
    char host[256];
    ps_auto PyObject *str = NULL;

    if (gethostname(host, sizeof(host)) < 0)
        return;
    host[sizeof(host) - 1] = '\0';
    str = PyUnicode_DecodeLocale(host, "surrogateescape");
    p->host = text_of(r, str);
}

static void set_facts(struct report *facts)
{
    const char *version = Py_GetVersion();
    struct report_process *p = report_add_process(facts);

    if (!p)
        return;
    p->schema = REPORT_SCHEMA;
    p->source = SOURCE_SELF;
    p->python = report_text(facts, version, strcspn(version, " "));
    set_argv(facts, p);
    set_exe(facts, p);
    set_host(facts, p);
}

/* ---- With the GIL: making it ----------------------------------------------------------------- */

static void *reserve(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static struct ps_without_gil *without_gil_new(void)
{
    struct ps_without_gil *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->memory = reserve(RESERVED);
    if (!w->memory || !buffer_reserve(&w->reply, REPLY_RESERVED)) {
        if (w->memory)
            munmap(w->memory, RESERVED);
        free(w);
        return NULL;
    }
    w->fork_count = ps_fork_count();
    pthread_mutex_init(&w->lock, NULL);
    report_init(&w->facts, 0);
    return w;
}

static void without_gil_free(struct ps_without_gil *w)
{
    if (!w)
        return;
    munmap(w->memory, RESERVED);
    buffer_free(&w->reply);
    report_free(&w->facts);
    free(w);
}

void ps_without_gil_free(struct ps_state *state)
{
    stackreader_free(state->reader);
    state->reader = NULL;
    without_gil_free(state->without_gil);
    state->without_gil = NULL;
}

bool ps_without_gil_is_prepared(const struct ps_state *state)
{
    return state->without_gil && state->without_gil->fork_count == ps_fork_count();
}

/* Makes state->without_gil and state->reader for this process, and sets *why as
 * ps_self_reader_new does. In a forked child, they are those of the parent process, and another
 * thread of the parent may have used them at the fork. The child has the same Python, so what the
 * parent has checked is not checked again: this would take longer than the fork. */
static void make_reader(struct ps_state *state, const char **why)
{
    bool was_right = state->reader != NULL;
    bool read_locks = was_right && stackreader_reads_locks(state->reader);

    ps_without_gil_free(state);
    state->without_gil = without_gil_new();
    if (!state->without_gil)
        return;
    if (was_right)
        state->reader = ps_self_reader_again(&ps_own_offsets, read_locks, why);
    else
        state->reader = ps_self_reader_new(&ps_own_offsets, why);
}

void ps_without_gil_prepare(struct ps_state *state, struct ps_log *log)
{
    struct report facts, before;
    const char *why = NULL;

    if (!ps_without_gil_is_prepared(state))
        make_reader(state, &why);
    if (!state->reader)
        ps_log(log, PS_LOG_WARNING,
               "the stacks cannot be read while C code keeps the GIL: %s (known versions of "
               "Python: 3.9 to 3.15)",
               why ? why : "no memory");
    else if (why)
        ps_log(log, PS_LOG_WARNING, "what threads wait for and hold cannot be read: %s", why);
    if (!state->without_gil)
        return;
    report_init(&facts, 0);
    set_facts(&facts);
    pthread_mutex_lock(&state->without_gil->lock);
    before = state->without_gil->facts;
    state->without_gil->facts = facts;
    pthread_mutex_unlock(&state->without_gil->lock);
    report_free(&before);
}

/* ---- The report ------------------------------------------------------------------------------ */

static struct report_text format(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct report_text format(struct arena *a, const char *format, ...)
{
    char text[300];
    struct report_text result = {NULL, 0};
    char *copy;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(text))
        return result;
    copy = arena_alloc(a, (size_t)len + 1);
    if (copy) {
        memcpy(copy, text, (size_t)len);
        result = (struct report_text){copy, (size_t)len};
    }
    return result;
}

/* Sets what is known about the GIL. read_ms: the time since the holder was read. Sets at_least_ms
 * only if C code keeps the GIL: Python code releases the GIL again and again, even if the same
 * thread takes it each time. */
static void set_gil(struct arena *a, struct report_gil *gil, const struct ps_gil_look *look,
                    int64_t read_ms)
{
    enum ps_gil_use use = ps_gil_use(look);

    if (use == PS_GIL_C && look->unchanged_ms < read_ms)
        use = PS_GIL_UNKNOWN; /* another thread had the GIL when the holder was read */
    switch (use) {
    case PS_GIL_FREE:
        gil->state = GIL_FREE;
        gil->holder = (struct report_text){NULL, 0};
        gil->evidence = format(a, "the GIL is free");
        return;
    case PS_GIL_OWN:
        gil->state = GIL_UNKNOWN;
        gil->holder = (struct report_text){NULL, 0};
        gil->evidence = format(a, "pystuck has the GIL, for another request");
        return;
    case PS_GIL_C:
        gil->at_least_ms = look->unchanged_ms;
        gil->evidence = format(a,
                               "C code: the GIL did not change hands for %" PRId64
                               " ms, while pystuck asked for it",
                               look->unchanged_ms);
        break;
    case PS_GIL_PYTHON:
        gil->evidence =
            format(a, "Python code: the GIL changed hands %" PRIu64 " times in %" PRId64 " ms",
                   look->switches, look->asked_ms);
        break;
    case PS_GIL_UNKNOWN:
        gil->evidence = format(a,
                               "the GIL did not change hands for %" PRId64
                               " ms; whether its holder ran is not known",
                               look->unchanged_ms);
        break;
    }
    gil->state = gil->holder.data ? GIL_HELD : GIL_UNKNOWN;
}

static void set_process(struct arena *a, struct report_process *p)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    p->time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    p->pid = getpid();
    p->ppid = getppid();
    if (p->host.data)
        p->id = format(a, "%d@%.*s", (int)p->pid, (int)p->host.len, p->host.data);
}

static bool read_memory(const void *memory, uint64_t address, void *to, size_t size)
{
    return memory_read(memory, address, to, size);
}

void ps_without_gil_fill_threads(struct arena *a, struct report_process *p, const int64_t *activity)
{
    struct memory memory = memory_self();
    const struct target_process from = {.folder = "/proc/self",
                                        .is_own = true,
                                        .pid = getpid(),
                                        .read_memory = read_memory,
                                        .arg = &memory};

    set_process(a, p);
    if (!activity)
        return;
    thread_facts_fill(&from, a, p, activity, "the process is not dumpable", KERNEL_MS);
}

/* Returns an array with the activity of each thread of the process that was read last; NULL: no
 * memory. Call with the lock held. */
static int64_t *copy_activity(const struct ps_state *state, struct arena *a,
                              const struct report_process *p)
{
    int64_t *all = arena_array(a, p->threads.count, sizeof(*all));
    size_t i;

    for (i = 0; all && i < p->threads.count; i++)
        all[i] = stackreader_activity(state->reader, i);
    return all;
}

/* Reads the report into the arena. limit, locals: as in struct stackreader_wish. Sets *activity as
 * ps_without_gil_read does. Call with the lock held. */
static enum stackreader_result read_report(struct ps_state *state, struct arena *a,
                                           struct report_process *p, int64_t limit, bool locals,
                                           int64_t **activity)
{
    struct ps_without_gil *w = state->without_gil;
    struct stackreader_wish wish = {.skip = w->own,
                                    .skipped = ps_thread_list(w->own, OWN_THREADS_MAX),
                                    .interpreter = (uint64_t)(uintptr_t)state->interp,
                                    .locks = true,
                                    .locals = locals,
                                    .limit = limit};
    enum stackreader_result result;

    *p = w->facts.processes.items[0];
    result = stackreader_read(state->reader, a, p, &wish);
    *activity = result == STACKREADER_NONE ? NULL : copy_activity(state, a, p);
    return result;
}

/* Writes the reply to w->reply, from a report that was read. */
static void reply_with(struct ps_without_gil *w, struct arena *a, struct report_process *p,
                       const int64_t *activity, const struct ps_gil_look *look, int64_t read_ms,
                       enum stackreader_result result)
{
    bool is_held = look->locked && !look->by_helper;
    const char *why = is_held ? "the GIL is held" : "a collection of the stacks does not end";

    if (p->gil)
        set_gil(a, p->gil, look, read_ms);
    report_add_missing(a, p, "repr", why);
    report_add_missing(a, p, "source lines", why);
    if (!p->greenlets.items)
        report_add_missing(a, p, "greenlets", why);
    if (!p->tasks.items)
        report_add_missing(a, p, "tasks", why);
    if (result == STACKREADER_CUT)
        report_add_missing(a, p, "some threads", STACKREADER_CUT_TEXT);
    ps_without_gil_fill_threads(a, p, activity);
    buffer_clear(&w->reply);
    brine_put_tuple(&w->reply, 2);
    brine_put_int(&w->reply, PS_STACKS_VERSION);
    report_write(&w->reply, p);
    w->replied_at = w->reply.failed ? 0 : deadline_in(0);
}

/* Reads the report again, with LARGE bytes of memory: 50,000 frames of one thread need them. Sets
 * *large to this memory, which the caller unmaps, or to NULL. If there is no memory, or not enough,
 * leaves *p and *activity as they were and returns STACKREADER_CUT. */
static enum stackreader_result read_large(struct ps_state *state, struct arena *a,
                                          struct report_process *p, int64_t **activity,
                                          void **large)
{
    struct report_process again;
    int64_t *activity_again;
    struct arena more;
    enum stackreader_result result;

    *large = reserve(LARGE);
    if (!*large)
        return STACKREADER_CUT;
    arena_use(&more, *large, LARGE);
    result = read_report(state, &more, &again, 0, false, &activity_again);
    if (result != STACKREADER_ALL)
        return STACKREADER_CUT;
    *a = more;
    *p = again;
    *activity = activity_again;
    return result;
}

/* Makes a new reply. shortage: a process whose member `shortage` is filled, for the reply. Call
 * with the lock held. */
static void make_reply(struct ps_state *state, const struct report_process *shortage)
{
    struct ps_without_gil *w = state->without_gil;
    struct report_process p;
    struct ps_gil_look look;
    struct arena a;
    deadline_t start = deadline_in(0);
    int64_t *activity;
    void *large = NULL;
    enum stackreader_result result;

    w->replied_at = 0;
    if (w->facts.processes.count == 0)
        return;
    arena_use(&a, w->memory, RESERVED);
    result = read_report(state, &a, &p, 0, false, &activity);
    if (a.failed)
        result = read_large(state, &a, &p, &activity, &large);
    if (p.threads.count > 0) {
        a.failed = false;
        ps_gil_helper_look(state->helper, &look);
        p.shortage.items = shortage->shortage.items;
        p.shortage.count = shortage->shortage.count;
        if (!stackreader_reads_locks(state->reader))
            report_add_missing(&a, &p, "locks", "they cannot be read in this release of Python");
        stackreader_set_absent(state->reader, &a, &p);
        reply_with(w, &a, &p, activity, &look, (deadline_in(0) - start) / 1000000, result);
    }
    madvise(w->memory, RESERVED, MADV_DONTNEED); /* zeroes it */
    if (large)
        munmap(large, LARGE);
}

static bool is_fresh(const struct ps_without_gil *w)
{
    return w->replied_at != 0 && deadline_in(0) - w->replied_at <= FRESH_MS * INT64_C(1000000);
}

/* Appends the latest reply if it is fresh. If the latest reply is old and `make` is not NULL, first
 * makes a new reply, with the member `shortage` of make. Returns false if nothing was appended. */
static bool copy_reply(struct ps_state *state, const struct report_process *make,
                       struct buffer *out)
{
    struct ps_without_gil *w = state->without_gil;
    bool fresh;

    pthread_mutex_lock(&w->lock);
    if (make && !is_fresh(w))
        make_reply(state, make);
    fresh = is_fresh(w);
    if (fresh)
        buffer_put(out, w->reply.data, w->reply.len);
    pthread_mutex_unlock(&w->lock);
    return fresh;
}

bool ps_without_gil_answer(struct ps_state *state, struct buffer *out)
{
    alignas(max_align_t) unsigned char memory[SHORTAGE_MEMORY] = {0};
    struct report_process shortage = {0};
    struct arena arena;
    bool made;

    if (!state->without_gil || !state->reader)
        return false;
    if (copy_reply(state, NULL, out))
        return true;
    arena_use(&arena, memory, sizeof(memory));
    ps_shortage_find(&arena, &shortage);
    ps_reserve_lend(1); /* a descriptor for files of /proc */
    made = copy_reply(state, &shortage, out);
    ps_reserve_take_back();
    return made;
}

struct stackreader *ps_without_gil_take_reader(struct ps_state *state)
{
    struct ps_without_gil *w = state->without_gil;

    if (!w || !state->reader || w->fork_count != ps_fork_count() ||
        pthread_mutex_trylock(&w->lock) != 0)
        return NULL;
    return state->reader;
}

void ps_without_gil_return_reader(struct ps_state *state)
{
    pthread_mutex_unlock(&state->without_gil->lock);
}

struct report_process *ps_without_gil_read(struct ps_state *state, struct report *report,
                                           int64_t limit, bool locals, int64_t **activity,
                                           bool *complete)
{
    struct ps_without_gil *w = state->without_gil;
    struct report_process *process = NULL;
    enum stackreader_result result = STACKREADER_NONE;

    *complete = false;
    *activity = NULL;
    if (!ps_without_gil_take_reader(state))
        return NULL;
    if (w->facts.processes.count > 0)
        process = report_add_process(report);
    if (process)
        result = read_report(state, &report->arena, process, limit, locals, activity);
    ps_without_gil_return_reader(state);
    *complete = result == STACKREADER_ALL && !report->arena.failed;
    return result == STACKREADER_NONE || report->arena.failed ? NULL : process;
}
