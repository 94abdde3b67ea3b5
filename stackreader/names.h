/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the threading module knows of a thread, from its objects in memory.
 */
#ifndef STACKREADER_NAMES_H
#define STACKREADER_NAMES_H

#include "python_process.h"
#include "report.h"

/* threading._active: Thread objects by ident. */
struct names {
    bool known;
    uint64_t active; /* the dict */
    size_t next;     /* where the next thread is likely to be: it is in the order of their starts */
};

/* Finds threading._active of an interpreter. names->known is false where the module is not loaded,
 * or cannot be read. */
void names_find(const struct python *py, uint64_t interpreter, struct names *names);

/* Sets name, name_from, daemon, repr and, if it is not known, native_id of a thread whose ident is
 * known. What is not found stays unknown. The repr is as threading.Thread's own; no other one is
 * called. */
void names_fill(const struct python *py, struct names *names, struct arena *arena,
                struct report_thread *thread);

#endif
