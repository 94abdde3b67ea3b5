/* SPDX-License-Identifier: BSD-3-Clause */
#include "box.h"

#include "local.h"
#include "netref.h"

/* ---- Reading --------------------------------------------------------------------------------- */

rpyc_value *box_find_local(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err)
{
    rpyc_value *v;

    pthread_mutex_lock(&conn->lock);
    v = held_find(&conn->locals, pack->instance_id);
    if (v)
        rpyc_ref(v);
    pthread_mutex_unlock(&conn->lock);
    if (!v)
        error_set(err, RPYC_EPROTOCOL, "the peer named an object to which it has no reference");
    return v;
}

/* Reads `count` boxes into an empty tuple. */
static int read_items(rpyc_conn *conn, rpyc_value *tuple, size_t count, struct brine_reader *r,
                      struct rpyc_error *err)
{
    if (value_reserve(tuple, count, err) < 0)
        return -1;
    while (tuple->count < count) {
        rpyc_value *item = box_read_value(conn, r, err);

        if (!item)
            return -1;
        tuple->items[tuple->count++] = item;
    }
    return 0;
}

static rpyc_value *read_tuple(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err)
{
    struct brine_item item;
    rpyc_value *v;

    if (brine_next(r, &item) && item.type != BRINE_TUPLE)
        brine_fail(r, "a box labelled as a tuple does not contain a tuple");
    if (r->failed != RPYC_OK) {
        brine_error(r, err);
        return NULL;
    }
    v = value_new(RPYC_TUPLE, err);
    if (v && read_items(conn, v, item.count, r, err) < 0) {
        rpyc_unref(v);
        return NULL;
    }
    return v;
}

rpyc_value *box_read_value(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err)
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
        return read_tuple(conn, r, err);
    if (!id_pack_next(r, &pack)) {
        brine_error(r, err);
        return NULL;
    }
    if (label == LABEL_REMOTE_REF)
        return netref_get(conn, &pack, err);
    return box_find_local(conn, &pack, err);
}

/* ---- Writing --------------------------------------------------------------------------------- */

int box_check_value(const rpyc_conn *conn, const rpyc_value *v, struct rpyc_error *err)
{
    if (v->type == RPYC_NETREF && v->ref.conn != conn)
        return error_set(err, RPYC_EINVAL, "an argument is a netref of another connection");
    if (!value_is_container(v))
        return 0;
    if (v->type != RPYC_TUPLE && !value_is_plain(v))
        return error_set(err, RPYC_EINVAL,
                         "a frozenset or slice contains a netref or a local object");
    for (size_t i = 0; i < v->count; i++) {
        if (box_check_value(conn, v->items[i], err) < 0)
            return -1;
    }
    return 0;
}

/* Appends a reference to a local object. Adds 1 to the number of times that the object was sent. */
static int put_local(rpyc_conn *conn, struct buffer *out, rpyc_value *v, struct rpyc_error *err)
{
    const struct id_pack pack = local_id_pack(v);
    int result;

    pthread_mutex_lock(&conn->lock);
    result = held_add(&conn->locals, v, err);
    pthread_mutex_unlock(&conn->lock);
    if (result < 0)
        return -1;
    box_put(out, LABEL_REMOTE_REF);
    id_pack_put(out, &pack);
    return 0;
}

/* Appends a value as a box. box_check_value must have accepted the value. */
static int put_checked(rpyc_conn *conn, struct buffer *out, rpyc_value *v, struct rpyc_error *err)
{
    if (v->type == RPYC_NETREF) {
        box_put(out, LABEL_LOCAL_REF);
        buffer_put(out, v->ref.pack, v->ref.pack_len);
        return 0;
    }
    if (v->type == RPYC_OBJECT)
        return put_local(conn, out, v, err);
    if (value_is_plain(v)) {
        box_put(out, LABEL_VALUE);
        value_put(out, v);
        return 0;
    }
    box_put(out, LABEL_TUPLE);
    brine_put_tuple(out, v->count);
    for (size_t i = 0; i < v->count; i++) {
        if (put_checked(conn, out, v->items[i], err) < 0)
            return -1;
    }
    return 0;
}

int box_put_value(rpyc_conn *conn, struct buffer *out, rpyc_value *v, struct rpyc_error *err)
{
    return box_check_value(conn, v, err) < 0 ? -1 : put_checked(conn, out, v, err);
}
