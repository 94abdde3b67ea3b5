/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "brine.h"
#include "schema.h"

/* How many entries of the detail of an object are looked at. */
#define DETAIL_MAX 16

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

bool report_take_processes(struct report *to, struct report *from)
{
    size_t count = to->processes.count, i;

    for (i = 0; i < from->processes.count; i++) {
        struct report_process *new = report_add_process(to);

        if (!new) {
            to->processes.count = count;
            return false;
        }
        *new = from->processes.items[i];
    }
    arena_take(&to->arena, &from->arena);
    report_free(from);
    return true;
}

struct report_text report_text_in(struct arena *arena, const char *data, size_t len)
{
    char *copy = data ? arena_alloc(arena, len + 1) : NULL;

    if (!copy)
        return (struct report_text){NULL, 0};
    if (len > 0)
        memcpy(copy, data, len);
    return (struct report_text){copy, len};
}

struct report_text report_text(struct report *r, const char *data, size_t len)
{
    return report_text_in(&r->arena, data, len);
}

bool text_is(struct report_text text, const char *other)
{
    return text.data && text.len == strlen(other) && memcmp(text.data, other, text.len) == 0;
}

bool text_begins(struct report_text text, const char *start)
{
    const size_t len = strlen(start);

    return text.data && text.len >= len && memcmp(text.data, start, len) == 0;
}

int text_compare(struct report_text a, struct report_text b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool text_equals(struct report_text a, struct report_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct report_text text_or(struct report_text text, struct report_text otherwise)
{
    return text.data && text.len > 0 ? text : otherwise;
}

/* Returns the length of the UTF-8 sequence with which a text begins; 0 if this sequence is not
 * valid. */
static size_t sequence_length(const char *text, size_t len)
{
    size_t n;

    for (n = 1; n <= 4 && n <= len; n++)
        if (brine_utf8((const uint8_t *)text, n))
            return n;
    return 0;
}

struct report_text report_text_of_bytes(struct report *r, const char *bytes, size_t len)
{
    char *copy = arena_array(&r->arena, len + 1, 6);
    size_t i, n, out = 0;

    if (!copy)
        return (struct report_text){NULL, 0};
    for (i = 0; i < len; i += n) {
        n = sequence_length(bytes + i, len - i);
        if (n > 0) {
            memcpy(copy + out, bytes + i, n);
            out += n;
        } else {
            out += (size_t)snprintf(copy + out, 7, "\\udc%02x", (unsigned char)bytes[i]);
            n = 1;
        }
    }
    return (struct report_text){copy, out};
}

void report_add_missing(struct arena *arena, struct report_process *process, const char *what,
                        const char *why)
{
    const size_t count = process->missing.count;
    struct report_missing *items;

    if (count >= REPORT_MISSING_MAX)
        return;
    items = schema_make(arena, &schema_missing, count + 1);
    if (!items)
        return;
    if (count > 0)
        memcpy(items, process->missing.items, count * sizeof(*items));
    items[count].what = (struct report_text){what, strlen(what)};
    items[count].why = (struct report_text){why, strlen(why)};
    process->missing.items = items;
    process->missing.count = count + 1;
}

bool report_lacks_threads(const struct report_process *process)
{
    size_t i;

    for (i = 0; i < process->missing.count; i++) {
        const struct report_text what = process->missing.items[i].what;

        if (text_is(what, "some threads") || text_is(what, "threads of other interpreters"))
            return true;
    }
    return false;
}

static bool has_thread(const struct report_process *process, int64_t native_id)
{
    size_t i;

    for (i = 0; i < process->threads.count; i++) {
        if (process->threads.items[i].native_id == native_id)
            return true;
    }
    return false;
}

void report_complete_other(struct report *r, struct report_other *to,
                           const struct report_process *from)
{
    struct report_thread *threads;
    size_t count = from->threads.count, i;

    threads = schema_make(&r->arena, &schema_thread, count + to->threads.count);
    if (!threads || report_lacks_threads(from))
        return;
    if (count > 0)
        memcpy(threads, from->threads.items, count * sizeof(*threads));
    for (i = 0; i < to->threads.count; i++) {
        if (!has_thread(from, to->threads.items[i].native_id))
            threads[count++] = to->threads.items[i];
    }
    to->python = from->python;
    to->threads.items = threads;
    to->threads.count = count;
    to->objects.items = from->objects.items;
    to->objects.count = from->objects.count;
}

void report_number_process(struct report *r, struct report_process *process, size_t index)
{
    char id[400];
    int len;

    if (index == 0 || !process->id.data)
        return;
    len = snprintf(id, sizeof(id), "%.*s#%zu", (int)process->id.len, process->id.data, index + 1);
    if (len < (int)sizeof(id))
        process->id = report_text(r, id, (size_t)len);
}

struct report_text report_detail(const struct report_object *object, const char *name)
{
    size_t i;

    for (i = 0; i < object->detail.count && i < DETAIL_MAX; i++) {
        if (text_is(object->detail.items[i].name, name))
            return object->detail.items[i].value;
    }
    return (struct report_text){NULL, 0};
}

void report_add_detail(struct report_object *object, const char *name, struct report_text value)
{
    const struct report_text key = {name, strlen(name)};

    if (value.data)
        object->detail.items[object->detail.count++] = (struct report_pair){key, value};
}
