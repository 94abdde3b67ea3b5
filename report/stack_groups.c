/* SPDX-License-Identifier: BSD-3-Clause */
#include "stack_groups.h"

#include <stdlib.h>
#include <string.h>

#include "merge.h"

/* An element of the array that qsort(3) sorts by stacks. index: the index of the thread in the
 * report. */
struct entry {
    const struct report_thread *thread;
    size_t index;
};

static bool may_be_equal(const struct report_thread *t)
{
    return t->frames.items && t->exact != BOOL_FALSE;
}

static int compare_stacks(const struct entry *a, const struct entry *b)
{
    bool one = may_be_equal(a->thread), other = may_be_equal(b->thread);

    if (one != other)
        return one ? -1 : 1;
    return one ? report_compare_stacks(&a->thread->frames, &b->thread->frames) : 0;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = compare_stacks(a, b);

    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static int compare_groups(const void *left, const void *right)
{
    const struct stack_group *a = left, *b = right;

    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* Returns how many entries at the start of the sorted array have the same stack as the first one.
 */
static size_t equal_entries(const struct entry *entries, size_t count)
{
    size_t equal = 1;

    if (!may_be_equal(entries->thread))
        return 1;
    while (equal < count && compare_stacks(&entries[0], &entries[equal]) == 0)
        equal++;
    return equal;
}

/* Adds the groups of at least STACK_GROUP_MIN threads to *out. Writes the indices of the threads in
 * these groups to the end of out->threads, and sets `thread` of the threads' entries to NULL.
 * Returns the number of threads that are in none of these groups. */
static size_t take_large(struct stack_groups *out, struct entry *entries, size_t count)
{
    size_t left = count, i, equal, k;

    for (i = 0; i < count; i += equal) {
        equal = equal_entries(entries + i, count - i);
        if (equal < STACK_GROUP_MIN)
            continue;
        left -= equal;
        out->items[out->count++] = (struct stack_group){left, equal};
        for (k = 0; k < equal; k++) {
            out->threads[left + k] = entries[i + k].index;
            entries[i + k].thread = NULL;
        }
    }
    return left;
}

static int compare_numbers(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;

    return (a > b) - (a < b);
}

/* Adds a group for each thread that is in no large group, in front of the large groups. */
static void add_single(struct stack_groups *out, const struct entry *entries, size_t count,
                       size_t single)
{
    size_t taken = 0, i;

    for (i = 0; i < count; i++) {
        if (entries[i].thread)
            out->threads[taken++] = entries[i].index;
    }
    qsort(out->threads, single, sizeof(*out->threads), compare_numbers);
    memmove(out->items + single, out->items, out->count * sizeof(*out->items));
    for (i = 0; i < single; i++)
        out->items[i] = (struct stack_group){i, 1};
    out->count += single;
}

bool stack_groups_make(struct stack_groups *out, const struct report_process *process)
{
    size_t count = process->threads.count, i, single;
    struct entry *entries = calloc(count + 1, sizeof(*entries));

    *out = (struct stack_groups){.threads = calloc(count + 1, sizeof(*out->threads)),
                                 .items = calloc(count + 1, sizeof(*out->items))};
    if (!entries || !out->threads || !out->items) {
        free(entries);
        return false;
    }
    for (i = 0; i < count; i++)
        entries[i] = (struct entry){&process->threads.items[i], i};
    qsort(entries, count, sizeof(*entries), compare_entries);
    single = take_large(out, entries, count);
    qsort(out->items, out->count, sizeof(*out->items), compare_groups);
    add_single(out, entries, count, single);
    free(entries);
    return true;
}

void stack_groups_free(struct stack_groups *groups)
{
    free(groups->threads);
    free(groups->items);
    *groups = (struct stack_groups){0};
}
