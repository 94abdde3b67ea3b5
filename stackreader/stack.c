/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The frames of a running thread are read at one moment, and their code objects after this moment.
 * In between, the thread may have freed a code object, as exec() and eval() do, and another object
 * may have been allocated in its place. So a stack is FRAMES_EXACT only if its frames are exact
 * (see frames.c), and if these two conditions show that its code objects have not changed in
 * between:
 *
 *  - the code objects were in the cache before the frames were read, or the thread has not run
 *    since the frames were read; and
 *  - the code objects are still the same after everything was read.
 *
 * If the thread has not run since a moment before the first code object was read, it has had its
 * code objects all the time. So nothing needs to be compared.
 */
#include "stack.h"

#include "memory_limit.h"

/* The limit for the memory that is read for one thread, in bytes. Reading this much takes about 0.1
 * seconds. After the limit is reached, no further try begins. */
#define THREAD_LIMIT (INT64_C(200000) * READ_COST)

/* Reads the code objects of all frames. Returns true if all of them were in the cache. */
static bool read_codes(const struct python *py, struct code_cache *cache, struct arena *arena,
                       struct raw_stack *stack)
{
    bool added = false;
    size_t i;

    for (i = 0; i < stack->count; i++) {
        struct raw_frame *f = &stack->frames[i];

        f->read = frame_is_shim(py, f) ? NULL : code_read(py, cache, arena, f->code, &added);
    }
    return !added;
}

static void read_lines(const struct python *py, struct code_cache *cache, struct raw_stack *stack)
{
    struct raw_frame *f;

    for (f = stack->frames; f < stack->frames + stack->count; f++)
        f->line = f->read ? code_line(py, cache, f->read, frame_address(py, f)) : REPORT_UNKNOWN;
}

/* True if all code objects of the stack are the same as when they were read. */
static bool same_codes(const struct python *py, struct code_cache *cache, struct raw_stack *stack)
{
    bool same = true;
    size_t i;

    cache->checks++;
    for (i = 0; i < stack->count; i++) {
        struct code *code = stack->frames[i].read;

        if (frame_is_shim(py, &stack->frames[i]) || (code && code->checked == cache->checks))
            continue;
        same = code && code_is_same(py, code) && same;
        if (code)
            code->checked = cache->checks;
    }
    return same;
}

/* True if the code objects of all frames were read. */
static bool has_codes(const struct python *py, const struct raw_stack *stack)
{
    const struct raw_frame *f;

    for (f = stack->frames; f < stack->frames + stack->count; f++) {
        if (!frame_is_shim(py, f) && !(f->read && f->read->valid))
            return false;
    }
    return true;
}

/* Reads the stack of a thread that is assumed not to have run since its activity was `activity`.
 * Returns false if the thread has run, or if its stack cannot be exact for another reason. */
static bool try_since(const struct python *py, struct code_cache *cache, struct arena *arena,
                      uint64_t thread, pid_t native_id, int64_t activity, struct raw_stack *stack)
{
    bool all_known;

    cache->in_order = false;
    frames_read_since(py, thread, activity, stack);
    if (stack->state != FRAMES_EXACT)
        return false;
    all_known = read_codes(py, cache, arena, stack);
    read_lines(py, cache, stack);
    if (has_codes(py, stack) && frames_have_not_run(py, native_id, stack))
        return true;
    if (!all_known)
        code_cache_clear(cache);
    return false;
}

/* Reads the stack once. Returns false if the stack is moving. In this case, another try may
 * succeed. */
static bool try_once(const struct python *py, struct code_cache *cache, struct arena *arena,
                     uint64_t thread, pid_t native_id, struct raw_stack *stack)
{
    bool all_known;

    cache->in_order = true;
    frames_read(py, thread, native_id, stack);
    if (stack->state != FRAMES_EXACT)
        return stack->state == FRAMES_UNREADABLE;
    all_known = read_codes(py, cache, arena, stack);
    read_lines(py, cache, stack);
    if (!same_codes(py, cache, stack) || (!all_known && !frames_have_not_run(py, native_id, stack)))
        stack->state = FRAMES_MOVING;
    return stack->state == FRAMES_EXACT;
}

void stack_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                uint64_t thread, pid_t native_id, int64_t activity, struct raw_stack *stack)
{
    const int64_t enough = memory_limit_left(&py->memory) - THREAD_LIMIT;
    int i;

    if (cache->count > CODE_CACHE_SIZE / 4)
        code_cache_clear(cache);
    if (activity >= 0 && try_since(py, cache, arena, thread, native_id, activity, stack))
        return;
    for (i = 0; i < STACK_TRIES && memory_limit_left(&py->memory) > enough; i++) {
        if (i > 0)
            frames_wait();
        if (try_once(py, cache, arena, thread, native_id, stack))
            return;
    }
    read_codes(py, cache, arena, stack);
    read_lines(py, cache, stack);
}
