/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What threads wait for and hold, for the answer to STACKS that Python code has made. The stack
 * reader reads it while this thread has the GIL, so all of it is of one moment.
 */
#ifndef PS_LOCK_FACTS_H
#define PS_LOCK_FACTS_H

#include "session.h"

/* Reads what the threads of this process wait for and hold. Returns a process as report/codec.h
 * describes it, in which only threads and objects are known; None if it cannot be read. A new
 * reference, or NULL with an exception. */
PyObject *ps_lock_facts_read(struct ps_state *state);

/* Adds these facts to a process that pystuck/_stacks.py has returned: the members `waits` and
 * `holds` of each thread that still has the same frames, and the member `objects`. Takes process.
 * Returns a new reference; NULL if process is NULL, or with an exception. */
PyObject *ps_lock_facts_add(PyObject *process, PyObject *facts);

#endif
