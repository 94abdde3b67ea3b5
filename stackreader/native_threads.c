/* SPDX-License-Identifier: BSD-3-Clause */
#include "native_threads.h"

#include "schema.h"

/* The arguments that the functions below share. */
struct joining {
    const struct python *py;
    struct arena *arena;
    struct report_thread *threads;
    const struct thread_check *checks;
    uint64_t *table; /* a hash table by ident: the index of a thread, plus 1; 0: free */
    size_t size;     /* the number of entries of the table */
};

/* Returns the entry of the table for the thread with this ident. If there is no such entry, returns
 * a free entry. */
static uint64_t *entry_of(const struct joining *j, int64_t ident)
{
    size_t i = (size_t)(((uint64_t)ident >> 6) * UINT64_C(0x9e3779b97f4a7c15) % j->size);

    while (j->table[i] != 0 && j->threads[j->table[i] - 1].ident != ident)
        i = i + 1 < j->size ? i + 1 : 0;
    return &j->table[i];
}

/* True if a thread has not run since its frames were read. In this case, the frames of its other
 * thread states, which were read later, are of the same moment. */
static bool has_not_run(const struct joining *j, const struct report_thread *t,
                        const struct thread_check *check)
{
    const struct memory *m = &j->py->memory;

    return check->activity >= 0 && m->activity && t->native_id > 0 && t->native_id <= INT32_MAX &&
           m->activity(m, (pid_t)t->native_id) == check->activity;
}

/* True if a native thread that does not have the ident of t may be using the thread state of t. */
static bool is_borrowed(const struct joining *j, const struct report_thread *t,
                        const struct thread_check *check)
{
    return j->py->offsets->minor <= 12 && t->interpreter != 0 && check->is_first;
}

/* Adds `count` to the indices of frames in the wait and the holds of a thread. */
static void shift_frames(const struct report_thread *t, int64_t count)
{
    size_t i;

    if (t->waits && t->waits->frame >= 0)
        t->waits->frame += count;
    for (i = 0; i < t->holds.count; i++) {
        if (t->holds.items[i].since)
            t->holds.items[i].since->frame += count;
    }
}

/* Returns an array with the structs of two arrays; NULL if the arena is full. first may be NULL if
 * count is 0. */
static void *joined(struct arena *arena, const struct schema *schema, const void *first,
                    size_t count, const void *second, size_t second_count)
{
    char *items = schema_make(arena, schema, count + second_count);

    if (items && count > 0)
        memcpy(items, first, count * schema->size);
    if (items && second_count > 0)
        memcpy(items + count * schema->size, second, second_count * schema->size);
    return items;
}

/* Appends the frames of t to the frames of `to`. Returns false if the arena is full. */
static bool append_frames(struct arena *arena, struct report_thread *to,
                          const struct report_thread *t)
{
    struct report_frame *frames = joined(arena, &schema_frame, to->frames.items, to->frames.count,
                                         t->frames.items, t->frames.count);

    if (!frames)
        return false;
    to->frames.items = frames;
    to->frames.count += t->frames.count;
    return true;
}

static bool append_holds(struct arena *arena, struct report_thread *to,
                         const struct report_thread *t)
{
    struct report_hold *holds;

    if (t->holds.count == 0)
        return true;
    holds = joined(arena, &schema_hold, to->holds.items, to->holds.count, t->holds.items,
                   t->holds.count);
    if (!holds)
        return false;
    to->holds.items = holds;
    to->holds.count += t->holds.count;
    return true;
}

/* Merges the report about thread number `at` into that about thread number `first`. Returns false
 * if the arena is full. */
static bool join(const struct joining *j, size_t first, size_t at)
{
    struct report_thread *to = &j->threads[first];
    const struct report_thread *t = &j->threads[at];

    if (t->frames.items && t->frames.count == 0)
        return true; /* its thread state is not in use now */
    if (t->exact != BOOL_TRUE || !to->frames.items || is_borrowed(j, t, &j->checks[at]) ||
        (to->frames.count > 0 && !has_not_run(j, to, &j->checks[first])))
        to->exact = BOOL_FALSE;
    if (!t->frames.items)
        return true;
    shift_frames(t, (int64_t)to->frames.count);
    if (t->waits)
        to->waits = t->waits;
    return append_frames(j->arena, to, t) && append_holds(j->arena, to, t);
}

static bool is_same_thread(const struct report_thread *a, const struct report_thread *b)
{
    return a->interpreter != b->interpreter && a->native_id == b->native_id;
}

void native_threads_join(const struct python *py, struct arena *arena,
                         struct report_process *process, struct thread_check *checks,
                         uint64_t *table)
{
    size_t count = process->threads.count, kept = 0, i;
    struct report_thread *threads = process->threads.items;
    struct joining j = {py, arena, threads, checks, table, 2 * count};
    uint64_t *entry;

    if (count == 0 || threads[count - 1].interpreter == threads[0].interpreter)
        return;
    memset(table, 0, j.size * sizeof(*table));
    for (i = 0; i < count; i++) {
        entry = threads[i].ident == REPORT_UNKNOWN ? NULL : entry_of(&j, threads[i].ident);
        if (entry && *entry && is_same_thread(&threads[*entry - 1], &threads[i]) &&
            join(&j, (size_t)*entry - 1, i))
            continue;
        if (entry && !*entry)
            *entry = kept + 1;
        threads[kept] = threads[i];
        checks[kept++] = checks[i];
    }
    process->threads.count = kept;
}
