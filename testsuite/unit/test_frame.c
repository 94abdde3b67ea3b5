/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The golden frames were made by Channel.send() of rpyc 6.0.2.
 */
#include "unit.h"

#include <libdeflate.h>

#include "frame.h"

#define HEADER_OF_MAX   "10000000 00" /* 256 MiB */
#define HEADER_OVER_MAX "10000001 00"
#define ZLIB_OF_4000_X                                                                             \
    "7801edd03101000000c2a0da8b6f0c1f884061c0800103060c183060c0800103060cbc070683d1536a"
#define ZLIB_OF_BRINE   "78014b2acacc4b050006330211"
#define ZLIB_OF_NOTHING "7801030000000001"

#define AUTO_READER _cleanup_(frame_reader_free) struct frame_reader
#define AUTO_FRAME  _cleanup_(frame_free) struct frame

static void feed(struct frame_reader *r, const void *data, size_t len)
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

static void feed_hex(struct frame_reader *r, const char *hex)
{
    AUTO_BYTES bytes = from_hex(hex);

    feed(r, bytes.data, bytes.len);
}

/* Checks that the next frame is complete and has this payload. */
static void assert_next(struct frame_reader *r, const void *payload, size_t len)
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

static void assert_incomplete(struct frame_reader *r)
{
    AUTO_FRAME f = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(frame_next(r, &f, &err), 0);
    assert_int_equal(f.len, 0);
    assert_int_equal(err.code, RPYC_OK);
}

static void assert_refused(struct frame_reader *r, enum rpyc_errcode code, const char *text)
{
    AUTO_FRAME f = {0};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(frame_next(r, &f, &err), -1);
    assert_error(&err, code, text);
    assert_null(f.store.data);
}

/* Checks that these bytes are refused with this limit, before any more arrive. */
static void refuses(const char *hex, size_t max, enum rpyc_errcode code, const char *text)
{
    AUTO_READER r;

    frame_reader_init(&r, max);
    feed_hex(&r, hex);
    assert_refused(&r, code, text);
}

/* Bytes that look random and are the same in each run (xorshift). */
static struct bytes noise(size_t len)
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

static struct bytes zeros(size_t len)
{
    return (struct bytes){calloc(1, len), len};
}

/* A frame that the writer makes of the payload. */
static struct buffer written(const struct bytes *payload, bool compress)
{
    struct buffer out = BUFFER_INIT;
    size_t start = frame_begin(&out);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    buffer_put(&out, payload->data, payload->len);
    assert_ok(frame_end(&out, start, compress, &err), &err);
    return out;
}

/* A frame with a payload that is compressed here. */
static struct buffer deflated(const struct bytes *payload, int level)
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

static struct buffer compressed(const struct bytes *payload)
{
    return deflated(payload, 1);
}

/* ---- Writing -------------------------------------------------------------------------------- */

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

/* ---- Reading -------------------------------------------------------------------------------- */

TEST(a_golden_frame_is_read)
{
    AUTO_READER r;

    frame_reader_init(&r, 0);
    feed_hex(&r, "00000005 00 6272696e65 0a");
    assert_next(&r, "brine", 5);
    assert_incomplete(&r);
}

TEST(golden_compressed_frames_are_read)
{
    AUTO_READER r;
    uint8_t x[4000];

    memset(x, 'x', sizeof(x));
    frame_reader_init(&r, 0);
    feed_hex(&r, "0000000d 01" ZLIB_OF_BRINE "0a");
    feed_hex(&r, "00000029 01" ZLIB_OF_4000_X "0a");
    feed_hex(&r, "00000008 01" ZLIB_OF_NOTHING "0a");
    feed_hex(&r, "00000001 00 2a 0a");
    assert_next(&r, "brine", 5);
    assert_next(&r, x, sizeof(x));
    assert_next(&r, "", 0);
    assert_next(&r, "*", 1);
    assert_incomplete(&r);
}

TEST(an_empty_frame_is_read)
{
    AUTO_READER r;

    frame_reader_init(&r, 0);
    feed_hex(&r, "00000000 00 0a 00000001 00 2a 0a");
    assert_next(&r, "", 0);
    assert_next(&r, "*", 1);
}

TEST(a_frame_may_arrive_byte_by_byte)
{
    const char *hex = "00000005 00 6272696e65 0a 0000000d 01" ZLIB_OF_BRINE "0a";
    AUTO_BYTES bytes = from_hex(hex);
    AUTO_READER r;
    size_t i;

    frame_reader_init(&r, 0);
    for (i = 0; i < bytes.len; i++) {
        feed(&r, bytes.data + i, 1);
        if (i == 10 || i == bytes.len - 1)
            assert_next(&r, "brine", 5);
        else
            assert_incomplete(&r);
    }
}

TEST(several_frames_may_come_at_once)
{
    AUTO_READER r;

    frame_reader_init(&r, 0);
    feed_hex(&r, "00000001 00 61 0a 00000002 00 6263 0a 00000003 00 646566 0a 000000");
    assert_next(&r, "a", 1);
    assert_next(&r, "bc", 2);
    assert_next(&r, "def", 3);
    assert_incomplete(&r);
    feed_hex(&r, "01 00 67 0a");
    assert_next(&r, "g", 1);
}

TEST(a_payload_stays_when_more_is_read)
{
    AUTO_READER r;
    AUTO_FRAME first = {0};
    AUTO_BYTES more = noise(300000);
    AUTO_BUFFER frame = written(&more, false);

    frame_reader_init(&r, 0);
    feed_hex(&r, "00000005 00 6272696e65 0a");
    assert_int_equal(frame_next(&r, &first, NULL), 1);
    feed(&r, frame.data, frame.len);
    assert_next(&r, more.data, more.len);
    assert_memory_equal(first.data, "brine", 5);
}

TEST(long_payloads_survive_whatever_follows_them)
{
    const size_t lengths[] = {32767, 32768, 32769, 65535, 65536, 65537, 200000, 1048576};
    size_t i;

    for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        AUTO_BYTES payload = noise(lengths[i]);
        AUTO_BUFFER frame = written(&payload, false);
        AUTO_READER r;

        frame_reader_init(&r, 0);
        feed(&r, frame.data, frame.len); /* the only one: it takes over the input's memory */
        assert_next(&r, payload.data, payload.len);
        feed(&r, frame.data, frame.len); /* with a part of the next frame */
        feed_hex(&r, "00000001");
        assert_next(&r, payload.data, payload.len);
        feed_hex(&r, "00 61 0a");
        feed(&r, frame.data, frame.len); /* behind another frame */
        assert_next(&r, "a", 1);
        assert_next(&r, payload.data, payload.len);
        assert_incomplete(&r);
    }
}

TEST(a_long_compressed_payload_is_read)
{
    AUTO_BYTES payload = noise(200000);
    AUTO_BUFFER frame;
    AUTO_READER r;

    memset(payload.data + 100, 'x', 150000);
    frame = compressed(&payload);
    frame_reader_init(&r, 0);
    feed(&r, frame.data, frame.len);
    assert_next(&r, payload.data, payload.len);
}

/* Frames of many lengths, cut into pieces at other places than their ends. */
TEST(frames_come_out_whole_however_they_are_cut)
{
    AUTO_BYTES random = noise(100000);
    AUTO_BUFFER stream = BUFFER_INIT;
    AUTO_READER r;
    size_t i, at, piece, next = 0, count = 150;

    for (i = 0; i < count; i++) {
        struct bytes payload = {random.data, i * i * i % 40009};
        AUTO_BUFFER frame = i % 3 ? written(&payload, i % 2) : compressed(&payload);

        buffer_put(&stream, frame.data, frame.len);
    }
    frame_reader_init(&r, 0);
    for (at = 0, i = 0; at < stream.len; at += piece, i++) {
        piece = i * i * 31 % 70001 + 1;
        piece = piece < stream.len - at ? piece : stream.len - at;
        feed(&r, stream.data + at, piece);
        for (;;) {
            AUTO_FRAME f = {0};
            int result = frame_next(&r, &f, NULL);

            assert_true(result >= 0);
            if (result == 0)
                break;
            assert_int_equal(f.len, next * next * next % 40009);
            assert_memory_equal(f.data, random.data, f.len);
            next++;
        }
    }
    assert_int_equal(next, count);
    assert_false(frame_pending(&r));
}

TEST(the_newline_is_not_looked_at)
{
    AUTO_READER r;

    frame_reader_init(&r, 0);
    feed_hex(&r, "00000001 00 61 ff 00000001 00 62 0a");
    assert_next(&r, "a", 1);
    assert_next(&r, "b", 1);
}

TEST(a_frame_is_pending_from_its_first_byte_to_its_newline)
{
    AUTO_BYTES bytes = from_hex("00000002 00 6162 0a");
    AUTO_READER r;
    size_t i;

    frame_reader_init(&r, 0);
    assert_false(frame_pending(&r));
    for (i = 0; i < bytes.len; i++) {
        feed(&r, bytes.data + i, 1);
        assert_true(frame_pending(&r));
    }
    assert_next(&r, "ab", 2);
    assert_false(frame_pending(&r));
    feed_hex(&r, "00000001 00 61 0a 00");
    assert_next(&r, "a", 1);
    assert_true(frame_pending(&r));
}

TEST(nothing_is_pending_behind_a_long_or_compressed_frame)
{
    AUTO_BYTES payload = zeros(300000);
    AUTO_BUFFER plain = written(&payload, false);
    AUTO_BUFFER small = written(&payload, true);
    AUTO_READER r;

    frame_reader_init(&r, 0);
    feed(&r, plain.data, plain.len);
    assert_true(frame_pending(&r));
    assert_next(&r, payload.data, payload.len);
    assert_false(frame_pending(&r));
    feed(&r, small.data, small.len);
    assert_true(frame_pending(&r));
    assert_next(&r, payload.data, payload.len);
    assert_false(frame_pending(&r));
}

/* ---- Bad input ------------------------------------------------------------------------------ */

/* Over the limit, the reader waits only for what may be a message. */
TEST(a_length_over_the_limit_is_refused_if_no_message_follows)
{
    refuses("00000011 00 04", 16, RPYC_ELIMIT, "a frame of 17 bytes; the limit is 16");
    refuses("00000011 00 11", 16, RPYC_ELIMIT, "a frame of 17 bytes; the limit is 16");
    refuses("00000011 01 79", 16, RPYC_ELIMIT, "a frame of 17 bytes; the limit is 16");
    refuses("00000011 01 7802", 16, RPYC_ELIMIT, "a frame of 17 bytes; the limit is 16");
    refuses("00000011 02", 16, RPYC_ELIMIT, "a frame of 17 bytes; the limit is 16");
    refuses("ffffffff 00 ff", 16, RPYC_ELIMIT, "a frame of 4294967295 bytes; the limit is 16");
}

/* Feeds a frame that is over a limit, and the frame "brine" behind it. Checks that the head of the
 * first is returned as early as possible without its rest, and that the second is complete. */
static void assert_head_alone(struct frame_reader *r, const struct buffer *over,
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

TEST(of_a_frame_over_the_limit_there_is_the_head_alone)
{
    AUTO_BYTES payload = noise(300000);
    AUTO_BUFFER frame = BUFFER_INIT;
    size_t start = frame_begin(&frame);
    AUTO_READER r;

    payload.data[0] = 1;
    buffer_put(&frame, payload.data, payload.len);
    assert_int_equal(frame_end(&frame, start, false, NULL), 0);
    frame_reader_init(&r, 1000);
    assert_head_alone(&r, &frame, &payload, "it is longer than max_frame");
}

TEST(of_a_compressed_frame_over_the_limit_there_is_the_head_alone)
{
    AUTO_BYTES payload = noise(700000);
    int level;

    for (level = 0; level <= 12; level++) {
        AUTO_BUFFER frame = deflated(&payload, level);
        AUTO_READER r;

        assert_true(frame.len > 400000);
        frame_reader_init(&r, 1000);
        assert_head_alone(&r, &frame, &payload, "it is longer than max_frame");
        memset(payload.data, 1, payload.len / 13); /* a decreasing part of it is random */
    }
}

TEST(the_default_limit_is_256_mib)
{
    AUTO_READER r;

    assert_int_equal(FRAME_MAX_DEFAULT, 268435456);
    refuses(HEADER_OVER_MAX "ff", 0, RPYC_ELIMIT, "a frame of 268435457 bytes");
    refuses("ffffffff 01 ff", 0, RPYC_ELIMIT, "a frame of 4294967295 bytes");
    frame_reader_init(&r, 0);
    feed_hex(&r, HEADER_OF_MAX);
    assert_incomplete(&r);
}

TEST(a_length_at_the_limit_is_taken)
{
    AUTO_READER r;

    frame_reader_init(&r, 5);
    feed_hex(&r, "00000005 00 6272696e65 0a");
    assert_next(&r, "brine", 5);
    frame_reader_free(&r);
    frame_reader_init(&r, 4);
    feed_hex(&r, "00000005 00 6272696e65 0a");
    assert_refused(&r, RPYC_ELIMIT,
                   "a frame of 5 bytes; the limit is 4"); /* the payload is read as "b" */
}

TEST(a_header_that_is_not_complete_says_nothing_yet)
{
    AUTO_READER r;

    frame_reader_init(&r, 16);
    feed_hex(&r, "ffffffff");
    assert_incomplete(&r);
}

TEST(a_length_alone_takes_no_memory)
{
    AUTO_BYTES piece = noise(4096);
    AUTO_READER r;
    size_t got, n;

    frame_reader_init(&r, 0);
    feed_hex(&r, HEADER_OF_MAX);
    assert_incomplete(&r);
    for (got = 0; got < (size_t)2 << 20; got += piece.len) {
        assert_non_null(frame_room(&r, &n));
        assert_true(r.in.cap <= 4 * got + 128 * 1024);
        feed(&r, piece.data, piece.len);
        assert_incomplete(&r);
    }
}

TEST(memory_is_given_back_after_a_long_frame)
{
    AUTO_BYTES payload = noise(4000000);
    AUTO_BUFFER frame = written(&payload, false);
    AUTO_READER r;
    size_t n;

    frame_reader_init(&r, 0);
    feed(&r, frame.data, frame.len);
    feed_hex(&r, "00000001 00 61 0a");
    assert_next(&r, payload.data, payload.len);
    assert_next(&r, "a", 1);
    assert_non_null(frame_room(&r, &n));
    assert_true(r.in.cap <= BUFFER_KEEP);
}

TEST(an_unknown_compression_is_refused_with_the_header)
{
    char hex[16];
    unsigned flag;

    for (flag = 2; flag < 256; flag++) {
        snprintf(hex, sizeof(hex), "00000001 %02x", flag);
        refuses(hex, 0, RPYC_EPROTOCOL, "not an RPyC frame");
    }
}

TEST(other_protocols_are_refused)
{
    /* "GET / HTTP/1.1", "SSH-2.0-", a ClientHello, an alert and data of TLS */
    refuses("474554202f20485454502f312e310d0a", 0, RPYC_ELIMIT, "a frame of");
    refuses("5353482d322e302d", 0, RPYC_ELIMIT, "a frame of");
    refuses("160301020001", 0, RPYC_EPROTOCOL, "received TLS instead of an RPyC frame");
    refuses("15030300020228", 0, RPYC_EPROTOCOL, "received TLS instead of an RPyC frame");
    refuses("170303002000ff", 0, RPYC_ELIMIT, "a frame of");
}

TEST(bytes_that_are_not_zlib_are_refused)
{
    const char *text = "a frame with invalid compressed data";

    refuses("00000005 01 6272696e65 0a", 0, RPYC_EPROTOCOL, text);
    refuses("00000000 01 0a", 0, RPYC_EPROTOCOL, text);
    refuses("00000001 01 78 0a", 0, RPYC_EPROTOCOL, text);
    refuses("0000000d 01 79014b2acacc4b050006330211 0a", 0, RPYC_EPROTOCOL, text); /* header */
    refuses("0000000d 01 78014b2acacc4b050006330212 0a", 0, RPYC_EPROTOCOL, text); /* checksum */
    refuses("0000000d 01 7801ff2acacc4b050006330211 0a", 0, RPYC_EPROTOCOL, text); /* block type */
}

TEST(truncated_zlib_is_refused)
{
    AUTO_BYTES whole = from_hex("0000000d 01" ZLIB_OF_BRINE "0a");
    size_t n;

    for (n = 1; n < 13; n++) {
        AUTO_READER r;

        frame_reader_init(&r, 0);
        store_u32(whole.data, (uint32_t)n);
        feed(&r, whole.data, FRAME_HEADER_SIZE + n + 1);
        assert_refused(&r, RPYC_EPROTOCOL, "a frame with invalid compressed data");
    }
}

TEST(of_what_inflates_beyond_the_limit_there_is_the_head_alone)
{
    AUTO_BYTES payload = zeros(1000000);
    AUTO_READER r;
    int level;

    memcpy(payload.data, "\x01\x11\x50", 3);
    for (level = 0; level <= 12; level++) {
        AUTO_BUFFER frame = deflated(&payload, level);

        frame_reader_init(&r, frame.len);
        r.max_inflated = 1000;
        assert_head_alone(&r, &frame, &payload, "it inflates to more than max_decompressed");
        frame_reader_free(&r);
    }
    r = (struct frame_reader){0};
}

TEST(bytes_after_the_head_are_not_checked)
{
    AUTO_BYTES payload = zeros(1000000);
    AUTO_BUFFER frame = deflated(&payload, 1);
    AUTO_READER r;

    frame.data[frame.len - 2] ^= 1; /* the checksum */
    frame_reader_init(&r, frame.len);
    r.max_inflated = 1000;
    assert_head_alone(&r, &frame, &payload, "it inflates to more than max_decompressed");
}

TEST(a_payload_that_inflates_to_the_limit_is_accepted)
{
    AUTO_BYTES payload = zeros(100000);
    AUTO_BUFFER frame = compressed(&payload);
    AUTO_READER r;

    frame_reader_init(&r, 100000);
    feed(&r, frame.data, frame.len);
    assert_next(&r, payload.data, payload.len);
}

/* The best ratio of deflate: 1032 to 1, on which the reader relies. */
TEST(the_best_compression_there_is_is_read)
{
    AUTO_BYTES payload = zeros(8000000);
    AUTO_BUFFER frame = compressed(&payload);
    AUTO_READER r;

    frame_reader_init(&r, 0);
    feed(&r, frame.data, frame.len);
    assert_next(&r, payload.data, payload.len);
}

TEST(errors_need_not_be_asked_for)
{
    AUTO_READER r;
    AUTO_FRAME f = {0};

    frame_reader_init(&r, 16);
    feed_hex(&r, "00000011 00 ff");
    assert_int_equal(frame_next(&r, &f, NULL), -1);
    assert_int_equal(frame_next(&r, &f, NULL), -1);
}
