/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A table of the objects of this program that the peer of one connection holds. It counts how many
 * times each object was sent. The functions take no lock: the owner of the table guards it.
 */
#ifndef RPYC_HELD_H
#define RPYC_HELD_H

#include "value.h"

/* All zeros: an empty table. */
struct held_table {
    void *tree; /* a tree of tsearch(3), ordered by the address of the object */
};

/* Adds 1 to the number of times that v was sent. The table has a reference to v while the number is
 * above 0. Returns 0, or -1 with RPYC_ENOMEM. */
int held_add(struct held_table *table, rpyc_value *v, struct rpyc_error *err);

/* Returns the object with this instance id, borrowed; NULL if the peer does not hold such an
 * object. */
rpyc_value *held_find(const struct held_table *table, uint64_t instance_id);

/* Subtracts `count` from the number of times that an object was sent. Returns false if the peer
 * does not hold the object. If the number reaches 0, removes the object and moves the table's
 * reference to *gone; else sets *gone to NULL. The caller unlocks the table before it calls
 * rpyc_unref for *gone, which may call the object's destroy function. */
bool held_remove(struct held_table *table, uint64_t instance_id, uint64_t count, rpyc_value **gone);

/* Removes all objects. May call their destroy functions. */
void held_clear(struct held_table *table);

#endif
