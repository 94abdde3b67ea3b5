/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Calls a Python function in the children of forks of which Python knows nothing. Python's own
 * hooks (os.register_at_fork) run only if the program forks with os.fork, or tells Python about the
 * fork. uWSGI, for example, by default does neither.
 */
#ifndef PS_FORK_CALL_H
#define PS_FORK_CALL_H

#include "ext.h"

extern const char ps_call_in_children_doc[];
extern const char ps_fork_count_doc[];

PyObject *ps_call_in_children(PyObject *module, PyObject *function);
PyObject *ps_get_fork_count(PyObject *module, PyObject *unused);

#endif
