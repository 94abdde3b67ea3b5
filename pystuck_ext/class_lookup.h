/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the class of this process that has the name in a message.
 */
#ifndef PS_CLASS_LOOKUP_H
#define PS_CLASS_LOOKUP_H

#include <stddef.h>

#include "ext.h"

/* Returns the class with a name such as "builtins.ValueError": a new reference. Imports nothing.
 * Returns NULL, without an exception, if the module is not imported or has no class of this name.
 */
PyObject *ps_class_by_name(const char *name, size_t len);

/* True if name is the name of an imported module. Leaves no exception set. */
bool ps_is_module_name(const char *name, size_t len);

#endif
