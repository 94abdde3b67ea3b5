/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dicts.h"
#include "lock_names.h"
#include "locks.h"
#include "objects.h"
#include "schema.h"

static const char *const kind_words[LOCK_KINDS] = {
    [LOCK_PLAIN] = "lock",
    [LOCK_RLOCK] = "rlock",
    [LOCK_SEMLOCK] = "semlock",
    [LOCK_CONDITION] = "condition",
    [LOCK_SEMAPHORE] = "semaphore",
    [LOCK_EVENT] = "event",
    [LOCK_BARRIER] = "barrier",
    [LOCK_QUEUE] = "queue",
    [LOCK_QUEUE_GET] = "queue-get",
    [LOCK_QUEUE_PUT] = "queue-put",
    [LOCK_QUEUE_JOIN] = "queue-join",
    [LOCK_FUTURE] = "future",
    [LOCK_FUTURES] = "futures",
    [LOCK_THREAD] = "thread",
    [LOCK_IMPORT] = "import",
    [LOCK_DATABASE] = "database",
    [LOCK_PROCESS] = "process",
    [LOCK_CHILD] = "child",
    [LOCK_WORKERS] = "workers",
    [LOCK_BUFFER] = "buffer",
};

/* Returns the kind of the object for which a thread waits. wait: the kind of the wait. */
static enum lock_kind object_kind(enum lock_kind wait)
{
    return wait >= LOCK_QUEUE_GET && wait <= LOCK_QUEUE_JOIN ? LOCK_QUEUE : wait;
}

static struct report_text kind_text(enum lock_kind kind)
{
    const char *word = kind_words[kind];

    return (struct report_text){word, word ? strlen(word) : 0};
}

/* Formats a number into a text of the arena. The text ends with a NUL. */
static struct report_text number_text(struct arena *arena, const char *prefix, bool hexadecimal,
                                      uint64_t number)
{
    char text[64];
    int len = hexadecimal ? snprintf(text, sizeof(text), "%s%#" PRIx64, prefix, number)
                          : snprintf(text, sizeof(text), "%s%" PRIu64, prefix, number);

    return report_text_in(arena, text, (size_t)len);
}

/* ---- The table of objects -------------------------------------------------------------------- */

void lock_report_clear(struct lock_report *r)
{
    size_t i;

    for (i = 0; i < r->count; i++)
        memset(r->used[i], 0, sizeof(*r->used[i]));
    r->count = 0;
    r->managers = 0;
    r->releases = 0;
}

/* Returns the entry of an object. If the object has no entry, returns the free entry to use for it.
 */
static struct lock_object *slot_of(struct lock_report *r, uint64_t address)
{
    size_t i = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32;

    for (;; i++) {
        struct lock_object *o = &r->objects[i & (LOCK_OBJECTS_MAX - 1)];

        if (o->address == address || !o->address)
            return o;
    }
}

/* Returns the entry of an object. If the object has no entry, makes one. Returns NULL if there is
 * no room for a new entry. */
static struct lock_object *object_entry(const struct lock_reporting *l, enum lock_kind kind,
                                        uint64_t address)
{
    struct lock_object *o = slot_of(l->report, address);

    if (o->address)
        return o;
    if (l->report->count >= LOCK_OBJECTS_MAX / 2)
        return NULL;
    *o = (struct lock_object){.address = address, .kind = kind};
    o->id = number_text(l->arena, "obj:", true, address);
    l->report->used[l->report->count++] = o;
    return o;
}

/* Returns the entry of the object with this id, or NULL if there is no such entry. The id comes
 * from a hold or a wait, so it may also be the id of a thread. */
static struct lock_object *entry_of_id(struct lock_report *r, struct report_text id)
{
    struct lock_object *o;

    if (!id.data || strncmp(id.data, "obj:", 4) != 0)
        return NULL;
    o = slot_of(r, strtoull(id.data + 4, NULL, 16));
    return o->address ? o : NULL;
}

/* ---- One thread ------------------------------------------------------------------------------ */

/* Returns the id of the thread of a Thread object, or an unknown text. */
static struct report_text thread_id(const struct lock_reporting *l, uint64_t thread)
{
    uint64_t ident, number;

    if (!attribute_find(l->py, thread, "_ident", &ident) ||
        !object_integer(l->py, ident, &number) || number == 0)
        return (struct report_text){NULL, 0};
    return number_text(l->arena, "thread:", false, number);
}

/* Returns the id "process:PID" of the process of a multiprocessing.Process or subprocess.Popen.
 * Returns an unknown text if it cannot be read, or if the object knows that the process has ended:
 * another process may have its ID. */
static struct report_text process_id(const struct lock_reporting *l, uint64_t process)
{
    uint64_t popen, value, id;

    if (!attribute_find(l->py, process, "_popen", &popen))
        popen = process;
    if (!attribute_find(l->py, popen, "returncode", &value) ||
        !object_type_is(l->py, object_type(l->py, value), "NoneType") ||
        !attribute_find(l->py, popen, "pid", &value) || !object_integer(l->py, value, &id))
        return (struct report_text){NULL, 0};
    return number_text(l->arena, "process:", false, id);
}

/* Returns what the code of a frame calls an object. Returns an unknown text for the lock of an
 * import, which the program does not see. For a SemLock, returns the name of the program's object,
 * which has the SemLock as its attribute _semlock. */
static struct report_text words_in(const struct lock_reporting *l, const struct raw_frame *frame,
                                   const struct lock_object *o)
{
    static const char inner[] = "._semlock";
    const size_t len = sizeof(inner) - 1;
    struct report_text words = {NULL, 0};

    if (o->kind == LOCK_IMPORT)
        return words;
    words = lock_name(l->py, l->room, l->arena, frame, o->address);
    if (o->kind == LOCK_SEMLOCK && words.len > len &&
        memcmp(words.data + words.len - len, inner, len) == 0)
        words.len -= len;
    return words;
}

/* Returns the class of a logging.Handler, and its file or name: "FileHandler /var/log/app.log". */
static struct report_text handler_text(const struct lock_reporting *l, uint64_t handler)
{
    struct report_text type = object_type_name(l->py, l->arena, object_type(l->py, handler));
    struct report_text name = {NULL, 0};
    uint64_t value;
    char *text;

    if (attribute_find(l->py, handler, "baseFilename", &value) ||
        attribute_find(l->py, handler, "_name", &value))
        name = object_text(l->py, l->arena, value);
    if (!type.data || !name.data || name.len == 0)
        return type;
    text = arena_alloc(l->arena, type.len + 1 + name.len);
    if (!text)
        return type;
    memcpy(text, type.data, type.len);
    text[type.len] = ' ';
    memcpy(text + type.len + 1, name.data, name.len);
    return (struct report_text){text, type.len + 1 + name.len};
}

/* Returns the name that the object of a wait has in the code of a frame, such as "self.lock". */
static struct report_text words_of_wait(const struct lock_reporting *l,
                                        const struct raw_frame *frame, const struct wait_fact *fact,
                                        const struct lock_object *o)
{
    static const struct report_text output = {"sys.stdout", 10};

    if (fact->is_output)
        return output;
    if (fact->file)
        return lock_name(l->py, l->room, l->arena, frame, fact->file);
    return words_in(l, frame, o);
}

static void set_wait(const struct lock_reporting *l, const struct raw_stack *stack,
                     const struct wait_fact *fact, struct report_thread *thread)
{
    struct report_wait *w;
    struct lock_object *o;

    if (fact->kind == LOCK_NONE || !fact->object)
        return;
    w = schema_make(l->arena, &schema_wait, 1);
    if (!w)
        return;
    if (fact->kind == LOCK_THREAD) {
        w->object = thread_id(l, fact->object);
    } else if (fact->kind == LOCK_PROCESS || fact->kind == LOCK_CHILD) {
        w->object = process_id(l, fact->object);
        if (!w->object.data)
            return;
    } else {
        o = object_entry(l, object_kind(fact->kind), fact->object);
        if (!o)
            return;
        w->object = o->id;
        o->owner_at = fact->owner;
        if (fact->handler && !o->handler.data)
            o->handler = handler_text(l, fact->handler);
        if (!fact->handler)
            w->words = words_of_wait(l, &stack->frames[fact->frame], fact, o);
        if (!o->words.data)
            o->words = w->words;
    }
    w->timed = fact->is_timed ? BOOL_TRUE : 0;
    w->kind = kind_text(fact->kind);
    w->certainty = fact->is_confirmed ? CERTAINTY_KNOWN : CERTAINTY_SEEN;
    if (fact->kind == LOCK_DATABASE)
        w->certainty = CERTAINTY_LIKELY; /* until a lock of a database is found */
    if (stack->frames[fact->frame].index >= 0)
        w->frame = stack->frames[fact->frame].index;
    thread->waits = w;
}

static struct report_since *make_since(const struct lock_reporting *l,
                                       const struct raw_frame *frame, int64_t enter)
{
    struct code *code;
    struct report_since *since;

    if (frame->index < 0)
        return NULL;
    since = schema_make(l->arena, &schema_since, 1);
    code = code_read(l->py, l->cache, l->arena, frame->code, NULL);
    if (!since || !code || !code->valid)
        return NULL;
    since->frame = frame->index;
    since->file = code->file;
    since->line = enter < 0 ? REPORT_UNKNOWN : code_line(l->py, l->cache, code, enter);
    return since;
}

static bool holds_already(const struct report_thread *thread, struct report_text id)
{
    size_t i;

    for (i = 0; i < thread->holds.count; i++) {
        if (thread->holds.items[i].object.data == id.data)
            return true;
    }
    return false;
}

/* Sets the holds of a thread, beginning with those of the outermost frame. So if the thread has
 * entered an RLock several times, `since` of the hold is the outermost `with`. */
static void set_holds(const struct lock_reporting *l, const struct raw_stack *stack,
                      const struct thread_facts *facts, struct report_thread *thread)
{
    struct lock_object *o;
    struct report_hold *h;
    size_t i;

    thread->holds.items = schema_make(l->arena, &schema_hold, facts->holds);
    for (i = facts->holds; thread->holds.items && i > 0; i--) {
        const struct hold_fact *fact = &facts->hold[i - 1];

        o = object_entry(l, fact->kind, fact->object);
        if (!o || holds_already(thread, o->id))
            continue;
        if (fact->kind == LOCK_FUTURE)
            o->pool = fact->pool;
        h = &thread->holds.items[thread->holds.count++];
        h->object = o->id;
        h->by = fact->by_with ? HOLD_BY_WITH : HOLD_BY_FRAME;
        h->certainty = fact->is_guess ? CERTAINTY_LIKELY : CERTAINTY_SEEN;
        if (!o->words.data && fact->kind != LOCK_FUTURE)
            o->words = words_in(l, &stack->frames[fact->frame], o);
        h->since = make_since(l, &stack->frames[fact->frame], fact->enter);
    }
}

void lock_report_thread(const struct lock_reporting *l, const struct raw_stack *stack,
                        const struct thread_facts *facts, struct report_thread *thread)
{
    size_t i;

    if (facts->manager && l->report->managers < MANAGERS_MAX)
        l->report->manager[l->report->managers++] = facts->manager;
    for (i = 0; i < facts->releases && l->report->releases < RELEASES_MAX; i++)
        l->report->released[l->report->releases++] = facts->released[i];
    set_wait(l, stack, &facts->wait, thread);
    set_holds(l, stack, facts, thread);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* True if this process was forked, and `owner`, the ident that an object stores as its owner, is
 * the ident of a thread of pystuck. In this case, a thread of the parent process had the object,
 * and the thread of pystuck was started later and got the same ident. */
static bool is_reused(const struct lock_reporting *l, uint64_t owner)
{
    size_t i;

    for (i = 0; l->py->memory.is_forked && i < l->skipped; i++) {
        if (l->skip[i] == owner)
            return true;
    }
    return false;
}

static void read_object(const struct lock_reporting *l, struct lock_object *o)
{
    struct lock_state state;
    uint64_t owner;

    o->is_read = lock_read(l->py, o->kind, o->address, &state);
    if (o->kind == LOCK_BUFFER && memory_pointer(&l->py->memory, o->owner_at, &state.owner))
        o->is_read = state.locked = state.owner != 0;
    o->locked = o->is_read && state.locked;
    o->owner = state.owner;
    o->is_reused = o->owner && is_reused(l, o->owner);
    if (o->kind == LOCK_IMPORT && attribute_find(l->py, o->address, "owner", &owner))
        o->locked = object_integer(l->py, owner, &o->owner) && o->owner != 0;
}

static void count_claims(const struct lock_reporting *l, const struct report_process *process)
{
    struct lock_object *o;
    size_t i, j;

    for (i = 0; i < process->threads.count; i++) {
        const struct report_thread *t = &process->threads.items[i];

        for (j = 0; j < t->holds.count; j++) {
            o = entry_of_id(l->report, t->holds.items[j].object);
            if (!o)
                continue;
            if (t->holds.items[j].certainty == CERTAINTY_LIKELY)
                o->guesses++;
            else
                o->claims++;
        }
    }
}

/* Returns how many holders an object can have: all threads of which a hold is reported, and the
 * owner of the object. */
static size_t holders_room(const struct lock_object *o)
{
    return o->claims + o->guesses + 1;
}

static bool is_holder(const struct report_object *r, struct report_text id)
{
    size_t i;

    for (i = 0; i < r->holders.count; i++) {
        if (text_equals(r->holders.items[i], id))
            return true;
    }
    return false;
}

/* Adds a thread to the holders of an object, unless the thread is already among the holders. The
 * same thread may come several times, because a thread has a thread state in each interpreter in
 * which it runs, and because damaged memory may repeat an ident without end. */
static void add_holder(struct lock_object *o, const struct report_thread *t)
{
    struct report_object *r = o->report;

    if (r && r->holders.items && r->holders.count < holders_room(o) && !is_holder(r, t->id))
        r->holders.items[r->holders.count++] = t->id;
}

/* True if a frame may have released the Lock, and its function does not acquire locks. */
static bool is_released_elsewhere(const struct lock_report *r, const struct lock_object *o)
{
    size_t i;

    for (i = 0; i < r->releases; i++) {
        if (r->released[i] == o->address)
            return true;
    }
    return false;
}

/* How certain it is that the thread that an object stores as its owner has the object. Any process
 * may release a Lock of multiprocessing, and the owner's process does not learn of this. */
static enum report_certainty owner_certainty(const struct lock_reporting *l,
                                             const struct lock_object *o)
{
    return o->kind == LOCK_SEMLOCK && !lock_is_recursive(l->py, o->address) ? CERTAINTY_SEEN
                                                                            : CERTAINTY_KNOWN;
}

/* Sets the certainty of a hold. Returns false if the thread does not hold the object. */
static bool judge(const struct lock_reporting *l, const struct lock_object *o,
                  const struct report_thread *t, struct report_hold *h)
{
    if (o->is_read && !o->locked && (o->kind == LOCK_PLAIN || o->kind == LOCK_SEMLOCK))
        return false;
    if ((o->kind == LOCK_RLOCK || o->kind == LOCK_SEMLOCK) && o->is_read) {
        h->certainty = owner_certainty(l, o);
        if (h->certainty == CERTAINTY_KNOWN)
            h->by = HOLD_BY_OWNER;
        return o->owner == (uint64_t)t->ident;
    }
    if (o->kind == LOCK_PLAIN && o->claims == 1 && h->certainty == CERTAINTY_LIKELY)
        return false; /* it has released the lock, since another thread holds it */
    if (o->kind == LOCK_PLAIN && h->certainty == CERTAINTY_LIKELY && h->by == HOLD_BY_FRAME &&
        is_released_elsewhere(l->report, o))
        return false;
    if (o->kind == LOCK_PLAIN && o->claims > 1)
        h->certainty = CERTAINTY_LIKELY;
    return true;
}

static void judge_holds(const struct lock_reporting *l, struct report_thread *t)
{
    struct lock_object *o;
    size_t kept = 0, i;

    for (i = 0; i < t->holds.count; i++) {
        o = entry_of_id(l->report, t->holds.items[i].object);
        if (!o || !judge(l, o, t, &t->holds.items[i]))
            continue;
        add_holder(o, t);
        t->holds.items[kept++] = t->holds.items[i];
    }
    t->holds.count = kept;
}

/* True if the object stores this thread as its owner, but the thread's holds do not contain the
 * object. */
static bool is_missing(const struct lock_object *o, const struct report_thread *t)
{
    return !o->is_reused && o->owner && o->owner == (uint64_t)t->ident && !holds_already(t, o->id);
}

/* Adds a hold for each object that stores this thread as its owner, unless the thread already has a
 * hold of the object. */
static void add_owned(const struct lock_reporting *l, struct report_thread *t)
{
    struct report_hold *items, *h;
    size_t missing = 0, i;

    for (i = 0; i < l->report->count; i++)
        missing += is_missing(l->report->used[i], t);
    if (missing == 0)
        return;
    items = schema_make(l->arena, &schema_hold, t->holds.count + missing);
    if (!items)
        return;
    if (t->holds.count > 0)
        memcpy(items, t->holds.items, t->holds.count * sizeof(*items));
    t->holds.items = items;
    for (i = 0; i < l->report->count; i++) {
        struct lock_object *o = l->report->used[i];

        if (!is_missing(o, t))
            continue;
        h = &t->holds.items[t->holds.count++];
        h->object = o->id;
        h->certainty = owner_certainty(l, o);
        h->by = HOLD_BY_OWNER;
        add_holder(o, t);
    }
}

/* Removes the wait of a thread if this wait cannot block, because it is for a Lock that is free, or
 * for an RLock that the thread itself holds. */
static void judge_wait(const struct lock_reporting *l, struct report_thread *t)
{
    const struct lock_object *o;

    if (!t->waits || t->waits->certainty == CERTAINTY_KNOWN)
        return;
    o = entry_of_id(l->report, t->waits->object);
    if (o && o->is_read && (!o->locked || (o->owner && o->owner == (uint64_t)t->ident)))
        t->waits = NULL;
}

/* Sets the holder_status of an object. If the thread that owns the object has ended, adds this
 * thread to the holders. */
static void set_status(const struct lock_reporting *l, struct lock_object *o,
                       bool (*has_ended)(void *, uint64_t), void *context)
{
    struct report_object *r = o->report;

    r->holder_status = HOLDER_NOT_KNOWN;
    if (o->is_read && !o->locked) {
        r->holder_status = HOLDER_FREE;
    } else if (r->holders.count > 0 &&
               (o->kind != LOCK_PLAIN || (r->holders.count == 1 && o->claims > 0))) {
        r->holder_status = HOLDER_KNOWN;
    } else if (o->owner && r->holders.items && (o->is_reused || has_ended(context, o->owner))) {
        r->holders.items[r->holders.count++] = number_text(l->arena, "thread:", false, o->owner);
        r->holder_status = l->py->memory.is_forked ? HOLDER_INHERITED : HOLDER_ENDED;
    }
}

/* Returns the name of an object's class. For some classes of CPython, the name is a constant of
 * this function, because the name in the memory may lack the module. */
static struct report_text type_of(const struct lock_reporting *l, const struct lock_object *o)
{
    static const char *const names[LOCK_KINDS] = {
        [LOCK_PLAIN] = "_thread.lock",
        [LOCK_SEMLOCK] = "_multiprocessing.SemLock",
        [LOCK_IMPORT] = "_frozen_importlib._ModuleLock",
    };

    if (names[o->kind])
        return (struct report_text){names[o->kind], strlen(names[o->kind])};
    return object_type_name(l->py, l->arena, object_type(l->py, o->address));
}

/* The attributes from which the numbers in the detail of an object are read. Only a
 * BoundedSemaphore has _initial_value, which is the number of threads that may acquire it at the
 * same time. */
static const struct {
    enum lock_kind kind;
    const char *attribute, *detail;
} numbers[] = {
    {LOCK_SEMAPHORE, "_initial_value", "permits"},
    {LOCK_BARRIER, "_parties", "parties"},
    {LOCK_BARRIER, "_count", "arrived"},
    {LOCK_QUEUE, "unfinished_tasks", "unfinished"},
};

#define NUMBERS (sizeof(numbers) / sizeof(*numbers))

/* The most other entries of a detail. This includes those that are added later, by
 * semaphores_find() (procfs/semaphores.h). */
#define DETAILS 8

static void add_numbers(const struct lock_reporting *l, const struct lock_object *o,
                        struct report_object *to)
{
    uint64_t value, number;
    size_t i;

    for (i = 0; i < NUMBERS; i++) {
        if (o->kind == numbers[i].kind &&
            attribute_find(l->py, o->address, numbers[i].attribute, &value) &&
            object_integer(l->py, value, &number))
            report_add_detail(to, numbers[i].detail, number_text(l->arena, "", false, number));
    }
    if (o->kind == LOCK_SEMLOCK && (number = lock_permits(l->py, o->address)) > 0)
        report_add_detail(to, "permits", number_text(l->arena, "", false, number));
    if (o->kind == LOCK_SEMLOCK && (number = lock_semaphore(l->py, o->address)) > 0)
        report_add_detail(to, "handle", number_text(l->arena, "", true, number));
}

static void set_detail(const struct lock_reporting *l, const struct lock_object *o,
                       struct report_object *to)
{
    static const struct report_text yes = {"yes", 3};
    uint64_t name;

    to->detail.items = arena_array(l->arena, NUMBERS + DETAILS, sizeof(*to->detail.items));
    if (!to->detail.items)
        return;
    if (o->kind == LOCK_IMPORT && attribute_find(l->py, o->address, "name", &name))
        report_add_detail(to, "module", object_text(l->py, l->arena, name));
    add_numbers(l, o, to);
    report_add_detail(to, "handler", o->handler);
    if (o->kind == LOCK_SEMLOCK && lock_is_recursive(l->py, o->address))
        report_add_detail(to, "recursive", yes);
    if (o->kind == LOCK_SEMLOCK && lock_is_released(l->py, o->address))
        report_add_detail(to, "released", yes);
    if (o->kind == LOCK_PLAIN && o->locked && l->py->memory.is_forked)
        report_add_detail(to, "forked", yes);
    if (to->detail.count == 0)
        to->detail.items = NULL;
}

static void fill_object(const struct lock_reporting *l, struct lock_object *o,
                        struct report_object *to)
{
    o->report = to;
    to->id = o->id;
    to->kind = kind_text(o->kind);
    to->words = o->words;
    to->type = type_of(l, o);
    set_detail(l, o, to);
    to->holders.items = arena_array(l->arena, holders_room(o), sizeof(*to->holders.items));
}

static void fill_objects(const struct lock_reporting *l, struct report_process *process)
{
    struct lock_report *r = l->report;
    size_t i;

    process->objects.items = schema_make(l->arena, &schema_object, r->count);
    for (i = 0; process->objects.items && i < r->count; i++) {
        read_object(l, r->used[i]);
        fill_object(l, r->used[i], &process->objects.items[process->objects.count++]);
    }
}

/* ---- Futures that no thread has begun -------------------------------------------------------- */

/* True if the object is a future that a thread of the pool computes. */
static bool is_computed_in(const struct lock_object *o, const struct pool *pool)
{
    return o->kind == LOCK_FUTURE && o->pool.queue == pool->queue && o->report->holders.count == 1;
}

/* Sets *to to the ids of all threads of a pool, if each of these threads computes a future. Returns
 * false if the pool has, or may have, threads that compute no future. */
static bool find_workers(const struct lock_reporting *l, const struct pool *pool, report_texts *to)
{
    const uint64_t max = pool_max_workers(l->py, pool);
    size_t i;

    if (max == 0 || max > l->report->count)
        return false;
    to->items = arena_array(l->arena, (size_t)max, sizeof(*to->items));
    to->count = 0;
    for (i = 0; to->items && i < l->report->count; i++) {
        if (!is_computed_in(l->report->used[i], pool))
            continue;
        if (to->count == max)
            return false;
        to->items[to->count++] = l->report->used[i]->report->holders.items[0];
    }
    return to->items && to->count == max;
}

static void set_queued(const struct lock_reporting *l, struct lock_object *o,
                       const report_texts *workers, struct report_text type)
{
    struct report_object *to = o->report;

    if (o->kind != LOCK_FUTURE || !to || to->holders.count > 0)
        return;
    to->detail.items = arena_array(l->arena, 1, sizeof(*to->detail.items));
    if (!to->detail.items || !type.data)
        return;
    to->holders = *workers;
    report_add_detail(to, "queued", type);
}

/* If all threads of a pool are busy, any of them may begin a future of the pool's queue. So the
 * threads of the pool become the holders of these futures. */
static void find_queued(const struct lock_reporting *l, const struct pool *pool)
{
    uint64_t futures[POOL_QUEUED_MAX];
    struct report_text type;
    report_texts workers;
    struct lock_object *o;
    size_t count, i;

    if (!find_workers(l, pool, &workers))
        return;
    type = object_type_name(l->py, l->arena, object_type(l->py, pool->executor));
    count = pool_queued(l->py, pool, futures);
    for (i = 0; i < count; i++) {
        o = slot_of(l->report, futures[i]);
        if (o->address)
            set_queued(l, o, &workers, type);
    }
}

#define POOLS_MAX 32 /* the most pools of which the queues are read */

/* Goes through all pools that have a busy thread. Looks in the queue of each pool for futures for
 * which threads wait. */
static void find_all_queued(const struct lock_reporting *l)
{
    uint64_t seen[POOLS_MAX];
    size_t count = 0, i, j;

    for (i = 0; i < l->report->count && count < POOLS_MAX; i++) {
        const struct lock_object *o = l->report->used[i];

        for (j = 0; j < count && seen[j] != o->pool.queue; j++) {
        }
        if (!o->pool.queue || j < count)
            continue;
        seen[count++] = o->pool.queue;
        find_queued(l, &o->pool);
    }
}

/* ---- Results of a multiprocessing.Pool ------------------------------------------------------- */

/* Makes processes the holders of an object. Returns false if there is no memory. */
static bool set_holders(const struct lock_reporting *l, struct report_object *to,
                        const uint64_t *ids, size_t count)
{
    size_t i;

    to->holders.items = arena_array(l->arena, count, sizeof(*to->holders.items));
    if (!to->holders.items)
        return false;
    to->holders.count = 0;
    for (i = 0; i < count; i++)
        to->holders.items[to->holders.count++] = number_text(l->arena, "process:", false, ids[i]);
    return true;
}

/* Makes worker processes the holders of a result: one of them computes the result. type: the type
 * of the executor to which they belong; unknown: a multiprocessing.Pool. */
static void set_processes(const struct lock_reporting *l, struct report_object *to,
                          const uint64_t *ids, size_t count, struct report_text type)
{
    static const struct report_text yes = {"yes", 3};

    if (count == 0 || to->holders.count > 0 || to->detail.items)
        return;
    to->detail.items = arena_array(l->arena, 2, sizeof(*to->detail.items));
    if (!to->detail.items || !set_holders(l, to, ids, count))
        return;
    report_add_detail(to, "workers", yes);
    report_add_detail(to, "executor", type);
}

/* Makes the worker processes of a multiprocessing.Pool the holders of its results. */
static void find_processes(const struct lock_reporting *l, const struct lock_object *o)
{
    uint64_t ids[POOL_PROCESSES_MAX];

    if (o->kind == LOCK_FUTURE && o->report)
        set_processes(l, o->report, ids, pool_processes(l->py, o->address, ids),
                      (struct report_text){NULL, 0});
}

/* Makes the worker processes of a ProcessPoolExecutor the holders of the futures that are not done.
 * manager: the thread that manages the processes. */
static void find_workers_of(const struct lock_reporting *l, uint64_t manager)
{
    static const struct report_text type = {"ProcessPoolExecutor", 19};
    uint64_t futures[POOL_QUEUED_MAX], ids[POOL_PROCESSES_MAX];
    const size_t count = executor_processes(l->py, manager, ids);
    const size_t pending = count > 0 ? executor_pending(l->py, manager, futures) : 0;
    const struct lock_object *o;
    size_t i;

    o = slot_of(l->report, manager);
    if (pending > 0 && o->address && o->kind == LOCK_WORKERS && o->report &&
        set_holders(l, o->report, ids, count))
        o->report->holder_status = HOLDER_KNOWN;
    for (i = 0; i < pending; i++) {
        o = slot_of(l->report, futures[i]);
        if (o->address && o->kind == LOCK_FUTURE && o->report)
            set_processes(l, o->report, ids, count, type);
    }
}

void lock_report_finish(const struct lock_reporting *l, struct report_process *process,
                        bool (*has_ended)(void *context, uint64_t ident), void *context)
{
    size_t i;

    count_claims(l, process);
    fill_objects(l, process);
    if (!process->objects.items)
        return;
    for (i = 0; i < process->threads.count; i++) {
        if (process->threads.items[i].holds.items)
            judge_holds(l, &process->threads.items[i]);
        add_owned(l, &process->threads.items[i]);
        judge_wait(l, &process->threads.items[i]);
    }
    find_all_queued(l);
    for (i = 0; i < l->report->count; i++)
        set_status(l, l->report->used[i], has_ended, context);
    for (i = 0; i < l->report->count; i++)
        find_processes(l, l->report->used[i]);
    for (i = 0; i < l->report->managers; i++)
        find_workers_of(l, l->report->manager[i]);
}
