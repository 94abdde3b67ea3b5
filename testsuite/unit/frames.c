/* SPDX-License-Identifier: BSD-3-Clause */
#include "frames.h"

#include <libdeflate.h>

void feed(struct frame_reader *r, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len > 0) {
        size_t n = 0;
        uint8_t *room = frame_room(r, &n);

        assert_non_null(room);
        assert_true(n > 0);
        n = n < len ? n : len;
        memcpy(room, p, n);
        frame_received(r, n);
        p += n;
        len -= n;
    }
}

struct frame_reader reader_of(size_t max, const char *hex)
{
    struct frame_reader r;

    frame_reader_init(&r, max);
    feed_hex(&r, hex);
    return r;
}

void feed_hex(struct frame_reader *r, const char *hex)
{
    AUTO_BYTES bytes = from_hex(hex);

    feed(r, bytes.data, bytes.len);
}

void assert_next(struct frame_reader *r, const void *payload, size_t len)
{
    AUTO_FRAME f = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int result = frame_next(r, &f, &err);

    if (result != 1)
        fail_msg("no frame: %d %s", result, err.text);
    assert_int_equal(f.len, len);
    if (len > 0)
        assert_memory_equal(f.data, payload, len);
}

void assert_incomplete(struct frame_reader *r)
{
    AUTO_FRAME f = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(frame_next(r, &f, &err), 0);
    assert_int_equal(f.len, 0);
    assert_int_equal(err.code, RPYC_OK);
}

void assert_refused(struct frame_reader *r, enum rpyc_errcode code, const char *text)
{
    AUTO_FRAME f = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(frame_next(r, &f, &err), -1);
    assert_error(&err, code, text);
    assert_null(f.store.data);
}

void refuses(const char *hex, size_t max, enum rpyc_errcode code, const char *text)
{
    AUTO_READER r;

    frame_reader_init(&r, max);
    feed_hex(&r, hex);
    assert_refused(&r, code, text);
}

struct bytes noise(size_t len)
{
    struct bytes b = {malloc(len), len};
    uint32_t x = 2463534242;
    size_t i;

    for (i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        b.data[i] = (uint8_t)(x >> 16);
    }
    return b;
}

struct bytes zeros(size_t len)
{
    return (struct bytes){calloc(1, len), len};
}

struct buffer written(const struct bytes *payload, bool compress)
{
    struct buffer out = BUFFER_INIT;
    size_t start = frame_begin(&out);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    buffer_put(&out, payload->data, payload->len);
    assert_ok(frame_end(&out, start, compress, &err), &err);
    return out;
}

struct buffer deflated(const struct bytes *payload, int level)
{
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(level);
    size_t bound = libdeflate_zlib_compress_bound(z, payload->len);
    struct buffer out = BUFFER_INIT;

    buffer_put(&out, "\0\0\0\0\1", FRAME_HEADER_SIZE);
    buffer_reserve(&out, bound + 1);
    out.len += libdeflate_zlib_compress(z, payload->data, payload->len, out.data + out.len, bound);
    store_u32(out.data, (uint32_t)(out.len - FRAME_HEADER_SIZE));
    buffer_put_u8(&out, '\n');
    libdeflate_free_compressor(z);
    return out;
}

struct buffer compressed(const struct bytes *payload)
{
    return deflated(payload, 1);
}

void assert_head_alone(struct frame_reader *r, const struct buffer *over,
                       const struct bytes *payload, const char *limit)
{
    static const char head_and_rest[] = "00000005 00 6272696e65 0a";
    const size_t first = over->len / 2;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_FRAME f = {0};

    feed(r, over->data, first);
    if (frame_next(r, &f, &err) == 0) {
        assert_true(frame_pending(r));
        feed(r, over->data + first, over->len - first);
        assert_int_equal(frame_next(r, &f, &err), 1);
    } else {
        assert_incomplete(r);
        assert_true(frame_pending(r));
        feed(r, over->data + first, over->len - first);
    }
    assert_string_equal(f.over, limit);
    assert_int_equal(f.limit, 1000);
    assert_true(f.len == FRAME_HEAD && f.store.cap < 1000);
    assert_memory_equal(f.data, payload->data, FRAME_HEAD);
    assert_incomplete(r);
    assert_false(frame_pending(r));
    feed_hex(r, head_and_rest);
    assert_next(r, "brine", 5);
}
