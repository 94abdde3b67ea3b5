/* SPDX-License-Identifier: BSD-3-Clause */
#include "frames.h"

#include <libdeflate.h>

TEST(a_short_payload_is_not_compressed)
{
    struct bytes payload = {(uint8_t *)"brine", 5};
    AUTO_BUFFER with = written(&payload, true);
    AUTO_BUFFER without = written(&payload, false);

    assert_bytes(with.data, with.len, "00000005 00 6272696e65 0a");
    assert_bytes(without.data, without.len, "00000005 00 6272696e65 0a");
}

TEST(an_empty_payload_is_a_frame)
{
    struct bytes payload = {NULL, 0};
    AUTO_BUFFER out = written(&payload, true);

    assert_bytes(out.data, out.len, "00000000 00 0a");
}

TEST(several_frames_are_written_to_one_buffer)
{
    AUTO_BUFFER out = BUFFER_INIT;
    AUTO_BYTES long_one = zeros(4000);
    AUTO_READER r;
    size_t start;

    start = frame_begin(&out);
    assert_int_equal(start, 0);
    buffer_put(&out, "ab", 2);
    assert_int_equal(frame_end(&out, start, true, NULL), 0);
    start = frame_begin(&out);
    assert_int_equal(start, 8);
    buffer_put(&out, long_one.data, long_one.len);
    assert_int_equal(frame_end(&out, start, true, NULL), 0);
    start = frame_begin(&out);
    buffer_put(&out, "c", 1);
    assert_int_equal(frame_end(&out, start, true, NULL), 0);

    frame_reader_init(&r, 0);
    feed(&r, out.data, out.len);
    assert_next(&r, "ab", 2);
    assert_next(&r, long_one.data, long_one.len);
    assert_next(&r, "c", 1);
    assert_incomplete(&r);
}

TEST(a_payload_of_3000_bytes_is_not_compressed)
{
    AUTO_BYTES payload = zeros(3000);
    AUTO_BUFFER out = written(&payload, true);

    assert_int_equal(FRAME_COMPRESS_FROM, 3000);
    assert_bytes(out.data, FRAME_HEADER_SIZE, "00000bb8 00");
    assert_int_equal(out.len, 3006);
}

TEST(a_payload_of_3001_bytes_is_compressed_as_zlib)
{
    AUTO_BYTES payload = zeros(3001);
    AUTO_BUFFER out = written(&payload, true);
    struct libdeflate_decompressor *z = libdeflate_alloc_decompressor();
    uint8_t plain[3002];
    size_t n;

    assert_int_equal(out.data[4], 1);
    assert_int_equal(load_u32(out.data), out.len - 6);
    assert_true(out.len < 100);
    assert_int_equal(out.data[out.len - 1], '\n');
    assert_int_equal(
        libdeflate_zlib_decompress(z, out.data + 5, out.len - 6, plain, sizeof(plain), &n),
        LIBDEFLATE_SUCCESS);
    libdeflate_free_decompressor(z);
    assert_int_equal(n, 3001);
    assert_memory_equal(plain, payload.data, n);
}

TEST(nothing_is_compressed_unless_asked_for)
{
    AUTO_BYTES payload = zeros(100000);
    AUTO_BUFFER out = written(&payload, false);

    assert_bytes(out.data, FRAME_HEADER_SIZE, "000186a0 00");
    assert_int_equal(out.len, 100006);
}

TEST(a_payload_that_does_not_shrink_is_not_compressed)
{
    const size_t lengths[] = {3001, 60000, 70000, 1000000};
    size_t i;

    for (i = 0; i < 4; i++) {
        AUTO_BYTES payload = noise(lengths[i]);
        AUTO_BUFFER out = written(&payload, true);

        assert_int_equal(out.data[4], 0);
        assert_int_equal(load_u32(out.data), lengths[i]);
        assert_int_equal(out.len, lengths[i] + 6);
        assert_memory_equal(out.data + 5, payload.data, lengths[i]);
    }
}

TEST(a_frame_in_a_buffer_that_failed_is_an_error)
{
    AUTO_BUFFER out = BUFFER_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    size_t start = frame_begin(&out);

    out.failed = true;
    assert_int_equal(frame_end(&out, start, true, &err), -1);
    assert_error(&err, RPYC_ENOMEM, "out of memory");
}

TEST(a_frame_of_4_gib_is_an_error)
{
#if SIZE_MAX > UINT32_MAX
    uint8_t header[FRAME_HEADER_SIZE] = {0};
    struct buffer out = {header, ((size_t)1 << 32) + FRAME_HEADER_SIZE, SIZE_MAX, false};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(frame_end(&out, 0, false, &err), -1);
    assert_error(&err, RPYC_ELIMIT, "a message of 4294967296 bytes is too long for a frame");
#else
    skip();
#endif
}
