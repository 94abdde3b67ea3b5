/* SPDX-License-Identifier: BSD-3-Clause */
#include "json.h"

#include <json_object.h>
#include <json_tokener.h>
#include <linkhash.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "schema.h"

#define DEPTH_MAX 4096 /* limit for nested containers; the tree of calls may be deep */

static void put_object(struct json_object **object)
{
    json_object_put(*object);
}

#define AUTO_OBJECT _cleanup_(put_object) struct json_object

/* ---- Writing --------------------------------------------------------------------------------
 *
 * json-c uses NULL for the value null, so a result of NULL does not mean an error. The functions
 * set *failed if there is no memory. */

static struct json_object *checked(struct json_object *object, bool *failed)
{
    if (!object)
        *failed = true;
    return object;
}

static struct json_object *text_object(const struct report_text *text, bool *failed)
{
    if (!text->data)
        return NULL;
    if (text->len > INT_MAX) {
        *failed = true;
        return NULL;
    }
    return checked(json_object_new_string_len(text->data, (int)text->len), failed);
}

static struct json_object *int_object(int64_t value, bool *failed)
{
    return value == REPORT_UNKNOWN ? NULL : checked(json_object_new_int64(value), failed);
}

/* Adds a member to an object, which takes ownership of value. Sets *failed if there is no memory or
 * `to` is NULL. */
static void add(struct json_object *to, const char *name, struct json_object *value, bool *failed)
{
    if (!to || json_object_object_add(to, name, value) != 0) {
        json_object_put(value);
        *failed = true;
    }
}

static struct json_object *map_object(const struct any_list *list, bool *failed)
{
    struct json_object *object = checked(json_object_new_object(), failed);
    const struct report_pair *pairs = list->items;
    size_t i;

    /* report_text() ends each copy with a NUL, so a name can be used as a C string. */
    for (i = 0; object && i < list->count; i++) {
        if (pairs[i].name.data)
            add(object, pairs[i].name.data, text_object(&pairs[i].value, failed), failed);
    }
    return object;
}

static struct json_object *struct_object(const struct schema *schema, const void *item,
                                         bool *failed);

static struct json_object *listed_object(const struct field *f, const void *items, size_t i,
                                         bool *failed)
{
    if (f->kind == FIELD_TEXTS)
        return text_object(&((const struct report_text *)items)[i], failed);
    if (f->kind == FIELD_INTS)
        return int_object(((const int64_t *)items)[i], failed);
    return struct_object(f->of, (const char *)items + i * f->of->size, failed);
}

static struct json_object *list_object(const struct field *f, const struct any_list *list,
                                       bool *failed)
{
    struct json_object *array, *item;
    size_t i;

    if (!list->items)
        return NULL;
    if (f->kind == FIELD_MAP)
        return map_object(list, failed);
    array = checked(json_object_new_array(), failed);
    for (i = 0; array && i < list->count; i++) {
        item = listed_object(f, list->items, i, failed);
        if (json_object_array_add(array, item) != 0) {
            json_object_put(item);
            *failed = true;
        }
    }
    return array;
}

static struct json_object *word_object(const char *word, bool *failed)
{
    return word ? checked(json_object_new_string(word), failed) : NULL;
}

static struct json_object *member_object(const struct field *f, const void *at, bool *failed)
{
    struct any_list list;
    const void *pointer;

    switch (f->kind) {
    case FIELD_TEXT:
        return text_object(at, failed);
    case FIELD_INT:
        return int_object(*(const int64_t *)at, failed);
    case FIELD_FLOAT:
        if (!isfinite(*(const double *)at))
            return NULL;
        return checked(json_object_new_double(*(const double *)at), failed);
    case FIELD_ENUM:
        return word_object(field_word(f, *(const int *)at), failed);
    case FIELD_BOOL:
        if (!*(const int *)at)
            return NULL;
        return checked(json_object_new_boolean(*(const int *)at == BOOL_TRUE), failed);
    case FIELD_STRUCT:
        memcpy(&pointer, at, sizeof(pointer));
        return pointer ? struct_object(f->of, pointer, failed) : NULL;
    default:
        memcpy(&list, at, sizeof(list));
        return list_object(f, &list, failed);
    }
}

static struct json_object *struct_object(const struct schema *schema, const void *item,
                                         bool *failed)
{
    struct json_object *object = checked(json_object_new_object(), failed);
    const struct field *f;

    for (f = schema->fields; object && f < schema->fields + schema->count; f++)
        add(object, f->name, member_object(f, field_of(f, item), failed), failed);
    return object;
}

/* Sets *code to the first character of a valid UTF-8 text. Returns a pointer to the next character.
 */
static const char *decode(const char *text, const char *end, uint32_t *code)
{
    unsigned char c = (unsigned char)*text++;

    *code = c < 0x80 ? c : c < 0xe0 ? c & 0x1fu : c < 0xf0 ? c & 0x0fu : c & 0x07u;
    while (text < end && ((unsigned char)*text & 0xc0) == 0x80)
        *code = *code << 6 | ((unsigned char)*text++ & 0x3fu);
    return text;
}

/* Writes a character as a JSON escape: \uXXXX, or two of them (a surrogate pair) from U+10000 on.
 * Returns the length in bytes. */
static size_t escape(char *to, size_t size, uint32_t code)
{
    if (code < 0x10000)
        return (size_t)snprintf(to, size, "\\u%04x", code);
    code -= 0x10000;
    return (size_t)snprintf(to, size, "\\u%04x\\u%04x", 0xd800 + (code >> 10),
                            0xdc00 + (code & 0x3ff));
}

/* Appends JSON text. Writes DEL and each character outside of ASCII as \uXXXX, so that the text can
 * be printed to any terminal. Outside of strings, JSON has no such characters. */
static void put_ascii(struct buffer *out, const char *text, size_t len)
{
    const char *end = text + len, *start = text;
    char escaped[16];
    uint32_t code;

    while (text < end) {
        if ((unsigned char)*text < 0x7f) {
            text++;
            continue;
        }
        buffer_put(out, start, (size_t)(text - start));
        text = decode(text, end, &code);
        buffer_put(out, escaped, escape(escaped, sizeof(escaped), code));
        start = text;
    }
    buffer_put(out, start, (size_t)(end - start));
}

/* The flags of json-c for the layouts of a document. */
#define INDENTED (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED)
#define LINE     JSON_C_TO_STRING_PLAIN

static void write_document(struct buffer *out, const struct schema *schema, const void *item,
                           int layout)
{
    bool failed = false;
    AUTO_OBJECT *object = struct_object(schema, item, &failed);
    const char *text = NULL;
    size_t len;

    if (!failed)
        text = json_object_to_json_string_length(object, layout | JSON_C_TO_STRING_NOSLASHESCAPE,
                                                 &len);
    if (!text) {
        out->failed = true;
        return;
    }
    put_ascii(out, text, len);
    buffer_put_u8(out, '\n');
}

void report_write_json(struct buffer *out, const struct report_process *process)
{
    write_document(out, &schema_process, process, INDENTED);
}

void report_write_json_all(struct buffer *out, const struct report *r)
{
    write_document(out, &schema_report, r, INDENTED);
}

void report_write_json_line(struct buffer *out, const struct report_process *process)
{
    write_document(out, &schema_process, process, LINE);
}

void report_write_json_line_all(struct buffer *out, const struct report *r)
{
    write_document(out, &schema_report, r, LINE);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static struct report_text take_text(struct report *r, struct json_object *value)
{
    return report_text(r, json_object_get_string(value), (size_t)json_object_get_string_len(value));
}

static bool take_struct(struct report *r, const struct schema *schema, struct json_object *object,
                        void *base, struct rpyc_error *err);

static bool take_listed(struct report *r, const struct field *f, struct json_object *value,
                        void *at, struct rpyc_error *err)
{
    if (f->kind == FIELD_LIST)
        return take_struct(r, f->of, value, at, err);
    if (f->kind == FIELD_TEXTS) {
        if (value)
            *(struct report_text *)at = take_text(r, value);
        return !value || json_object_is_type(value, json_type_string);
    }
    *(int64_t *)at = value ? json_object_get_int64(value) : REPORT_UNKNOWN;
    return !value || json_object_is_type(value, json_type_int);
}

static void *make_list(struct report *r, const struct field *f, size_t count, size_t *size)
{
    if (f->kind == FIELD_LIST) {
        *size = f->of->size;
        return schema_make(&r->arena, f->of, count);
    }
    *size = f->kind == FIELD_TEXTS ? sizeof(struct report_text) : sizeof(int64_t);
    return arena_array(&r->arena, count, *size);
}

static bool take_list(struct report *r, const struct field *f, struct json_object *array, void *at,
                      struct rpyc_error *err)
{
    struct any_list list = {.count = json_object_array_length(array)};
    size_t i, size;

    list.items = make_list(r, f, list.count, &size);
    memcpy(at, &list, sizeof(list));
    for (i = 0; list.items && i < list.count; i++) {
        if (!take_listed(r, f, json_object_array_get_idx(array, i), (char *)list.items + i * size,
                         err))
            return false;
    }
    return list.items;
}

static bool take_map(struct report *r, struct json_object *object, void *at)
{
    size_t count = (size_t)json_object_object_length(object);
    struct report_pair *pair = arena_array(&r->arena, count, sizeof(*pair));
    struct any_list list = {pair, count};

    if (!pair)
        return false;
    memcpy(at, &list, sizeof(list));
    json_object_object_foreach(object, name, value)
    {
        if (value && !json_object_is_type(value, json_type_string))
            return false;
        pair->name = report_text(r, name, strlen(name));
        if (value)
            pair->value = take_text(r, value);
        pair++;
    }
    return true;
}

static bool take_pointer(struct report *r, const struct field *f, struct json_object *value,
                         void *at, struct rpyc_error *err)
{
    void *item = schema_make(&r->arena, f->of, 1);

    memcpy(at, &item, sizeof(item));
    return item && take_struct(r, f->of, value, item, err);
}

static const enum json_type json_types[] = {
    [FIELD_TEXT] = json_type_string,  [FIELD_INT] = json_type_int,
    [FIELD_FLOAT] = json_type_double, [FIELD_ENUM] = json_type_string,
    [FIELD_BOOL] = json_type_boolean, [FIELD_STRUCT] = json_type_object,
    [FIELD_LIST] = json_type_array,   [FIELD_MAP] = json_type_object,
    [FIELD_TEXTS] = json_type_array,  [FIELD_INTS] = json_type_array,
};

static bool has_type(const struct field *f, struct json_object *value)
{
    return json_object_is_type(value, json_types[f->kind]) ||
           (f->kind == FIELD_FLOAT && json_object_is_type(value, json_type_int));
}

static bool take_member(struct report *r, const struct field *f, struct json_object *value,
                        void *at, struct rpyc_error *err)
{
    switch (f->kind) {
    case FIELD_TEXT:
        *(struct report_text *)at = take_text(r, value);
        return true;
    case FIELD_INT:
        *(int64_t *)at = json_object_get_int64(value);
        return true;
    case FIELD_FLOAT:
        *(double *)at = json_object_get_double(value);
        return true;
    case FIELD_ENUM:
        *(int *)at = field_value(f, json_object_get_string(value),
                                 (size_t)json_object_get_string_len(value));
        return true;
    case FIELD_BOOL:
        *(int *)at = json_object_get_boolean(value) ? BOOL_TRUE : BOOL_FALSE;
        return true;
    case FIELD_STRUCT:
        return take_pointer(r, f, value, at, err);
    case FIELD_MAP:
        return take_map(r, value, at);
    default:
        return take_list(r, f, value, at, err);
    }
}

/* If err has no error yet, sets it to an error that names the member with the wrong type. Returns
 * false. */
static bool wrong(struct rpyc_error *err, const struct schema *schema, const struct field *f)
{
    if (err->code == RPYC_OK)
        error_set(err, RPYC_EPROTOCOL, "invalid report: %s.%s has the wrong type", schema->name,
                  f->name);
    return false;
}

static bool take_struct(struct report *r, const struct schema *schema, struct json_object *object,
                        void *base, struct rpyc_error *err)
{
    const struct field *f;
    struct json_object *value;

    if (!json_object_is_type(object, json_type_object)) {
        if (err->code == RPYC_OK)
            error_set(err, RPYC_EPROTOCOL, "invalid report: a %s is not an object", schema->name);
        return false;
    }
    for (f = schema->fields; f < schema->fields + schema->count; f++) {
        if (!json_object_object_get_ex(object, f->name, &value) || !value)
            continue;
        if (!has_type(f, value) || !take_member(r, f, value, field_at(f, base), err))
            return wrong(err, schema, f);
    }
    return true;
}

static struct json_object *parse(const char *text, size_t len, struct rpyc_error *err)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    struct json_object *object = NULL;
    enum json_tokener_error why;

    if (!tokener) {
        error_nomem(err);
        return NULL;
    }
    if (len > INT_MAX) {
        error_set(err, RPYC_ELIMIT, "a report of %zu bytes is too long", len);
    } else {
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, text, (int)len);
        why = json_tokener_get_error(tokener);
        if (why == json_tokener_continue)
            error_set(err, RPYC_EPROTOCOL, "not a report: the JSON ends early");
        else if (!object)
            error_set(err, RPYC_EPROTOCOL, "not a report: %s",
                      why == json_tokener_success ? "null" : json_tokener_error_desc(why));
    }
    json_tokener_free(tokener);
    return object;
}

static bool take_document(struct report *r, struct json_object *document, struct rpyc_error *err)
{
    struct report_process *process;

    if (json_object_object_get_ex(document, "processes", NULL))
        return take_struct(r, &schema_report, document, r, err);
    process = report_add_process(r);
    return process && take_struct(r, &schema_process, document, process, err);
}

int report_read_json(struct report *r, const char *text, size_t len, struct rpyc_error *err)
{
    _cleanup_(rpyc_error_clear) struct rpyc_error own = RPYC_ERROR_INIT;
    AUTO_OBJECT *document = NULL;

    if (!err)
        err = &own;
    rpyc_error_clear(err);
    document = parse(text, len, err);
    if (!document)
        return -1;
    if (take_document(r, document, err) && !r->arena.failed)
        return 0;
    if (r->arena.failed)
        error_nomem(err);
    return -1;
}
