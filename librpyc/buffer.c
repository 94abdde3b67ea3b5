/* SPDX-License-Identifier: BSD-3-Clause */
#include "buffer.h"

#include <stdlib.h>

#define BUFFER_MIN 256

void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = BUFFER_INIT;
}

void buffer_clear(struct buffer *b)
{
    if (b->cap > BUFFER_KEEP)
        buffer_free(b);
    b->len = 0;
    b->failed = false;
}

bool buffer_reserve(struct buffer *b, size_t n)
{
    size_t need, cap;
    uint8_t *data;

    if (b->failed)
        return false;
    if (b->cap - b->len >= n)
        return true;
    if (__builtin_add_overflow(b->len, n, &need)) {
        b->failed = true;
        return false;
    }
    cap = b->cap < BUFFER_MIN ? BUFFER_MIN : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buffer_put_u32(struct buffer *b, uint32_t n)
{
    uint8_t *end = buffer_extend(b, 4);

    if (end)
        store_u32(end, n);
}

void buffer_put_u64(struct buffer *b, uint64_t n)
{
    buffer_put_u32(b, (uint32_t)(n >> 32));
    buffer_put_u32(b, (uint32_t)n);
}

void buffer_truncate(struct buffer *b, size_t len)
{
    b->len = len;
    b->failed = false;
}
