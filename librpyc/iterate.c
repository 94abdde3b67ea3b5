/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Iteration over objects of the peer. rpyc.h describes each function.
 */
#include "builtins.h"
#include "request.h"

#include <stdlib.h>

#define CHUNK_FIRST 16
#define CHUNK_MOST  1024

struct rpyc_iter {
    rpyc_value *iterator; /* a netref */
    rpyc_value *chunk;    /* a tuple, or NULL */
    size_t next;          /* the index in chunk of the next item to return */
    int64_t size;         /* how many items to request next */
};

int rpyc_iterate(rpyc_value *obj, rpyc_iter **out, struct rpyc_error *err)
{
    rpyc_iter *iter = calloc(1, sizeof(*iter));

    if (!iter)
        return error_nomem(err);
    if (builtins_call("iter", obj, NULL, &iter->iterator, err) < 0) {
        free(iter);
        return -1;
    }
    iter->size = CHUNK_FIRST;
    *out = iter;
    return 0;
}

/* Requests the next iter->size items. Doubles the size for the next request, up to CHUNK_MOST. */
static int fetch_chunk(rpyc_iter *iter, struct rpyc_error *err)
{
    struct request r;
    rpyc_value *v;

    if (request_begin_on(&r, iter->iterator, HANDLE_BUFFITER, 1, err) < 0)
        return -1;
    request_int(&r, iter->size);
    if (request_wait_typed(&r, RPYC_TUPLE, "a tuple", &v) < 0)
        return -1;
    rpyc_unref(iter->chunk);
    iter->chunk = v;
    iter->next = 0;
    if (iter->size < CHUNK_MOST)
        iter->size *= 2;
    return 0;
}

int rpyc_next(rpyc_iter *iter, rpyc_value **item, struct rpyc_error *err)
{
    if ((!iter->chunk || iter->next == iter->chunk->count) && fetch_chunk(iter, err) < 0)
        return -1;
    if (iter->chunk->count == 0)
        return 0;
    *item = rpyc_ref(iter->chunk->items[iter->next++]);
    return 1;
}

void rpyc_iter_free(rpyc_iter *iter)
{
    if (!iter)
        return;
    rpyc_unref(iter->iterator);
    rpyc_unref(iter->chunk);
    free(iter);
}
