/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Local objects, which the peer may hold: C functions, and C objects with a table of operations.
 */
#ifndef RPYC_LOCAL_H
#define RPYC_LOCAL_H

#include "message.h"
#include "value.h"

/* Returns the id pack of a local object. The instance id is the address of the value. The class id
 * is the address of ops; all functions and methods have the same class id. The name in the id pack
 * is valid as long as v. */
struct id_pack local_id_pack(const rpyc_value *v);

/* Execute a request of the peer on a local object: GETATTR; SETATTR, or DELATTR if value is NULL;
 * CALL; STR. Results and errors are those of struct rpyc_ops. */
int local_getattr(rpyc_value *v, const char *name, rpyc_value **out, struct rpyc_error *err);
int local_setattr(rpyc_value *v, const char *name, rpyc_value *value, struct rpyc_error *err);
int local_call(rpyc_value *v, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
               struct rpyc_error *err);
int local_str(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);

/* Create a tuple of the object's methods. local_inspect creates (name, None) tuples, for INSPECT;
 * local_dir creates names, for DIR. */
int local_inspect(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);
int local_dir(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);

#endif
