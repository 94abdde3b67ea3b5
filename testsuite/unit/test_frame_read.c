/* SPDX-License-Identifier: BSD-3-Clause */
#include "frames.h"

TEST(a_golden_frame_is_read)
{
    AUTO_READER r = reader_of(0, "00000005 00 6272696e65 0a");

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
    AUTO_READER r = reader_of(0, "00000000 00 0a 00000001 00 2a 0a");

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
    AUTO_READER r =
        reader_of(0, "00000001 00 61 0a 00000002 00 6263 0a 00000003 00 646566 0a 000000");

    assert_next(&r, "a", 1);
    assert_next(&r, "bc", 2);
    assert_next(&r, "def", 3);
    assert_incomplete(&r);
    feed_hex(&r, "01 00 67 0a");
    assert_next(&r, "g", 1);
}

TEST(a_payload_stays_when_more_is_read)
{
    AUTO_READER r = reader_of(0, "00000005 00 6272696e65 0a");
    AUTO_FRAME first = {0};
    AUTO_BYTES more = noise(300000);
    AUTO_BUFFER frame = written(&more, false);

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
    AUTO_READER r = reader_of(0, "00000001 00 61 ff 00000001 00 62 0a");

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

/* Otherwise a client that has sent one long message and then waits would cost as much. */
TEST(memory_is_given_back_at_once_after_a_long_compressed_frame)
{
    AUTO_BYTES payload = noise(400000);
    AUTO_BUFFER frame;
    AUTO_READER r;

    memset(payload.data, 'x', payload.len / 4);
    frame = compressed(&payload);
    frame_reader_init(&r, 0);
    feed(&r, frame.data, frame.len);
    assert_next(&r, payload.data, payload.len);
    assert_true(r.in.cap <= BUFFER_KEEP);
}

/* Checks that a compressed frame of zeros is read, with a limit. */
static void assert_inflates(size_t len, size_t max)
{
    AUTO_BYTES payload = zeros(len);
    AUTO_BUFFER frame = compressed(&payload);
    AUTO_READER r;

    frame_reader_init(&r, max);
    feed(&r, frame.data, frame.len);
    assert_next(&r, payload.data, payload.len);
}

TEST(a_payload_that_inflates_to_the_limit_is_accepted)
{
    assert_inflates(100000, 100000);
}

/* The best ratio of deflate: 1032 to 1, on which the reader relies. */
TEST(the_best_compression_there_is_is_read)
{
    assert_inflates(8000000, 0);
}
