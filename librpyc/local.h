/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Local objects, which the peer may hold: C functions, and C objects with a table of operations.
 */
#ifndef RPYC_LOCAL_H
#define RPYC_LOCAL_H

#include "message.h"
#include "value.h"

/* Returns the id pack of a local object. The instance id is the address of the value; the class id
 * is the address of ops, and the same for all functions. The name belongs to v. */
struct id_pack local_id_pack(const rpyc_value *v);

/* The operations of handlers on a local object. Results and errors: as in struct rpyc_ops. */
int local_getattr(rpyc_value *v, const char *name, rpyc_value **out, struct rpyc_error *err);
int local_setattr(rpyc_value *v, const char *name, rpyc_value *value, struct rpyc_error *err);
int local_call(rpyc_value *v, const char *method, rpyc_value *args, rpyc_value *kwargs,
               rpyc_value **out, struct rpyc_error *err);
int local_str(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);

/* Create a tuple of the methods: for INSPECT a tuple of (name, None) tuples, for DIR a tuple of
 * names. */
int local_inspect(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);
int local_dir(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);

#endif
