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
    struct arena_chunk *chunks; /* the newest chunk first */
    unsigned char *fixed;       /* memory to use in place of chunks; NULL: none */
    size_t free;                /* bytes that are not used yet in the newest chunk, or in `fixed` */
    size_t taken, max;          /* bytes of all chunks, and the limit for them; max 0: no limit */
    bool failed;                /* an allocation has failed, so all later ones fail, too */
};

/* Makes an empty arena use the `size` bytes at `memory`, and nothing else: arena_alloc then calls
 * no malloc. The memory must be zeroed and aligned for any type. The caller frees this memory. */
void arena_use(struct arena *a, void *memory, size_t size);

/* Returns size zeroed bytes, aligned for any type, that live until arena_free. NULL if there is no
 * memory, if size would exceed the limit, or if an earlier call failed. */
void *arena_alloc(struct arena *a, size_t size);

/* Like arena_alloc, for an array of `count` items of `size` bytes. Returns NULL also if count *
 * size overflows. NULL means an error even for an empty array. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* Moves all pieces of *from to *to, where they live until arena_free(to). *from is then empty. The
 * pieces count for the limit of *to, and may exceed this limit. Not for arenas with fixed memory.
 */
void arena_take(struct arena *to, struct arena *from);

/* Frees all pieces. The arena is then empty, and its limit does not change. */
void arena_free(struct arena *a);

#endif
