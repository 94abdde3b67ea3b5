/* SPDX-License-Identifier: BSD-3-Clause */
#include "drops.h"

#include <stdlib.h>

struct drop {
    struct drop *next;
    uint64_t count;
    size_t pack_len;
    uint8_t pack[];
};

void drops_add(struct drops *list, const uint8_t *pack, size_t pack_len, uint64_t count)
{
    struct drop *d = malloc(sizeof(*d) + pack_len);

    if (!d)
        return;
    d->count = count;
    d->pack_len = pack_len;
    memcpy(d->pack, pack, pack_len);
    d->next = list->first;
    list->first = d;
}

struct drops drops_take(struct drops *list)
{
    struct drops taken = *list;

    list->first = NULL;
    return taken;
}

void drops_free(struct drops *list)
{
    struct drop *d = drops_take(list).first;

    while (d) {
        struct drop *next = d->next;

        free(d);
        d = next;
    }
}

/* Appends the arguments of a DEL: the object and its count. */
static void put_arguments(struct buffer *out, const struct drop *d)
{
    box_put(out, LABEL_TUPLE);
    brine_put_tuple(out, 2);
    box_put(out, LABEL_LOCAL_REF);
    buffer_put(out, d->pack, d->pack_len);
    box_put(out, LABEL_VALUE);
    brine_put_uint(out, d->count);
}

void drops_request_begin(struct conn *c, struct drops *list, struct outgoing *out,
                         enum handler handler, int64_t *seq)
{
    const struct drop *d;

    conn_request_begin(c, out, list->first ? HANDLE_DEL : handler, seq);
    for (d = list->first; d; d = d->next) {
        put_arguments(&out->buf, d);
        if (conn_request_next(c, out, d->next ? HANDLE_DEL : handler, seq, NULL) < 0)
            out->buf.failed = true;
    }
    drops_free(list);
}

void drops_post(struct conn *c, struct drops *list, deadline_t deadline)
{
    const struct drop *d;
    struct outgoing out;
    int64_t seq;

    if (!list->first)
        return;
    conn_request_begin(c, &out, HANDLE_DEL, &seq);
    for (d = list->first; d; d = d->next) {
        put_arguments(&out.buf, d);
        if (d->next && conn_request_next(c, &out, HANDLE_DEL, &seq, NULL) < 0)
            out.buf.failed = true;
    }
    conn_post(c, &out, deadline, NULL);
    drops_free(list);
}
