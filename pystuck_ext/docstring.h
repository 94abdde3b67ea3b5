/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Docstrings as inspect.getdoc gives them, which is how stock rpyc tells them: inherited where
 * there is none, and without the indentation of the source. That module is not imported for it: it
 * takes long, and later the import lock may be what the program is stuck in.
 */
#ifndef PS_DOCSTRING_H
#define PS_DOCSTRING_H

#include "ext.h"

/* The docstring of what a class's namespace holds, a str: a new reference, or NULL without an
 * exception where there is none. */
PyObject *ps_docstring(struct ps_state *state, PyObject *attr);

#endif
