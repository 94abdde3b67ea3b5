/* SPDX-License-Identifier: BSD-3-Clause */
#include "objects.h"

#include <search.h>
#include <stdlib.h>

struct held {
    uint64_t instance_id;
    uint64_t class_id;
    const char *name; /* in the tree: stored in the same memory block, after the struct */
    size_t name_len;
    PyObject *obj; /* a reference */
    uint64_t count;
};

/* Compares all three parts of the id packs. If the __class__ of an object changes, the object's id
 * pack also changes, and the client gets a second netref for the object. */
static int compare(const void *a, const void *b)
{
    const struct held *x = a, *y = b;

    if (x->instance_id != y->instance_id)
        return x->instance_id < y->instance_id ? -1 : 1;
    if (x->class_id != y->class_id)
        return x->class_id < y->class_id ? -1 : 1;
    if (x->name_len != y->name_len)
        return x->name_len < y->name_len ? -1 : 1;
    return memcmp(x->name, y->name, x->name_len);
}

static struct held *find(const struct ps_objects *objects, const struct id_pack *pack)
{
    struct held key = {pack->instance_id, pack->class_id, pack->name, pack->name_len, NULL, 0};
    struct held **found = tfind(&key, &objects->tree, compare);

    return found ? *found : NULL;
}

static struct held *enter(struct ps_objects *objects, const struct id_pack *pack)
{
    struct held *e = malloc(sizeof(*e) + pack->name_len);
    char *name = (char *)(e + 1);

    if (!e)
        return NULL;
    memcpy(name, pack->name, pack->name_len);
    *e = (struct held){pack->instance_id, pack->class_id, name, pack->name_len, NULL, 0};
    if (!tsearch(e, &objects->tree, compare)) {
        free(e);
        return NULL;
    }
    objects->count++;
    return e;
}

int ps_objects_add(struct ps_objects *objects, const struct id_pack *pack, PyObject *obj)
{
    struct held *e = find(objects, pack);

    if (!e && objects->count >= objects->max) {
        PyErr_Format(PyExc_RuntimeError,
                     "the client holds %zu objects of this process, which is the limit "
                     "(max_objects)",
                     objects->count);
        return -1;
    }
    if (!e) {
        e = enter(objects, pack);
        if (!e) {
            PyErr_NoMemory();
            return -1;
        }
        e->obj = ps_new_ref(obj);
    }
    e->count++;
    return 0;
}

static void raise_unknown(const struct id_pack *pack)
{
    ps_auto PyObject *args =
        Py_BuildValue("((s#KK))", pack->name, (Py_ssize_t)pack->name_len,
                      (unsigned long long)pack->class_id, (unsigned long long)pack->instance_id);

    if (args)
        PyErr_SetObject(PyExc_KeyError, args);
}

PyObject *ps_objects_get(const struct ps_objects *objects, const struct id_pack *pack)
{
    struct held *e = find(objects, pack);

    if (!e) {
        raise_unknown(pack);
        return NULL;
    }
    return ps_new_ref(e->obj);
}

int ps_objects_give_back(struct ps_objects *objects, const struct id_pack *pack, uint64_t count)
{
    struct held *e = find(objects, pack);
    PyObject *obj;

    if (!e) {
        raise_unknown(pack);
        return -1;
    }
    if (count < e->count) {
        e->count -= count;
        return 0;
    }
    tdelete(e, &objects->tree, compare);
    objects->count--;
    obj = e->obj;
    free(e);
    Py_DECREF(obj); /* last: a finalizer may run any code */
    return 0;
}

static void free_held(void *entry)
{
    struct held *e = entry;
    PyObject *obj = e->obj;

    free(e);
    Py_DECREF(obj);
}

void ps_objects_clear(struct ps_objects *objects)
{
    void *tree = objects->tree;

    objects->tree = NULL;
    objects->count = 0;
    tdestroy(tree, free_held);
}
