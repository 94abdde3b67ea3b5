/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/finding.h"

#include <string.h>

#include "schema.h"

/* Appends an empty finding to the list and returns it. NULL: no memory. The room of the array is
 * always a power of two, so the array is full, and is replaced by a larger one, only if the number
 * of findings is a power of two. */
static struct report_finding *grow(struct report *r, report_findings *list)
{
    size_t count = list->count, room = count > 0 ? 2 * count : 1;
    struct report_finding *items;

    if ((count & (count - 1)) == 0) {
        items = schema_make(&r->arena, &schema_finding, room);
        if (!items)
            return NULL;
        if (count > 0)
            memcpy(items, list->items, count * sizeof(*items));
        list->items = items;
    }
    list->count = count + 1;
    return &list->items[count];
}

struct report_finding *finding_add(struct report *r, report_findings *list, const char *kind,
                                   const struct buffer *text, enum report_certainty certainty)
{
    struct report_text copy = report_text(r, (const char *)text->data, text->len);
    struct report_finding *finding = text->failed || !copy.data ? NULL : grow(r, list);

    if (!finding)
        return NULL;
    finding->kind = (struct report_text){kind, strlen(kind)};
    finding->text = copy;
    finding->certainty = certainty;
    if (!texts_make(r, &finding->members, 0) || !texts_make(r, &finding->evidence, 0) ||
        !texts_make(r, &finding->lines, 0))
        return NULL;
    return finding;
}

bool texts_make(struct report *r, report_texts *list, size_t room)
{
    list->items = arena_array(&r->arena, room, sizeof(*list->items));
    list->count = 0;
    return list->items;
}

bool texts_add(struct report *r, report_texts *list, const struct buffer *text)
{
    struct report_text copy = report_text(r, (const char *)text->data, text->len);

    if (text->failed || !copy.data)
        return false;
    list->items[list->count++] = copy;
    return true;
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

        if (t->id.data && text_equals(t->id, id))
            return t;
    }
    return NULL;
}
