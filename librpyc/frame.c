/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ROOM           ((size_t)32 * 1024) /* bytes asked for at a time */
#define PROBE          ((size_t)64 * 1024) /* compressed first, to see whether it is worth it */
#define LEVEL          1                   /* what stock peers use */
#define ZLIB_MAX_RATIO 1032                /* deflate cannot expand more than this */

/* ---- Writing -------------------------------------------------------------------------------- */

size_t frame_begin(struct buffer *out)
{
    size_t start = out->len;

    buffer_extend(out, FRAME_HEADER_SIZE);
    return start;
}

/* Compresses len bytes; the result, owned by the caller and at most len - 1 bytes, or NULL where it
 * would not be smaller or there is no memory for it: then the frame just goes out as it is. */
static uint8_t *deflate_smaller(struct libdeflate_compressor *z, const uint8_t *bytes, size_t len,
                                size_t *smaller)
{
    uint8_t *out = malloc(len);

    if (!out)
        return NULL;
    *smaller = libdeflate_zlib_compress(z, bytes, len, out, len - 1);
    if (*smaller == 0) {
        free(out);
        return NULL;
    }
    return out;
}

static void free_compressor(struct libdeflate_compressor **z)
{
    libdeflate_free_compressor(*z);
}

/* Replaces the payload behind the header at `start` by its compressed form. False if it stays. */
static bool compress_payload(struct buffer *out, size_t start)
{
    _cleanup_(free_compressor) struct libdeflate_compressor *z = libdeflate_alloc_compressor(LEVEL);
    uint8_t *payload = out->data + start + FRAME_HEADER_SIZE;
    size_t len = out->len - start - FRAME_HEADER_SIZE;
    uint8_t *probe, *small;
    size_t n;

    if (!z)
        return false;
    if (len > PROBE) {
        probe = deflate_smaller(z, payload, PROBE, &n);
        if (!probe)
            return false;
        free(probe);
    }
    small = deflate_smaller(z, payload, len, &n);
    if (!small)
        return false;
    memcpy(payload, small, n);
    free(small);
    out->len = start + FRAME_HEADER_SIZE + n;
    return true;
}

int frame_end(struct buffer *out, size_t start, bool compress, struct rpyc_error *err)
{
    bool compressed;
    size_t len;

    if (out->failed)
        return error_nomem(err);
    len = out->len - start - FRAME_HEADER_SIZE;
    compressed = compress && len > FRAME_COMPRESS_FROM && compress_payload(out, start);
    len = out->len - start - FRAME_HEADER_SIZE;
    if (len > UINT32_MAX)
        return error_set(err, RPYC_ELIMIT, "a message of %zu bytes is too long for a frame", len);
    store_u32(out->data + start, (uint32_t)len);
    out->data[start + 4] = compressed;
    buffer_put_u8(out, '\n');
    return out->failed ? error_nomem(err) : 0;
}

size_t frame_size(const uint8_t *frame)
{
    return FRAME_HEADER_SIZE + (size_t)load_u32(frame) + 1;
}

/* ---- Reading -------------------------------------------------------------------------------- */

void frame_free(struct frame *f)
{
    buffer_free(&f->store);
    f->data = NULL;
    f->len = 0;
}

void frame_reader_init(struct frame_reader *r, size_t max_payload)
{
    size_t max = max_payload ? max_payload : FRAME_MAX_DEFAULT;

    *r = (struct frame_reader){.in = BUFFER_INIT, .max = max, .max_inflated = max};
}

void frame_reader_free(struct frame_reader *r)
{
    buffer_free(&r->in);
}

uint8_t *frame_room(struct frame_reader *r, size_t *n)
{
    struct buffer *in = &r->in;

    if (r->head == in->len) {
        buffer_clear(in);
        r->head = 0;
    } else if (r->head > 0 && in->cap - in->len < ROOM) {
        memmove(in->data, in->data + r->head, in->len - r->head);
        in->len -= r->head;
        r->head = 0;
    }
    if (!buffer_reserve(in, in->len > ROOM ? in->len : ROOM))
        return NULL;
    *n = in->cap - in->len;
    return in->data + in->len;
}

void frame_received(struct frame_reader *r, size_t n)
{
    r->in.len += n;
}

bool frame_pending(const struct frame_reader *r)
{
    return r->head < r->in.len;
}

static int inflate_error(enum libdeflate_result result, size_t max, struct rpyc_error *err)
{
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        return error_set(err, RPYC_ELIMIT, "a frame that inflates to more than %zu bytes", max);
    return error_set(err, RPYC_EPROTOCOL, "a frame that is badly compressed");
}

/* Inflates into out. How large the result gets is not known before, so it goes to a mapping as
 * large as it may be, whose pages cost nothing until they are written. */
static int inflate_payload(const uint8_t *bytes, size_t len, size_t max, struct buffer *out,
                           struct rpyc_error *err)
{
    struct libdeflate_decompressor *z;
    enum libdeflate_result result;
    size_t bound, n = 0;
    void *map;

    if (__builtin_mul_overflow(len, ZLIB_MAX_RATIO, &bound) || bound > max)
        bound = max;
    map = mmap(NULL, bound + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
    if (map == MAP_FAILED)
        return error_nomem(err);
    z = libdeflate_alloc_decompressor();
    if (!z) {
        munmap(map, bound + 1);
        return error_nomem(err);
    }
    result = libdeflate_zlib_decompress(z, bytes, len, map, bound, &n);
    libdeflate_free_decompressor(z);
    if (result == LIBDEFLATE_SUCCESS)
        buffer_put(out, map, n);
    munmap(map, bound + 1);
    if (result != LIBDEFLATE_SUCCESS)
        return inflate_error(result, bound, err);
    return out->failed ? error_nomem(err) : 0;
}

/* Hands out the payload of `len` bytes behind the header at head, uncompressed. A long one that
 * ends the input is not copied: it keeps the memory that it was received in. */
static int take_plain(struct frame_reader *r, size_t len, struct frame *f, struct rpyc_error *err)
{
    const uint8_t *payload = r->in.data + r->head + FRAME_HEADER_SIZE;

    if (len > ROOM && r->in.len == r->head + FRAME_HEADER_SIZE + len + 1) {
        *f = (struct frame){.data = payload, .len = len, .store = r->in};
        r->in = BUFFER_INIT;
        r->head = 0;
        return 0;
    }
    buffer_put(&f->store, payload, len);
    if (f->store.failed)
        return error_nomem(err);
    r->head += FRAME_HEADER_SIZE + len + 1;
    f->data = f->store.data;
    f->len = len;
    return 0;
}

static int take_compressed(struct frame_reader *r, size_t len, struct frame *f,
                           struct rpyc_error *err)
{
    const uint8_t *payload = r->in.data + r->head + FRAME_HEADER_SIZE;

    if (inflate_payload(payload, len, r->max_inflated, &f->store, err) < 0) {
        buffer_free(&f->store);
        return -1;
    }
    r->head += FRAME_HEADER_SIZE + len + 1;
    f->data = f->store.data;
    f->len = f->store.len;
    return 0;
}

/* A record of TLS: an alert, or of a handshake. */
static bool looks_like_tls(const uint8_t *header)
{
    return (header[0] == 0x15 || header[0] == 0x16) && header[1] == 3;
}

int frame_next(struct frame_reader *r, struct frame *f, struct rpyc_error *err)
{
    const uint8_t *header;
    size_t have = r->in.len - r->head;
    size_t len;
    int result;

    *f = (struct frame){NULL, 0, BUFFER_INIT};
    if (have < FRAME_HEADER_SIZE)
        return 0;
    header = r->in.data + r->head;
    len = load_u32(header);
    if (len > r->max && looks_like_tls(header))
        return error_set(err, RPYC_EPROTOCOL, "not a frame of RPyC, but TLS");
    if (len > r->max)
        return error_set(err, RPYC_ELIMIT, "a frame of %zu bytes, and %zu are allowed", len,
                         r->max);
    if (header[4] > 1)
        return error_set(err, RPYC_EPROTOCOL, "not a frame of RPyC");
    if (have < FRAME_HEADER_SIZE + len + 1)
        return 0;
    if (header[4])
        result = take_compressed(r, len, f, err);
    else
        result = take_plain(r, len, f, err);
    return result < 0 ? -1 : 1;
}
