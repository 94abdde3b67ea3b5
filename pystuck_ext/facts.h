/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Facts for the answer to STACKS that the Python code which collects the stacks does not know.
 */
#ifndef PS_FACTS_H
#define PS_FACTS_H

#include "ext.h"

/* Returns the resources that this process has used up, in the form of the member `shortage` of a
 * process in report/codec.h: a tuple, or None if they are not known. A new reference, or NULL with
 * an exception. Releases the GIL while it reads. */
PyObject *ps_facts_shortage(void);

/* Replaces the member `shortage` of a process that pystuck/_stacks.py has returned. Takes process.
 * Returns a new reference. Returns NULL if process is NULL, and NULL with an exception on failure.
 */
PyObject *ps_facts_add(PyObject *process, PyObject *shortage);

#endif
