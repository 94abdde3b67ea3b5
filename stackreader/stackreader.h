/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libstackreader: reads the stacks of a Python process from its raw memory, without running Python
 * in it. So it works while C code holds the GIL, and from another process. Supports CPython 3.9 to
 * 3.15 with a GIL on 64-bit Linux.
 *
 * No function runs Python, needs the GIL or takes a lock. Reading allocates no memory: it uses the
 * report's arena and a workspace that stackreader_new allocates. Reading is safe even if the
 * process changes its memory, contains garbage, or ends.
 */
#ifndef STACKREADER_H
#define STACKREADER_H

#include "memory.h"
#include "offsets.h"
#include "report.h"

struct stackreader;

/* Creates a reader; free it with stackreader_free. runtime: the address of _PyRuntime in the
 * process. offsets: those of its CPython; they must stay valid as long as the reader. Returns NULL,
 * and in *why a constant sentence, if the version is not supported or memory is short. */
struct stackreader *stackreader_new(const struct memory *memory, const struct offsets *offsets,
                                    uint64_t runtime, const char **why);

void stackreader_free(struct stackreader *r);

/* Reads all threads of all interpreters. Sets `gil` and `threads` of a process in a report, which
 * must be empty; of each thread id, ident, native_id, interpreter, name, name_from, daemon, main,
 * repr, exact and frames. The main thread comes first, then the others in the order in which they
 * were started. skip: the native ids of threads to leave out; skipped: how many.
 *
 * Returns false if no thread can be read, or if the arena is full. One thread at a time may use a
 * reader. */
bool stackreader_read(struct stackreader *r, struct arena *arena, struct report_process *process,
                      const int64_t *skip, size_t skipped);

#endif
