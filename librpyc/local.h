/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Objects of ours that the other side may hold: C functions, and C objects with a table of
 * operations.
 */
#ifndef RPYC_LOCAL_H
#define RPYC_LOCAL_H

#include "value.h"

/* Appends a reference to an object of ours; the connection keeps it until the other side gives it
 * back. */
int locals_box(rpyc_conn *conn, struct buffer *out, rpyc_value *v, struct rpyc_error *err);

/* The object that an id pack of ours names: a new reference, or NULL with RPYC_EPROTOCOL. */
rpyc_value *locals_get(rpyc_conn *conn, const struct id_pack *pack, struct rpyc_error *err);

/* Takes back `count` of the times that an object was sent. False if the other side does not hold
 * it. */
bool locals_give_back(rpyc_conn *conn, const struct id_pack *pack, uint64_t count);

/* Lets go of all of them. */
void locals_clear(rpyc_conn *conn);

/* Frees what an object's value owns, and destroys the object. */
void local_destroy(struct local *local);

/* What the handlers do with an object of ours; err as in struct rpyc_ops. */
int local_getattr(rpyc_value *v, const char *name, rpyc_value **out, struct rpyc_error *err);
int local_setattr(rpyc_value *v, const char *name, rpyc_value *value, struct rpyc_error *err);
int local_call(rpyc_value *v, const char *method, rpyc_value *args, rpyc_value *kwargs,
               rpyc_value **out, struct rpyc_error *err);
int local_str(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);

/* Its methods, as INSPECT lists them: a tuple of (name, None). And their names alone, for DIR. */
int local_inspect(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);
int local_dir(rpyc_value *v, rpyc_value **out, struct rpyc_error *err);

#endif
