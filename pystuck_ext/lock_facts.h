/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Adds what the threads wait for and hold to an answer to STACKS that Python code has made. The
 * stack reader reads these facts. The calling thread keeps the GIL while the facts are read, so all
 * facts are of the same moment. If this would take too long, the calling thread releases the GIL.
 * In this case, facts about threads that run may be left out.
 */
#ifndef PS_LOCK_FACTS_H
#define PS_LOCK_FACTS_H

#include "session.h"

/* Reads what the threads of this process wait for and hold. Returns a process in the form of
 * report/codec.h, in which only the members `threads`, `objects` and `missing` are known. `threads`
 * has only the threads that wait for an object or hold an object. With locals, it has all threads,
 * and their frames have local variables. If not all facts can be read, `missing` has an item. A new
 * reference, or NULL with an exception. */
PyObject *ps_lock_facts_read(struct ps_state *state, bool locals);

/* Adds facts to a process that pystuck/_stacks.py has returned: the members `waits` and `holds` of
 * each thread that still has the same frames, the local variables of these frames, the member
 * `objects`, and items of `missing`. facts: the result of ps_lock_facts_read. Takes ownership of
 * process, which may be NULL. Returns the completed process, a new reference. Returns NULL if
 * process is NULL, and NULL with an exception on failure. */
PyObject *ps_lock_facts_add(PyObject *process, PyObject *facts);

#endif
