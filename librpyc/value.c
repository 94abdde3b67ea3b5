/* SPDX-License-Identifier: BSD-3-Clause */
#include "value.h"

#include "describe.h"
#include "local.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>

/* ---- Lifetime ------------------------------------------------------------------------------- */

void rpyc_conn_unref(rpyc_conn *conn)
{
    if (atomic_fetch_sub(&conn->refs, 1) > 1)
        return;
    conn_unref(conn->conn);
    releases_free(&conn->releases);
    locals_clear(conn);
    pthread_mutex_destroy(&conn->lock);
    free(conn);
}

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

static bool is_container(const rpyc_value *v)
{
    return v->type == RPYC_TUPLE || v->type == RPYC_FROZENSET || v->type == RPYC_SLICE;
}

static int compare_packs(const void *a, const void *b)
{
    const struct netref *x = a, *y = b;

    if (x->pack_len != y->pack_len)
        return x->pack_len < y->pack_len ? -1 : 1;
    return memcmp(x->pack, y->pack, x->pack_len);
}

static void free_netref(rpyc_value *v)
{
    rpyc_conn *conn = v->ref.conn;

    releases_add(&conn->releases, v->ref.pack, v->ref.pack_len, v->ref.count, 0);
    free(v->ref.name);
    free(v->ref.pack);
    free(v);
}

/* The last reference to a netref must not go while another thread finds it in the tree. */
static void unref_netref(rpyc_value *v)
{
    rpyc_conn *conn = v->ref.conn;

    pthread_mutex_lock(&conn->lock);
    if (atomic_fetch_sub(&v->refs, 1) > 1) {
        pthread_mutex_unlock(&conn->lock);
        return;
    }
    tdelete(&v->ref, &conn->netrefs, compare_packs);
    free_netref(v);
    pthread_mutex_unlock(&conn->lock);
    rpyc_conn_unref(conn);
}

rpyc_value *rpyc_ref(rpyc_value *v)
{
    atomic_fetch_add(&v->refs, 1);
    return v;
}

void rpyc_unref(rpyc_value *v)
{
    size_t i;

    if (!v)
        return;
    if (v->type == RPYC_NETREF) {
        unref_netref(v);
        return;
    }
    if (atomic_fetch_sub(&v->refs, 1) > 1)
        return;
    if (v->type == RPYC_STR || v->type == RPYC_BYTES || v->big)
        free(v->data);
    if (is_container(v)) {
        for (i = 0; i < v->count; i++)
            rpyc_unref(v->items[i]);
        free(v->items);
    }
    if (v->type == RPYC_OBJECT)
        local_destroy(&v->local);
    free(v);
}

/* ---- Reading values ------------------------------------------------------------------------- */

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

rpyc_value *value_container(enum rpyc_type type, rpyc_value *const *items, size_t count,
                            struct rpyc_error *err)
{
    rpyc_value *v = value_new(type, err);
    size_t i;

    if (v) {
        v->items = malloc((count ? count : 1) * sizeof(*items));
        if (v->items) {
            if (count)
                memcpy(v->items, items, count * sizeof(*items));
            v->count = count;
            return v;
        }
        error_nomem(err);
        free(v);
    }
    for (i = 0; i < count; i++)
        rpyc_unref(items[i]);
    return NULL;
}

typedef rpyc_value *(*read_item)(rpyc_conn *, struct brine_reader *, struct rpyc_error *);

static rpyc_value *read_plain(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err)
{
    (void)conn;
    return value_read(r, err);
}

/* Fills a container with `count` items, each read by `read`. */
static int read_items(rpyc_value *v, size_t count, read_item read, rpyc_conn *conn,
                      struct brine_reader *r, struct rpyc_error *err)
{
    v->items = calloc(count ? count : 1, sizeof(rpyc_value *));
    if (!v->items)
        return error_nomem(err);
    while (v->count < count) {
        rpyc_value *item = read(conn, r, err);

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

/* Fills v, of the right type already, from an item and what follows it. */
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
        return read_items(v, item->count, read_plain, NULL, r, err);
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

/* ---- Netrefs -------------------------------------------------------------------------------- */

/* A netref to what an id pack names, entered in the connection's tree. With the lock held. */
static rpyc_value *netref_new(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err)
{
    rpyc_value *v = value_new(RPYC_NETREF, err);

    if (!v)
        return NULL;
    v->ref.name = strndup(pack->name, pack->name_len);
    v->ref.pack = malloc(pack->raw_len);
    if (v->ref.name && v->ref.pack) {
        memcpy(v->ref.pack, pack->raw, pack->raw_len);
        v->ref.pack_len = pack->raw_len;
        if (tsearch(&v->ref, &conn->netrefs, compare_packs)) {
            atomic_fetch_add(&conn->refs, 1);
            v->ref.conn = conn;
            v->ref.count = 1;
            return v;
        }
    }
    free(v->ref.name);
    free(v->ref.pack);
    free(v);
    error_nomem(err);
    return NULL;
}

static rpyc_value *value_of_netref(struct netref *ref)
{
    return (rpyc_value *)((char *)ref - offsetof(rpyc_value, ref));
}

/* The netref for an id pack that came in: the one that is alive already, counted once more, or a
 * new one. */
static rpyc_value *netref_get(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err)
{
    struct netref key = {.pack = (uint8_t *)pack->raw, .pack_len = pack->raw_len};
    struct netref **found;
    rpyc_value *v;

    pthread_mutex_lock(&conn->lock);
    found = tfind(&key, &conn->netrefs, compare_packs);
    if (found) {
        v = value_of_netref(*found);
        atomic_fetch_add(&v->refs, 1);
        v->ref.count++;
    } else {
        v = netref_new(conn, pack, err);
    }
    pthread_mutex_unlock(&conn->lock);
    return v;
}

static rpyc_value *unbox_tuple(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err)
{
    struct brine_item item;
    rpyc_value *v;

    if (brine_next(r, &item) && item.type != BRINE_TUPLE)
        brine_fail(r, "a tuple of boxes that is not a tuple");
    if (r->failed != RPYC_OK) {
        brine_error(r, err);
        return NULL;
    }
    v = value_new(RPYC_TUPLE, err);
    if (v && read_items(v, item.count, value_unbox, conn, r, err) < 0) {
        rpyc_unref(v);
        return NULL;
    }
    return v;
}

rpyc_value *value_unbox(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err)
{
    struct id_pack pack;
    enum label label;

    if (!box_next(r, &label)) {
        brine_error(r, err);
        return NULL;
    }
    if (label == LABEL_VALUE)
        return value_read(r, err);
    if (label == LABEL_TUPLE)
        return unbox_tuple(conn, r, err);
    if (!id_pack_next(r, &pack)) {
        brine_error(r, err);
        return NULL;
    }
    if (label == LABEL_REMOTE_REF)
        return netref_get(conn, &pack, err);
    return locals_get(conn, &pack, err);
}

/* ---- Writing values ------------------------------------------------------------------------- */

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
        out->failed = true; /* never asked for: see value_box */
        break;
    }
}

bool value_is_plain(const rpyc_value *v)
{
    size_t i;

    if (v->type == RPYC_NETREF || v->type == RPYC_OBJECT)
        return false;
    for (i = 0; is_container(v) && i < v->count; i++) {
        if (!value_is_plain(v->items[i]))
            return false;
    }
    return true;
}

int value_check(const rpyc_conn *conn, const rpyc_value *v, struct rpyc_error *err)
{
    size_t i;

    if (v->type == RPYC_NETREF && v->ref.conn != conn)
        return error_set(err, RPYC_EINVAL, "a netref of another connection as an argument");
    if (!is_container(v))
        return 0;
    if (v->type != RPYC_TUPLE && !value_is_plain(v))
        return error_set(err, RPYC_EINVAL, "a frozenset or slice with a reference in it");
    for (i = 0; i < v->count; i++) {
        if (value_check(conn, v->items[i], err) < 0)
            return -1;
    }
    return 0;
}

/* Boxes what value_check has passed. */
static int box_checked(rpyc_conn *conn, struct buffer *out, rpyc_value *v, struct rpyc_error *err)
{
    size_t i;

    if (v->type == RPYC_NETREF) {
        box_put(out, LABEL_LOCAL_REF);
        buffer_put(out, v->ref.pack, v->ref.pack_len);
        return 0;
    }
    if (v->type == RPYC_OBJECT)
        return locals_box(conn, out, v, err);
    if (value_is_plain(v)) {
        box_put(out, LABEL_VALUE);
        value_put(out, v);
        return 0;
    }
    box_put(out, LABEL_TUPLE);
    brine_put_tuple(out, v->count);
    for (i = 0; i < v->count; i++) {
        if (box_checked(conn, out, v->items[i], err) < 0)
            return -1;
    }
    return 0;
}

int rpyc_dump(const rpyc_value *value, void **data, size_t *len, struct rpyc_error *err)
{
    struct buffer out = BUFFER_INIT;

    if (!value_is_plain(value))
        return error_set(err, RPYC_ETYPE, "only plain values can be encoded");
    value_put(&out, value);
    if (out.failed) {
        buffer_free(&out);
        return error_nomem(err);
    }
    *data = out.data;
    *len = out.len;
    return 0;
}

int value_box(rpyc_conn *conn, struct buffer *out, rpyc_value *v, struct rpyc_error *err)
{
    return value_check(conn, v, err) < 0 ? -1 : box_checked(conn, out, v, err);
}

/* ---- Looking at values ---------------------------------------------------------------------- */

enum rpyc_type rpyc_type_of(const rpyc_value *v)
{
    return v ? v->type : RPYC_NONE;
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
        return error_set(err, RPYC_ETYPE, "expected int of 64 bits, got one of %zu digits",
                         v->len - (v->data[0] == '-'));
    if (v->type == RPYC_BOOL)
        *out = v->boolean;
    else if (v->type == RPYC_INT)
        *out = v->integer;
    else
        return error_set(err, RPYC_ETYPE, "expected int, got %s", describe_type(v));
    return 0;
}

/* rpyc_double, for what is asked for as a float or as a complex. */
static int get_double(const rpyc_value *v, double *out, const char *wanted, struct rpyc_error *err)
{
    volatile double d; /* not wider than 64 bits, in any register */
    int64_t n = 0;

    if (v && v->type == RPYC_FLOAT) {
        *out = v->real;
        return 0;
    }
    if (!v || (!v->big && rpyc_int64(v, &n, NULL) < 0))
        return error_set(err, RPYC_ETYPE, "expected %s, got %s", wanted, describe_type(v));
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
    return v && is_container(v) ? v->count : 0;
}

rpyc_value *rpyc_item(const rpyc_value *v, size_t i)
{
    return i < rpyc_length(v) ? v->items[i] : NULL;
}

const char *rpyc_class_name(const rpyc_value *v)
{
    return v && v->type == RPYC_NETREF ? v->ref.name : NULL;
}
