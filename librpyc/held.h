/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The objects of this program that the peer of one connection holds, and how often each was sent to
 * it. The owner of the table locks it.
 */
#ifndef RPYC_HELD_H
#define RPYC_HELD_H

#include "value.h"

/* The objects by address. All zeros: none. */
struct held_table {
    void *tree; /* tsearch */
};

/* Counts one more sending of v. Keeps a reference to v as long as the count is not 0. Returns 0, or
 * -1 with RPYC_ENOMEM. */
int held_add(struct held_table *table, rpyc_value *v, struct rpyc_error *err);

/* Returns the object with an instance id, borrowed; NULL if the peer does not hold it. */
rpyc_value *held_find(const struct held_table *table, uint64_t instance_id);

/* Subtracts `count` from the count of an object. Returns false if the peer does not hold the
 * object. *gone: the object if its count is 0 now, else NULL. The caller owns it and unlocks the
 * table before rpyc_unref, which may call the object's destroy function. */
bool held_remove(struct held_table *table, uint64_t instance_id, uint64_t count, rpyc_value **gone);

/* Removes all objects. May call their destroy functions. */
void held_clear(struct held_table *table);

#endif
