/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames that are refused.
 */
#include "frames.h"

/* Over the limit, the reader waits only for what may be a message. */
TEST(a_length_over_the_limit_is_refused_if_no_message_follows)
{
    const char *frames[] = {"00000011 00 04", "00000011 00 11", "00000011 01 79",
                            "00000011 01 7802", "00000011 02"};
    size_t i;

    for (i = 0; i < sizeof(frames) / sizeof(*frames); i++)
        refuses(frames[i], 16, RPYC_EPROTOCOL,
                "not an RPyC frame: it would have 17 bytes, and the limit is 16");
    refuses("ffffffff 00 ff", 16, RPYC_EPROTOCOL,
            "not an RPyC frame: it would have 4294967295 bytes, and the limit is 16");
}

TEST(the_default_limit_is_256_mib)
{
    AUTO_READER r;

    assert_int_equal(FRAME_MAX_DEFAULT, 268435456);
    refuses(HEADER_OVER_MAX "ff", 0, RPYC_EPROTOCOL,
            "not an RPyC frame: it would have 268435457 bytes");
    refuses("ffffffff 01 ff", 0, RPYC_EPROTOCOL,
            "not an RPyC frame: it would have 4294967295 bytes");
    frame_reader_init(&r, 0);
    feed_hex(&r, HEADER_OF_MAX);
    assert_incomplete(&r);
}

TEST(a_length_at_the_limit_is_taken)
{
    AUTO_READER r = reader_of(5, "00000005 00 6272696e65 0a");

    assert_next(&r, "brine", 5);
    frame_reader_free(&r);
    frame_reader_init(&r, 4);
    feed_hex(&r, "00000005 00 6272696e65 0a");
    assert_refused(
        &r, RPYC_EPROTOCOL,
        "not an RPyC frame: it would have 5 bytes, and the limit is 4"); /* the payload is read as
                                                                            "b" */
}

TEST(a_header_that_is_not_complete_says_nothing_yet)
{
    AUTO_READER r = reader_of(16, "ffffffff");

    assert_incomplete(&r);
}

TEST(a_length_alone_takes_no_memory)
{
    AUTO_BYTES piece = noise(4096);
    AUTO_READER r = reader_of(0, HEADER_OF_MAX);
    size_t got, n;

    assert_incomplete(&r);
    for (got = 0; got < (size_t)2 << 20; got += piece.len) {
        assert_non_null(frame_room(&r, &n));
        assert_true(r.in.cap <= 4 * got + 128 * 1024);
        feed(&r, piece.data, piece.len);
        assert_incomplete(&r);
    }
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
    refuses("474554202f20485454502f312e310d0a", 0, RPYC_EPROTOCOL,
            "not an RPyC frame: it would have ");
    refuses("5353482d322e302d", 0, RPYC_EPROTOCOL, "not an RPyC frame: it would have ");
    refuses("160301020001", 0, RPYC_EPROTOCOL, "received TLS instead of an RPyC frame");
    refuses("15030300020228", 0, RPYC_EPROTOCOL, "received TLS instead of an RPyC frame");
    refuses("170303002000ff", 0, RPYC_EPROTOCOL, "not an RPyC frame: it would have ");
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

TEST(errors_need_not_be_asked_for)
{
    AUTO_READER r = reader_of(16, "00000011 00 ff");
    AUTO_FRAME f = {0};

    assert_int_equal(frame_next(&r, &f, NULL), -1);
    assert_int_equal(frame_next(&r, &f, NULL), -1);
}
