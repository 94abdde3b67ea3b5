/* SPDX-License-Identifier: BSD-3-Clause */
#include "netref.h"

#include <search.h>
#include <stdlib.h>

static int compare_packs(const void *a, const void *b)
{
    const struct netref *x = a, *y = b;

    if (x->pack_len != y->pack_len)
        return x->pack_len < y->pack_len ? -1 : 1;
    return memcmp(x->pack, y->pack, x->pack_len);
}

static void free_netref(rpyc_value *v)
{
    free(v->ref.name);
    free(v->ref.pack);
    free(v);
}

/* Drops the last reference, and frees the netref. If another thread has called netref_get and added
 * a reference before this function took the lock, only drops a reference. */
static void netref_release(rpyc_value *v)
{
    rpyc_conn *conn = v->ref.conn;

    pthread_mutex_lock(&conn->lock);
    if (atomic_fetch_sub(&v->refs, 1) > 1) {
        pthread_mutex_unlock(&conn->lock);
        return;
    }
    tdelete(&v->ref, &conn->netrefs, compare_packs);
    releases_add(&conn->releases, v->ref.pack, v->ref.pack_len, v->ref.count, 0);
    pthread_mutex_unlock(&conn->lock);
    free_netref(v);
    rpyc_conn_unref(conn);
}

/* Returns a new netref for an id pack, still without a connection; NULL if there is no memory. */
static rpyc_value *copy_pack(const struct id_pack *pack)
{
    rpyc_value *v = value_new(RPYC_NETREF, NULL);

    if (!v)
        return NULL;
    v->ref.name = strndup(pack->name, pack->name_len);
    v->ref.pack = malloc(pack->raw_len);
    if (!v->ref.name || !v->ref.pack) {
        free_netref(v);
        return NULL;
    }
    memcpy(v->ref.pack, pack->raw, pack->raw_len);
    v->ref.pack_len = pack->raw_len;
    v->ref.count = 1;
    v->release = netref_release;
    return v;
}

/* Creates a netref and adds it to conn->netrefs. Returns NULL with RPYC_ENOMEM if there is no
 * memory. Call with conn->lock held. */
static rpyc_value *netref_new(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err)
{
    rpyc_value *v = copy_pack(pack);

    if (v && tsearch(&v->ref, &conn->netrefs, compare_packs)) {
        v->ref.conn = rpyc_conn_ref(conn);
        return v;
    }
    if (v)
        free_netref(v);
    error_nomem(err);
    return NULL;
}

static rpyc_value *value_of(struct netref *ref)
{
    return (rpyc_value *)((char *)ref - offsetof(rpyc_value, ref));
}

rpyc_value *netref_get(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err)
{
    struct netref key = {.pack = (uint8_t *)pack->raw, .pack_len = pack->raw_len};
    struct netref **found;
    rpyc_value *v;

    pthread_mutex_lock(&conn->lock);
    found = tfind(&key, &conn->netrefs, compare_packs);
    if (found) {
        v = rpyc_ref(value_of(*found));
        v->ref.count++;
    } else {
        v = netref_new(conn, pack, err);
    }
    pthread_mutex_unlock(&conn->lock);
    return v;
}
