/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What one thread waits for, and what its frames hold: the facts of one thread at one moment, as
 * addresses of objects. lock_report makes a part of the report from the facts of all threads.
 */
#ifndef STACKREADER_WAITS_H
#define STACKREADER_WAITS_H

#include "code.h"
#include "stdlib_waits.h"
#include "pools.h"
#include "value_stack.h"

struct wait_fact {
    enum lock_kind kind; /* LOCK_NONE: the thread is not known to wait */
    uint64_t object;     /* what the program waits for: a Lock, a Queue, a Thread */
    uint64_t handler;    /* the logging.Handler that has this lock; 0: none, or not known */
    uint64_t file;  /* of a LOCK_BUFFER: the file that the program uses, such as the TextIOWrapper
                     * that has the buffer */
    uint64_t owner; /* of a LOCK_BUFFER: the address of the ident of its holder */
    size_t frame;   /* the index in raw_stack of the frame of the program that waits */
    bool is_output; /* of a LOCK_BUFFER: the file is sys.stdout */
    bool is_timed;  /* the wait ends by itself after some time */
    bool is_confirmed; /* the kernel reports that the thread waits for this lock */
};

/* A lock of a `with` that a frame has entered and not left, a lock that a frame will release in a
 * `finally` block, or a future that a frame computes. */
struct hold_fact {
    enum lock_kind kind; /* LOCK_PLAIN, LOCK_RLOCK, LOCK_SEMLOCK, LOCK_SEMAPHORE, LOCK_FUTURE */
    uint64_t object;
    size_t frame;     /* the index in raw_stack of the frame with the `with` or `finally` */
    int64_t enter;    /* the offset of the instruction that took the lock, in bytes; -1: unknown */
    bool by_with;     /* a `with` has taken the lock */
    struct pool pool; /* of a LOCK_FUTURE: the pool to which the thread belongs */
    bool is_guess;    /* the lock may not have been taken, or may have been released since */
};

#define HOLDS_MAX         64 /* the most holds of one thread */
#define FACT_RELEASES_MAX 8  /* the most locks in `released` of one thread */

struct thread_facts {
    struct wait_fact wait;
    uint64_t manager; /* the _ExecutorManagerThread of a ProcessPoolExecutor that the thread runs;
                       * 0: none */
    size_t releases;
    uint64_t released[FACT_RELEASES_MAX]; /* Locks that frames may have released, and that they did
                                           * not acquire */
    size_t holds;
    struct hold_fact hold[HOLDS_MAX]; /* the innermost first */
};

/* Gathers the facts of the thread whose frames are in `stack`, which must be exact. native_id: the
 * kernel's id of the thread, or 0. Unused bytes of *facts are 0, so the facts of two calls can be
 * compared with memcmp(). */
void waits_gather(const struct python *py, const struct stdlib *l, struct value_room *room,
                  const struct raw_stack *stack, pid_t native_id, struct thread_facts *facts);

#endif
