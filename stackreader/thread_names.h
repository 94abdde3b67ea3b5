/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads what the module threading knows about a thread, from the objects of this module in the
 * memory of the process.
 */
#ifndef STACKREADER_THREAD_NAMES_H
#define STACKREADER_THREAD_NAMES_H

#include "python_process.h"
#include "report.h"

/* threading._active, a dict from idents to Thread objects, and whether the program ends. */
struct names {
    bool known;
    bool shuts_down; /* threading._SHUTTING_DOWN: the program ends */
    uint64_t active; /* the address of the dict */
    size_t next; /* the index of the entry to look at first: threads are usually looked up in the
                  * order in which they were started */
};

/* Finds these variables of the module threading of an interpreter. Sets names->known to false if
 * the module threading is not imported or cannot be read. */
void names_find(const struct python *py, uint64_t interpreter, struct names *names);

/* Sets name, name_from, daemon and repr of a thread whose ident is known, and native_id if it is
 * not known yet. Members whose values are not found stay unknown. repr is the text of
 * threading.Thread's own __repr__, even if a subclass has another __repr__, because no code of the
 * program runs. */
void names_fill(const struct python *py, struct names *names, struct arena *arena,
                struct report_thread *thread);

#endif
