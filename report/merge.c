/* SPDX-License-Identifier: BSD-3-Clause */
#include "merge.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

/* A thread's stack, and the index of the thread in the list of threads. */
struct entry {
    const report_frames *frames;
    size_t thread;
};

/* Some successive entries of a sorted array. `end` points behind the last one. */
struct group {
    const struct entry *first, *end;
};

static int compare_frames(const struct report_frame *a, const struct report_frame *b)
{
    int order;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    order = text_compare(a->function, b->function);
    return order != 0 ? order : text_compare(a->file, b->file);
}

int report_compare_stacks(const report_frames *a, const report_frames *b)
{
    size_t i;
    int order;

    for (i = 0; i < a->count && i < b->count; i++) {
        order = compare_frames(&a->items[i], &b->items[i]);
        if (order != 0)
            return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

/* A comparison function for qsort(3): compares stacks, then the indices of the threads. */
static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = report_compare_stacks(a->frames, b->frames);

    return order != 0 ? order : (a->thread > b->thread) - (a->thread < b->thread);
}

/* ---- Hashes --------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static void hash_bytes(uint64_t *hash, const void *data, size_t len)
{
    const unsigned char *byte = data, *end = byte + len;

    while (byte < end)
        *hash = (*hash ^ *byte++) * UINT64_C(0x100000001b3);
}

/* Adds a text to a hash, and then the byte 0xff as a separator, since this byte does not occur in
 * UTF-8. */
static void hash_text(uint64_t *hash, struct report_text text)
{
    if (text.len > 0)
        hash_bytes(hash, text.data, text.len);
    hash_bytes(hash, "\xff", 1);
}

/* Adds a number to a hash. The number is hashed as decimal text, so that the byte order of the
 * machine does not change the hash. */
static void hash_number(uint64_t *hash, int64_t number)
{
    char digits[24];

    hash_bytes(hash, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRId64, number));
}

static uint64_t hash_stack(const report_frames *frames)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const struct report_frame *f;

    for (f = frames->items; f < frames->items + frames->count; f++) {
        hash_text(&hash, f->file);
        hash_number(&hash, f->line);
        hash_text(&hash, f->function);
    }
    return hash;
}

/* ---- The tree ------------------------------------------------------------------------------- */

/* Returns how many frames from `depth` on are equal in all stacks of a group. The stacks are
 * sorted, so comparing the first and the last one is enough. */
static size_t common_frames(const struct group *g, size_t depth)
{
    const report_frames *a = g->first->frames, *b = (g->end - 1)->frames;
    size_t i = depth;

    while (i < a->count && i < b->count && compare_frames(&a->items[i], &b->items[i]) == 0)
        i++;
    return i - depth;
}

/* Returns a group: the entries from *next on that have the same frame at `depth` as the entry
 * *next. Sets *next to the entry behind this group. */
static struct group next_group(const struct entry **next, const struct entry *end, size_t depth)
{
    struct group g = {*next, *next};
    const struct report_frame *frame = &g.first->frames->items[depth];

    while (g.end < end && compare_frames(&g.end->frames->items[depth], frame) == 0)
        g.end++;
    *next = g.end;
    return g;
}

static int compare_sizes(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;

    return (a > b) - (a < b);
}

/* Writes sorted numbers as "0-16,18". Returns the length of the whole text without its NUL, like
 * snprintf(3). `to` may be NULL if size is 0. */
static size_t format_numbers(char *to, size_t size, const size_t *numbers, size_t count)
{
    size_t len = 0, i = 0, last;

    while (i < count) {
        for (last = i; last + 1 < count && numbers[last + 1] == numbers[last] + 1; last++)
            ;
        len += (size_t)snprintf(size > len ? to + len : NULL, size > len ? size - len : 0,
                                last > i ? "%s%zu-%zu" : "%s%zu", len > 0 ? "," : "", numbers[i],
                                numbers[last]);
        i = last + 1;
    }
    return len;
}

static struct report_text members_text(struct report *r, const struct group *g)
{
    size_t count = (size_t)(g->end - g->first), i, len;
    size_t *numbers = calloc(count, sizeof(*numbers));
    char *text = NULL;

    if (!numbers)
        return (struct report_text){NULL, 0};
    for (i = 0; i < count; i++)
        numbers[i] = g->first[i].thread;
    qsort(numbers, count, sizeof(*numbers), compare_sizes);
    len = format_numbers(NULL, 0, numbers, count);
    text = arena_alloc(&r->arena, len + 1);
    if (text)
        format_numbers(text, len + 1, numbers, count);
    free(numbers);
    return (struct report_text){text, text ? len : 0};
}

static size_t first_member(const struct report_merged *node)
{
    return (size_t)strtoull(node->members.data, NULL, 10);
}

/* A comparison function for qsort(3): the node of fewer threads comes first, since such nodes are
 * the unusual ones. Of two nodes with equally many threads, the node that has the thread with the
 * lowest index comes first. */
static int compare_nodes(const void *left, const void *right)
{
    const struct report_merged *a = left, *b = right;

    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return (first_member(a) > first_member(b)) - (first_member(a) < first_member(b));
}

static bool fill_list(struct report *r, report_merged_list *list, struct group g, size_t depth);

static bool fill_node(struct report *r, struct report_merged *node, const struct group *g,
                      size_t depth)
{
    size_t common = common_frames(g, depth);

    node->frames.items = &g->first->frames->items[depth];
    node->frames.count = common;
    node->count = (int64_t)(g->end - g->first);
    node->members = members_text(r, g);
    return node->members.data && fill_list(r, &node->children, *g, depth + common);
}

/* Fills a list with one node for each different frame that the stacks of a group have at index
 * `depth`. The frames before this index are the same in all these stacks. Stacks that have no frame
 * at `depth` come first in the group and get no node. The recursion is at most as deep as the
 * number of different stacks. Returns false if there is no memory. */
static bool fill_list(struct report *r, report_merged_list *list, struct group g, size_t depth)
{
    const struct entry *next;
    struct group inner;
    size_t count = 0, i;

    while (g.first < g.end && g.first->frames->count == depth)
        g.first++;
    for (next = g.first; next < g.end; count++)
        next_group(&next, g.end, depth);
    list->items = schema_make(&r->arena, &schema_merged, count);
    if (!list->items)
        return false;
    list->count = count;
    for (next = g.first, i = 0; i < count; i++) {
        inner = next_group(&next, g.end, depth);
        if (!fill_node(r, &list->items[i], &inner, depth))
            return false;
    }
    qsort(list->items, count, sizeof(*list->items), compare_nodes);
    return true;
}

/* ---- A process ------------------------------------------------------------------------------ */

/* Returns an array with an entry for each thread whose frames are known, and sets *count to its
 * length. The caller frees it with free(). NULL: no memory. */
static struct entry *make_entries(const struct report_process *process, size_t *count)
{
    struct entry *entries = calloc(process->threads.count + 1, sizeof(*entries));
    size_t i;

    *count = 0;
    for (i = 0; entries && i < process->threads.count; i++) {
        if (process->threads.items[i].frames.items)
            entries[(*count)++] = (struct entry){&process->threads.items[i].frames, i};
    }
    return entries;
}

static bool set_stacks(struct report *r, struct report_process *process)
{
    struct report_thread *t;
    char text[17];

    for (t = process->threads.items; t < process->threads.items + process->threads.count; t++) {
        if (!t->frames.items)
            continue;
        snprintf(text, sizeof(text), "%016" PRIx64, hash_stack(&t->frames));
        t->stack = report_text(r, text, sizeof(text) - 1);
    }
    return !r->arena.failed;
}

bool report_merge(struct report *r, struct report_process *process)
{
    struct entry *entries;
    size_t count;
    bool done;

    if (!process->threads.items)
        return true;
    entries = make_entries(process, &count);
    if (!entries)
        return false;
    qsort(entries, count, sizeof(*entries), compare_entries);
    done = set_stacks(r, process) &&
           fill_list(r, &process->merged, (struct group){entries, entries + count}, 0);
    free(entries);
    if (!done)
        process->merged = (report_merged_list){NULL, 0};
    return done;
}
