/* SPDX-License-Identifier: BSD-3-Clause */
#include "codec.h"

#include "brine.h"
#include "error.h"
#include "schema.h"

/* ---- Writing -------------------------------------------------------------------------------- */

static void put_text(struct buffer *out, const struct report_text *text)
{
    if (text->data)
        brine_put_str(out, text->data, text->len);
    else
        brine_put_none(out);
}

static void put_int(struct buffer *out, int64_t value)
{
    if (value == REPORT_UNKNOWN)
        brine_put_none(out);
    else
        brine_put_int(out, value);
}

static void put_word(struct buffer *out, const char *word)
{
    if (word)
        brine_put_str(out, word, strlen(word));
    else
        brine_put_none(out);
}

/* Appends the head of a list, or None if the list is unknown. Returns true if the list has items,
 * which the caller then appends. */
static bool put_head(struct buffer *out, const struct any_list *list)
{
    if (!list->items)
        brine_put_none(out);
    else
        brine_put_tuple(out, list->count);
    return list->items && list->count > 0;
}

static void put_struct(struct buffer *out, const struct schema *schema, const void *item);

static void put_list(struct buffer *out, const struct field *f, const struct any_list *list)
{
    const char *item = list->items;
    size_t i;

    for (i = 0; i < list->count; i++) {
        switch (f->kind) {
        case FIELD_TEXTS:
            put_text(out, &((const struct report_text *)list->items)[i]);
            break;
        case FIELD_INTS:
            put_int(out, ((const int64_t *)list->items)[i]);
            break;
        case FIELD_MAP:
            brine_put_tuple(out, 2);
            put_text(out, &((const struct report_pair *)list->items)[i].name);
            put_text(out, &((const struct report_pair *)list->items)[i].value);
            break;
        default:
            put_struct(out, f->of, item + i * f->of->size);
        }
    }
}

static void put_member(struct buffer *out, const struct field *f, const void *at)
{
    struct any_list list;
    const void *pointer;
    double number;

    switch (f->kind) {
    case FIELD_TEXT:
        put_text(out, at);
        return;
    case FIELD_INT:
        put_int(out, *(const int64_t *)at);
        return;
    case FIELD_FLOAT:
        number = *(const double *)at;
        if (isnan(number))
            brine_put_none(out);
        else
            brine_put_float(out, number);
        return;
    case FIELD_ENUM:
        put_word(out, field_word(f, *(const int *)at));
        return;
    case FIELD_BOOL:
        if (*(const int *)at)
            brine_put_bool(out, *(const int *)at == BOOL_TRUE);
        else
            brine_put_none(out);
        return;
    case FIELD_STRUCT:
        memcpy(&pointer, at, sizeof(pointer));
        if (pointer)
            put_struct(out, f->of, pointer);
        else
            brine_put_none(out);
        return;
    default:
        memcpy(&list, at, sizeof(list));
        if (put_head(out, &list))
            put_list(out, f, &list);
    }
}

static void put_struct(struct buffer *out, const struct schema *schema, const void *item)
{
    size_t i;

    brine_put_tuple(out, schema->count);
    for (i = 0; i < schema->count; i++)
        put_member(out, &schema->fields[i], field_of(&schema->fields[i], item));
}

void report_write(struct buffer *out, const struct report_process *process)
{
    put_struct(out, &schema_process, process);
}

/* ---- Reading -------------------------------------------------------------------------------- */

struct decoder {
    struct brine_reader in;
    struct report *report;
    const struct schema *schema; /* the struct with the first error; NULL: no error yet */
    const struct field *field;   /* the member with the first error; NULL: the whole struct */
    const char *expected;        /* what was expected there */
};

/* Stores where the first error is, and what was expected there. Returns false. */
static bool wrong(struct decoder *d, const struct schema *schema, const struct field *f,
                  const char *expected)
{
    if (!d->expected) {
        d->schema = schema;
        d->field = f;
        d->expected = expected;
    }
    return false;
}

static bool take_text(struct decoder *d, const struct brine_item *item, struct report_text *text)
{
    if (item->type == BRINE_NONE)
        return true;
    if (item->type != BRINE_STR || !brine_utf8(item->data, item->len))
        return false;
    *text = report_text(d->report, (const char *)item->data, item->len);
    return true;
}

static bool take_int(const struct brine_item *item, int64_t *value)
{
    if (item->type == BRINE_INT)
        *value = item->integer;
    return item->type == BRINE_INT || item->type == BRINE_NONE;
}

static bool take_float(const struct brine_item *item, double *value)
{
    if (item->type == BRINE_FLOAT)
        *value = item->real;
    if (item->type == BRINE_INT)
        *value = (double)item->integer;
    return item->type == BRINE_FLOAT || item->type == BRINE_INT || item->type == BRINE_NONE;
}

/* Reads the word of an enum. If this version does not know the word, the member stays unknown. */
static bool take_enum(const struct field *f, const struct brine_item *item, int *value)
{
    if (item->type == BRINE_STR)
        *value = field_value(f, (const char *)item->data, item->len);
    return item->type == BRINE_STR || item->type == BRINE_NONE;
}

static bool take_bool(const struct brine_item *item, int *value)
{
    if (item->type == BRINE_BOOL)
        *value = item->boolean ? BOOL_TRUE : BOOL_FALSE;
    return item->type == BRINE_BOOL || item->type == BRINE_NONE;
}

static bool take_struct(struct decoder *d, const struct schema *schema, size_t given, void *base);

/* Reads one struct, which is a tuple of its members, into `base`. Returns false on error. */
static bool take_item(struct decoder *d, const struct schema *schema, void *base)
{
    struct brine_item item;

    if (!brine_next(&d->in, &item))
        return false;
    if (item.type != BRINE_TUPLE)
        return wrong(d, schema, NULL, "a tuple");
    return take_struct(d, schema, item.count, base);
}

static bool take_pair(struct decoder *d, struct report_pair *pair)
{
    struct brine_item name, value;

    return brine_expect_tuple(&d->in, 2) && brine_next(&d->in, &name) &&
           take_text(d, &name, &pair->name) && brine_next(&d->in, &value) &&
           take_text(d, &value, &pair->value);
}

static size_t item_size(const struct field *f)
{
    switch (f->kind) {
    case FIELD_TEXTS:
        return sizeof(struct report_text);
    case FIELD_INTS:
        return sizeof(int64_t);
    case FIELD_MAP:
        return sizeof(struct report_pair);
    default:
        return f->of->size;
    }
}

/* Reads one item of a list into `base`. Returns false on error. */
static bool take_listed(struct decoder *d, const struct field *f, void *base)
{
    struct brine_item item;

    if (f->kind == FIELD_MAP)
        return take_pair(d, base);
    if (f->kind == FIELD_LIST)
        return take_item(d, f->of, base);
    if (!brine_next(&d->in, &item))
        return false;
    if (f->kind == FIELD_TEXTS)
        return take_text(d, &item, base);
    *(int64_t *)base = REPORT_UNKNOWN;
    return take_int(&item, base);
}

static bool take_list(struct decoder *d, const struct field *f, size_t count, void *at)
{
    size_t size = item_size(f), i;
    struct any_list list = {.count = count};
    struct arena *arena = &d->report->arena;

    list.items =
        f->kind == FIELD_LIST ? schema_make(arena, f->of, count) : arena_array(arena, count, size);
    if (!list.items)
        return false;
    memcpy(at, &list, sizeof(list));
    for (i = 0; i < count; i++) {
        if (!take_listed(d, f, (char *)list.items + i * size))
            return false;
    }
    return true;
}

static bool take_pointer(struct decoder *d, const struct field *f, size_t given, void *at)
{
    void *item = schema_make(&d->report->arena, f->of, 1);

    if (!item)
        return false;
    memcpy(at, &item, sizeof(item));
    return take_struct(d, f->of, given, item);
}

/* Reads a member that is encoded as a tuple (a struct or a list) or None. Returns false on error.
 */
static bool take_container(struct decoder *d, const struct field *f, const struct brine_item *item,
                           void *at)
{
    if (item->type == BRINE_NONE)
        return true;
    if (item->type != BRINE_TUPLE)
        return false;
    return f->kind == FIELD_STRUCT ? take_pointer(d, f, item->count, at)
                                   : take_list(d, f, item->count, at);
}

static bool take_member(struct decoder *d, const struct field *f, void *at)
{
    struct brine_item item;

    if (!brine_next(&d->in, &item))
        return false;
    switch (f->kind) {
    case FIELD_TEXT:
        return take_text(d, &item, at);
    case FIELD_INT:
        return take_int(&item, at);
    case FIELD_FLOAT:
        return take_float(&item, at);
    case FIELD_ENUM:
        return take_enum(f, &item, at);
    case FIELD_BOOL:
        return take_bool(&item, at);
    default:
        return take_container(d, f, &item, at);
    }
}

static const char *const kind_names[] = {
    [FIELD_TEXT] = "a str",           [FIELD_INT] = "an int of 64 bits",
    [FIELD_FLOAT] = "a float",        [FIELD_ENUM] = "a str",
    [FIELD_BOOL] = "a bool",          [FIELD_STRUCT] = "a tuple",
    [FIELD_LIST] = "a tuple",         [FIELD_MAP] = "a tuple of pairs of str",
    [FIELD_TEXTS] = "a tuple of str", [FIELD_INTS] = "a tuple of ints",
};

static bool take_struct(struct decoder *d, const struct schema *schema, size_t given, void *base)
{
    size_t i, known = given < schema->count ? given : schema->count;
    const uint8_t *data;
    size_t len;

    for (i = 0; i < known; i++) {
        const struct field *f = &schema->fields[i];

        if (!take_member(d, f, field_at(f, base)))
            return wrong(d, schema, f, kind_names[f->kind]);
    }
    for (; i < given; i++) {
        if (!brine_skip(&d->in, &data, &len))
            return false;
    }
    return true;
}

/* Fills err with the first error that was found while reading. */
static void explain(const struct decoder *d, struct rpyc_error *err)
{
    const struct arena *arena = &d->report->arena;

    if (arena->failed && arena->max > 0)
        error_set(err, RPYC_ELIMIT, "the report takes more than %zu bytes of memory", arena->max);
    else if (arena->failed)
        error_nomem(err);
    else if (d->in.failed != RPYC_OK || !d->expected)
        brine_error(&d->in, err); /* also reports bytes after the value */
    else if (d->field)
        error_set(err, RPYC_EPROTOCOL, "invalid report: %s.%s is not %s", d->schema->name,
                  d->field->name, d->expected);
    else
        error_set(err, RPYC_EPROTOCOL, "invalid report: a %s is not %s", d->schema->name,
                  d->expected);
}

struct report_process *report_read(struct report *r, const void *brine, size_t len,
                                   struct rpyc_error *err)
{
    struct decoder d = {.report = r};
    struct report_process *process = report_add_process(r);

    brine_read(&d.in, brine, len);
    if (process && take_item(&d, &schema_process, process) && brine_at_end(&d.in) &&
        !r->arena.failed)
        return process;
    explain(&d, err);
    if (process)
        r->processes.count--;
    return NULL;
}
