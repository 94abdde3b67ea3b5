/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Each type of value, written and read.
 */
#include "brine_text.h"

#include <math.h>

TEST(singletons_take_one_byte)
{
    BOTH("00", "None", brine_put_none(&b));
    BOTH("03", "True", brine_put_bool(&b, true));
    BOTH("04", "False", brine_put_bool(&b, false));
    BOTH("05", "NotImplemented", brine_put_notimplemented(&b));
    BOTH("06", "Ellipsis", brine_put_ellipsis(&b));
}

TEST(the_ints_from_minus_48_to_159_take_one_byte)
{
    char hex[3], text[16];
    int i;

    for (i = -48; i <= 159; i++) {
        snprintf(hex, sizeof(hex), "%02x", i + 0x50);
        snprintf(text, sizeof(text), "%d", i);
        BOTH(hex, text, brine_put_int(&b, i));
        if (i >= 0)
            BOTH(hex, text, brine_put_uint(&b, (uint64_t)i));
    }
}

TEST(other_ints_are_decimal)
{
    BOTH("16032d3439", "-49", brine_put_int(&b, -49));
    BOTH("1603313630", "160", brine_put_int(&b, 160));
    BOTH("1603313630", "160", brine_put_uint(&b, 160));
    BOTH("1603393030", "900", brine_put_int(&b, 900));
}

TEST(ints_at_the_edges_of_int64_are_ints)
{
    BOTH("161339323233333732303336383534373735383037", "9223372036854775807",
         brine_put_int(&b, INT64_MAX));
    BOTH("16142d39323233333732303336383534373735383038", "-9223372036854775808",
         brine_put_int(&b, INT64_MIN));
    BOTH("161339323233333732303336383534373735383037", "9223372036854775807",
         brine_put_uint(&b, INT64_MAX));
}

TEST(ints_one_beyond_int64_are_digits)
{
    BOTH("161339323233333732303336383534373735383038", "big:9223372036854775808",
         brine_put_uint(&b, (uint64_t)INT64_MAX + 1));
    BOTH("16143138343436373434303733373039353531363135", "big:18446744073709551615",
         brine_put_uint(&b, UINT64_MAX));
    BOTH("16142d39323233333732303336383534373735383039", "big:-9223372036854775809",
         brine_put_digits(&b, "-9223372036854775809", 20));
}

/* 2**64 * 10: an overflow that wraps around would make the last digit fit. */
TEST(an_int_that_did_not_fit_does_not_fit_later)
{
    BOTH("1615 313834343637343430373337303935353136313630", "big:184467440737095516160",
         brine_put_digits(&b, "184467440737095516160", 21));
}

TEST(ints_of_255_and_256_digits_take_either_length)
{
    char digits[256];
    struct brine_reader r;
    struct brine_item item;
    size_t len, head;

    memset(digits, '7', sizeof(digits));
    for (len = 255; len <= 256; len++) {
        AUTO_BUFFER b = BUFFER_INIT;

        brine_put_digits(&b, digits, len);
        head = len == 255 ? 2 : 5;
        assert_bytes(b.data, head, len == 255 ? "16 ff" : "17 00000100");
        brine_read(&r, b.data, b.len);
        assert_true(brine_next(&r, &item));
        assert_int_equal(item.type, BRINE_BIGINT);
        assert_int_equal(item.len, len);
        assert_ptr_equal(item.data, b.data + head);
        assert_true(brine_at_end(&r));
    }
}

TEST(ints_are_read_as_python_reads_their_digits)
{
    READS("1601 35", "5");
    READS("1602 2d30", "0");
    READS("1602 2b37", "7");
    READS("1618 303030303030303030303030303030303030303030303432", "42");
    READS("1614 2b39323233333732303336383534373735383038", "big:9223372036854775808");
    READS("17 00000002 3433", "43");
}

TEST(a_long_of_python_2_is_an_int)
{
    READS("09 1603 313630", "160");
    READS("09 17 00000003 313630", "160");
    READS("09 51", "1");
    READS("09 1613 39323233333732303336383534373735383038", "big:9223372036854775808");
}

TEST(floats_are_ieee_doubles)
{
    BOTH("18 3ff8000000000000", "1.5", brine_put_float(&b, 1.5));
    BOTH("18 8000000000000000", "-0", brine_put_float(&b, -0.0));
    BOTH("18 7ff0000000000000", "inf", brine_put_float(&b, (double)INFINITY));
    BOTH("18 fff0000000000000", "-inf", brine_put_float(&b, (double)-INFINITY));
    BOTH("18 7ff8000000000000", "nan", brine_put_float(&b, (double)NAN));
    BOTH("18 4032333333333333", "18.199999999999999", brine_put_float(&b, 18.2));
    BOTH("18 0000000000000001", "4.9406564584124654e-324", brine_put_float(&b, 0x1p-1074));
}

TEST(complex_numbers_are_two_doubles)
{
    BOTH("1b 3ff0000000000000 c000000000000000", "1+-2j", brine_put_complex(&b, 1, -2));
    BOTH("1b 402a000000000000 4032333333333333", "13+18.199999999999999j",
         brine_put_complex(&b, 13, 18.2));
}

TEST(bytes_of_0_to_5_have_a_tag_each)
{
    BOTH("01", "bytes:", brine_put_bytes(&b, "", 0));
    BOTH("01", "bytes:", brine_put_bytes(&b, NULL, 0));
    BOTH("0a 61", "bytes:a", brine_put_bytes(&b, "a", 1));
    BOTH("0b 6162", "bytes:ab", brine_put_bytes(&b, "ab", 2));
    BOTH("0c 616263", "bytes:abc", brine_put_bytes(&b, "abc", 3));
    BOTH("0d 61626364", "bytes:abcd", brine_put_bytes(&b, "abcd", 4));
    BOTH("0e05 6162636465", "bytes:abcde", brine_put_bytes(&b, "abcde", 5));
}

TEST(text_is_utf_8_in_bytes)
{
    BOTH("08 01", "str:", brine_put_str(&b, "", 0));
    BOTH("08 0c 68c3a9", "str:h\303\251", brine_put_str(&b, "h\303\251", 3));
    BOTH("08 0c e282ac", "str:\342\202\254", brine_put_str(&b, "\342\202\254", 3));
    BOTH("08 0d f09f908d", "str:\360\237\220\215", brine_put_str(&b, "\360\237\220\215", 4));
    BOTH("08 0e05 68656c6c6f", "str:hello", brine_put_str(&b, "hello", 5));
}

TEST(bytes_of_255_and_256_take_either_length)
{
    const char *heads[] = {"0e ff", "0f 00000100"};
    const char *str_heads[] = {"08 0e ff", "08 0f 00000100"};
    uint8_t content[256];
    struct brine_reader r;
    struct brine_item item;
    size_t i;

    memset(content, 0xa5, sizeof(content));
    for (i = 0; i < 2; i++) {
        AUTO_BUFFER b = BUFFER_INIT;
        size_t head = i == 0 ? 2 : 5;

        brine_put_bytes(&b, content, 255 + i);
        assert_bytes(b.data, head, heads[i]);
        assert_int_equal(b.len, head + 255 + i);
        brine_put_str(&b, (const char *)content, 255 + i);
        assert_bytes(b.data + head + 255 + i, head + 1, str_heads[i]);
        brine_read(&r, b.data, head + 255 + i);
        assert_true(brine_next(&r, &item));
        assert_int_equal(item.type, BRINE_BYTES);
        assert_int_equal(item.len, 255 + i);
        assert_memory_equal(item.data, content, 255 + i);
        assert_true(brine_at_end(&r));
    }
}

static void put_ints(struct buffer *b, int count)
{
    int i;

    for (i = 0; i < count; i++)
        brine_put_int(b, i);
}

TEST(tuples_of_0_to_5_have_a_tag_each)
{
    BOTH("02", "()", brine_put_tuple(&b, 0));
    BOTH("10 50", "(0)", brine_put_tuple(&b, 1), put_ints(&b, 1));
    BOTH("11 5051", "(0 1)", brine_put_tuple(&b, 2), put_ints(&b, 2));
    BOTH("12 505152", "(0 1 2)", brine_put_tuple(&b, 3), put_ints(&b, 3));
    BOTH("13 50515253", "(0 1 2 3)", brine_put_tuple(&b, 4), put_ints(&b, 4));
    BOTH("1405 5051525354", "(0 1 2 3 4)", brine_put_tuple(&b, 5), put_ints(&b, 5));
}

TEST(tuples_of_255_and_256_take_either_length)
{
    const char *heads[] = {"14 ff", "15 00000100"};
    struct brine_reader r;
    struct brine_item item;
    size_t i, k;

    for (i = 0; i < 2; i++) {
        AUTO_BUFFER b = BUFFER_INIT;

        brine_put_tuple(&b, 255 + i);
        assert_bytes(b.data, b.len, heads[i]);
        for (k = 0; k < 255 + i; k++)
            brine_put_none(&b);
        brine_read(&r, b.data, b.len);
        assert_true(brine_next(&r, &item));
        assert_int_equal(item.type, BRINE_TUPLE);
        assert_int_equal(item.count, 255 + i);
        for (k = 0; k < 255 + i; k++)
            assert_true(brine_next(&r, &item) && item.type == BRINE_NONE);
        assert_true(brine_at_end(&r));
    }
}

TEST(frozensets_are_tuples_with_a_tag_before)
{
    BOTH("1a 02", "{}", brine_put_frozenset(&b, 0));
    BOTH("1a 12 555657", "{5 6 7}", brine_put_frozenset(&b, 3), brine_put_int(&b, 5),
         brine_put_int(&b, 6), brine_put_int(&b, 7));
    BOTH("1a 10 1a 02", "{{}}", brine_put_frozenset(&b, 1), brine_put_frozenset(&b, 0));
    BOTH("1a 1405 5051525354", "{0 1 2 3 4}", brine_put_frozenset(&b, 5), put_ints(&b, 5));
}

TEST(slices_are_tuples_of_three_with_a_tag_before)
{
    BOTH("19 12 000000", "[None None None]", brine_put_slice(&b), brine_put_none(&b),
         brine_put_none(&b), brine_put_none(&b));
    BOTH("19 12 515253", "[1 2 3]", brine_put_slice(&b), brine_put_int(&b, 1), brine_put_int(&b, 2),
         brine_put_int(&b, 3));
    READS("19 1403 515253", "[1 2 3]");
}

TEST(containers_close_where_their_last_item_ends)
{
    BOTH("11 02 10 02", "(() (()))", brine_put_tuple(&b, 2), brine_put_tuple(&b, 0),
         brine_put_tuple(&b, 1), brine_put_tuple(&b, 0));
    READS("12 11 50 10 51 52 19 12 02 00 1a 10 53", "((0 (1)) 2 [() None {3}])");
}

TEST(the_example_of_the_rpyc_documentation_is_the_same_both_ways)
{
    BOTH(DOC_EXAMPLE,
         "(str:he 7 str:llo 8 () 900 None True Ellipsis 18.199999999999999 "
         "13+18.199999999999999j [1 2 3] {5 6 7} NotImplemented)",
         brine_put_tuple(&b, 14), brine_put_str(&b, "he", 2), brine_put_int(&b, 7),
         brine_put_str(&b, "llo", 3), brine_put_int(&b, 8), brine_put_tuple(&b, 0),
         brine_put_int(&b, 900), brine_put_none(&b), brine_put_bool(&b, true),
         brine_put_ellipsis(&b), brine_put_float(&b, 18.2), brine_put_complex(&b, 13, 18.2),
         brine_put_slice(&b), brine_put_int(&b, 1), brine_put_int(&b, 2), brine_put_int(&b, 3),
         brine_put_frozenset(&b, 3), brine_put_int(&b, 5), brine_put_int(&b, 6),
         brine_put_int(&b, 7), brine_put_notimplemented(&b));
}

TEST(lengths_are_read_in_any_of_their_forms)
{
    READS("0e00", "bytes:");
    READS("0e02 6162", "bytes:ab");
    READS("0f 00000000", "bytes:");
    READS("0f 00000002 6162", "bytes:ab");
    READS("08 0f 00000002 6162", "str:ab");
    READS("1400", "()");
    READS("15 00000000", "()");
    READS("15 00000001 50", "(0)");
    READS("1a 15 00000001 50", "{0}");
    READS("1a 1400", "{}");
}

TEST(data_points_into_the_input)
{
    READER(r, "11 0c616263 080b6465");
    struct brine_item item;

    assert_true(brine_next(&r, &item));
    assert_true(brine_next(&r, &item));
    assert_ptr_equal(item.data, r_bytes.data + 2);
    assert_true(brine_next(&r, &item));
    assert_int_equal(item.type, BRINE_STR);
    assert_ptr_equal(item.data, r_bytes.data + 7);
    assert_int_equal(item.len, 2);
}

TEST(what_cannot_be_written_fails_the_buffer)
{
#if SIZE_MAX > UINT32_MAX
    size_t too_long = (size_t)UINT32_MAX + 1;
    AUTO_BUFFER b = BUFFER_INIT;

    brine_put_tuple(&b, too_long);
    assert_true(b.failed);
    buffer_clear(&b);
    brine_put_frozenset(&b, too_long);
    assert_true(b.failed);
    buffer_clear(&b);
    brine_put_bytes(&b, "", too_long);
    assert_true(b.failed);
    buffer_clear(&b);
    brine_put_str(&b, "", too_long);
    assert_true(b.failed);
    buffer_clear(&b);
    brine_put_digits(&b, "", too_long);
    assert_true(b.failed);
    brine_put_none(&b);
    assert_int_equal(b.len, 0);
#else
    skip();
#endif
}

TEST(a_count_of_32_bits_is_written)
{
    AUTO_BUFFER b = BUFFER_INIT;

    brine_put_tuple(&b, UINT32_MAX);
    assert_false(b.failed);
    assert_bytes(b.data, b.len, "15 ffffffff");
}

TEST(the_length_of_a_long_str_is_written_at_its_end)
{
    AUTO_BUFFER b = BUFFER_INIT, whole = BUFFER_INIT;
    char text[300];
    size_t start;

    memset(text, 'x', sizeof(text));
    brine_put_str(&whole, text, sizeof(text));
    start = brine_begin_long_str(&b);
    buffer_put(&b, text, 100);
    buffer_put(&b, text, 200);
    brine_end_long_str(&b, start);
    assert_int_equal(b.len, whole.len);
    assert_memory_equal(b.data, whole.data, b.len);
}
