/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ROOM           ((size_t)32 * 1024) /* the least room to make for received bytes */
#define PROBE          ((size_t)64 * 1024) /* bytes to compress first, as a sample */
#define LEVEL          1                   /* the compression level of stock peers */
#define ZLIB_MAX_RATIO 1032                /* inflating makes data larger by at most this factor */

/* From this many bytes of a zlib stream, at least FRAME_HEAD bytes of the payload can be inflated.
 * A stored block has up to 64 KiB, and libdeflate copies the block only if it is complete. */
#define HEAD_DEFLATED ((size_t)80 * 1024)

/* ---- Writing -------------------------------------------------------------------------------- */

size_t frame_begin(struct buffer *out)
{
    size_t start = out->len;

    buffer_extend(out, FRAME_HEADER_SIZE);
    return start;
}

/* Compresses len bytes. Returns a buffer of *smaller bytes, which the caller frees. *smaller is
 * less than len. Returns NULL if the result would not be smaller, or if there is no memory. The
 * frame is then sent uncompressed. */
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

/* Replaces the payload of the frame at `start` by its compressed form. Returns false and changes
 * nothing if that form is not smaller, or if there is no memory. */
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
    if (f->mapped > 0)
        munmap(f->store.data, f->mapped);
    else
        buffer_free(&f->store);
    *f = FRAME_INIT;
}

void frame_reader_init(struct frame_reader *r, size_t max_payload)
{
    size_t max = max_payload ? max_payload : FRAME_MAX_DEFAULT;

    *r = (struct frame_reader){.in = BUFFER_INIT, .max = max, .max_inflated = max};
}

void frame_reader_free(struct frame_reader *r)
{
    buffer_free(&r->in);
    r->head = r->skip = 0;
}

/* Returns how many bytes to make room for: as many as have arrived of the frame, but not more than
 * the frame still needs, and at least ROOM. */
static size_t room_for(const struct frame_reader *r)
{
    size_t have = r->in.len - r->head, n = have > ROOM ? have : ROOM, need;

    if (have < FRAME_HEADER_SIZE || r->skip > 0)
        return ROOM;
    need = frame_size(r->in.data + r->head);
    need = need > have ? need - have : 0;
    need = need > ROOM ? need : ROOM;
    return n < need ? n : need;
}

uint8_t *frame_room(struct frame_reader *r, size_t *n)
{
    struct buffer *in = &r->in;
    size_t room;

    if (r->head == in->len) {
        buffer_clear(in);
        r->head = 0;
    } else if (r->head > 0 && in->cap - in->len < ROOM) {
        memmove(in->data, in->data + r->head, in->len - r->head);
        in->len -= r->head;
        r->head = 0;
    }
    room = room_for(r);
    if (!buffer_reserve(in, room))
        return NULL;
    *n = in->cap - in->len < FRAME_LONG ? in->cap - in->len : room;
    return in->data + in->len;
}

void frame_received(struct frame_reader *r, size_t n)
{
    r->in.len += n;
}

bool frame_pending(const struct frame_reader *r)
{
    return r->skip > 0 || r->head < r->in.len;
}

/* Moves the n bytes at the start of a mapping to f. If n is more than FRAME_LONG, f gets the
 * mapping itself, else a copy. Returns 1, or -1 with RPYC_ENOMEM. */
static int keep_inflated(void *map, size_t size, size_t n, struct frame *f, struct rpyc_error *err)
{
    if (n > FRAME_LONG && mremap(map, size, n, 0) != MAP_FAILED) {
        f->store.data = map;
        f->store.len = f->mapped = n;
        return 1;
    }
    buffer_put(&f->store, map, n);
    munmap(map, size);
    return f->store.failed ? error_nomem(err) : 1;
}

/* Inflates a payload into f. The size of the result is not known in advance. So the output is a
 * mapping of the largest allowed size, whose pages take no memory until they are written. Returns 1
 * if f is filled, 0 if the result is longer than max, -1 with err filled after an error. */
static int inflate_payload(const uint8_t *bytes, size_t len, size_t max, struct frame *f,
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
        return keep_inflated(map, bound + 1, n, f, err);
    munmap(map, bound + 1);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE && bound == max)
        return 0;
    return error_set(err, RPYC_EPROTOCOL, "a frame with invalid compressed data");
}

/* Decompresses a part of a zlib stream and appends the first FRAME_HEAD bytes to out. libdeflate
 * has no function for a part of a stream. But when the output buffer is full or the input ends, the
 * bytes that libdeflate has decompressed are in the output buffer. If a version of libdeflate wrote
 * nothing to the buffer, it would contain zeros, which are not the head of a valid message. */
static int inflate_head(const uint8_t *bytes, size_t len, struct buffer *out,
                        struct rpyc_error *err)
{
    struct libdeflate_decompressor *z = libdeflate_alloc_decompressor();
    uint8_t *room = calloc(1, HEAD_DEFLATED);
    size_t n;

    if (z && room) {
        libdeflate_zlib_decompress(z, bytes, len < HEAD_DEFLATED ? len : HEAD_DEFLATED, room,
                                   HEAD_DEFLATED, &n);
        buffer_put(out, room, FRAME_HEAD);
    }
    libdeflate_free_decompressor(z);
    free(room);
    return out->len == 0 ? error_nomem(err) : 0;
}

/* Moves the uncompressed payload of `len` bytes to f. Does not copy a payload of more than ROOM
 * bytes if no bytes follow its frame: f then takes over the memory in which the payload was
 * received. Returns 1, or -1 with RPYC_ENOMEM. */
static int take_plain(struct frame_reader *r, size_t len, struct frame *f, struct rpyc_error *err)
{
    const uint8_t *payload = r->in.data + r->head + FRAME_HEADER_SIZE;

    if (len > ROOM && r->in.len == r->head + FRAME_HEADER_SIZE + len + 1) {
        *f = (struct frame){.data = payload, .len = len, .store = r->in};
        r->in = BUFFER_INIT;
        r->head = 0;
        return 1;
    }
    buffer_put(&f->store, payload, len);
    if (f->store.failed)
        return error_nomem(err);
    r->head += FRAME_HEADER_SIZE + len + 1;
    return 1;
}

static int take_compressed(struct frame_reader *r, size_t len, struct frame *f,
                           struct rpyc_error *err)
{
    const uint8_t *payload = r->in.data + r->head + FRAME_HEADER_SIZE;
    bool may_be_long = r->short_only && r->max_inflated > FRAME_LONG;
    size_t max = may_be_long ? FRAME_LONG : r->max_inflated;
    int result = inflate_payload(payload, len, max, f, err);

    if (result == 0 && may_be_long)
        return 2;
    if (result == 0) {
        f->over = "it inflates to more than max_decompressed";
        f->limit = r->max_inflated;
        result = inflate_head(payload, len, &f->store, err);
    }
    if (result < 0)
        return -1;
    r->head += FRAME_HEADER_SIZE + len + 1;
    if (r->head == r->in.len) { /* the memory may be large, and the next frame may come late */
        buffer_clear(&r->in);
        r->head = 0;
    }
    return 1;
}

/* True if the header looks like that of a TLS record: an alert or a part of a handshake. */
static bool looks_like_tls(const uint8_t *header)
{
    return (header[0] == 0x15 || header[0] == 0x16) && header[1] == 3;
}

/* True if the first n bytes of a payload may be the start of a message (see message.c), or of
 * compressed data. False if the peer uses another protocol. The first bytes of the stream are then
 * not a length, so the reader must not wait for as many bytes as they seem to announce. */
static bool looks_like_payload(const uint8_t *bytes, size_t n, bool compressed)
{
    if (n == 0)
        return true;
    if (!compressed)
        return bytes[0] <= 3 || bytes[0] == 0x12;
    return (bytes[0] & 0x0f) == 8 && (n == 1 || (bytes[0] * 256 + bytes[1]) % 31 == 0);
}

/* Fills f with the head of a payload that is longer than r->max. have: how many bytes of the
 * payload have arrived. Results: those of frame_next. */
static int take_head(struct frame_reader *r, size_t len, size_t have, struct frame *f,
                     struct rpyc_error *err)
{
    const uint8_t *header = r->in.data + r->head, *payload = header + FRAME_HEADER_SIZE;
    size_t need = header[4] ? HEAD_DEFLATED : FRAME_HEAD;

    if (header[4] > 1 || !looks_like_payload(payload, have, header[4]))
        return error_set(err, RPYC_EPROTOCOL,
                         "not an RPyC frame: it would have %zu bytes, and the limit is %zu", len,
                         r->max);
    need = len < need ? len : need;
    if (have < need)
        return 0;
    if (header[4]) {
        if (inflate_head(payload, need, &f->store, err) < 0)
            return -1;
    } else {
        buffer_put(&f->store, payload, need);
        if (f->store.failed)
            return error_nomem(err);
    }
    f->over = "it is longer than max_frame";
    f->limit = r->max;
    r->skip = FRAME_HEADER_SIZE + len + 1;
    return 1;
}

/* If the rest of a frame is to be dropped, drops what has arrived of it. */
static void skip(struct frame_reader *r)
{
    size_t have = r->in.len - r->head;
    size_t n = r->skip < have ? r->skip : have;

    r->head += n;
    r->skip -= n;
}

/* Like frame_next, but may leave f->data NULL and f->len 0: the payload is then all of f->store. */
static int take_next(struct frame_reader *r, struct frame *f, struct rpyc_error *err)
{
    const uint8_t *header;
    size_t have, len;

    skip(r);
    have = r->in.len - r->head;
    if (have < FRAME_HEADER_SIZE)
        return 0;
    have -= FRAME_HEADER_SIZE;
    header = r->in.data + r->head;
    len = load_u32(header);
    if (len > r->max && looks_like_tls(header))
        return error_set(err, RPYC_EPROTOCOL, "received TLS instead of an RPyC frame");
    if (len > r->max)
        return take_head(r, len, have, f, err);
    if (header[4] > 1)
        return error_set(err, RPYC_EPROTOCOL, "not an RPyC frame");
    if (r->short_only && len > FRAME_LONG && have > FRAME_LONG)
        return 2;
    if (have < len + 1)
        return 0;
    return header[4] ? take_compressed(r, len, f, err) : take_plain(r, len, f, err);
}

int frame_next(struct frame_reader *r, struct frame *f, struct rpyc_error *err)
{
    int result;

    *f = FRAME_INIT;
    result = take_next(r, f, err);
    if (result < 0)
        buffer_free(&f->store);
    if (!f->data) { /* else take_plain has set data, without a copy */
        f->data = f->store.data;
        f->len = f->store.len;
    }
    return result;
}
