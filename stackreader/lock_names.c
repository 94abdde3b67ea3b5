/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_names.h"

#include <inttypes.h>
#include <stdio.h>

#include "dicts.h"
#include "locals.h"
#include "objects.h"

#define NAMES_MAX   256  /* the most names of one code object that are looked at */
#define ENTRIES_MAX 64   /* entries of a dict that are read at once */
#define ITEMS_MAX   1024 /* the most items of one dict, list or tuple that are looked at */
#define READS_MAX   1000 /* the most reads for one path length */
#define DEPTH_MAX   3    /* the most attributes and items in one path */

struct search {
    const struct python *py;
    uint64_t object;
    uint64_t
        names[NAMES_MAX]; /* the addresses of the names in the code: of attributes and globals */
    size_t name_count;
    int reads;
    char path[LOCK_NAME_MAX + 1];
    size_t len;
};

/* ---- Paths ----------------------------------------------------------------------------------- */

/* Appends a text to the path. Returns false if the text does not fit. */
static bool put(struct search *s, const char *format, const char *text)
{
    int len = snprintf(s->path + s->len, sizeof(s->path) - s->len, format, text);

    if (len < 0 || (size_t)len >= sizeof(s->path) - s->len)
        return false;
    s->len += (size_t)len;
    return true;
}

static bool put_name(struct search *s, const char *format, uint64_t name)
{
    char text[64];

    return object_ascii(s->py, name, text, sizeof(text)) && put(s, format, text);
}

/* Appends "['a']" or "[3]". Returns false for other keys. */
static bool put_key(struct search *s, uint64_t key)
{
    uint64_t number;
    char text[32];

    if (object_type_is(s->py, object_type(s->py, key), "int") &&
        object_integer(s->py, key, &number)) {
        snprintf(text, sizeof(text), "%" PRIu64, number);
        return put(s, "[%s]", text);
    }
    return object_type_is(s->py, object_type(s->py, key), "str") && put_name(s, "['%s']", key);
}

/* ---- Values ---------------------------------------------------------------------------------- */

/* True if the code uses this name for an attribute or a global variable. Names are interned, so
 * equal names are the same object.
 */
static bool is_named(const struct search *s, uint64_t name)
{
    size_t i;

    for (i = 0; i < s->name_count; i++) {
        if (s->names[i] == name)
            return true;
    }
    return false;
}

static bool look_into(struct search *s, uint64_t value, int depth);

/* True if the value with the present path is the object, or if the object is found inside the
 * value, at most `depth` attributes and items deeper. */
static bool look_at(struct search *s, uint64_t value, int depth)
{
    return value == s->object || (depth > 0 && look_into(s, value, depth - 1));
}

/* Which values of a dict to look at. NAMED: those whose keys the code names. OBJECT: these values,
 * and also the object that is searched for, whatever its key is. ALL: all values. */
enum choice { CHOOSE_NAMED, CHOOSE_OBJECT, CHOOSE_ALL };

/* Looks at the values of a dict, as look_at() does. put_one: appends a key to the path. */
static bool look_into_dict(struct search *s, const struct dict *d, enum choice choice, int depth,
                           bool (*put_one)(struct search *, uint64_t))
{
    uint64_t keys[ENTRIES_MAX], values[ENTRIES_MAX];
    size_t start, count, i, len = s->len;
    bool named;

    for (start = 0; start < d->count && start < ITEMS_MAX && s->reads-- > 0; start += count) {
        count = dict_read(s->py, d, start, ENTRIES_MAX, keys, values);
        if (count == 0)
            return false;
        for (i = 0; i < count; i++) {
            named = choice == CHOOSE_ALL || is_named(s, keys[i]);
            if (!keys[i] || !values[i] ||
                !(named || (choice == CHOOSE_OBJECT && values[i] == s->object)))
                continue;
            if (put_one(s, keys[i]) && look_at(s, values[i], named ? depth : 0))
                return true;
            s->path[s->len = len] = '\0';
        }
    }
    return false;
}

static bool put_attribute(struct search *s, uint64_t name)
{
    return put_name(s, ".%s", name);
}

static bool look_into_items(struct search *s, uint64_t items, uint64_t count, int depth)
{
    uint64_t values[ENTRIES_MAX], start, n, i;
    size_t len = s->len;
    char text[32];

    for (start = 0; start < count && start < ITEMS_MAX && s->reads-- > 0; start += n) {
        n = count - start < ENTRIES_MAX ? count - start : ENTRIES_MAX;
        if (!memory_read(&s->py->memory, items + start * 8, values, n * 8))
            return false;
        for (i = 0; i < n; i++) {
            snprintf(text, sizeof(text), "%" PRIu64, start + i);
            if (put(s, "[%s]", text) && look_at(s, values[i], depth))
                return true;
            s->path[s->len = len] = '\0';
        }
    }
    return false;
}

/* Looks at the attributes of an object that its classes define: names in the dict of a class, and
 * slots of the object (__slots__). */
static bool look_into_classes(struct search *s, uint64_t value, int depth)
{
    uint64_t found;
    size_t i, len = s->len;

    if (!has_class_attributes(s->py, value))
        return false;
    for (i = 0; i < s->name_count && s->reads > 0; i++) {
        s->reads--;
        if (!class_attribute_find(s->py, value, s->names[i], &found))
            continue;
        s->reads -= 3;
        if (put_attribute(s, s->names[i]) && look_at(s, found, depth))
            return true;
        s->path[s->len = len] = '\0';
    }
    return false;
}

static bool look_into(struct search *s, uint64_t value, int depth)
{
    const struct python *py = s->py;
    const struct offsets *o = py->offsets;
    uint64_t type = object_type(py, value), size, items;
    struct tuple tuple;
    struct dict d;

    s->reads--;
    if (s->reads <= 0 || !type)
        return false;
    if (object_type_is(py, type, "dict"))
        return dict_open(py, value, &d) && look_into_dict(s, &d, CHOOSE_ALL, depth, put_key);
    if (object_type_is(py, type, "list"))
        return read_member(py, value, o->list.size, &size) &&
               read_member(py, value, o->list.items, &items) &&
               look_into_items(s, items, size, depth);
    if (object_type_is(py, type, "tuple"))
        return tuple_open(py, value, UINT64_MAX, &tuple) &&
               look_into_items(s, tuple.items, tuple.count, depth);
    if (dict_open_attributes(py, value, &d) &&
        look_into_dict(s, &d, CHOOSE_OBJECT, depth, put_attribute))
        return true;
    return look_into_classes(s, value, depth);
}

/* ---- Variables ------------------------------------------------------------------------------- */

static bool look_into_locals(struct search *s, const struct code_shape *shape,
                             const struct raw_frame *frame, int depth)
{
    const struct python *py = s->py;
    uint64_t names[LOCAL_NAMES_MAX], value;
    size_t count = locals_names(py, shape, names), i;

    for (i = 0; i < count && s->reads > 0; i++) {
        if (!locals_value(py, frame, i, &value))
            continue;
        s->len = 0;
        if (put_name(s, "%s", names[i]) && look_at(s, value, depth))
            return true;
    }
    return false;
}

static bool put_global(struct search *s, uint64_t name)
{
    return put_name(s, "%s", name);
}

static bool look_into_globals(struct search *s, const struct raw_frame *frame, int depth)
{
    uint64_t globals;
    struct dict d;

    s->path[s->len = 0] = '\0';
    return read_member(s->py, frame->address, s->py->offsets->frame.globals, &globals) &&
           dict_open(s->py, globals, &d) && look_into_dict(s, &d, CHOOSE_NAMED, depth, put_global);
}

/* Looks first for paths without attributes and items, and then for longer and longer paths. */
struct report_text lock_name(const struct python *py, struct value_room *room, struct arena *arena,
                             const struct raw_frame *frame, uint64_t object)
{
    const struct code_shape *shape = value_shape(py, room, frame->code);
    struct search s = {.py = py, .object = object};
    int depth;

    if (!object || !shape)
        return (struct report_text){NULL, 0};
    s.name_count = tuple_read_member(py, frame->code, py->offsets->code.names, s.names, NAMES_MAX);
    for (depth = 0; depth <= DEPTH_MAX; depth++) {
        s.reads = READS_MAX;
        if (!look_into_locals(&s, shape, frame, depth) && !look_into_globals(&s, frame, depth))
            continue;
        return report_text_in(arena, s.path, s.len);
    }
    return (struct report_text){NULL, 0};
}
