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

#include "gil.h"
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

/* What to read. All zero: all threads, and the GIL of the main interpreter. */
struct stackreader_wish {
    const uint64_t *skip; /* the idents of threads to leave out, unless they hold the GIL */
    size_t skipped;       /* how many */
    uint64_t interpreter; /* the interpreter whose GIL is read, by its address; 0: the main one */
    size_t max_threads;   /* read only so many threads; 0: all */
};

/* NONE: no thread can be read. CUT: the arena is full, or max_threads were read; the threads that
 * were read before are complete. */
enum stackreader_result { STACKREADER_NONE, STACKREADER_CUT, STACKREADER_ALL };

/* Reads the threads of all interpreters. Sets `gil` and `threads` of a process in a report, which
 * must be empty; of each thread id, ident, native_id, interpreter, name, name_from, daemon, main,
 * repr, exact and frames. The main thread comes first, then the others in the order in which they
 * were started. wish may be NULL. One thread at a time may use a reader. */
enum stackreader_result stackreader_read(struct stackreader *r, struct arena *arena,
                                         struct report_process *process,
                                         const struct stackreader_wish *wish);

/* Reads the GIL of the interpreter at an address. Any number of threads may call this at a time. */
bool stackreader_gil(const struct stackreader *r, uint64_t interpreter, struct gil *gil);

/* Returns the kernel's id of the thread with this thread state; 0 if it is not known: up to 3.10,
 * and if the thread state cannot be read. */
pid_t stackreader_native_id(const struct stackreader *r, uint64_t state);

#endif
