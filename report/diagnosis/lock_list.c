/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/lock_list.h"

#include <stdlib.h>

#include "buffer.h"
#include "diagnosis/actor_words.h"
#include "diagnosis/cycles.h"
#include "diagnosis/finding.h"
#include "phrases.h"
#include "diagnosis/wait_words.h"

/* A thread, greenlet or task that waits for an object, as indices of nodes. */
struct waiter {
    size_t object, node;
};

/* An object. Its waiters are the `count` entries from index `first` on in a list of all waiters. */
struct lock {
    size_t node;
    size_t first, count;
};

/* A comparison function for qsort(3) that puts the waiters of one object together. */
static int compare_waiters(const void *left, const void *right)
{
    const struct waiter *a = left, *b = right;

    if (a->object != b->object)
        return a->object < b->object ? -1 : 1;
    return a->node < b->node ? -1 : a->node > b->node;
}

/* A comparison function for qsort(3) that puts the object with the most waiters first. */
static int compare_locks(const void *left, const void *right)
{
    const struct lock *a = left, *b = right;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->node < b->node ? -1 : a->node > b->node;
}

/* Returns a sorted array of all waiters, and sets *count. The caller frees the array with free().
 * NULL: no memory. */
static struct waiter *find_waiters(const struct wait_graph *g, size_t *count)
{
    struct waiter *all = calloc(g->count + 1, sizeof(*all));
    size_t node, object;

    *count = 0;
    for (node = 0; all && node < g->count; node++) {
        const struct report_wait *wait = wait_graph_wait(g, node);

        object = wait ? wait_graph_find(g, 0, wait->object) : NO_NODE;
        if (object != NO_NODE && g->nodes[object].kind == NODE_OBJECT)
            all[(*count)++] = (struct waiter){object, node};
    }
    if (all)
        qsort(all, *count, sizeof(*all), compare_waiters);
    return all;
}

/* Returns a sorted array of all objects, and sets *count. The caller frees the array with free().
 * NULL: no memory. */
static struct lock *find_locks(const struct wait_graph *g, const struct waiter *waiters,
                               size_t waiter_count, size_t *count)
{
    struct lock *all = calloc(g->count + 1, sizeof(*all));
    size_t node, next = 0;

    *count = 0;
    for (node = 0; all && node < g->count; node++) {
        struct lock *lock = &all[*count];

        if (g->nodes[node].kind != NODE_OBJECT)
            continue;
        *lock = (struct lock){.node = node, .first = next};
        while (next < waiter_count && waiters[next].object == node)
            next++;
        lock->count = next - lock->first;
        if (!text_is(((const struct report_object *)g->nodes[node].item)->kind, "loop"))
            (*count)++; /* no thread waits for an asyncio loop */
    }
    if (all)
        qsort(all, *count, sizeof(*all), compare_locks);
    return all;
}

/* ---- Words ----------------------------------------------------------------------------------- */

static bool add_title(struct report *r, struct report_text *title, const struct report_object *o)
{
    static const char prefix[] = "obj:";
    const size_t len = sizeof(prefix) - 1;
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct report_text id = o->id;

    wait_words_put_object(&text, o);
    if (text_begins(id, prefix) && id.len > len)
        id = (struct report_text){id.data + len, id.len - len};
    if (id.data) {
        sentence_put(&text, " at ");
        sentence_put_text(&text, id);
    }
    *title = report_text(r, (const char *)text.data, text.len);
    return title->data && !text.failed;
}

static bool add_holders(struct report *r, report_texts *lines, const struct wait_graph *g,
                        size_t node)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    wait_words_put_holders(&text, g, node, g->nodes[node].cycle > 0);
    return text.len > 0 ? texts_add(r, lines, &text) : !text.failed;
}

static bool add_waiter(struct report *r, report_texts *lines, const struct wait_graph *g,
                       size_t node)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    actor_put(&text, g, node, 0);
    actor_put_line(&text, g, node);
    sentence_put(&text, " ");
    wait_words_put_purpose(&text, g, node);
    if (wait_graph_wait(g, node)->timed == BOOL_TRUE)
        sentence_put(&text, "; the wait has a timeout");
    return texts_add(r, lines, &text);
}

static bool add_count(struct report *r, report_texts *lines, size_t others)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    sentence_put(&text, "and ");
    sentence_put_number(&text, (int64_t)others);
    sentence_put(&text, others > 1 ? " others" : " other");
    return texts_add(r, lines, &text);
}

static bool make_entry(struct report *r, struct lock_entry *entry, const struct wait_graph *g,
                       const struct lock *lock, const struct waiter *waiters)
{
    size_t shown = lock->count < LOCK_WAITERS_SHOWN ? lock->count : LOCK_WAITERS_SHOWN, i;

    if (!add_title(r, &entry->title, g->nodes[lock->node].item) ||
        !texts_make(r, &entry->lines, shown + 2) || !add_holders(r, &entry->lines, g, lock->node))
        return false;
    for (i = 0; i < shown; i++) {
        if (!add_waiter(r, &entry->lines, g, waiters[lock->first + i].node))
            return false;
    }
    return shown == lock->count || add_count(r, &entry->lines, lock->count - shown);
}

static bool make_list(struct report *r, const struct wait_graph *g, lock_list *list)
{
    size_t waiter_count, count = 0, i;
    struct waiter *waiters = find_waiters(g, &waiter_count);
    struct lock *locks = waiters ? find_locks(g, waiters, waiter_count, &count) : NULL;
    bool made;

    list->items = locks ? arena_array(&r->arena, count, sizeof(*list->items)) : NULL;
    list->count = 0;
    made = list->items;
    for (i = 0; made && i < count; i++)
        made = make_entry(r, &list->items[list->count++], g, &locks[i], waiters);
    free(locks);
    free(waiters);
    return made;
}

bool lock_list_make(struct report *r, const struct report_process *process, lock_list *list)
{
    struct wait_graph g __attribute__((cleanup(wait_graph_free))) = {0};

    return wait_graph_make(&g, process, 1) && cycles_find(&g) && make_list(r, &g, list);
}
