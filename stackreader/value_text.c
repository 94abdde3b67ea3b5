/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The layouts of float and set objects are declared in Include/cpython/floatobject.h and
 * setobject.h of CPython. The offsets in these layouts are constants of this file and not members
 * of struct offsets, because these offsets have not changed since 3.9.
 */
#include "value_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "dicts.h"
#include "objects.h"

#define FLOAT_VALUE 16 /* a double */
#define SET_USED    24 /* the number of items */
#define DICT_USED   16 /* the number of items */

#define FLAG_HEAP_TYPE (UINT64_C(1) << 9) /* a bit of tp_flags: the type is not built in */

#define ITEMS_SHOWN   6  /* of a list, tuple or dict */
#define ENTRIES_TRIED 64 /* entries of a dict, of which some may be deleted */
#define TEXT_SHOWN    80 /* characters of a str, and bytes of a bytes object */
#define DEPTH_MAX     2  /* containers within containers */

struct value {
    const struct python *py;
    struct arena *arena;
    char text[VALUE_TEXT_MAX];
    size_t len;
    bool full;   /* the text was cut */
    bool failed; /* the object could not be read */
};

/* ---- Text ------------------------------------------------------------------------------------ */

static const char dots[] = "...";

/* Appends a piece of text if there is room for the whole piece. If not, appends "..." and sets
 * v->full. */
static void put_piece(struct value *v, const char *piece, size_t len)
{
    const size_t room = sizeof(v->text) - (sizeof(dots) - 1);

    if (v->full)
        return;
    if (len > room - v->len) {
        memcpy(v->text + v->len, dots, sizeof(dots) - 1);
        v->len += sizeof(dots) - 1;
        v->full = true;
        return;
    }
    memcpy(v->text + v->len, piece, len);
    v->len += len;
}

static void put(struct value *v, const char *text)
{
    put_piece(v, text, strlen(text));
}

static void put_format(struct value *v, const char *format, uint64_t number)
{
    char text[64];

    snprintf(text, sizeof(text), format, number);
    put(v, text);
}

/* Appends a character of a str, or a byte of a bytes object, and escapes it if this is necessary
 * between quotes. */
static void put_quoted(struct value *v, const char *character, size_t len)
{
    unsigned char c = (unsigned char)character[0];
    char escaped[8];

    if (len > 1) {
        put_piece(v, character, len);
    } else if (c == '\\' || c == '\'') {
        snprintf(escaped, sizeof(escaped), "\\%c", c);
        put(v, escaped);
    } else if (c == '\n' || c == '\t' || c == '\r') {
        put(v, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
    } else if (c < 0x20 || c >= 0x7f) {
        snprintf(escaped, sizeof(escaped), "\\x%02x", c);
        put(v, escaped);
    } else {
        put_piece(v, character, 1);
    }
}

/* ---- Plain values ---------------------------------------------------------------------------- */

static void put_none(struct value *v, uint64_t object)
{
    (void)object;
    put(v, "None");
}

static void put_bool(struct value *v, uint64_t object)
{
    uint64_t number = 0;

    v->failed = !object_integer(v->py, object, &number);
    put(v, number ? "True" : "False");
}

static void put_int(struct value *v, uint64_t object)
{
    const uint64_t digits = object + (uint64_t)v->py->offsets->integer.digits;
    uint64_t number;
    uint16_t digit;
    bool is_negative;

    v->failed = !memory_read(&v->py->memory, digits, &digit, sizeof(digit));
    if (v->failed)
        return;
    if (!object_magnitude(v->py, object, &number, &is_negative)) {
        put(v, "<an int of more than 64 bits>");
        return;
    }
    put_format(v, is_negative ? "-%" PRIu64 : "%" PRIu64, number);
}

/* Puts a point in place of the decimal separator of the program's locale. */
static void use_point(char *number)
{
    char *separator = number + strspn(number, "-0123456789");
    char *end = separator + strcspn(separator, "0123456789");

    if (*separator == '\0' || strchr("ein", *separator)) /* an exponent, inf */
        return;
    *separator = '.';
    memmove(separator + 1, end, strlen(end) + 1);
}

/* Appends the shortest number that becomes the same float when it is read again, as repr() does. */
static void put_float(struct value *v, uint64_t object)
{
    char text[40];
    double number;
    int digits;

    v->failed = !memory_read(&v->py->memory, object + FLOAT_VALUE, &number, sizeof(number));
    if (v->failed)
        return;
    if (isnan(number)) {
        put(v, "nan");
        return;
    }
    for (digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    use_point(text);
    put(v, text);
    if (text[strspn(text, "-0123456789")] == '\0')
        put(v, ".0");
}

static void put_str(struct value *v, uint64_t object)
{
    struct report_text text;
    size_t at, len;
    bool cut;

    text = object_text_start(v->py, v->arena, object, TEXT_SHOWN, &cut);
    v->failed = !text.data;
    if (!text.data)
        return;
    put(v, "'");
    for (at = 0; at < text.len; at += len) {
        for (len = 1; at + len < text.len && (text.data[at + len] & 0xc0) == 0x80; len++)
            ;
        put_quoted(v, text.data + at, len);
    }
    put(v, cut ? dots : "");
    put(v, "'");
}

static void put_bytes(struct value *v, uint64_t object)
{
    const struct offsets *o = v->py->offsets;
    char bytes[TEXT_SHOWN];
    uint64_t size, shown, i;

    v->failed = !read_member(v->py, object, o->bytes.size, &size);
    if (v->failed)
        return;
    shown = size < TEXT_SHOWN ? size : TEXT_SHOWN;
    v->failed =
        shown > 0 && !memory_read(&v->py->memory, object + (uint64_t)o->bytes.data, bytes, shown);
    put(v, "b'");
    for (i = 0; i < shown && !v->failed; i++)
        put_quoted(v, &bytes[i], 1);
    put(v, shown < size ? dots : "");
    put(v, "'");
}

static void put_set(struct value *v, uint64_t object)
{
    uint64_t count;

    v->failed = !memory_read(&v->py->memory, object + SET_USED, &count, sizeof(count));
    if (v->failed)
        return;
    put_format(v, "<a set of %" PRIu64 " items>", count);
}

static void put_class(struct value *v, uint64_t object)
{
    struct report_text name = object_type_name(v->py, v->arena, object);

    v->failed = !name.data;
    put(v, "<class '");
    if (name.data)
        put_piece(v, name.data, name.len);
    put(v, "'>");
}

/* ---- Containers ------------------------------------------------------------------------------ */

static void put_object(struct value *v, uint64_t object, int depth);

/* Appends the number of all items, if not all items are shown. */
static void put_rest(struct value *v, uint64_t shown, uint64_t count)
{
    if (shown < count)
        put_format(v, ", ... (%" PRIu64 " items)", count);
}

static void put_items(struct value *v, uint64_t items, uint64_t count, int depth)
{
    uint64_t objects[ITEMS_SHOWN], shown = count < ITEMS_SHOWN ? count : ITEMS_SHOWN, i;

    v->failed = shown > 0 && !memory_read(&v->py->memory, items, objects, shown * sizeof(*objects));
    for (i = 0; i < shown && !v->failed && !v->full; i++) {
        put(v, i > 0 ? ", " : "");
        put_object(v, objects[i], depth - 1);
    }
    put_rest(v, shown, count);
}

static void put_list(struct value *v, uint64_t object, int depth)
{
    const struct offsets *o = v->py->offsets;
    uint64_t count, items;

    v->failed = !read_member(v->py, object, o->list.size, &count) ||
                !read_member(v->py, object, o->list.items, &items);
    if (v->failed)
        return;
    put(v, "[");
    put_items(v, items, count, depth);
    put(v, "]");
}

static void put_tuple(struct value *v, uint64_t object, int depth)
{
    struct tuple t;

    v->failed = !tuple_open(v->py, object, UINT64_MAX, &t);
    if (v->failed)
        return;
    put(v, "(");
    put_items(v, t.items, t.count, depth);
    put(v, t.count == 1 ? ",)" : ")");
}

static void put_dict(struct value *v, uint64_t object, int depth)
{
    uint64_t key, value, count, shown = 0;
    struct dict d;
    size_t i;

    v->failed = !dict_open(v->py, object, &d) ||
                !memory_read(&v->py->memory, object + DICT_USED, &count, sizeof(count));
    if (v->failed)
        return;
    put(v, "{");
    for (i = 0; i < d.count && i < ENTRIES_TRIED && shown < ITEMS_SHOWN && !v->full; i++) {
        v->failed = v->failed || !dict_entry(v->py, &d, i, &key, &value);
        if (v->failed || !key || !value)
            continue;
        put(v, shown++ > 0 ? ", " : "");
        put_object(v, key, depth - 1);
        put(v, ": ");
        put_object(v, value, depth - 1);
    }
    put_rest(v, shown, count);
    put(v, "}");
}

/* ---- All objects ----------------------------------------------------------------------------- */

/* The built-in types whose values are shown. */
static const struct {
    const char *type;
    void (*put)(struct value *v, uint64_t object);
    void (*put_container)(struct value *v, uint64_t object, int depth);
    const char *deep; /* in place of a container that is not shown, because it is too deep */
} types[] = {
    {"NoneType", put_none, NULL, NULL},  {"bool", put_bool, NULL, NULL},
    {"int", put_int, NULL, NULL},        {"float", put_float, NULL, NULL},
    {"str", put_str, NULL, NULL},        {"bytes", put_bytes, NULL, NULL},
    {"set", put_set, NULL, NULL},        {"frozenset", put_set, NULL, NULL},
    {"type", put_class, NULL, NULL},     {"list", NULL, put_list, "[...]"},
    {"tuple", NULL, put_tuple, "(...)"}, {"dict", NULL, put_dict, "{...}"},
};

/* Appends <Account object at 0x7f2f61c385e0>. */
static void put_other(struct value *v, uint64_t object, uint64_t type)
{
    struct report_text name = object_type_name(v->py, v->arena, type);

    v->failed = v->failed || !name.data;
    put(v, "<");
    if (name.data)
        put_piece(v, name.data, name.len);
    put_format(v, " object at 0x%" PRIx64 ">", object);
}

/* Returns the index of a built-in type in `types`; -1 if the type is not in `types`. Returns -1 for
 * all classes of the program, because such a class may have the name of a built-in type. */
static int index_of(const struct python *py, uint64_t type)
{
    const struct offsets *o = py->offsets;
    uint64_t flags, address;
    char name[64];
    size_t i;

    if (!read_member(py, type, o->type.flags, &flags) || (flags & FLAG_HEAP_TYPE) ||
        !read_member(py, type, o->type.name, &address) ||
        !read_c_string(py, address, name, sizeof(name)))
        return -1;
    for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (strcmp(types[i].type, name) == 0)
            return (int)i;
    }
    return -1;
}

static void put_object(struct value *v, uint64_t object, int depth)
{
    uint64_t type = object_type(v->py, object);
    int i;

    v->failed = v->failed || !type;
    if (v->failed || v->full)
        return;
    i = index_of(v->py, type);
    if (i < 0)
        put_other(v, object, type);
    else if (types[i].put)
        types[i].put(v, object);
    else if (depth > 0)
        types[i].put_container(v, object, depth);
    else
        put(v, types[i].deep);
}

struct report_text value_text(const struct python *py, struct arena *arena, uint64_t object)
{
    struct value v = {.py = py, .arena = arena};

    put_object(&v, object, DEPTH_MAX);
    return v.failed ? (struct report_text){NULL, 0} : report_text_in(arena, v.text, v.len);
}
