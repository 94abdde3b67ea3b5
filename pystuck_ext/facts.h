/* SPDX-License-Identifier: BSD-3-Clause
 *
 * facts: what the answer to STACKS says beside what Python knows.
 */
#ifndef PS_FACTS_H
#define PS_FACTS_H

#include "ext.h"

/* Returns the resources that this process has used up, as the member `shortage` of a process in
 * report/codec.h: a tuple, a new reference. NULL with an exception. Releases the GIL while it
 * reads. */
PyObject *ps_facts_shortage(void);

/* Replaces that member of a process that pystuck/_stacks.py has returned. Takes process, which may
 * be NULL, and returns a new reference, or NULL with an exception. */
PyObject *ps_facts_add(PyObject *process, PyObject *shortage);

#endif
