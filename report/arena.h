/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory that is allocated in small pieces and freed all at once.
 */
#ifndef REPORT_ARENA_H
#define REPORT_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* the newest first */
    size_t free;                /* bytes left in it */
    size_t taken, max;          /* bytes of all chunks; a limit on them, 0: none */
    bool failed;                /* sticky: no memory, or past the limit */
};

/* Returns size zeroed bytes, aligned for any type, that live until arena_free. NULL if there is no
 * memory, if size would exceed the limit, or if an earlier call failed. */
void *arena_alloc(struct arena *a, size_t size);

/* The same for an array; NULL also where count * size overflows. Not NULL for an empty array. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* Frees all that was allocated. The arena is empty then, its limit stays. */
void arena_free(struct arena *a);

#endif
