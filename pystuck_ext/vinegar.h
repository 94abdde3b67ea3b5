/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Exceptions on the wire, both ways (rpyc.core.vinegar). Needs the GIL.
 */
#ifndef PS_VINEGAR_H
#define PS_VINEGAR_H

#include "brine.h"
#include "ext.h"

/* Takes the exception that is set and appends it as a vinegar tuple, with its traceback as far as
 * that may be told, and with a version of rpyc. What of it cannot be had (a repr that raises, a str
 * that cannot be encoded) is replaced by a text that says so. out fails when memory runs out. */
void ps_vinegar_put(struct ps_state *state, struct buffer *out, bool with_traceback,
                    const char *version);

/* Which classes exceptions that come in may have, beside those of builtins. */
struct ps_vinegar_policy {
    bool import;      /* modules that are not there yet are imported, */
    bool instantiate; /* ... and classes of any module are made use of */
};

/* A new exception of the class module.name, without arguments, as the policy lets it be found here
 * and it can be made so, else of a stand-in that has this name. NULL with an exception. */
PyObject *ps_vinegar_new(struct ps_state *state, PyObject *module, PyObject *name,
                         const struct ps_vinegar_policy *policy);

/* Reads a vinegar tuple and raises what it says: the class of that name here, where the policy lets
 * it be that and it can be made without arguments, else an Exception that names it. In any case a
 * subclass that shows the traceback of the other side as well. Always sets an exception. */
void ps_vinegar_raise(struct ps_state *state, struct brine_reader *r,
                      const struct ps_vinegar_policy *policy);

#endif
