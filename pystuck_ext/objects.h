/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The objects of this process that one client holds, keyed by id pack, and how many times each
 * object was sent to the client. Call all functions with the GIL.
 */
#ifndef PS_OBJECTS_H
#define PS_OBJECTS_H

#include "ext.h"
#include "message.h"

struct ps_objects {
    void *tree; /* a tree of tsearch(3) with a struct held for each object */
    size_t count;
    size_t max; /* the limit for count */
};

/* Adds one to the count of obj, which has this id pack. If the table does not contain obj yet,
 * stores a reference to obj. Returns 0, or -1 with an exception: MemoryError, or RuntimeError at
 * the limit. */
int ps_objects_add(struct ps_objects *objects, const struct id_pack *pack, PyObject *obj);

/* Returns the object that an id pack names: a new reference, or NULL with KeyError. */
PyObject *ps_objects_get(const struct ps_objects *objects, const struct id_pack *pack);

/* Subtracts `count` from the count of an object. Releases the object when its count reaches 0.
 * Returns 0, or -1 with KeyError if the client does not hold the object. */
int ps_objects_give_back(struct ps_objects *objects, const struct id_pack *pack, uint64_t count);

/* Releases all objects. */
void ps_objects_clear(struct ps_objects *objects);

#endif
