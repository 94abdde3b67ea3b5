/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Locks of the modules threading and _thread in the memory of a process: what kind an object is,
 * whether it is locked, by which thread, and whether a thread waits in the kernel for it.
 */
#ifndef STACKREADER_LOCKS_H
#define STACKREADER_LOCKS_H

#include "stdlib_waits.h"

/* Returns the kind of an object, or LOCK_NONE if the reader does not know it as a lock. The reader
 * knows locks of C code, Conditions and Semaphores, and objects of classes that are derived from
 * these. */
enum lock_kind lock_kind(const struct python *py, const struct stdlib *l, uint64_t object);

struct lock_state {
    bool locked;
    uint64_t owner; /* of an RLock or SemLock: the ident of the thread; 0: none, or not known */
    uint64_t count; /* of an RLock or SemLock: how many times the owner has acquired it */
};

/* Reads a LOCK_PLAIN, LOCK_RLOCK or LOCK_SEMLOCK. Returns false if the object cannot be read, or if
 * this release of CPython has another layout of locks. Also returns false for a LOCK_SEMLOCK that
 * several threads may hold at the same time, or that no thread of this process holds. */
bool lock_read(const struct python *py, enum lock_kind kind, uint64_t object,
               struct lock_state *state);

/* Returns how many threads may hold a LOCK_SEMLOCK at the same time; 0: not known. */
uint64_t lock_permits(const struct python *py, uint64_t semlock);

/* Returns the address of the semaphore of a LOCK_SEMLOCK; 0 if it cannot be read. */
uint64_t lock_semaphore(const struct python *py, uint64_t semlock);

/* True if this process has released a LOCK_SEMLOCK of one permit more often than it has acquired
 * it.
 */
bool lock_is_released(const struct python *py, uint64_t semlock);

/* True if a LOCK_SEMLOCK is an RLock: only the thread that has acquired it can release it. Returns
 * false also if this is not known. */
bool lock_is_recursive(const struct python *py, uint64_t semlock);

/* True if a thread that waits in the kernel for the futex at this address waits for this lock. */
bool lock_has_futex(const struct python *py, enum lock_kind kind, uint64_t object, uint64_t futex);

/* Returns the io.BufferedReader, BufferedWriter or BufferedRandom of a file: the object itself, or
 * the buffer of an io.TextIOWrapper. Returns 0 if the object is no such file. */
uint64_t lock_buffer_of(const struct python *py, uint64_t file);

/* A word of the buffer contains the ident of the thread that has the lock of the buffer, or 0 if no
 * thread has it. Returns the address of this word if a thread that waits in the kernel for the
 * futex at the address `futex` waits for this lock. Else returns 0. */
uint64_t lock_buffer_owner(const struct python *py, uint64_t buffer, uint64_t futex);

#endif
