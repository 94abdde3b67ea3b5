/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Docstrings as inspect.getdoc returns them, and as stock rpyc sends them: without the indentation
 * of the source, and inherited if an object has no docstring of its own. The module inspect is not
 * imported, because the import takes long, and because the program may be stuck while it holds the
 * import lock.
 */
#ifndef PS_DOCSTRING_H
#define PS_DOCSTRING_H

#include "ext.h"

/* Returns the docstring of attr, an object in the namespace of a class. The result is a new
 * reference to a str, or NULL, without an exception, if attr has no docstring. */
PyObject *ps_docstring(struct ps_state *state, PyObject *attr);

#endif
