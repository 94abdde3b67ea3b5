/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libstackreader: the stacks of a Python process out of its raw memory, without its help: while C
 * code keeps the GIL, or from another process. CPython 3.9 to 3.15 with a GIL, 64-bit Linux.
 *
 * Nothing here runs Python, needs the GIL, takes a lock or, while it reads, allocates memory: all
 * that is needed comes from the report's arena and from a workspace that stackreader_new makes.
 * Reading is safe whatever the process does meanwhile, also if it ends or its memory is garbage.
 */
#ifndef STACKREADER_H
#define STACKREADER_H

#include "memory.h"
#include "offsets.h"
#include "report.h"

struct stackreader;

/* Makes a reader. runtime: the address of _PyRuntime in the process. offsets: of its CPython; must
 * live as long as the reader. Returns NULL, with a sentence in *why (a constant), if the version is
 * not supported, or there is no memory. */
struct stackreader *stackreader_new(const struct memory *memory, const struct offsets *offsets,
                                    uint64_t runtime, const char **why);

void stackreader_free(struct stackreader *r);

/* Reads all threads of all interpreters. Sets `threads` (id, ident, native_id, interpreter, name,
 * name_from, daemon, main, repr, exact, frames) and `gil` of a process in a report, which must be
 * empty. The main thread comes first, then the threads in the order in which they were started.
 * skip: native ids of threads to leave out, `skipped` of them.
 *
 * Returns false if not even a list of threads can be read, or the arena is used up. One thread at a
 * time may use a reader. */
bool stackreader_read(struct stackreader *r, struct arena *arena, struct report_process *process,
                      const int64_t *skip, size_t skipped);

/* The number of times that the GIL has changed hands, and whether it is held. While a thread waits
 * for it, the number grows if Python runs, and stands still if C code keeps the GIL. Returns false
 * if it cannot be read. */
bool stackreader_gil(const struct stackreader *r, uint64_t *switches, bool *held);

#endif
