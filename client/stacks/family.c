/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/family.h"

#include <stdint.h>
#include <stdlib.h>

#include "process.h"
#include "procfs/folder.h"

/* The IDs of a process and of its parent. */
struct relation {
    pid_t pid, parent;
};

struct relations {
    struct relation *items;
    size_t count, room;
};

/* Adds a process. If there is no memory, leaves the process out. */
static void add_relation(void *arg, pid_t pid)
{
    struct relations *all = arg;
    struct relation *longer;
    size_t room;

    if (all->count == all->room) {
        room = all->room ? 2 * all->room : 256;
        longer = reallocarray(all->items, room, sizeof(*longer));
        if (!longer)
            return;
        all->items = longer;
        all->room = room;
    }
    all->items[all->count++] = (struct relation){pid, process_parent(pid)};
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct relation *)a)->pid, y = ((const struct relation *)b)->pid;

    return (x > y) - (x < y);
}

/* Reads all processes that /proc shows, sorted by ID. */
static void read_relations(struct relations *all)
{
    folder_walk_processes(INT64_MAX, add_relation, all);
    if (all->count > 0)
        qsort(all->items, all->count, sizeof(*all->items), by_pid);
}

/* Adds the process, then its descendants. Sets the parent of an added process to 0, so that it is
 * added only once. */
static void add_all(struct family *out, struct relations *all, pid_t pid)
{
    size_t i;

    out->pids[out->count++] = pid;
    for (i = 0; i < all->count; i++) {
        if (all->items[i].parent != pid)
            continue;
        all->items[i].parent = 0;
        add_all(out, all, all->items[i].pid);
    }
}

void family_find(struct family *out, pid_t pid)
{
    struct relations all = {0};

    *out = (struct family){0};
    read_relations(&all);
    out->pids = calloc(all.count + 1, sizeof(*out->pids));
    if (out->pids)
        add_all(out, &all, pid);
    free(all.items);
}

void family_free(struct family *family)
{
    free(family->pids);
    *family = (struct family){0};
}
