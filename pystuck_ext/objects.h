/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The objects that one client holds, by id pack, and how often each was sent to it. All of it needs
 * the GIL.
 */
#ifndef PS_OBJECTS_H
#define PS_OBJECTS_H

#include "ext.h"
#include "message.h"

struct ps_objects {
    void *tree; /* of tsearch(3) */
    size_t count;
    size_t max; /* how many there may be */
};

/* Counts obj, which pack names, once more; enters it and keeps it alive if it is new. -1:
 * MemoryError, or RuntimeError where there are too many. */
int ps_objects_add(struct ps_objects *objects, const struct id_pack *pack, PyObject *obj);

/* The object that pack names: a new reference, or NULL with KeyError. */
PyObject *ps_objects_get(const struct ps_objects *objects, const struct id_pack *pack);

/* Gives `count` of the references to obj's pack back, and lets go of it with the last. -1: KeyError
 * if the client does not hold it. */
int ps_objects_give_back(struct ps_objects *objects, const struct id_pack *pack, uint64_t count);

/* Lets go of everything. */
void ps_objects_clear(struct ps_objects *objects);

#endif
