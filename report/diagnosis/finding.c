/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/finding.h"

#include <string.h>

#include "schema.h"

/* Appends an empty finding to the process and returns it. NULL: no memory. */
static struct report_finding *grow(struct report *r, struct report_process *process)
{
    size_t count = process->findings.count;
    struct report_finding *items = schema_make(&r->arena, &schema_finding, count + 1);

    if (!items)
        return NULL;
    if (count > 0)
        memcpy(items, process->findings.items, count * sizeof(*items));
    process->findings.items = items;
    process->findings.count = count + 1;
    return &items[count];
}

struct report_finding *finding_add(struct report *r, struct report_process *process,
                                   const char *kind, const struct buffer *text,
                                   enum report_certainty certainty)
{
    struct report_text copy = report_text(r, (const char *)text->data, text->len);
    struct report_finding *finding = text->failed || !copy.data ? NULL : grow(r, process);

    if (!finding)
        return NULL;
    finding->kind = (struct report_text){kind, strlen(kind)};
    finding->text = copy;
    finding->certainty = certainty;
    finding->members.items = arena_array(&r->arena, 0, sizeof(struct report_text));
    finding->evidence.items = arena_array(&r->arena, 0, sizeof(struct report_text));
    return finding;
}

bool finding_set_one(struct report *r, report_texts *list, struct report_text id)
{
    list->items = arena_array(&r->arena, 1, sizeof(id));
    if (!list->items)
        return false;
    list->items[0] = id;
    list->count = 1;
    return true;
}

bool finding_set_two(struct report *r, report_texts *list, struct report_text first,
                     struct report_text second)
{
    list->items = arena_array(&r->arena, 2, sizeof(first));
    if (!list->items)
        return false;
    list->items[0] = first;
    list->items[1] = second;
    list->count = 2;
    return true;
}

const struct report_thread *finding_thread(const struct report_process *process,
                                           struct report_text id)
{
    size_t i;

    for (i = 0; id.data && i < process->threads.count; i++) {
        const struct report_thread *t = &process->threads.items[i];

        if (t->id.data && t->id.len == id.len && memcmp(t->id.data, id.data, id.len) == 0)
            return t;
    }
    return NULL;
}
