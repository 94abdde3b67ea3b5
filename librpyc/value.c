/* SPDX-License-Identifier: BSD-3-Clause */
#include "value.h"

#include <stdlib.h>

/* ---- Lifetime -------------------------------------------------------------------------------- */

rpyc_value *value_new(enum rpyc_type type, struct rpyc_error *err)
{
    rpyc_value *v = calloc(1, sizeof(*v));

    if (!v) {
        error_nomem(err);
        return NULL;
    }
    atomic_init(&v->refs, 1);
    v->type = type;
    return v;
}

rpyc_value *rpyc_ref(rpyc_value *v)
{
    atomic_fetch_add(&v->refs, 1);
    return v;
}

bool value_is_container(const rpyc_value *v)
{
    return v->type == RPYC_TUPLE || v->type == RPYC_FROZENSET || v->type == RPYC_SLICE;
}

/* Frees a plain value or a container. Drops the references of a container to its items. */
static void free_value(rpyc_value *v)
{
    if (v->type == RPYC_STR || v->type == RPYC_BYTES || v->big)
        free(v->data);
    if (value_is_container(v)) {
        for (size_t i = 0; i < v->count; i++)
            rpyc_unref(v->items[i]);
        free(v->items);
    }
    free(v);
}

void rpyc_unref(rpyc_value *v)
{
    int refs;

    if (!v)
        return;
    refs = atomic_load(&v->refs);
    while (refs > 1) {
        if (atomic_compare_exchange_weak(&v->refs, &refs, refs - 1))
            return;
    }
    if (v->release)
        v->release(v);
    else
        free_value(v);
}

/* ---- Reading values -------------------------------------------------------------------------- */

int value_fill_data(rpyc_value *v, const void *data, size_t len, struct rpyc_error *err)
{
    v->data = malloc(len + 1);
    if (!v->data)
        return error_nomem(err);
    if (len)
        memcpy(v->data, data, len);
    v->data[len] = '\0';
    v->len = len;
    return 0;
}

int value_reserve(rpyc_value *v, size_t count, struct rpyc_error *err)
{
    v->items = calloc(count ? count : 1, sizeof(*v->items));
    return v->items ? 0 : error_nomem(err);
}

rpyc_value *value_container(enum rpyc_type type, rpyc_value *const *items, size_t count,
                            struct rpyc_error *err)
{
    rpyc_value *v = value_new(type, err);
    size_t i;

    if (v && value_reserve(v, count, err) == 0) {
        if (count)
            memcpy(v->items, items, count * sizeof(*items));
        v->count = count;
        return v;
    }
    free(v);
    for (i = 0; i < count; i++)
        rpyc_unref(items[i]);
    return NULL;
}

/* Fills a container with `count` items. */
static int read_items(rpyc_value *v, size_t count, struct brine_reader *r, struct rpyc_error *err)
{
    if (value_reserve(v, count, err) < 0)
        return -1;
    while (v->count < count) {
        rpyc_value *item = value_read(r, err);

        if (!item)
            return -1;
        v->items[v->count++] = item;
    }
    return 0;
}

static enum rpyc_type type_of_item(enum brine_type type)
{
    static const enum rpyc_type types[] = {
        [BRINE_NONE] = RPYC_NONE,
        [BRINE_BOOL] = RPYC_BOOL,
        [BRINE_NOTIMPLEMENTED] = RPYC_NOTIMPLEMENTED,
        [BRINE_ELLIPSIS] = RPYC_ELLIPSIS,
        [BRINE_INT] = RPYC_INT,
        [BRINE_BIGINT] = RPYC_INT,
        [BRINE_FLOAT] = RPYC_FLOAT,
        [BRINE_COMPLEX] = RPYC_COMPLEX,
        [BRINE_BYTES] = RPYC_BYTES,
        [BRINE_STR] = RPYC_STR,
        [BRINE_TUPLE] = RPYC_TUPLE,
        [BRINE_FROZENSET] = RPYC_FROZENSET,
        [BRINE_SLICE] = RPYC_SLICE,
    };

    return types[type];
}

/* Fills v, whose type is set, from an item. If v is a container, also reads the items that
 * follow. */
static int fill_value(rpyc_value *v, const struct brine_item *item, struct brine_reader *r,
                      struct rpyc_error *err)
{
    switch (item->type) {
    case BRINE_BOOL:
        v->boolean = item->boolean;
        return 0;
    case BRINE_INT:
        v->integer = item->integer;
        return 0;
    case BRINE_FLOAT:
    case BRINE_COMPLEX:
        v->real = item->real;
        v->imag = item->imag;
        return 0;
    case BRINE_STR:
        if (!brine_utf8(item->data, item->len))
            return error_set(err, RPYC_EPROTOCOL, "a str that is not UTF-8");
        return value_fill_data(v, item->data, item->len, err);
    case BRINE_BYTES:
        return value_fill_data(v, item->data, item->len, err);
    case BRINE_BIGINT:
        v->big = true;
        return value_fill_data(v, item->data, item->len, err);
    case BRINE_TUPLE:
    case BRINE_FROZENSET:
    case BRINE_SLICE:
        return read_items(v, item->count, r, err);
    default:
        return 0;
    }
}

rpyc_value *value_read(struct brine_reader *r, struct rpyc_error *err)
{
    struct brine_item item;
    rpyc_value *v;

    if (!brine_next(r, &item)) {
        brine_error(r, err);
        return NULL;
    }
    v = value_new(type_of_item(item.type), err);
    if (v && fill_value(v, &item, r, err) < 0) {
        rpyc_unref(v);
        return NULL;
    }
    return v;
}

/* ---- Writing values -------------------------------------------------------------------------- */

static void put_items(struct buffer *out, const rpyc_value *v)
{
    size_t i;

    for (i = 0; i < v->count; i++)
        value_put(out, v->items[i]);
}

static void put_int(struct buffer *out, const rpyc_value *v)
{
    if (v->big)
        brine_put_digits(out, v->data, v->len);
    else
        brine_put_int(out, v->integer);
}

void value_put(struct buffer *out, const rpyc_value *v)
{
    switch (v->type) {
    case RPYC_NONE:
        brine_put_none(out);
        break;
    case RPYC_BOOL:
        brine_put_bool(out, v->boolean);
        break;
    case RPYC_INT:
        put_int(out, v);
        break;
    case RPYC_FLOAT:
        brine_put_float(out, v->real);
        break;
    case RPYC_COMPLEX:
        brine_put_complex(out, v->real, v->imag);
        break;
    case RPYC_STR:
        brine_put_str(out, v->data, v->len);
        break;
    case RPYC_BYTES:
        brine_put_bytes(out, v->data, v->len);
        break;
    case RPYC_TUPLE:
        brine_put_tuple(out, v->count);
        put_items(out, v);
        break;
    case RPYC_FROZENSET:
        brine_put_frozenset(out, v->count);
        put_items(out, v);
        break;
    case RPYC_SLICE:
        brine_put_slice(out);
        put_items(out, v);
        break;
    case RPYC_ELLIPSIS:
        brine_put_ellipsis(out);
        break;
    case RPYC_NOTIMPLEMENTED:
        brine_put_notimplemented(out);
        break;
    case RPYC_NETREF:
    case RPYC_OBJECT:
        out->failed = true; /* not plain: callers check this before */
        break;
    }
}

bool value_is_plain(const rpyc_value *v)
{
    size_t i;

    if (v->type == RPYC_NETREF || v->type == RPYC_OBJECT)
        return false;
    for (i = 0; value_is_container(v) && i < v->count; i++) {
        if (!value_is_plain(v->items[i]))
            return false;
    }
    return true;
}

int rpyc_dump(const rpyc_value *value, void **data, size_t *len, struct rpyc_error *err)
{
    struct buffer out = BUFFER_INIT;

    if (!value_is_plain(value))
        return error_set(err, RPYC_ETYPE, "cannot encode a netref or a local object");
    value_put(&out, value);
    if (out.failed) {
        buffer_free(&out);
        return error_nomem(err);
    }
    *data = out.data;
    *len = out.len;
    return 0;
}

/* ---- Looking at values ----------------------------------------------------------------------- */

enum rpyc_type rpyc_type_of(const rpyc_value *v)
{
    return v ? v->type : RPYC_NONE;
}

const char *value_type_name(const rpyc_value *v)
{
    static const char *const names[] = {
        [RPYC_NONE] = "NoneType",
        [RPYC_BOOL] = "bool",
        [RPYC_INT] = "int",
        [RPYC_FLOAT] = "float",
        [RPYC_COMPLEX] = "complex",
        [RPYC_STR] = "str",
        [RPYC_BYTES] = "bytes",
        [RPYC_TUPLE] = "tuple",
        [RPYC_FROZENSET] = "frozenset",
        [RPYC_SLICE] = "slice",
        [RPYC_ELLIPSIS] = "ellipsis",
        [RPYC_NOTIMPLEMENTED] = "NotImplementedType",
    };
    static const char builtins[] = "builtins.";
    const char *name;

    if (!v)
        return "no value";
    if (v->type == RPYC_OBJECT)
        return v->local.ops && v->local.ops->class_name ? v->local.ops->class_name
                                                        : "librpyc.Object";
    if (v->type != RPYC_NETREF)
        return names[v->type];
    name = v->ref.name;
    return strncmp(name, builtins, strlen(builtins)) == 0 ? name + strlen(builtins) : name;
}

static const char *data_of(const rpyc_value *v, enum rpyc_type type, size_t *len)
{
    if (!v || v->type != type)
        return NULL;
    if (len)
        *len = v->len;
    return v->data;
}

const char *rpyc_str(const rpyc_value *v, size_t *len)
{
    return data_of(v, RPYC_STR, len);
}

const void *rpyc_bytes(const rpyc_value *v, size_t *len)
{
    return data_of(v, RPYC_BYTES, len);
}

const char *rpyc_int_digits(const rpyc_value *v)
{
    return v && v->big ? v->data : NULL;
}

int rpyc_int64(const rpyc_value *v, int64_t *out, struct rpyc_error *err)
{
    if (!v)
        return error_set(err, RPYC_ETYPE, "expected int, got no value");
    if (v->big)
        return error_set(err, RPYC_ETYPE, "expected int of 64 bits, got an int of %zu digits",
                         v->len - (v->data[0] == '-'));
    if (v->type == RPYC_BOOL)
        *out = v->boolean;
    else if (v->type == RPYC_INT)
        *out = v->integer;
    else
        return error_set(err, RPYC_ETYPE, "expected int, got %s", value_type_name(v));
    return 0;
}

/* Implements rpyc_double. `wanted` is the type for the error text. */
static int get_double(const rpyc_value *v, double *out, const char *wanted, struct rpyc_error *err)
{
    volatile double d; /* so that x87 rounds it to 64 bits */
    int64_t n = 0;

    if (v && v->type == RPYC_FLOAT) {
        *out = v->real;
        return 0;
    }
    if (!v || (!v->big && rpyc_int64(v, &n, NULL) < 0))
        return error_set(err, RPYC_ETYPE, "expected %s, got %s", wanted, value_type_name(v));
    d = (double)n;
    if (v->big || d >= 0x1p63 || (int64_t)d != n)
        return error_set(err, RPYC_ETYPE,
                         "expected %s, got an int that a double does not hold exactly", wanted);
    *out = d;
    return 0;
}

int rpyc_double(const rpyc_value *v, double *out, struct rpyc_error *err)
{
    return get_double(v, out, "float", err);
}

int rpyc_complex(const rpyc_value *v, double *real, double *imag, struct rpyc_error *err)
{
    *imag = 0;
    if (!v || v->type != RPYC_COMPLEX)
        return get_double(v, real, "complex", err);
    *real = v->real;
    *imag = v->imag;
    return 0;
}

size_t rpyc_length(const rpyc_value *v)
{
    return v && value_is_container(v) ? v->count : 0;
}

rpyc_value *rpyc_item(const rpyc_value *v, size_t i)
{
    return i < rpyc_length(v) ? v->items[i] : NULL;
}

const char *rpyc_class_name(const rpyc_value *v)
{
    return v && v->type == RPYC_NETREF ? v->ref.name : NULL;
}
