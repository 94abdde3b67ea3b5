/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writes and reads exceptions in their encoding on the wire (rpyc.core.vinegar). Needs the GIL.
 */
#ifndef PS_VINEGAR_H
#define PS_VINEGAR_H

#include "brine.h"
#include "ext.h"

/* Clears the exception that is set and appends it as a vinegar tuple. with_traceback: the traceback
 * is sent, too. version: the rpyc version that is sent. A part that cannot be sent (a repr that
 * raises, a str that cannot be encoded) is replaced by a text. Sets out->failed if there is no
 * memory. */
void ps_vinegar_put(struct ps_state *state, struct buffer *out, bool with_traceback,
                    const char *version);

/* Which classes a received exception may have. Those of the module builtins are always allowed. */
struct ps_vinegar_policy {
    bool import;      /* modules that are not imported yet are imported */
    bool instantiate; /* classes of all modules are used */
};

/* Makes an exception of the class module.name, without arguments. If this process does not have the
 * class, if the policy does not allow the class, or if such an exception cannot be made without
 * arguments, the exception has a stand-in class of this name. Returns a new reference, or NULL with
 * an exception. */
PyObject *ps_vinegar_new(struct ps_state *state, PyObject *module, PyObject *name,
                         const struct ps_vinegar_policy *policy);

/* Reads a vinegar tuple and raises its exception. The class of the exception is a subclass of the
 * class with the same name in this process, or of a stand-in in the cases that ps_vinegar_new
 * lists. Its str() also shows the client's traceback. Always sets an exception. */
void ps_vinegar_raise(struct ps_state *state, struct brine_reader *r,
                      const struct ps_vinegar_policy *policy);

#endif
