/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Calls functions of the modules builtins and operator of the peer's Python. rpyc.h has the public
 * functions.
 */
#ifndef RPYC_BUILTINS_H
#define RPYC_BUILTINS_H

#include "value.h"

/* Calls a function of the module builtins: name(obj), or name(obj, other) if other is not NULL.
 * *out is a new reference. Errors: RPYC_ETYPE if obj is not a netref, and those of requests. */
int builtins_call(const char *name, rpyc_value *obj, rpyc_value *other, rpyc_value **out,
                  struct rpyc_error *err);

#endif
