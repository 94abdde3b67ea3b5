/* SPDX-License-Identifier: BSD-3-Clause */
#include "releases.h"

#include <stdlib.h>

struct release {
    struct release *next;
    uint64_t count, thread;
    size_t pack_len;
    uint8_t pack[];
};

void releases_add(struct releases *list, const uint8_t *pack, size_t pack_len, uint64_t count,
                  uint64_t thread)
{
    struct release *d = malloc(sizeof(*d) + pack_len);

    if (!d)
        return;
    d->count = count;
    d->thread = thread;
    d->pack_len = pack_len;
    memcpy(d->pack, pack, pack_len);
    d->next = list->first;
    list->first = d;
    list->count++;
}

void releases_add_box(struct releases *list, struct brine_reader *r)
{
    struct brine_item tuple;
    struct id_pack pack;
    const uint8_t *data;
    size_t left = 1, len;
    enum label label;

    for (; left > 0 && box_next(r, &label); left--) {
        if (label == LABEL_REMOTE_REF && id_pack_next(r, &pack))
            releases_add(list, pack.raw, pack.raw_len, 1, 0);
        else if (label == LABEL_TUPLE && brine_next(r, &tuple) && tuple.type == BRINE_TUPLE)
            left += tuple.count;
        else if (label == LABEL_TUPLE || !brine_skip(r, &data, &len))
            return;
    }
}

struct releases releases_take(struct releases *list)
{
    struct releases taken = *list;

    *list = (struct releases){0};
    return taken;
}

void releases_free(struct releases *list)
{
    struct release *d = releases_take(list).first;

    while (d) {
        struct release *next = d->next;

        free(d);
        d = next;
    }
}

/* Appends the arguments of a DEL: the object and its count. */
static void put_arguments(struct buffer *out, const struct release *d)
{
    box_put(out, LABEL_TUPLE);
    brine_put_tuple(out, 2);
    box_put(out, LABEL_LOCAL_REF);
    buffer_put(out, d->pack, d->pack_len);
    box_put(out, LABEL_VALUE);
    brine_put_uint(out, d->count);
}

/* Returns the peer's thread to which the DEL for d is sent: d->thread; or `usual` if d->thread is 0
 * or d is NULL. */
static uint64_t recipient_of(const struct release *d, uint64_t usual)
{
    return d && d->thread ? d->thread : usual;
}

/* Writes requests to `out`: a DEL for each object in the list, then the beginning of a request to
 * `handler`. The caller has already begun the first of these requests. Empties the list. */
static void put_all(struct conn *c, struct releases *list, struct outgoing *out,
                    enum handler handler, int64_t *seq)
{
    const uint64_t usual = out->threads.recipient;
    const struct release *d;

    if (list->first && list->first->thread)
        conn_request_restart(c, out, HANDLE_DEL, *seq, list->first->thread);
    for (d = list->first; d; d = d->next) {
        put_arguments(&out->buf, d);
        out->threads.recipient = recipient_of(d->next, usual);
        if (conn_request_next(c, out, d->next ? HANDLE_DEL : handler, seq, NULL) < 0)
            out->buf.failed = true;
    }
    releases_free(list);
}

void releases_request_begin(struct conn *c, struct releases *list, struct outgoing *out,
                            enum handler handler, int64_t *seq)
{
    conn_request_begin(c, out, list->first ? HANDLE_DEL : handler, seq);
    put_all(c, list, out, handler, seq);
}

void releases_post(struct conn *c, struct releases *list, deadline_t deadline)
{
    struct release *last = list->first;
    struct outgoing out;
    int64_t seq;

    if (!last)
        return;
    list->first = last->next;
    conn_request_begin_apart(c, &out, HANDLE_DEL, &seq);
    put_all(c, list, &out, HANDLE_DEL, &seq);
    if (last->thread)
        conn_request_restart(c, &out, HANDLE_DEL, seq, last->thread);
    put_arguments(&out.buf, last);
    conn_send(c, &out, deadline, NULL);
    free(last);
}
