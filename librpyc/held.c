/* SPDX-License-Identifier: BSD-3-Clause */
#include "held.h"

#include <search.h>
#include <stdlib.h>

struct held {
    rpyc_value *value; /* a reference */
    uint64_t count;    /* how many times the object was sent */
};

static int compare(const void *a, const void *b)
{
    const struct held *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

static struct held *find(const struct held_table *table, const rpyc_value *v)
{
    struct held key = {(rpyc_value *)v, 0};
    struct held **found = tfind(&key, &table->tree, compare);

    return found ? *found : NULL;
}

/* The instance id of an object is its address. */
static const rpyc_value *address_of(uint64_t instance_id)
{
    return (const rpyc_value *)(uintptr_t)instance_id;
}

int held_add(struct held_table *table, rpyc_value *v, struct rpyc_error *err)
{
    struct held *h = find(table, v);

    if (!h) {
        h = calloc(1, sizeof(*h));
        if (!h)
            return error_nomem(err);
        h->value = v;
        if (!tsearch(h, &table->tree, compare)) {
            free(h);
            return error_nomem(err);
        }
        rpyc_ref(v);
    }
    h->count++;
    return 0;
}

rpyc_value *held_find(const struct held_table *table, uint64_t instance_id)
{
    struct held *h = find(table, address_of(instance_id));

    return h ? h->value : NULL;
}

bool held_remove(struct held_table *table, uint64_t instance_id, uint64_t count, rpyc_value **gone)
{
    struct held *h = find(table, address_of(instance_id));

    *gone = NULL;
    if (h && count < h->count) {
        h->count -= count;
    } else if (h) {
        *gone = h->value;
        tdelete(h, &table->tree, compare);
        free(h);
    }
    return h != NULL;
}

static void free_held(void *held)
{
    struct held *h = held;

    rpyc_unref(h->value);
    free(h);
}

void held_clear(struct held_table *table)
{
    void *tree = table->tree;

    table->tree = NULL;
    tdestroy(tree, free_held);
}
