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

/* For what a thread waits in the kernel. futex: the address of a futex; 0: none. sleeps: it is in
 * nanosleep(2) or clock_nanosleep(2). */
struct kernel_wait {
    uint64_t futex;
    bool sleeps;
};

/* How to read the memory of one process. */
struct memory {
    /* Reads all pieces, at most MEMORY_PIECES_MAX, as close to each other in time as possible.
     * Returns false if a piece cannot be read completely; in this case, the contents of all `to`
     * are undefined. If `forget` is not NULL, this function may copy what was read at any moment
     * since `forget` was called. */
    bool (*read)(const struct memory *m, const struct memory_piece *pieces, size_t count);

    /* Like `read`, but always reads the present memory of the process. NULL: `read` does this. */
    bool (*read_now)(const struct memory *m, const struct memory_piece *pieces, size_t count);

    /* Forgets what was read. NULL: nothing is remembered. */
    void (*forget)(const struct memory *m);

    /* Returns a number that changes whenever a thread runs: if two calls return the same value, the
     * thread has not run between them. Returns -1 if the number is not known, for example because
     * the thread runs now. thread: the ID that the process itself has for the thread. `activity` is
     * NULL if nothing is known about the threads. */
    int64_t (*activity)(const struct memory *m, pid_t thread);

    /* True if the process has a thread with this ID. `has_thread` is NULL if this is never known.
     */
    bool (*has_thread)(const struct memory *m, pid_t thread);

    /* Finds out for what a thread waits in the kernel. Returns false if this is not known. `wait`
     * is NULL if this is never known. */
    bool (*wait)(const struct memory *m, pid_t thread, struct kernel_wait *to);

    pid_t pid;          /* the ID that the process has for itself */
    const void *source; /* data for the functions above, or NULL */
    bool is_forked;     /* it was forked and has not executed a program since; false: not known */
    bool has_gaps;      /* memory of the process may be missing, because this is a core file */
    bool is_slow;       /* each read is a system call; so it is better to read whole pages, and to
                         * remember them */
};

#define MEMORY_PIECES_MAX 256

/* Returns the memory of the calling process. Needs no privilege, and works in containers and in a
 * process that is not dumpable. If a seccomp filter forbids process_vm_readv(2), two descriptors
 * stay open, which all copies of the struct use. After fork(2), the child must call this function
 * again, with the GIL or while no other thread reads. */
struct memory memory_self(void);

/* Reads size bytes at address. Returns false if they cannot be read completely. */
static inline bool memory_read(const struct memory *m, uint64_t address, void *to, size_t size)
{
    return m->read(m, &(struct memory_piece){address, to, size}, 1);
}

/* Reads the pieces as `read_now` does. */
static inline bool memory_read_now(const struct memory *m, const struct memory_piece *pieces,
                                   size_t count)
{
    return m->read_now ? m->read_now(m, pieces, count) : m->read(m, pieces, count);
}

static inline void memory_forget(const struct memory *m)
{
    if (m->forget)
        m->forget(m);
}

/* Reads a pointer. Returns false if it cannot be read. */
static inline bool memory_pointer(const struct memory *m, uint64_t address, uint64_t *to)
{
    return memory_read(m, address, to, sizeof(*to));
}

#endif
