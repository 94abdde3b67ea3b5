/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <string.h>

#include "schema.h"

void report_init(struct report *r, size_t max)
{
    *r = (struct report){.arena = {.max = max}};
    schema_init(&schema_report, r);
}

void report_free(struct report *r)
{
    size_t max = r->arena.max;

    arena_free(&r->arena);
    report_init(r, max);
}

struct report_process *report_add_process(struct report *r)
{
    size_t count = r->processes.count;
    struct report_process *items = schema_make(&r->arena, &schema_process, count + 1);

    if (!items)
        return NULL;
    if (count > 0)
        memcpy(items, r->processes.items, count * sizeof(*items));
    r->processes.items = items;
    r->processes.count = count + 1;
    return &items[count];
}

struct report_text report_text(struct report *r, const char *data, size_t len)
{
    char *copy = data ? arena_alloc(&r->arena, len + 1) : NULL;

    if (!copy)
        return (struct report_text){NULL, 0};
    if (len > 0)
        memcpy(copy, data, len);
    return (struct report_text){copy, len};
}
