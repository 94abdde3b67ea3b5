/* SPDX-License-Identifier: BSD-3-Clause */
#include "stackreader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "code.h"
#include "dicts.h"
#include "frames.h"
#include "gil.h"
#include "stdlib_waits.h"
#include "locals.h"
#include "lock_report.h"
#include "memory_limit.h"
#include "memory_pages.h"
#include "thread_names.h"
#include "native_threads.h"
#include "objects.h"
#include "python_process.h"
#include "schema.h"
#include "stack.h"
#include "waits.h"

#define FRAMES_MAX       100000
#define CHUNK_MAX        0x100000
#define THREADS_MAX      100000
#define INTERPRETERS_MAX 1000

struct stackreader {
    struct python python; /* with a limit for its memory; only stackreader_read may use it */
    struct python plain;  /* the same process without a limit */
    struct memory_limit limit;
    struct memory_pages pages; /* those of `python` that are kept; only if reading is slow */
    struct raw_stack stack;
    struct code_cache cache;
    struct stdlib stdlib; /* that of the interpreter whose threads are being read */
    struct value_room values;
    struct thread_facts facts, facts_again;
    struct lock_report locks;
    uint64_t *states, *states_after; /* two arrays for THREADS_MAX addresses each */
    struct thread_check *checks;     /* for each thread of the report */
    bool refuses_locks;
    size_t size; /* bytes of the mapping that contains this struct and all its arrays */
};

static size_t page_up(size_t size)
{
    return (size + 4095) & ~(size_t)4095;
}

struct stackreader *stackreader_new(const struct memory *memory, const struct offsets *offsets,
                                    uint64_t runtime, const char **why)
{
    size_t self = page_up(sizeof(struct stackreader));
    size_t frames = page_up(FRAMES_MAX * sizeof(struct raw_frame));
    size_t states = page_up(THREADS_MAX * sizeof(uint64_t));
    size_t checks = page_up(THREADS_MAX * sizeof(struct thread_check));
    size_t codes = page_up(CODE_CACHE_SIZE * sizeof(struct code));
    size_t pages = memory->is_slow ? (size_t)PAGES_COPIES * PAGE_BYTES : 0;
    size_t size = self + frames + 2 * states + checks + codes + CHUNK_MAX + LINES_ROOM + pages;
    struct stackreader *r;
    char *at;

    *why = NULL;
    if (offsets->minor < OFFSETS_MINOR_MIN || offsets->minor > OFFSETS_MINOR_MAX)
        *why = "this version of Python is not known (known: 3.9 to 3.15)";
    else if (offsets->free_threaded)
        *why = "free-threaded builds of Python are not supported";
    if (*why)
        return NULL;
    at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
              0);
    if (at == MAP_FAILED) {
        *why = "no memory";
        return NULL;
    }
    r = (struct stackreader *)(void *)at;
    r->size = size;
    r->plain = (struct python){*memory, offsets, runtime};
    r->pages.memory = *memory;
    r->pages.copies = (unsigned char(*)[PAGE_BYTES])(void *)(at + size - pages);
    r->limit.memory = memory->is_slow ? memory_pages(&r->pages) : *memory;
    r->python = (struct python){memory_limit(&r->limit), offsets, runtime};
    at += self;
    r->stack.frames = (struct raw_frame *)(void *)at;
    r->stack.room = FRAMES_MAX;
    at += frames;
    r->states = (uint64_t *)(void *)at;
    r->states_after = r->states + states / sizeof(uint64_t);
    at += 2 * states;
    r->checks = (struct thread_check *)(void *)at;
    at += checks;
    r->cache.codes = (struct code *)(void *)at;
    at += codes;
    r->stack.chunk = (unsigned char *)at;
    r->stack.chunk_room = CHUNK_MAX;
    r->cache.lines = r->stack.chunk + CHUNK_MAX;
    return r;
}

void stackreader_free(struct stackreader *r)
{
    if (r)
        munmap(r, r->size);
}

void stackreader_refuse_locks(struct stackreader *r)
{
    r->refuses_locks = true;
}

bool stackreader_reads_locks(const struct stackreader *r)
{
    return !r->refuses_locks;
}

/* Makes the reader forget what it has read of the objects of the process. Does not make it forget
 * files, functions and lines of frames. */
static void forget(struct stackreader *r)
{
    memory_forget(&r->python.memory);
    value_room_clear(&r->values);
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* Removes the items that repeat because the list has a cycle. items: the first `count` items of the
 * list. The item that follows them in the list is equal to items[found]. Returns the number of
 * items that are left. */
static size_t without_cycle(const uint64_t *items, size_t count, size_t found)
{
    size_t length = count - found, i;

    for (i = 0; i + length < count; i++) {
        if (items[i] == items[i + length])
            return i + length;
    }
    return count;
}

/* Writes the addresses of the structs of a list to `items`, at most `room` of them, and sets *count
 * to their number. first: the address of the first struct, or 0. next: the offset of the pointer to
 * the next struct. The list may change meanwhile. Returns false if the whole list could not be
 * read: the list is too long or has no end, or a struct cannot be read. */
static bool read_list(const struct python *py, uint64_t first, int next, uint64_t *items,
                      size_t room, size_t *count)
{
    uint64_t item = first;
    size_t found = 0; /* an index of the form 2^n - 1, as in Brent's algorithm for finding cycles */

    for (*count = 0; item; (*count)++) {
        if (*count == room)
            return false;
        if (*count > 0 && item == items[found]) {
            *count = without_cycle(items, *count, found);
            return false;
        }
        items[*count] = item;
        if (*count == 2 * found + 1)
            found = *count;
        if (!read_member(py, item, next, &item))
            return false;
    }
    return true;
}

#define LIST_TRIES 3

/* Lists the thread states of an interpreter, the newest first, as read_list does. Tries again if
 * threads end meanwhile. */
static bool list_states(const struct python *py, uint64_t interpreter, uint64_t *states,
                        size_t room, size_t *count)
{
    uint64_t first;
    int i;

    for (i = 0; i < LIST_TRIES; i++) {
        *count = 0;
        if (read_member(py, interpreter, py->offsets->interpreter.threads, &first) &&
            read_list(py, first, py->offsets->thread.next, states, room, count))
            return true;
    }
    return false;
}

static void set_ids(struct stackreader *r, struct arena *arena, struct report_thread *t,
                    uint64_t state)
{
    const struct python *py = &r->python;
    uint64_t value;
    char id[32];
    int len;

    if (read_member(py, state, py->offsets->thread.ident, &value)) {
        t->ident = (int64_t)value;
        len = snprintf(id, sizeof(id), "thread:%" PRIu64, value);
        t->id = report_text_in(arena, id, (size_t)len);
    }
    if (read_member(py, state, py->offsets->thread.native_id, &value))
        t->native_id = (int64_t)value;
}

/* In glibc, the result of pthread_self() is a pointer to a struct that contains the kernel's ID of
 * the thread. This is the offset of the ID in this struct, in bytes. An ID that was read from such
 * a struct is used only if the process has a thread with this ID. */
#if defined __x86_64__
#define PTHREAD_TID 0x2d0
#elif defined __aarch64__
#define PTHREAD_TID 0xd0
#endif

/* Returns the kernel's ID of the thread with this ident, from the memory of its C library.
 * REPORT_UNKNOWN: not found. */
static int64_t native_id_of(const struct memory *m, int64_t ident)
{
#ifdef PTHREAD_TID
    int32_t id;

    if (memory_read(m, (uint64_t)ident + PTHREAD_TID, &id, sizeof(id)) && id > 0 &&
        m->has_thread(m, id))
        return id;
#else
    (void)m;
    (void)ident;
#endif
    return REPORT_UNKNOWN;
}

/* Sets native_id if it is not known, or if the process has no thread with this id. After a fork,
 * Python may still store the id of a thread of the parent process. */
static void check_native_id(const struct stackreader *r, struct report_thread *t)
{
    const struct memory *m = &r->python.memory;

    if (!m->has_thread || (t->native_id != REPORT_UNKNOWN && t->native_id > 0 &&
                           t->native_id <= INT32_MAX && m->has_thread(m, (pid_t)t->native_id)))
        return;
    t->native_id = native_id_of(m, t->ident);
}

/* Sets `repr` of a thread that the module threading does not know. */
static void set_title(struct arena *arena, struct report_thread *t)
{
    const char *format = t->main == BOOL_TRUE ? "<main thread %" PRId64 ">"
                                              : "<thread %" PRId64 " (not started by threading)>";
    char text[64];
    int len;

    if (t->repr.data || t->ident == REPORT_UNKNOWN)
        return;
    len = snprintf(text, sizeof(text), format, t->ident);
    t->repr = report_text_in(arena, text, (size_t)len);
    if (t->repr.data)
        t->repr_status = STATUS_OK;
}

static bool is_shown(const struct python *py, const struct raw_frame *f)
{
    bool valid = f->read && f->read->valid;

    return frame_is_shown(py, f, valid ? f->read->members.first_traceable : 0);
}

static void set_frame(const struct raw_frame *from, struct report_frame *to)
{
    to->source_status = STATUS_SKIPPED;
    if (!from->read || !from->read->valid)
        return;
    to->file = from->read->file;
    to->function = from->read->name;
    to->qualname = from->read->qualname;
    to->line = from->line;
}

/* Copies the frames in r->stack into the report, the outermost first. Returns false if the arena is
 * full. */
static bool set_frames(struct stackreader *r, struct arena *arena, struct report_thread *t)
{
    struct raw_frame *f, *end = r->stack.frames + r->stack.count;
    struct report_frame *to;
    size_t shown = 0;

    for (f = r->stack.frames; f < end; f++)
        shown += is_shown(&r->python, f);
    t->frames.items = schema_make(arena, &schema_frame, shown);
    if (!t->frames.items)
        return false;
    t->frames.count = shown;
    for (f = r->stack.frames, to = t->frames.items + shown; f < end; f++) {
        f->index = -1;
        if (!is_shown(&r->python, f))
            continue;
        set_frame(f, --to);
        f->index = to - t->frames.items;
    }
    return !arena->failed;
}

/* Returns the thread's native id if its CPU clock may be used, else 0. In 3.12, a thread
 * state of a subinterpreter may have the native id of the thread that created the thread state,
 * although another thread uses it. So this function returns 0 for threads of subinterpreters. */
static pid_t clock_of(const struct report_thread *t)
{
    return t->interpreter == 0 && t->native_id != REPORT_UNKNOWN ? (pid_t)t->native_id : 0;
}

/* ---- Locks ----------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct thread_facts *facts)
{
    const unsigned char *bytes = (const unsigned char *)facts;
    const size_t size = offsetof(struct thread_facts, hold) + facts->holds * sizeof(*facts->hold);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    size_t i;

    for (i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Gathers the facts about locks of the thread whose frames are in r->stack into r->facts. If the
 * thread runs meanwhile, gathers them twice. Returns false if it is not known that all facts are of
 * the same moment. */
static bool gather_facts(struct stackreader *r, pid_t native_id)
{
    const struct python *py = &r->python;
    const struct memory *m = &py->memory;

    if (r->stack.state != FRAMES_EXACT)
        return false;
    waits_gather(py, &r->stdlib, &r->values, &r->stack, native_id, &r->facts);
    if (r->stack.activity >= 0 && m->activity(m, native_id) == r->stack.activity)
        return true;
    if (!frames_are_same(py, native_id, &r->stack))
        return false;
    forget(r);
    waits_gather(py, &r->stdlib, &r->values, &r->stack, native_id, &r->facts_again);
    return frames_are_same(py, native_id, &r->stack) &&
           memcmp((const void *)&r->facts, (const void *)&r->facts_again, sizeof(r->facts)) == 0;
}

/* Sets the members `waits` and `holds` of a thread whose frames are in r->stack. */
static void set_locks(struct stackreader *r, struct arena *arena, struct report_thread *t,
                      struct thread_check *check)
{
    struct lock_reporting reporting = {.py = &r->python,
                                       .report = &r->locks,
                                       .cache = &r->cache,
                                       .room = &r->values,
                                       .arena = arena};

    if (!gather_facts(r, clock_of(t)))
        return;
    check->hash = hash_of(&r->facts);
    lock_report_thread(&reporting, &r->stack, &r->facts, t);
}

/* ---- Local variables ------------------------------------------------------------------------- */

/* Sets the local variables of a thread whose frames are in r->stack. If the thread runs meanwhile,
 * leaves its local variables unknown. */
static void set_locals(struct stackreader *r, struct arena *arena, struct report_thread *t)
{
    const struct raw_frame *f, *end = r->stack.frames + r->stack.count;
    struct report_frame *to;

    if (r->stack.state != FRAMES_EXACT)
        return;
    for (f = r->stack.frames; f < end; f++) {
        if (f->index >= 0 && f->read && f->read->valid)
            locals_read(&r->python, &r->values, arena, f, &t->frames.items[f->index]);
    }
    if (frames_are_same(&r->python, clock_of(t), &r->stack))
        return;
    for (to = t->frames.items; to < t->frames.items + t->frames.count; to++) {
        to->locals.items = NULL;
        to->locals.count = 0;
    }
}

/* True if a thread still waits for the same object, and holds the same objects, as when the thread
 * was read. */
static bool locks_are_same(struct stackreader *r, const struct report_thread *t,
                           const struct thread_check *check)
{
    const struct memory *m = &r->python.memory;
    pid_t native_id = clock_of(t);
    int i;

    if (check->activity >= 0 && m->activity(m, native_id) == check->activity)
        return true;
    value_room_clear(&r->values);
    for (i = 0; i < STACK_TRIES; i++) {
        frames_read(&r->python, check->state, native_id, &r->stack);
        if (r->stack.state != FRAMES_MOVING)
            break;
        frames_wait();
    }
    return gather_facts(r, native_id) && hash_of(&r->facts) == check->hash;
}

/* Goes through the threads from the index `first` on. If a thread has run since its waits and holds
 * were read, reads them a second time, and removes them if they have changed. So all waits and
 * holds that are left were true at the same moment. */
static void read_locks_again(struct stackreader *r, struct report_process *p, size_t first)
{
    size_t i;

    for (i = first; i < p->threads.count; i++) {
        struct report_thread *t = &p->threads.items[i];

        if (!t->waits && t->holds.count == 0)
            continue;
        if (locks_are_same(r, t, &r->checks[i]))
            continue;
        t->waits = NULL;
        t->holds.items = NULL;
        t->holds.count = 0;
    }
}

/* Sets all members of a thread that do not depend on its frames. Returns the thread's activity. */
static int64_t set_thread(struct stackreader *r, struct arena *arena, struct report_thread *t,
                          struct names *names, uint64_t state)
{
    const struct memory *m = &r->python.memory;

    set_ids(r, arena, t, state);
    names_fill(&r->python, names, arena, t);
    check_native_id(r, t);
    t->main = BOOL_FALSE;
    if (t->native_id != REPORT_UNKNOWN)
        t->main =
            t->native_id == r->python.memory.pid && t->interpreter == 0 ? BOOL_TRUE : BOOL_FALSE;
    set_title(arena, t);
    return m->activity && clock_of(t) > 0 ? m->activity(m, clock_of(t)) : -1;
}

/* Sets the frames of a thread. activity: the result of set_thread. Returns false if the arena is
 * full. */
static bool set_stack(struct stackreader *r, struct arena *arena, struct report_thread *t,
                      uint64_t state, int64_t activity)
{
    stack_read(&r->python, &r->cache, arena, state, clock_of(t), activity, &r->stack);
    if (r->stack.activity < 0 || r->stack.activity != activity)
        value_room_clear(&r->values);
    if (r->stack.state == FRAMES_UNREADABLE)
        return !arena->failed;
    t->exact = r->stack.state == FRAMES_EXACT && !r->stack.cut ? BOOL_TRUE : BOOL_FALSE;
    return set_frames(r, arena, t);
}

/* ---- Interpreters ---------------------------------------------------------------------------- */

/* Lists the interpreters, the newest first, as read_list does. */
static bool list_interpreters(const struct python *py, uint64_t *list, size_t room, size_t *count)
{
    uint64_t first;

    *count = 0;
    return read_member(py, py->runtime, py->offsets->runtime.interpreters, &first) &&
           read_list(py, first, py->offsets->interpreter.next, list, room, count);
}

/* The arguments that the functions below share. */
struct reading {
    struct stackreader *reader;
    struct arena *arena;
    struct report_process *process;
    const struct stackreader_wish *wish;
    bool locks;          /* read also what threads wait for and hold */
    uint64_t gil_holder; /* the address of a thread state, or 0 */
    int64_t holder;      /* the ident of that thread; REPORT_UNKNOWN: not read */
    bool cut;            /* not all threads were read */
    int64_t limit;       /* how much may be read in all */
};

static void set_moving(struct report_thread *t)
{
    if (t->exact == BOOL_TRUE)
        t->exact = BOOL_FALSE;
}

static void move_thread(const struct reading *from, size_t at, size_t to)
{
    from->process->threads.items[to] = from->process->threads.items[at];
    from->reader->checks[to] = from->reader->checks[at];
}

/* Removes the threads that ended while the threads were read, because the memory of such a thread
 * may have been reused before it was read. Begins at index `first` of the report's threads.
 *
 * states: the list of thread states before the threads were read, the newest first. The threads
 * were read in the reverse order, beginning with states[count - 1]. New thread states are inserted
 * at the head of the list, so the old ones keep their order. If the list cannot be read again,
 * marks the threads as moving. */
static void remove_ended(struct reading *from, uint64_t interpreter, const uint64_t *states,
                         size_t count, size_t first)
{
    struct stackreader *r = from->reader;
    struct report_process *p = from->process;
    size_t left, kept = first, read = first, i;
    uint64_t ident;

    if (!list_states(&r->python, interpreter, r->states_after, THREADS_MAX, &left)) {
        from->cut = true;
        for (i = first; i < p->threads.count; i++)
            set_moving(&p->threads.items[i]);
        return;
    }
    for (i = count; i > 0 && read < p->threads.count; i--, read++) {
        if (left == 0 || r->states_after[left - 1] != states[i - 1])
            continue;
        left--;
        if (read_member(&r->python, states[i - 1], r->python.offsets->thread.ident, &ident) &&
            (int64_t)ident == p->threads.items[read].ident)
            move_thread(from, read, kept++);
    }
    p->threads.count = kept;
}

static bool is_enough(const struct reading *from)
{
    size_t max = from->wish->max_threads;

    return max > 0 && from->process->threads.count >= max;
}

/* Adds the threads of an interpreter to the report, without their frames, and reads their activity.
 * states: `count` thread states, the newest first. */
static void list_threads(struct reading *from, uint64_t interpreter, const uint64_t *states,
                         size_t count)
{
    struct stackreader *r = from->reader;
    struct report_process *p = from->process;
    struct names names;
    uint64_t id = 0;
    size_t i;

    names_find(&r->python, interpreter, &names);
    read_member(&r->python, interpreter, r->python.offsets->interpreter.id, &id);
    if (id == 0 && names.known)
        p->exiting = names.shuts_down ? BOOL_TRUE : BOOL_FALSE;
    for (i = count; i > 0 && !is_enough(from) && r->limit.left >= 0; i--, p->threads.count++) {
        struct report_thread *t = &p->threads.items[p->threads.count];
        struct thread_check *check = &r->checks[p->threads.count];

        memset(t, 0, sizeof(*t));
        schema_init(&schema_thread, t);
        t->interpreter = (int64_t)id;
        *check = (struct thread_check){.state = states[i - 1], .is_first = i == count};
        check->activity = set_thread(r, from->arena, t, &names, states[i - 1]);
    }
}

/* Reads the frames, the local variables and the locks of a thread of the report. Returns false if
 * the arena is full, or too much was read. */
static bool fill_thread(struct reading *from, size_t index)
{
    struct stackreader *r = from->reader;
    struct report_process *p = from->process;
    struct report_thread *t = &p->threads.items[index];
    struct thread_check *check = &r->checks[index];

    if (!set_stack(r, from->arena, t, check->state, check->activity) || r->limit.left < 0)
        return false;
    check->activity = r->stack.activity;
    if (from->wish->locals && !r->refuses_locks && r->limit.left > from->limit / 2)
        set_locals(r, from->arena, t);
    if (from->locks)
        set_locks(r, from->arena, t, check);
    if (p->gil && check->state == from->gil_holder) {
        p->gil->holder = t->id;
        from->holder = t->ident;
    }
    return true;
}

/* Reads the threads of one interpreter. Sets from->cut if some of them were not read, because the
 * arena is full, max_threads is reached, or too much was read. */
static void add_threads(struct reading *from, uint64_t interpreter, const uint64_t *states,
                        size_t count)
{
    struct stackreader *r = from->reader;
    struct report_process *p = from->process;
    size_t first = p->threads.count, end, i;

    memory_forget(&r->python.memory);
    list_threads(from, interpreter, states, count);
    end = p->threads.count;
    /* What is read from here on is not older than the activity of each thread. */
    forget(r);
    code_cache_clear(&r->cache);
    if (from->locks && end > first)
        stdlib_find(&r->python, interpreter, &r->stdlib);
    for (i = first; i < end && fill_thread(from, i); i++) {
    }
    p->threads.count = i;
    if (i < first + count)
        from->cut = true;
    memory_forget(&r->python.memory);
    remove_ended(from, interpreter, states, count, first);
    if (from->locks)
        read_locks_again(r, p, first);
}

static bool is_skipped(const struct reading *from, int64_t ident)
{
    size_t i;

    if (ident == from->holder)
        return false;
    for (i = 0; i < from->wish->skipped; i++) {
        if ((int64_t)from->wish->skip[i] == ident)
            return true;
    }
    return false;
}

static void remove_skipped(struct reading *from)
{
    struct report_process *p = from->process;
    size_t kept = 0, i;

    for (i = 0; i < p->threads.count; i++) {
        if (!is_skipped(from, p->threads.items[i].ident))
            move_thread(from, i, kept++);
    }
    p->threads.count = kept;
}

/* Sets process->gil to the state of an interpreter's GIL, and from->gil_holder to its holder. */
static void set_gil(struct reading *from, uint64_t interpreter)
{
    struct report_gil *to = schema_make(from->arena, &schema_gil, 1);
    struct gil gil;

    from->process->gil = to;
    if (!to)
        return;
    to->state = GIL_UNKNOWN;
    if (!gil_read(&from->reader->python, interpreter, &gil))
        return;
    to->state = gil.locked ? GIL_HELD : GIL_FREE;
    from->gil_holder = gil.locked ? gil.holder : 0;
}

/* True if no thread state of the process has this ident. context: a struct reading. */
static bool has_ended(void *context, uint64_t ident)
{
    struct reading *from = context;
    struct stackreader *r = from->reader;
    uint64_t interpreters[INTERPRETERS_MAX], other;
    size_t count, states, i, j;

    if (!list_interpreters(&r->python, interpreters, INTERPRETERS_MAX, &count))
        return false;
    for (i = 0; i < count; i++) {
        if (!list_states(&r->python, interpreters[i], r->states_after, THREADS_MAX, &states))
            return false;
        for (j = 0; j < states; j++) {
            if (!read_member(&r->python, r->states_after[j], r->python.offsets->thread.ident,
                             &other) ||
                other == ident)
                return false;
        }
    }
    return count > 0;
}

static void finish_locks(struct reading *from)
{
    struct stackreader *r = from->reader;
    struct lock_reporting reporting = {.py = &r->python,
                                       .report = &r->locks,
                                       .cache = &r->cache,
                                       .room = &r->values,
                                       .arena = from->arena,
                                       .skip = from->wish->skip,
                                       .skipped = from->wish->skipped};

    forget(r); /* the locks must be read after read_locks_again */
    lock_report_finish(&reporting, from->process, has_ended, from);
}

/* Reads the interpreters and their threads. Returns false if there is no interpreter, or if the
 * arena is full. */
static bool read_interpreters(struct reading *from)
{
    struct stackreader *r = from->reader;
    uint64_t interpreters[INTERPRETERS_MAX], oldest;
    size_t counts[INTERPRETERS_MAX], count, total = 0, i;

    from->cut = !list_interpreters(&r->python, interpreters, INTERPRETERS_MAX, &count);
    for (i = count; i > 0; i--) {
        if (!list_states(&r->python, interpreters[i - 1], r->states + total, THREADS_MAX - total,
                         &counts[i - 1]))
            from->cut = true;
        total += counts[i - 1];
    }
    from->process->threads.items = schema_make(from->arena, &schema_thread, total);
    if (count == 0 || !from->process->threads.items)
        return false;
    oldest = interpreters[count - 1]; /* the main interpreter */
    set_gil(from, from->wish->interpreter ? from->wish->interpreter : oldest);
    for (i = count, total = 0; i > 0; i--) {
        add_threads(from, interpreters[i - 1], r->states + total, counts[i - 1]);
        total += counts[i - 1];
    }
    return true;
}

enum stackreader_result stackreader_read(struct stackreader *r, struct arena *arena,
                                         struct report_process *process,
                                         const struct stackreader_wish *wish)
{
    static const struct stackreader_wish all;
    struct reading reading = {.reader = r,
                              .arena = arena,
                              .process = process,
                              .wish = wish ? wish : &all,
                              .locks = wish && wish->locks && !r->refuses_locks,
                              .holder = REPORT_UNKNOWN};

    forget(r);
    code_cache_clear(&r->cache); /* its texts belong to the arena of an earlier report */
    lock_report_clear(&r->locks);
    reading.limit = reading.wish->limit > 0 ? reading.wish->limit : STACKREADER_LIMIT;
    r->limit.left = reading.limit;
    if (!read_interpreters(&reading) || process->threads.count == 0)
        return STACKREADER_NONE;
    remove_skipped(&reading);
    if (!reading.wish->states)
        native_threads_join(&r->python, arena, process, r->checks, r->states);
    if (reading.locks)
        finish_locks(&reading);
    return reading.cut || r->limit.left < 0 ? STACKREADER_CUT : STACKREADER_ALL;
}

void stackreader_begin_frames(struct stackreader *r)
{
    value_room_clear(&r->values);
}

bool stackreader_frame(struct stackreader *r, uint64_t address, struct stackreader_frame *to)
{
    struct entered_with withs[WITH_BLOCKS_MAX];
    struct raw_frame frame;
    struct code_shape *shape;
    size_t i;

    *to = (struct stackreader_frame){0};
    if (r->refuses_locks || !frame_read_one(&r->plain, address, &frame) ||
        frame_is_shim(&r->plain, &frame))
        return false;
    shape = value_shape(&r->plain, &r->values, frame.code);
    if (shape && shape->locals > 0)
        value_local(&r->plain, &frame, 0, &to->first_argument);
    to->managers = value_stack_withs(&r->plain, &r->values, &frame, withs);
    for (i = 0; i < to->managers; i++) {
        to->manager[i].address = withs[i].manager;
        to->manager[i].enter = withs[i].enter;
    }
    return true;
}

int64_t stackreader_activity(const struct stackreader *r, size_t index)
{
    return r->checks[index].activity;
}

bool stackreader_call(struct stackreader *r, size_t index, struct stackreader_call *to)
{
    const struct thread_check *check = &r->checks[index];
    const struct raw_frame *f = &r->stack.frames[0];
    struct c_call call;

    if (r->refuses_locks)
        return false;
    value_room_clear(&r->values);
    frames_read(&r->python, check->state, 0, &r->stack);
    if (r->stack.state == FRAMES_UNREADABLE || r->stack.count == 0 || !f->code ||
        frame_is_shim(&r->python, f) || !value_stack_call(&r->python, &r->values, f, &call))
        return false;
    *to = (struct stackreader_call){f->address, f->at};
    return true;
}

/* Returns the address of the main interpreter; 0: there is none. */
static uint64_t main_interpreter(const struct stackreader *r)
{
    uint64_t interpreters[INTERPRETERS_MAX];
    size_t count;

    list_interpreters(&r->plain, interpreters, INTERPRETERS_MAX, &count);
    return count > 0 ? interpreters[count - 1] : 0;
}

void stackreader_set_absent(const struct stackreader *r, struct arena *arena,
                            struct report_process *process)
{
    static const char *const names[] = {"greenlet", "asyncio.tasks"};
    uint64_t interpreters[INTERPRETERS_MAX], imported[2];
    bool greenlet = false, asyncio = false;
    const struct python py = {r->limit.memory, r->plain.offsets, r->plain.runtime};
    struct dict modules;
    size_t count, i;

    memory_forget(&py.memory);
    if (!list_interpreters(&py, interpreters, INTERPRETERS_MAX, &count))
        return;
    for (i = 0; i < count; i++) {
        if (!modules_open(&py, interpreters[i], &modules))
            return;
        dict_find_all(&py, &modules, names, 2, imported);
        greenlet |= imported[0] != 0;
        asyncio |= imported[1] != 0;
    }
    if (!greenlet)
        process->greenlets.items = arena_array(arena, 0, sizeof(*process->greenlets.items));
    if (!asyncio)
        process->tasks.items = arena_array(arena, 0, sizeof(*process->tasks.items));
}

bool stackreader_gil(const struct stackreader *r, uint64_t interpreter, struct gil *gil)
{
    if (interpreter == 0)
        interpreter = main_interpreter(r);
    return gil_read(&r->plain, interpreter, gil);
}

pid_t stackreader_native_id(const struct stackreader *r, uint64_t state)
{
    uint64_t id;

    if (!read_member(&r->plain, state, r->plain.offsets->thread.native_id, &id))
        return 0;
    return id <= INT32_MAX ? (pid_t)id : 0;
}
