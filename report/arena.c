/* SPDX-License-Identifier: BSD-3-Clause */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE ((size_t)16 * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    alignas(max_align_t) unsigned char bytes[];
};

static size_t round_up(size_t size)
{
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* Adds a chunk with room for at least size bytes. Returns false if there is no memory, if the limit
 * would be exceeded, or if the arena uses fixed memory. */
static bool grow(struct arena *a, size_t size)
{
    size_t room = size < CHUNK_SIZE ? CHUNK_SIZE : size;
    struct arena_chunk *chunk;

    if (a->fixed || room > SIZE_MAX - sizeof(*chunk) ||
        (a->max > 0 && (a->taken > a->max || room > a->max - a->taken)))
        return false;
    chunk = calloc(1, sizeof(*chunk) + room);
    if (!chunk)
        return false;
    chunk->next = a->chunks;
    a->chunks = chunk;
    a->taken += room;
    a->free = room;
    return true;
}

void arena_use(struct arena *a, void *memory, size_t size)
{
    *a = (struct arena){.fixed = memory, .free = size & ~(alignof(max_align_t) - 1)};
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = round_up(size);
    void *piece;

    if (a->failed || need < size || (need > a->free && !grow(a, need))) {
        a->failed = true;
        return NULL;
    }
    /* Pieces are taken from the end of a chunk, so the number of free bytes is also the offset of
     * the next piece. */
    a->free -= need;
    if (a->fixed)
        return a->fixed + a->free;
    piece = a->chunks ? a->chunks->bytes + a->free : NULL;
    return piece;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, total > 0 ? total : 1);
}

void arena_take(struct arena *to, struct arena *from)
{
    struct arena_chunk *last = from->chunks;

    while (last && last->next)
        last = last->next;
    if (!to->chunks) {
        to->chunks = from->chunks;
        to->free = from->free;
    } else if (last) {
        last->next = to->chunks->next; /* the newest chunk of *to stays the first one */
        to->chunks->next = from->chunks;
    }
    to->taken += from->taken;
    *from = (struct arena){.max = from->max};
}

void arena_free(struct arena *a)
{
    struct arena_chunk *chunk, *next;

    for (chunk = a->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *a = (struct arena){.max = a->max};
}
