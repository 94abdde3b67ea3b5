/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames that are too long: their head is read.
 */
#include "frames.h"

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
