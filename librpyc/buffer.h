/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A growing byte buffer. If there is no memory, the buffer's `failed` is set, and all functions
 * that append do nothing from then on. So a caller may append many times and check `failed` once.
 */
#ifndef RPYC_BUFFER_H
#define RPYC_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed;
};

#define BUFFER_INIT ((struct buffer){NULL, 0, 0, false})

void buffer_free(struct buffer *b);

/* Removes the content and clears `failed`. Keeps the memory for the next use if it has at most
 * BUFFER_KEEP bytes. */
void buffer_clear(struct buffer *b);
#define BUFFER_KEEP ((size_t)256 * 1024)

/* Allocates room for n more bytes after the content. Returns false if there is no memory, or if
 * `failed` was set before. */
bool buffer_reserve(struct buffer *b, size_t n);

/* Makes the content n > 0 bytes longer. Returns a pointer to the new bytes, which the caller must
 * fill. Returns NULL if there is no memory, or if `failed` was set before. */
static inline uint8_t *buffer_extend(struct buffer *b, size_t n)
{
    uint8_t *end;

    if (b->cap - b->len < n && !buffer_reserve(b, n))
        return NULL;
    if (b->failed)
        return NULL;
    end = b->data + b->len;
    b->len += n;
    return end;
}

static inline void buffer_put(struct buffer *b, const void *bytes, size_t n)
{
    uint8_t *end = n ? buffer_extend(b, n) : NULL;

    if (end)
        memcpy(end, bytes, n);
}

static inline void buffer_put_u8(struct buffer *b, uint8_t byte)
{
    uint8_t *end = buffer_extend(b, 1);

    if (end)
        *end = byte;
}

/* Append an integer in big-endian byte order, as used on the wire. */
void buffer_put_u32(struct buffer *b, uint32_t n);
void buffer_put_u64(struct buffer *b, uint64_t n);

/* Truncates the content to its first len bytes and clears `failed`. len must not exceed the length
 * of the content. */
void buffer_truncate(struct buffer *b, size_t len);

/* Read or write an integer in big-endian byte order. */
static inline uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t load_u64(const uint8_t *p)
{
    return (uint64_t)load_u32(p) << 32 | load_u32(p + 4);
}

static inline void store_u32(uint8_t *p, uint32_t n)
{
    p[0] = (uint8_t)(n >> 24);
    p[1] = (uint8_t)(n >> 16);
    p[2] = (uint8_t)(n >> 8);
    p[3] = (uint8_t)n;
}

#endif
