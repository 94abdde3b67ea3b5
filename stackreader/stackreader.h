/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libstackreader: reads the stacks of a Python process from its raw memory, without running Python
 * in it. So the library also works while C code holds the GIL, and can read another process.
 * Supports CPython 3.9 to 3.15 with a GIL on 64-bit Linux.
 *
 * No function runs Python, needs the GIL or takes a lock. Reading allocates no memory: it uses the
 * report's arena and a workspace that stackreader_new allocates. Reading is safe even if the
 * process changes its memory, contains garbage, or ends.
 */
#ifndef STACKREADER_H
#define STACKREADER_H

#include "gil.h"
#include "memory.h"
#include "memory_limit.h"
#include "offsets.h"
#include "report.h"

struct stackreader;

/* The usual limit for the memory that is read for one report, in bytes. Reading this much takes
 * about two seconds. */
#define STACKREADER_LIMIT (INT64_C(4000000) * READ_COST)

/* Creates a reader, which is freed with stackreader_free. runtime: the address of _PyRuntime in the
 * process. offsets: the offsets of the process's CPython, which must stay valid as long as the
 * reader exists. If the version is not supported or there is no memory, returns NULL and sets *why
 * to a constant sentence. */
struct stackreader *stackreader_new(const struct memory *memory, const struct offsets *offsets,
                                    uint64_t runtime, const char **why);

void stackreader_free(struct stackreader *r);

/* Makes all later calls of stackreader_read ignore wish->locks and wish->locals. Call this function
 * if those offsets are wrong that are needed only for locks and local variables. */
void stackreader_refuse_locks(struct stackreader *r);

/* True unless stackreader_refuse_locks was called. */
bool stackreader_reads_locks(const struct stackreader *r);

/* What to read. If all members are zero: all threads, and the GIL of the main interpreter. */
struct stackreader_wish {
    const uint64_t *skip; /* the idents of threads to leave out. A thread that holds the GIL is
                           * never left out */
    size_t skipped;       /* the number of idents in `skip` */
    uint64_t interpreter; /* the address of the interpreter whose GIL is read; 0: the main one */
    bool states; /* one thread for each thread state; false: one for each native thread, also if it
                  * has a thread state in each of several interpreters (see native_threads.h) */
    bool locks;  /* also set what threads wait for and hold, and the objects of the process */
    bool locals; /* also set the local variables in the frames of threads whose frames are exact.
                  * The local variables of a thread are read only if all earlier reads together
                  * have used less than half of `limit` */
    size_t max_threads; /* stop after this number of threads; 0: read all */
    int64_t limit; /* how much memory is read, in bytes, where each read counts as READ_COST bytes
                    * more; 0: STACKREADER_LIMIT */
};

/* NONE: no thread could be read. CUT: only a part of the threads was read, because the arena is
 * full, max_threads was reached, a list of threads cannot be read to its end, or reading would take
 * too long; the threads that were read are complete. ALL: all threads were read. */
#define STACKREADER_CUT_TEXT "there are too many, or their list cannot be read to its end"
enum stackreader_result { STACKREADER_NONE, STACKREADER_CUT, STACKREADER_ALL };

/* Reads the threads of all interpreters. process: a process of a report, in which everything is
 * unknown yet. Sets the members `gil` and `threads` of the process. Of each thread, sets id, ident,
 * native_id, interpreter, name, name_from, daemon, main, repr, exact and frames. The main thread
 * comes first, then the others in the order in which they were started. With wish->locks, also sets
 * waits and holds of threads whose frames are exact, and the process's objects. wish may be NULL.
 * Only one thread at a time may use a reader. */
enum stackreader_result stackreader_read(struct stackreader *r, struct arena *arena,
                                         struct report_process *process,
                                         const struct stackreader_wish *wish);

/* Returns the activity (memory.h) that a thread had just before its frames were read. If the thread
 * still has the same activity, it has not run since then. index: the index of the thread in the
 * report that was read last. Returns -1 if the activity is not known. It is not known for threads
 * of subinterpreters. */
int64_t stackreader_activity(const struct stackreader *r, size_t index);

/* A call of a C function: the frame that makes it, and the instruction. */
struct stackreader_call {
    uint64_t frame, at;
};

/* Reads which C function a thread calls now. index: the index of the thread in the report that was
 * read last. Returns false if the thread calls no C function, or if this is not known. Only one
 * thread at a time may use a reader. */
bool stackreader_call(struct stackreader *r, size_t index, struct stackreader_call *to);

/* Sets process->greenlets to an empty array if no interpreter has imported greenlet, and
 * process->tasks if no interpreter has imported asyncio.tasks. In these cases, the program cannot
 * have greenlets or tasks. Otherwise leaves the member unknown, because the reader cannot read
 * greenlets and tasks. */
void stackreader_set_absent(const struct stackreader *r, struct arena *arena,
                            struct report_process *process);

/* What the memory of one frame shows. A manager is an object whose `with` block the frame has
 * entered and not left; the innermost block comes first. enter: the offset of the instruction that
 * called __enter__, in bytes; -1: unknown. */
#define STACKREADER_MANAGERS_MAX 20
struct stackreader_frame {
    uint64_t first_argument; /* the address of the object; 0: there is none, or it is not known */
    size_t managers;
    struct {
        uint64_t address;
        int64_t enter;
    } manager[STACKREADER_MANAGERS_MAX];
};

/* Reads the frame at this address: the address of a frame object up to Python 3.10, of a struct
 * _PyInterpreterFrame from 3.11 on. The frame must not run meanwhile. Returns false if the frame
 * cannot be read, or after stackreader_refuse_locks. Before the first of several calls, call
 * stackreader_begin_frames, which forgets code objects that may have been freed. Only one thread at
 * a time may use a reader. */
void stackreader_begin_frames(struct stackreader *r);
bool stackreader_frame(struct stackreader *r, uint64_t address, struct stackreader_frame *to);

/* Reads the GIL of the interpreter at this address; 0: of the main interpreter. Returns false if
 * the GIL cannot be read. Several threads may call this function at the same time. */
bool stackreader_gil(const struct stackreader *r, uint64_t interpreter, struct gil *gil);

/* Returns the kernel's id of the thread with this thread state. Returns 0 if the thread state
 * cannot be read. Up to 3.10, always returns 0, because a thread state does not contain the id. */
pid_t stackreader_native_id(const struct stackreader *r, uint64_t state);

#endif
