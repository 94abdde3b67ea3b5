/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Facts for the answer to STACKS that the Python code which collects the stacks does not know. The
 * answer is made of tuples, in the form of report/codec.h.
 */
#ifndef PS_FACTS_H
#define PS_FACTS_H

#include "ext.h"

struct schema;

/* Returns a member of a struct that is encoded as a tuple, as a borrowed reference. Returns None if
 * the tuple is too short, or if the object is not a tuple. */
PyObject *ps_facts_member(const struct schema *schema, PyObject *tuple, const char *name);

/* Sets a member of a struct whose encoding is in a list. If the list is too short, first appends
 * None items. Returns 0, or -1 with an exception. */
int ps_facts_set(const struct schema *schema, PyObject *list, const char *name, PyObject *value);

/* Returns the resources that this process has used up, in the form of the member `shortage` of a
 * process: a tuple, or None if these resources are not known. A new reference, or NULL with an
 * exception. Releases the GIL while it reads. */
PyObject *ps_facts_shortage(void);

/* Completes a process that pystuck/_stacks.py has returned: replaces the member `shortage`, and
 * adds to `missing` if threads of other interpreters are left out. Takes ownership of process.
 * Returns a new reference. Returns NULL if process is NULL, and NULL with an exception on failure.
 */
PyObject *ps_facts_add(PyObject *process, PyObject *shortage);

#endif
