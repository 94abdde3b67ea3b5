/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads what the module threading knows about a thread, from its objects in memory.
 */
#ifndef STACKREADER_NAMES_H
#define STACKREADER_NAMES_H

#include "python_process.h"
#include "report.h"

/* threading._active, a dict from idents to Thread objects. */
struct names {
    bool known;
    uint64_t active; /* the address of the dict */
    size_t next; /* the entry to look at first: threads are usually looked up in the order in which
                    they were started */
};

/* Finds threading._active of an interpreter. names->known is false if the module is not imported,
 * or if it cannot be read. */
void names_find(const struct python *py, uint64_t interpreter, struct names *names);

/* Sets name, name_from, daemon, repr and, if it is not known, native_id of a thread whose ident is
 * known. Members whose values are not found stay unknown. repr is the text of threading.Thread's
 * own __repr__, also for a subclass that has another __repr__: no code of the program runs. */
void names_fill(const struct python *py, struct names *names, struct arena *arena,
                struct report_thread *thread);

#endif
