/* SPDX-License-Identifier: BSD-3-Clause */
#include "waits.h"

#include "dicts.h"
#include "locks.h"
#include "objects.h"
#include "lock_releases.h"

/* The arguments that the functions below share. */
struct gathering {
    const struct python *py;
    const struct stdlib *stdlib;
    struct value_room *room;
    const struct raw_stack *stack;
    struct thread_facts *facts;
};

static bool has_code(const struct python *py, const struct raw_frame *f)
{
    return f->code && !frame_is_shim(py, f);
}

/* Returns the first argument of the function that a frame runs, or 0. */
static uint64_t first_argument(const struct python *py, const struct raw_frame *frame)
{
    uint64_t value;

    return value_local(py, frame, 0, &value) ? value : 0;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* The methods of C code that block. */
static const struct {
    enum lock_kind kind;
    const char *name;
} blocking[] = {
    {LOCK_PLAIN, "acquire"},   {LOCK_PLAIN, "acquire_lock"}, {LOCK_PLAIN, "__enter__"},
    {LOCK_RLOCK, "acquire"},   {LOCK_RLOCK, "__enter__"},    {LOCK_RLOCK, "_acquire_restore"},
    {LOCK_SEMLOCK, "acquire"}, {LOCK_SEMLOCK, "__enter__"},
};

/* Returns the kind of the lock that a call waits for, or LOCK_NONE. */
static enum lock_kind kind_of_call(const struct gathering *g, const struct c_call *call)
{
    enum lock_kind kind = call->self ? lock_kind(g->py, g->stdlib, call->self) : LOCK_NONE;
    size_t i;

    for (i = 0; kind != LOCK_NONE && i < sizeof(blocking) / sizeof(*blocking); i++) {
        if (blocking[i].kind == kind && strcmp(blocking[i].name, call->name) == 0)
            return kind;
    }
    return LOCK_NONE;
}

/* Finds out for what the thread waits in the kernel. Returns false if this is not known. */
static bool read_kernel_wait(const struct gathering *g, pid_t native_id, struct kernel_wait *to)
{
    const struct memory *m = &g->py->memory;

    return m->wait && native_id > 0 && m->wait(m, native_id, to);
}

/* True if the kernel reports that the thread waits for the lock of this call. Sets *contradicted to
 * true if the kernel reports that the thread does something else, such as waiting for the GIL after
 * the call. */
static bool is_confirmed(const struct gathering *g, pid_t native_id, enum lock_kind kind,
                         uint64_t lock, bool *contradicted)
{
    struct kernel_wait wait;
    bool confirmed;

    *contradicted = false;
    if (!read_kernel_wait(g, native_id, &wait))
        return false;
    confirmed = wait.futex && lock_has_futex(g->py, kind, lock, wait.futex);
    *contradicted =
        !confirmed && (kind == LOCK_PLAIN || kind == LOCK_RLOCK || kind == LOCK_SEMLOCK);
    return confirmed;
}

/* True if a wait in `call` is really a wait for the first argument of `function`. function: the
 * function of the standard library that makes this call; the innermost frame runs it. For example,
 * Condition.wait first waits for a lock that it has made: this is a wait for the Condition. Then
 * Condition.wait waits for the lock of the Condition: this is not a wait for the Condition. */
static bool waits_on_behalf(const struct gathering *g, enum stdlib_function function,
                            const struct c_call *call)
{
    uint64_t self = first_argument(g->py, &g->stack->frames[0]), lock;

    switch (function) {
    case FUNCTION_CONDITION_WAIT:
        return strcmp(call->name, "acquire") == 0 && attribute_find(g->py, self, "_lock", &lock) &&
               lock != call->self;
    case FUNCTION_SHARED_CONDITION_WAIT:
        return attribute_find(g->py, self, "_wait_semaphore", &lock) &&
               attribute_find(g->py, lock, "_semlock", &lock) && lock == call->self;
    case FUNCTION_WAIT_FOR_THREAD_STATE:
    case FUNCTION_MODULE_LOCK_ACQUIRE:
        return strcmp(call->name, "acquire") == 0;
    case FUNCTION_THREAD_JOIN: /* from 3.13 on */
        return strcmp(call->name, "join") == 0;
    default:
        return false;
    }
}

static uint64_t local_named(const struct gathering *g, const struct raw_frame *frame,
                            const char *name)
{
    int index = value_local_index(g->py, frame->code, name);
    uint64_t value;

    return index >= 0 && value_local(g->py, frame, index, &value) ? value : 0;
}

/* True if the local variable `timeout` of a frame has a value other than None. */
static bool has_timeout(const struct gathering *g, const struct raw_frame *frame)
{
    const uint64_t value = local_named(g, frame, "timeout");

    return value && !object_type_is(g->py, object_type(g->py, value), "NoneType");
}

/* Sets the wait of a thread in concurrent.futures.wait or as_completed. If the thread waits until
 * all futures are done, or if only one of them is not done, it waits for a future that is not done.
 * Otherwise, it waits for the set of futures. */
static void wait_for_futures(const struct gathering *g, const struct raw_frame *frame)
{
    struct wait_fact *w = &g->facts->wait;
    /* Early releases of 3.9 do not convert the argument `fs` of wait() to a set. */
    const uint64_t pending = local_named(g, frame, "not_done");
    const uint64_t futures = pending ? pending : local_named(g, frame, "fs");
    const uint64_t when = local_named(g, frame, "return_when");
    size_t count;
    uint64_t future = pool_pending(g->py, futures, &count);
    bool all = when && object_is_text(g->py, when, "ALL_COMPLETED");

    w->kind = future && (all || count == 1) ? LOCK_FUTURE : LOCK_FUTURES;
    w->object = w->kind == LOCK_FUTURE ? future : futures;
}

/* Sets the wait of a thread whose innermost frames are functions of the standard library. The
 * program has called the outermost one of these functions, so the thread waits for the first
 * argument of this function. For example, if Queue.get calls Condition.wait, the thread waits for
 * the Queue. */
static void follow_stdlib(const struct gathering *g)
{
    struct wait_fact *w = &g->facts->wait;
    enum lock_kind kind;
    size_t i;

    for (i = 0; i < g->stack->count; i++) {
        if (!has_code(g->py, &g->stack->frames[i]))
            continue;
        kind = stdlib_waits_for(stdlib_function(g->stdlib, g->stack->frames[i].code));
        w->frame = i;
        if (kind == LOCK_NONE)
            return;
        w->kind = kind;
        w->object = first_argument(g->py, &g->stack->frames[i]);
        w->is_timed = has_timeout(g, &g->stack->frames[i]);
        if (kind == LOCK_FUTURES)
            wait_for_futures(g, &g->stack->frames[i]);
    }
}

/* Returns the index of the innermost frame of the program: it runs none of the functions of the
 * standard library that the reader knows. Returns 0 if there is no such frame. The program has its
 * own words for what this frame waits for: "jobs.mutex" for what Queue.put calls "self.mutex". */
static size_t frame_of_program(const struct gathering *g)
{
    size_t i;

    for (i = 0; i < g->stack->count; i++) {
        if (has_code(g->py, &g->stack->frames[i]) &&
            stdlib_function(g->stdlib, g->stack->frames[i].code) == FUNCTIONS)
            return i;
    }
    return 0;
}

static bool is_join_of_handle(const struct gathering *g, const struct c_call *call)
{
    return strcmp(call->name, "join") == 0 &&
           object_is_a(g->py, call->self, "_thread._ThreadHandle");
}

static bool is_get_of_queue(const struct gathering *g, const struct c_call *call)
{
    return strcmp(call->name, "get") == 0 && object_is_a(g->py, call->self, "_queue.SimpleQueue");
}

/* Returns the logging.Handler that has this lock, if the innermost function is one of its methods,
 * else 0. */
static uint64_t handler_of(const struct gathering *g, enum stdlib_function function, uint64_t lock)
{
    const uint64_t self = first_argument(g->py, &g->stack->frames[0]);
    uint64_t own;

    if (function != FUNCTION_HANDLER_ACQUIRE && function != FUNCTION_HANDLER_HANDLE)
        return 0;
    return attribute_find(g->py, self, "lock", &own) && own == lock ? self : 0;
}

/* Sets *futex to the address of the futex for which the thread waits in the kernel. Returns false
 * if the thread does not wait for a futex, or if this is not known. */
static bool read_futex(const struct gathering *g, pid_t native_id, uint64_t *futex)
{
    struct kernel_wait wait = {0};
    const bool is_known = read_kernel_wait(g, native_id, &wait);

    *futex = wait.futex;
    return is_known && wait.futex;
}

/* Sets the wait if the thread waits for the lock of the buffer of this file. */
static bool wait_for_file(const struct gathering *g, uint64_t file, uint64_t futex)
{
    const uint64_t buffer = lock_buffer_of(g->py, file);
    const uint64_t owner = buffer ? lock_buffer_owner(g->py, buffer, futex) : 0;
    struct wait_fact *w = &g->facts->wait;

    if (!owner)
        return false;
    w->kind = LOCK_BUFFER;
    w->object = buffer;
    w->file = file;
    w->owner = owner;
    w->is_output = file == g->stdlib->output;
    w->is_confirmed = true;
    return true;
}

/* True if a call may use a file: a method of a file, print() or input(). */
static bool uses_file(const struct gathering *g, const struct c_call *call)
{
    return strcmp(call->name, "print") == 0 || strcmp(call->name, "input") == 0 ||
           lock_buffer_of(g->py, call->self);
}

/* Sets the wait of a thread that calls a method of a file, print() or input(). */
static void gather_file(const struct gathering *g, pid_t native_id, const struct c_call *call)
{
    uint64_t futex;
    size_t i;

    if (!uses_file(g, call) || !read_futex(g, native_id, &futex) ||
        wait_for_file(g, call->self, futex))
        return;
    for (i = 0; i < call->count; i++) {
        if (wait_for_file(g, call->values[i], futex))
            return;
    }
    wait_for_file(g, g->stdlib->output, futex);
}

#define PARTS 6 /* the first words of an object that may be its parts */

/* Sets the wait if the object has a part that is a method of a lock, and the kernel reports that
 * the thread waits for this lock. For example, the object is functools.partial(lock.acquire). */
static bool wait_for_part(const struct gathering *g, uint64_t object, uint64_t futex)
{
    struct wait_fact *w = &g->facts->wait;
    uint64_t words[PARTS], lock;
    enum lock_kind kind;
    size_t i;

    if (!object || !memory_read(&g->py->memory, object, words, sizeof(words)))
        return false;
    for (i = 0; i < PARTS; i++) {
        lock = words[i] && words[i] % 8 == 0 ? value_bound_to(g->py, words[i]) : 0;
        kind = lock ? lock_kind(g->py, g->stdlib, lock) : LOCK_NONE;
        if (kind == LOCK_NONE || !lock_has_futex(g->py, kind, lock, futex))
            continue;
        w->kind = kind;
        w->object = lock;
        w->is_confirmed = true;
        return true;
    }
    return false;
}

/* Sets the wait of a thread that calls an object that is no function: functools.partial or list, as
 * in list(map(lock.acquire, ...)). */
static void gather_parts(const struct gathering *g, pid_t native_id, const struct c_call *call)
{
    uint64_t futex;
    size_t i;

    if (call->count == 0 || !read_futex(g, native_id, &futex))
        return;
    for (i = 0; i < call->count; i++) {
        if (wait_for_part(g, call->values[i], futex)) {
            g->facts->wait.is_timed = call->is_timed;
            return;
        }
    }
}

/* Sets the wait of a thread that calls a method of an SQLite connection or cursor and sleeps in it.
 * SQLite sleeps only before it tries again to lock the file of a database. */
static void gather_database(const struct gathering *g, pid_t native_id, const struct c_call *call)
{
    static const char *const types[] = {"sqlite3.Connection", "sqlite3.Cursor"};
    struct wait_fact *w = &g->facts->wait;
    struct kernel_wait wait;

    if (!call->self || object_is_among(g->py, call->self, types, 2) < 0 ||
        strcmp(call->name, "backup") == 0 || !read_kernel_wait(g, native_id, &wait) || !wait.sleeps)
        return;
    w->kind = LOCK_DATABASE;
    w->object = call->self;
    w->is_timed = true;
}

/* Sets the wait of a thread that waits for another process in a function of the standard library,
 * such as Process.join. The innermost of these functions says what it waits for: Popen.communicate
 * calls Popen.wait in the end. */
static void gather_process(const struct gathering *g)
{
    struct wait_fact *w = &g->facts->wait;
    enum stdlib_function function;
    const struct raw_frame *f;
    enum lock_kind kind;
    size_t i;

    for (i = 0; i < g->stack->count; i++) {
        f = &g->stack->frames[i];
        if (!has_code(g->py, f))
            continue;
        function = stdlib_function(g->stdlib, f->code);
        w->frame = i;
        if (!stdlib_is_of_process(function))
            break;
        kind = stdlib_waits_for(function);
        w->is_timed = w->is_timed || has_timeout(g, f);
        if (kind == LOCK_NONE || w->kind != LOCK_NONE)
            continue;
        w->kind = kind;
        w->object = first_argument(g->py, f);
    }
    if (w->kind == LOCK_NONE)
        memset(w, 0, sizeof(*w));
}

static void gather_wait(const struct gathering *g, pid_t native_id)
{
    const struct raw_frame *innermost = &g->stack->frames[0];
    struct wait_fact *w = &g->facts->wait;
    enum stdlib_function function;
    enum lock_kind kind;
    struct c_call call;
    bool contradicted;

    if (g->stack->count == 0 || !has_code(g->py, innermost))
        return;
    if (!value_stack_call(g->py, g->room, innermost, &call)) {
        gather_parts(g, native_id, &call);
        return;
    }
    kind = kind_of_call(g, &call);
    function = stdlib_function(g->stdlib, innermost->code);
    if (kind == LOCK_NONE && is_get_of_queue(g, &call)) {
        w->kind = LOCK_QUEUE_GET;
        w->object = call.self;
        w->is_timed = call.is_timed;
        return;
    }
    if (kind == LOCK_NONE && !is_join_of_handle(g, &call)) {
        gather_file(g, native_id, &call);
        if (w->kind == LOCK_NONE)
            gather_database(g, native_id, &call);
        if (w->kind == LOCK_NONE)
            gather_process(g);
        return;
    }
    w->is_confirmed = is_confirmed(g, native_id, kind, call.self, &contradicted);
    if (contradicted)
        return;
    if (waits_on_behalf(g, function, &call)) {
        follow_stdlib(g);
        return;
    }
    w->kind = kind;
    w->object = call.self;
    w->is_timed = call.is_timed;
    w->handler = handler_of(g, function, call.self);
    if (!w->handler)
        w->frame = frame_of_program(g);
}

/* ---- Holding --------------------------------------------------------------------------------- */

/* Adds a hold and returns it, so that the caller can set further members. Sets the members one by
 * one, because the unused bytes between them must stay 0. NULL: there are too many holds. */
static struct hold_fact *add_hold(const struct gathering *g, enum lock_kind kind, uint64_t object,
                                  size_t frame, int64_t enter)
{
    struct thread_facts *f = g->facts;
    struct hold_fact *hold;

    if (f->holds == HOLDS_MAX)
        return NULL;
    hold = &f->hold[f->holds++];
    hold->kind = kind;
    hold->object = object;
    hold->frame = frame;
    hold->enter = enter;
    return hold;
}

static void add_with(const struct gathering *g, enum lock_kind kind, uint64_t object, size_t frame,
                     int64_t enter)
{
    struct hold_fact *hold = add_hold(g, kind, object, frame, enter);

    if (hold)
        hold->by_with = true;
}

/* True if one of the holds of the thread, from the index `first` on, is a hold of the object. */
static bool holds_since(const struct thread_facts *f, size_t first, uint64_t object)
{
    size_t i;

    for (i = first; i < f->holds; i++) {
        if (f->hold[i].object == object)
            return true;
    }
    return false;
}

/* Adds the Locks that a function has acquired by calls, as guesses. Leaves out RLocks, because an
 * RLock stores which thread holds it. acquirer: the frame of the function. frame: the index of this
 * frame, or of the frame that has entered a `with` whose manager runs the function. enter: the
 * instruction that entered this `with`; -1: none. */
static void add_acquired(const struct gathering *g, const struct raw_frame *acquirer, size_t frame,
                         int64_t enter)
{
    struct acquired found[ACQUIRED_MAX];
    size_t count = acquired_by_calls(g->py, g->room, acquirer, found), first = g->facts->holds, i;
    struct hold_fact *hold;

    for (i = 0; i < count; i++) {
        if (lock_kind(g->py, g->stdlib, found[i].object) != LOCK_PLAIN ||
            holds_since(g->facts, first, found[i].object))
            continue;
        hold = add_hold(g, LOCK_PLAIN, found[i].object, frame, enter < 0 ? found[i].since : enter);
        if (hold)
            hold->is_guess = true;
    }
}

/* Adds the Locks that a frame may have released, if it has not acquired them. */
static void add_releases(const struct gathering *g, const struct raw_frame *frame)
{
    uint64_t found[RELEASED_BY_CALLS_MAX];
    const size_t count = released_by_calls(g->py, g->room, frame, found);
    size_t i;

    for (i = 0; i < count && g->facts->releases < FACT_RELEASES_MAX; i++) {
        if (lock_kind(g->py, g->stdlib, found[i]) == LOCK_PLAIN)
            g->facts->released[g->facts->releases++] = found[i];
    }
}

/* How deep managers may be nested, such as a generator in an ExitStack in a generator. */
#define MANAGER_DEPTH_MAX 5

static void add_manager(const struct gathering *g, uint64_t manager, size_t frame, int64_t enter,
                        int depth);

/* Adds the locks that a generator holds, as locks of the frame that runs the generator. */
static void add_generator(const struct gathering *g, uint64_t generator, size_t frame,
                          int64_t enter, int depth)
{
    struct entered_with withs[WITH_BLOCKS_MAX];
    struct raw_frame inner;
    size_t count, i;

    if (!frame_of_generator(g->py, generator, &inner))
        return;
    count = value_stack_withs(g->py, g->room, &inner, withs);
    for (i = 0; i < count; i++)
        add_manager(g, withs[i].manager, frame, enter, depth + 1);
    add_acquired(g, &inner, frame, enter);
}

/* Adds the locks that the generator of a manager holds. manager: the object that a function with
 * the decorator @contextmanager has returned. */
static void add_managed(const struct gathering *g, uint64_t manager, size_t frame, int64_t enter,
                        int depth)
{
    uint64_t generator;

    if (attribute_find(g->py, manager, "gen", &generator) &&
        object_type_is(g->py, object_type(g->py, generator), "generator"))
        add_generator(g, generator, frame, enter, depth);
}

/* Adds the locks that are held by the generators over which the frame iterates. If another object
 * also refers to a generator, another thread may run this generator, so its locks are guesses. */
static void add_loops(const struct gathering *g, size_t frame)
{
    struct generator_loop loops[LOOPS_MAX];
    const size_t count = value_stack_generators(g->py, g->room, &g->stack->frames[frame], loops);
    size_t i, first;

    for (i = 0; i < count; i++) {
        first = g->facts->holds;
        add_generator(g, loops[i].generator, frame, loops[i].enter, 0);
        for (; first < g->facts->holds && !loops[i].is_only; first++)
            g->facts->hold[first].is_guess = true;
    }
}

/* The layout of collections.deque: a list of blocks with 64 items each
 * (Modules/_collectionsmodule.c).
 */
#define DEQUE_SIZE       16
#define DEQUE_LEFT_BLOCK 24
#define DEQUE_LEFT_INDEX 40
#define DEQUE_BLOCK      64
#define DEQUE_ITEMS      8 /* the offset of the items in a block, after the link to the left */
#define DEQUE_RIGHT      (DEQUE_ITEMS + DEQUE_BLOCK * 8) /* the offset of the link to the right */

#define CALLBACKS_MAX 1024 /* the most callbacks of one ExitStack that are looked at */

/* Adds the locks of one manager that an ExitStack has entered. callback: the entry of the manager
 * in the ExitStack, a tuple (is_sync, bound method __exit__). Returns false if the entry cannot be
 * read. */
static bool add_callback(const struct gathering *g, uint64_t callback, size_t frame, int64_t enter,
                         int depth)
{
    const struct python *py = g->py;
    uint64_t pair[2], self;

    if (!memory_read(&py->memory, callback + (uint64_t)py->offsets->tuple.items, pair,
                     sizeof(pair)))
        return false;
    self = value_bound_to(py, pair[1]);
    if (self)
        add_manager(g, self, frame, enter, depth + 1);
    return true;
}

static void add_exit_stack(const struct gathering *g, uint64_t stack, size_t frame, int64_t enter,
                           int depth)
{
    const struct python *py = g->py;
    uint64_t deque, count, block, index, callback, i;

    if (!attribute_find(py, stack, "_exit_callbacks", &deque) ||
        !object_type_is(py, object_type(py, deque), "collections.deque") ||
        !memory_pointer(&py->memory, deque + DEQUE_SIZE, &count) ||
        !memory_pointer(&py->memory, deque + DEQUE_LEFT_BLOCK, &block) ||
        !memory_pointer(&py->memory, deque + DEQUE_LEFT_INDEX, &index) || index >= DEQUE_BLOCK)
        return;
    for (i = 0; i < count && i < CALLBACKS_MAX; i++, index++) {
        if (index == DEQUE_BLOCK) {
            index = 0;
            if (!memory_pointer(&py->memory, block + DEQUE_RIGHT, &block))
                return;
        }
        if (!memory_pointer(&py->memory, block + DEQUE_ITEMS + index * 8, &callback) ||
            !add_callback(g, callback, frame, enter, depth))
            return;
    }
}

/* Adds the locks that the manager of a `with` holds. These are the manager itself if it is a lock,
 * its lock if it is a Condition, and the locks that it has entered if it is a manager of
 * contextlib. */
static void add_manager(const struct gathering *g, uint64_t manager, size_t frame, int64_t enter,
                        int depth)
{
    enum lock_kind kind = lock_kind(g->py, g->stdlib, manager);
    uint64_t lock;

    if (depth > MANAGER_DEPTH_MAX)
        return;
    if (kind == LOCK_NONE && stdlib_is_a(g->py, g->stdlib, manager, CLASS_SHARED_CONDITION) &&
        attribute_find(g->py, manager, "_lock", &lock))
        manager = lock;
    if (kind == LOCK_CONDITION) {
        if (!attribute_find(g->py, manager, "_lock", &lock))
            return;
        manager = lock;
        kind = lock_kind(g->py, g->stdlib, lock);
    } else if (kind == LOCK_NONE && stdlib_is_a(g->py, g->stdlib, manager, CLASS_SEMLOCK) &&
               attribute_find(g->py, manager, "_semlock", &lock)) {
        manager = lock;
        kind = lock_kind(g->py, g->stdlib, lock);
    }
    if (kind == LOCK_PLAIN || kind == LOCK_RLOCK || kind == LOCK_SEMAPHORE || kind == LOCK_SEMLOCK)
        add_with(g, kind, manager, frame, enter);
    else if (stdlib_is_a(g->py, g->stdlib, manager, CLASS_CONTEXT_MANAGER))
        add_managed(g, manager, frame, enter, depth);
    else if (stdlib_is_a(g->py, g->stdlib, manager, CLASS_EXIT_STACK))
        add_exit_stack(g, manager, frame, enter, depth);
}

/* Returns the lock that a frame of Condition.wait has released, or 0. */
static uint64_t released_by(const struct gathering *g, const struct raw_frame *frame)
{
    uint64_t lock, saved;
    int index = value_local_index(g->py, frame->code, "saved_state");

    if (index < 0 || !value_local(g->py, frame, index, &saved) || !saved ||
        !attribute_find(g->py, first_argument(g->py, frame), "_lock", &lock))
        return 0;
    return lock;
}

static bool is_released(const uint64_t *released, size_t count, uint64_t lock)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (released[i] == lock)
            return true;
    }
    return false;
}

#define RELEASED_MAX 16

/* Removes the holds of locks that Condition.wait has released. Begins at the hold with the index
 * `first`. */
static void remove_released(struct thread_facts *f, size_t first, const uint64_t *released,
                            size_t count)
{
    size_t kept = first, i;

    for (i = first; i < f->holds; i++) {
        if (!is_released(released, count, f->hold[i].object))
            f->hold[kept++] = f->hold[i];
    }
    memset(f->hold + kept, 0, (f->holds - kept) * sizeof(*f->hold));
    f->holds = kept;
}

/* True if the code of the frame that holds the lock, or the code of a frame that it has called, may
 * have released the lock. */
static bool may_be_released(const struct gathering *g, const struct hold_fact *hold)
{
    size_t i;

    for (i = 0; i <= hold->frame; i++) {
        const struct raw_frame *frame = &g->stack->frames[i];

        if (has_code(g->py, frame) && stdlib_function(g->stdlib, frame->code) == FUNCTIONS &&
            may_release(g->py, g->room, frame, i == hold->frame ? hold->enter : -1, hold->object))
            return true;
    }
    return false;
}

/* Marks the hold of a Lock as a guess if the code inside the `with` may have released the Lock. For
 * an RLock, this is not needed, because the RLock stores which thread holds it. */
static void mark_guesses(const struct gathering *g, size_t first)
{
    size_t i;

    for (i = first; i < g->facts->holds; i++) {
        struct hold_fact *hold = &g->facts->hold[i];

        hold->is_guess = hold->is_guess || (hold->kind == LOCK_PLAIN && may_be_released(g, hold));
    }
}

/* Sets the pool of the futures that a thread computes. frame: the frame of the function that runs
 * the work items of the pool. */
static void set_pool(const struct gathering *g, const struct raw_frame *frame)
{
    struct pool pool;
    size_t i;

    if (!pool_of_worker(g->py, frame, &pool))
        return;
    for (i = 0; i < g->facts->holds; i++) {
        if (g->facts->hold[i].kind == LOCK_FUTURE && !g->facts->hold[i].pool.queue)
            g->facts->hold[i].pool = pool;
    }
}

static void gather_holds(const struct gathering *g)
{
    struct entered_with withs[WITH_BLOCKS_MAX];
    uint64_t released[RELEASED_MAX], future;
    size_t count, i, j, releases = 0, first;

    for (i = 0; i < g->stack->count; i++) {
        const struct raw_frame *frame = &g->stack->frames[i];

        if (!has_code(g->py, frame))
            continue;
        if (releases < RELEASED_MAX &&
            stdlib_function(g->stdlib, frame->code) == FUNCTION_CONDITION_WAIT)
            released[releases++] = released_by(g, frame);
        first = g->facts->holds;
        if (stdlib_function(g->stdlib, frame->code) == FUNCTION_WORK_ITEM_RUN &&
            attribute_find(g->py, first_argument(g->py, frame), "future", &future))
            add_hold(g, LOCK_FUTURE, future, i, -1);
        if (stdlib_function(g->stdlib, frame->code) == FUNCTION_POOL_WORKER)
            set_pool(g, frame);
        if (stdlib_function(g->stdlib, frame->code) == FUNCTION_EXECUTOR_MANAGER)
            g->facts->manager = first_argument(g->py, frame);
        count = value_stack_withs(g->py, g->room, frame, withs);
        for (j = 0; j < count; j++)
            add_manager(g, withs[j].manager, i, withs[j].enter, 0);
        add_loops(g, i);
        if (stdlib_function(g->stdlib, frame->code) == FUNCTIONS) {
            add_acquired(g, frame, i, -1);
            add_releases(g, frame);
        }
        remove_released(g->facts, first, released, releases);
        mark_guesses(g, first);
    }
}

void waits_gather(const struct python *py, const struct stdlib *l, struct value_room *room,
                  const struct raw_stack *stack, pid_t native_id, struct thread_facts *facts)
{
    const struct gathering g = {py, l, room, stack, facts};

    memset(facts, 0, sizeof(*facts));
    gather_wait(&g, native_id);
    gather_holds(&g);
}
