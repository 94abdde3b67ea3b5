/* SPDX-License-Identifier: BSD-3-Clause */
#include "unite_objects.h"

#include <stdlib.h>

static int compare_objects(const void *left, const void *right)
{
    const struct report_object *a = *(struct report_object *const *)left;
    const struct report_object *b = *(struct report_object *const *)right;
    const int order = text_compare(a->id, b->id);

    return order != 0 ? order : (a > b) - (a < b);
}

static bool same_id(const struct report_object *a, const struct report_object *b)
{
    return a->id.len > 0 && text_equals(a->id, b->id);
}

/* Completes an object with what another description of it says. */
static void complete(struct report_object *object, const struct report_object *other)
{
    if (!object->kind.data)
        object->kind = other->kind;
    if (!object->type.data)
        object->type = other->type;
    if (!object->words.data)
        object->words = other->words;
    if (object->detail.count == 0)
        object->detail = other->detail;
    if (object->holders.count > 0 ||
        (object->holder_status != 0 && object->holder_status != HOLDER_NOT_KNOWN))
        return;
    object->holders = other->holders;
    if (other->holder_status != 0)
        object->holder_status = other->holder_status;
}

bool unite_objects(struct report_process *process)
{
    const size_t count = process->objects.count;
    struct report_object **sorted, *first = NULL, *items = process->objects.items;
    size_t i, kept = 0;

    if (count < 2)
        return true;
    sorted = calloc(count, sizeof(struct report_object *));
    if (!sorted)
        return false;
    for (i = 0; i < count; i++)
        sorted[i] = &items[i];
    qsort(sorted, count, sizeof(*sorted), compare_objects);
    for (i = 0; i < count; i++) {
        if (first && same_id(first, sorted[i])) {
            complete(first, sorted[i]);
            sorted[i]->id = (struct report_text){NULL, 0}; /* marks it for removal */
            continue;
        }
        first = sorted[i];
    }
    free(sorted);
    for (i = 0; i < count; i++) {
        if (items[i].id.data)
            items[kept++] = items[i];
    }
    process->objects.count = kept;
    return true;
}
