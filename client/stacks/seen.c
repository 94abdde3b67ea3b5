/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/seen.h"

#include <stdlib.h>
#include <string.h>

#include "procfs/clock.h"

/* A thread and its stack. since: the time of clock_ms() since which the thread has had this stack.
 */
struct thread {
    struct report_text id, stack;
    int64_t since;
};

struct process {
    struct report_text id;
    struct thread *threads; /* sorted by id */
    size_t count;
    struct process *next;
};

/* The processes of a round, which are allocated in the arena. */
struct round {
    struct arena arena;
    struct process *processes;
};

struct stacks_seen {
    struct round before, now;
};

struct stacks_seen *stacks_seen_new(void)
{
    return calloc(1, sizeof(struct stacks_seen));
}

void stacks_seen_free(struct stacks_seen *seen)
{
    if (!seen)
        return;
    arena_free(&seen->before.arena);
    arena_free(&seen->now.arena);
    free(seen);
}

void stacks_seen_begin(struct stacks_seen *seen)
{
    arena_free(&seen->before.arena);
    seen->before = seen->now;
    seen->now = (struct round){.arena = {.max = 0}};
}

bool stacks_seen_is_first(const struct stacks_seen *seen)
{
    return !seen->before.processes;
}

static int compare_threads(const void *left, const void *right)
{
    return text_compare(((const struct thread *)left)->id, ((const struct thread *)right)->id);
}

/* Returns the process of the previous round, or NULL. */
static const struct process *find(const struct stacks_seen *seen, struct report_text id)
{
    const struct process *p = seen->before.processes;

    while (p && !text_equals(p->id, id))
        p = p->next;
    return p;
}

/* Sets unchanged_ms of a thread. process: the process of the previous round, or NULL. Returns the
 * time since which the thread has had its present stack. */
static int64_t compare(const struct process *process, struct report_thread *t, int64_t now)
{
    const struct thread wanted = {.id = t->id};
    const struct thread *before = process ? bsearch(&wanted, process->threads, process->count,
                                                    sizeof(wanted), compare_threads)
                                          : NULL;

    if (!before)
        return now;
    if (!t->stack.data || !text_equals(before->stack, t->stack)) {
        t->unchanged_ms = 0;
        return now;
    }
    t->unchanged_ms = now - before->since;
    return before->since;
}

void stacks_seen_add(struct stacks_seen *seen, struct report_process *process)
{
    struct arena *a = &seen->now.arena;
    struct process *p = arena_alloc(a, sizeof(*p));
    struct thread *threads = arena_array(a, process->threads.count, sizeof(*threads));
    const struct process *before = find(seen, process->id);
    int64_t now = clock_ms();
    size_t i;

    for (i = 0; i < process->threads.count; i++) {
        struct report_thread *t = &process->threads.items[i];
        int64_t since = compare(before, t, now);

        if (threads)
            threads[i] = (struct thread){report_text_in(a, t->id.data, t->id.len),
                                         report_text_in(a, t->stack.data, t->stack.len), since};
    }
    if (!p || !threads)
        return;
    qsort(threads, process->threads.count, sizeof(*threads), compare_threads);
    *p = (struct process){report_text_in(a, process->id.data, process->id.len), threads,
                          process->threads.count, seen->now.processes};
    seen->now.processes = p;
}
