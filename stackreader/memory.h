/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory of a process that is looked at. Its contents may change at any time, and any address
 * may be wrong: each read says whether it worked.
 */
#ifndef STACKREADER_MEMORY_H
#define STACKREADER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A piece to read: size bytes at address, to `to`. */
struct memory_piece {
    uint64_t address;
    void *to;
    size_t size;
};

/* A source of memory. */
struct memory {
    /* Reads all pieces, at most MEMORY_PIECES_MAX, as close to each other in time as possible.
     * Returns false if any of them cannot be read whole; `to` is undefined then. */
    bool (*read)(const struct memory *m, const struct memory_piece *pieces, size_t count);

    /* The CPU time of a thread so far, in ns, or -1 if it is not known. If it is the same before
     * and after, the thread has not run in between. */
    int64_t (*cpu_time)(const struct memory *m, pid_t thread);

    pid_t pid;
};

#define MEMORY_PIECES_MAX 256

/* The own process. Works without privilege, in containers and if the process is not dumpable. Not
 * where a seccomp filter forbids process_vm_readv(2). After fork(2) make a new one. */
struct memory memory_self(void);

/* Reads size bytes at address. */
static inline bool memory_read(const struct memory *m, uint64_t address, void *to, size_t size)
{
    return m->read(m, &(struct memory_piece){address, to, size}, 1);
}

/* Reads a pointer. */
static inline bool memory_pointer(const struct memory *m, uint64_t address, uint64_t *to)
{
    return memory_read(m, address, to, sizeof(*to));
}

#endif
