/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the memory of the inspected process. The process may change its memory at any time, so any
 * address may be invalid and each read can fail.
 */
#ifndef STACKREADER_MEMORY_H
#define STACKREADER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A part of a read: `size` bytes at `address` in the process are copied to `to`. */
struct memory_piece {
    uint64_t address;
    void *to;
    size_t size;
};

/* How to read the memory of one process. */
struct memory {
    /* Reads all pieces, at most MEMORY_PIECES_MAX, as close to each other in time as possible.
     * Returns false if a piece cannot be read completely; then the contents of all `to` are
     * undefined. */
    bool (*read)(const struct memory *m, const struct memory_piece *pieces, size_t count);

    /* Returns the CPU time that a thread has used, in ns; -1 if it is not known. If two calls
     * return the same value, the thread has not run between them. The pointer is NULL if the CPU
     * times of threads cannot be read. */
    int64_t (*cpu_time)(const struct memory *m, pid_t thread);

    pid_t pid;
};

#define MEMORY_PIECES_MAX 256

/* Returns the memory of the calling process. Needs no privilege, and works in containers and in a
 * process that is not dumpable. Fails under a seccomp filter that forbids process_vm_readv(2).
 * After fork(2), the child must call it again. */
struct memory memory_self(void);

/* Reads size bytes at address. Returns false if they cannot be read completely. */
static inline bool memory_read(const struct memory *m, uint64_t address, void *to, size_t size)
{
    return m->read(m, &(struct memory_piece){address, to, size}, 1);
}

/* Reads a pointer. Returns false if it cannot be read. */
static inline bool memory_pointer(const struct memory *m, uint64_t address, uint64_t *to)
{
    return memory_read(m, address, to, sizeof(*to));
}

#endif
