/* SPDX-License-Identifier: BSD-3-Clause
 *
 * All expected bytes were made by rpyc.core.brine.dump() of rpyc 6.0.2.
 */
#include "unit.h"

#include <math.h>

#include "brine.h"

/* ---- Values as text, so that a test can say what it wants to read ---------------------------- */

static void show(struct brine_reader *r, FILE *out);

static void show_items(struct brine_reader *r, size_t count, FILE *out, const char *brackets)
{
    fputc(brackets[0], out);
    while (count-- > 0 && r->failed == RPYC_OK) {
        show(r, out);
        if (count > 0)
            fputc(' ', out);
    }
    fputc(brackets[1], out);
}

static void show_data(const char *prefix, const struct brine_item *item, FILE *out)
{
    fprintf(out, "%s%.*s", prefix, (int)item->len, (const char *)item->data);
}

/* Writes the next value: (a b) is a tuple, {a b} a frozenset, [a b c] a slice. */
static void show(struct brine_reader *r, FILE *out)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return;
    switch (item.type) {
    case BRINE_NONE:
        fputs("None", out);
        break;
    case BRINE_BOOL:
        fputs(item.boolean ? "True" : "False", out);
        break;
    case BRINE_NOTIMPLEMENTED:
        fputs("NotImplemented", out);
        break;
    case BRINE_ELLIPSIS:
        fputs("Ellipsis", out);
        break;
    case BRINE_INT:
        fprintf(out, "%lld", (long long)item.integer);
        break;
    case BRINE_BIGINT:
        show_data("big:", &item, out);
        break;
    case BRINE_FLOAT:
        fprintf(out, "%.17g", item.real);
        break;
    case BRINE_COMPLEX:
        fprintf(out, "%.17g+%.17gj", item.real, item.imag);
        break;
    case BRINE_BYTES:
        show_data("bytes:", &item, out);
        break;
    case BRINE_STR:
        show_data("str:", &item, out);
        break;
    case BRINE_TUPLE:
        show_items(r, item.count, out, "()");
        break;
    case BRINE_FROZENSET:
        show_items(r, item.count, out, "{}");
        break;
    case BRINE_SLICE:
        show_items(r, item.count, out, "[]");
        break;
    }
}

static void assert_reads(const struct bytes *brine, const char *text)
{
    struct brine_reader r;
    char *shown = NULL;
    size_t len;
    FILE *out = open_memstream(&shown, &len);

    brine_read(&r, brine->data, brine->len);
    show(&r, out);
    fclose(out);
    if (!brine_at_end(&r))
        fail_msg("%s: %s after %s", text, r.problem ? r.problem : "bytes left", shown);
    assert_string_equal(shown, text);
    free(shown);
}

/* Checks that the hex bytes are read as a text. */
#define READS(hex, text)                                                                           \
    do {                                                                                           \
        AUTO_BYTES brine_ = from_hex(hex);                                                         \
        assert_reads(&brine_, text);                                                               \
    } while (0)

/* Checks that puts into `b` append the hex bytes, and that these are read as a text. */
#define BOTH(hex, text, ...)                                                                       \
    do {                                                                                           \
        AUTO_BUFFER b = BUFFER_INIT;                                                               \
        __VA_ARGS__;                                                                               \
        assert_false(b.failed);                                                                    \
        assert_bytes(b.data, b.len, hex);                                                          \
        READS(hex, text);                                                                          \
    } while (0)

static bool skips(const struct bytes *brine)
{
    struct brine_reader r;
    const uint8_t *data;
    size_t len;

    brine_read(&r, brine->data, brine->len);
    return brine_skip(&r, &data, &len) && data == brine->data && len == brine->len;
}

static void assert_fails(const struct bytes *brine, enum rpyc_errcode code, const char *problem)
{
    struct brine_reader r;
    const uint8_t *data;
    size_t len;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    brine_read(&r, brine->data, brine->len);
    assert_false(brine_skip(&r, &data, &len));
    assert_int_equal(r.failed, code);
    assert_string_equal(r.problem, problem);
    assert_false(brine_at_end(&r));
    assert_int_equal(brine_error(&r, &err), -1);
    assert_error(&err, code, problem);
}

/* Checks that reading the hex bytes fails, and the reason. */
#define FAILS(hex, problem)                                                                        \
    do {                                                                                           \
        AUTO_BYTES brine_ = from_hex(hex);                                                         \
        assert_fails(&brine_, RPYC_EPROTOCOL, problem);                                            \
    } while (0)

#define ENDS_EARLY "the data ends inside a value"
#define TOO_MANY   "a container has more items than there are bytes left"

/* The example in the documentation of rpyc.core.brine, as Python 3 dumps it. */
#define DOC_EXAMPLE                                                                                \
    "140e 080b6865 57 080c6c6c6f 58 02 1603393030 00 03 06 184032333333333333 "                    \
    "1b402a0000000000004032333333333333 19 12515253 1a 12555657 05"

/* ---- Every tag, both ways -------------------------------------------------------------------- */

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
    AUTO_BYTES brine = from_hex("11 0c616263 080b6465");
    struct brine_reader r;
    struct brine_item item;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_next(&r, &item));
    assert_true(brine_next(&r, &item));
    assert_ptr_equal(item.data, brine.data + 2);
    assert_true(brine_next(&r, &item));
    assert_int_equal(item.type, BRINE_STR);
    assert_ptr_equal(item.data, brine.data + 7);
    assert_int_equal(item.len, 2);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

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

TEST(unknown_tags_fail)
{
    const uint8_t low[] = {0x07, 0x1c, 0x1d, 0x1e, 0x1f};
    uint8_t bytes[40] = {0};
    size_t i;
    int tag;

    for (i = 0; i < sizeof(low); i++) {
        AUTO_BYTES brine = bytes_copy(bytes, sizeof(bytes));

        brine.data[0] = low[i];
        assert_fails(&brine, RPYC_EPROTOCOL, "an unknown tag");
    }
    for (tag = 0xf0; tag <= 0xff; tag++) {
        AUTO_BYTES brine = bytes_copy(bytes, sizeof(bytes));

        brine.data[0] = (uint8_t)tag;
        assert_fails(&brine, RPYC_EPROTOCOL, "an unknown tag");
    }
}

TEST(all_other_tags_are_known)
{
    uint8_t bytes[40];
    struct brine_reader r;
    struct brine_item item;
    int tag;

    memset(bytes, '1', sizeof(bytes));
    for (tag = 0; tag < 0xf0; tag++) {
        if (tag == 0x07 || (tag >= 0x1c && tag <= 0x1f))
            continue;
        bytes[0] = (uint8_t)tag;
        brine_read(&r, bytes, sizeof(bytes));
        if (!brine_next(&r, &item))
            assert_string_not_equal(r.problem, "an unknown tag");
    }
}

TEST(unknown_tags_within_a_value_fail)
{
    FAILS("11 50 07", "an unknown tag");
    FAILS("19 12 50 ff 50", "an unknown tag");
    FAILS("1a 10 1f", "an unknown tag");
    FAILS("09 00", "an unknown tag");
    FAILS("09 09 51", "an unknown tag");
    FAILS("09 0a 61", "an unknown tag");
}

TEST(a_str_of_anything_but_bytes_fails)
{
    FAILS("08 00", "the tag of a str is not followed by bytes");
    FAILS("08 08 01", "the tag of a str is not followed by bytes");
    FAILS("08 51", "the tag of a str is not followed by bytes");
    FAILS("08 02", "the tag of a str is not followed by bytes");
    FAILS("08 09 51", "the tag of a str is not followed by bytes");
    FAILS("08 10 01", "the tag of a str is not followed by bytes");
}

TEST(a_frozenset_or_slice_of_anything_but_a_tuple_fails)
{
    FAILS("1a 00", "the tag of a frozenset or slice is not followed by a tuple");
    FAILS("1a 01", "the tag of a frozenset or slice is not followed by a tuple");
    FAILS("1a 1a 02", "the tag of a frozenset or slice is not followed by a tuple");
    FAILS("19 0c 616263", "the tag of a frozenset or slice is not followed by a tuple");
    FAILS("19 19 12 000000", "the tag of a frozenset or slice is not followed by a tuple");
    FAILS("19 53 000000", "the tag of a frozenset or slice is not followed by a tuple");
}

TEST(a_slice_has_three_parts)
{
    FAILS("19 02", "a slice does not have three items");
    FAILS("19 11 0000", "a slice does not have three items");
    FAILS("19 13 00000000", "a slice does not have three items");
    FAILS("19 15 00000004 00000000", "a slice does not have three items");
}

TEST(ints_of_anything_but_digits_fail)
{
    FAILS("1600", "an int without digits");
    FAILS("17 00000000", "an int without digits");
    FAILS("1601 2d", "an int without digits");
    FAILS("1601 2b", "an int without digits");
    FAILS("1602 2d2d", "an int with characters other than digits");
    FAILS("1603 2d2b31", "an int with characters other than digits");
    FAILS("1603 315f30", "an int with characters other than digits");
    FAILS("1602 2031", "an int with characters other than digits");
    FAILS("1602 3100", "an int with characters other than digits");
    FAILS("1602 312f", "an int with characters other than digits");
    FAILS("1602 313a", "an int with characters other than digits");
    FAILS("1602 31b1", "an int with characters other than digits");
    FAILS("1616 39393939393939393939393939393939393939393941", /* also if it does not fit an int64_t
                                                                */
          "an int with characters other than digits");
}

TEST(every_truncation_fails)
{
    const char *whole[] = {
        DOC_EXAMPLE,
        "0a61",
        "0b6162",
        "0c616263",
        "0d61626364",
        "0e056162636465",
        "0f 00000005 6162636465",
        "08 0f 00000005 6162636465",
        "09 1603313630",
        "17 00000003 313630",
        "10 00",
        "11 0000",
        "12 000000",
        "13 00000000",
        "1405 0000000000",
        "15 00000005 0000000000",
        "19 12 000000",
        "19 15 00000003 000000",
        "1a 14 05 0000000000",
        "1a 15 00000001 10 10 1603313630",
    };
    size_t i, n;

    for (i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
        AUTO_BYTES all = from_hex(whole[i]);

        assert_true(skips(&all));
        for (n = 0; n < all.len; n++) {
            AUTO_BYTES part = bytes_copy(all.data, n);
            struct brine_reader r;
            const uint8_t *data;
            size_t len;

            brine_read(&r, part.data, part.len);
            assert_false(brine_skip(&r, &data, &len));
            assert_int_equal(r.failed, RPYC_EPROTOCOL);
            assert_false(brine_at_end(&r));
        }
    }
}

/* Reads all values with limits. Returns RPYC_OK or the error. */
static enum rpyc_errcode read_limited(const char *hex, unsigned max_depth, size_t max_items)
{
    AUTO_BYTES brine = from_hex(hex);
    struct brine_reader r;
    const uint8_t *data;
    size_t len;

    brine_read(&r, brine.data, brine.len);
    brine_limit(&r, max_depth, max_items);
    brine_skip(&r, &data, &len);
    assert_true(r.failed == RPYC_OK || r.failed == RPYC_ELIMIT);
    return r.failed;
}

TEST(depth_can_be_limited)
{
    assert_int_equal(read_limited("10 10 10 50", 3, 0), RPYC_OK);
    assert_int_equal(read_limited("10 10 10 50", 2, 0), RPYC_ELIMIT);
    assert_int_equal(read_limited("10 1a 10 50", 1, 0), RPYC_ELIMIT);
    assert_int_equal(read_limited("12 10 50 10 50 10 50", 2, 0), RPYC_OK);
    assert_int_equal(read_limited("10 02", 1, 0), RPYC_OK);
}

TEST(items_can_be_limited)
{
    assert_int_equal(read_limited("12 50 50 50", 0, 4), RPYC_OK);
    assert_int_equal(read_limited("12 50 50 50", 0, 3), RPYC_ELIMIT);
    assert_int_equal(read_limited("12 50 11 50 50 11 50 50", 0, 8), RPYC_OK);
    assert_int_equal(read_limited("12 50 11 50 50 11 50 50", 0, 7), RPYC_ELIMIT);
    assert_int_equal(read_limited("11 10 50 1a 12 50 50 50", 0, 7), RPYC_OK);
    assert_int_equal(read_limited("11 10 50 1a 12 50 50 50", 0, 6), RPYC_ELIMIT);
}

TEST(limits_can_be_lowered_alone)
{
    char hex[2 * 202 + 1];
    size_t i;

    for (i = 0; i < 201; i++)
        memcpy(hex + 2 * i, "10", 2);
    memcpy(hex + 2 * i, "00", 3);
    assert_int_equal(read_limited(hex, 1000, 0), RPYC_ELIMIT);
}

TEST(too_many_items_are_refused_before_any_is_read)
{
    AUTO_BYTES brine = from_hex("13 50 50 50 50");
    struct brine_reader r;
    struct brine_item item;

    brine_read(&r, brine.data, brine.len);
    brine_limit(&r, 0, 4);
    assert_false(brine_next(&r, &item));
    assert_int_equal(r.failed, RPYC_ELIMIT);
    assert_string_equal(r.problem, "it has more items than max_items");
}

TEST(lengths_beyond_the_input_fail)
{
    FAILS("", ENDS_EARLY);
    FAILS("0e", ENDS_EARLY);
    FAILS("0e02 61", ENDS_EARLY);
    FAILS("0eff 61", ENDS_EARLY);
    FAILS("0f 000000", ENDS_EARLY);
    FAILS("0f ffffffff 61", ENDS_EARLY);
    FAILS("0f 80000000 61", ENDS_EARLY);
    FAILS("08 0f ffffffff 61", ENDS_EARLY);
    FAILS("08", ENDS_EARLY);
    FAILS("16ff 31", ENDS_EARLY);
    FAILS("17 ffffffff 31", ENDS_EARLY);
    FAILS("18 00000000000000", ENDS_EARLY);
    FAILS("1b 000000000000000000000000000000", ENDS_EARLY);
    FAILS("19", ENDS_EARLY);
    FAILS("1a", ENDS_EARLY);
    FAILS("14", ENDS_EARLY);
    FAILS("15 000000", ENDS_EARLY);
    FAILS("09", ENDS_EARLY);
}

TEST(counts_beyond_the_input_fail_at_once)
{
    FAILS("10", TOO_MANY);
    FAILS("11 50", TOO_MANY);
    FAILS("12 5050", TOO_MANY);
    FAILS("13 505050", TOO_MANY);
    FAILS("14ff 50", TOO_MANY);
    FAILS("15 ffffffff 50", TOO_MANY);
    FAILS("15 80000000 50", TOO_MANY);
    FAILS("1a 15 ffffffff 50", TOO_MANY);
    FAILS("19 12 0000", TOO_MANY);
}

TEST(counts_that_fit_alone_but_not_together_fail_at_once)
{
    FAILS("1404 1404 000000000000", TOO_MANY);
    FAILS("11 1405 0000000000", TOO_MANY);
    FAILS("12 1a11 0000 00", TOO_MANY);
    FAILS("11 1912 000000", TOO_MANY);
    READS("11 1405 0000000000 50", "((None None None None None) 0)");
    READS("11 10 10 00 00", "(((None)) None)");
}

/* Returns None in `depth` nested containers, in hex. The other items of a slice are None, too. */
static struct bytes nested(size_t depth, const char *before, const char *after)
{
    AUTO_BYTES open = from_hex(before), close = from_hex(after);
    struct bytes b = {malloc(depth * (open.len + close.len) + 1), 0};
    size_t i;

    for (i = 0; i < depth; i++, b.len += open.len)
        memcpy(b.data + b.len, open.data, open.len);
    b.data[b.len++] = 0;
    for (i = 0; i < depth; i++, b.len += close.len)
        memcpy(b.data + b.len, close.data, close.len);
    return b;
}

static const char *const containers[][2] = {
    {"10", ""},         {"11", "00"},           {"1a10", ""},
    {"19120000", ""},   {"1912", "0000"},       {"1401", ""},
    {"1500000001", ""}, {"1a1500000002", "00"}, {"19 12 10 1a10", "0000"},
};
#define CONTAINERS (sizeof(containers) / sizeof(*containers))

TEST(a_depth_of_200_is_read)
{
    size_t i;

    for (i = 0; i < CONTAINERS - 1; i++) {
        AUTO_BYTES b = nested(BRINE_DEPTH_MAX, containers[i][0], containers[i][1]);

        assert_int_equal(BRINE_DEPTH_MAX, 200);
        assert_true(skips(&b));
    }
}

TEST(a_depth_of_201_is_beyond_the_limit)
{
    size_t i;

    for (i = 0; i < CONTAINERS - 1; i++) {
        AUTO_BYTES b = nested(BRINE_DEPTH_MAX + 1, containers[i][0], containers[i][1]);

        assert_fails(&b, RPYC_ELIMIT, "it is nested deeper than max_depth");
    }
}

TEST(a_depth_of_100000_is_beyond_the_limit)
{
    size_t i;

    for (i = 0; i < CONTAINERS; i++) {
        AUTO_BYTES b = nested(100000, containers[i][0], containers[i][1]);

        assert_fails(&b, RPYC_ELIMIT, "it is nested deeper than max_depth");
    }
}

TEST(width_does_not_count_as_depth)
{
    AUTO_BUFFER b = BUFFER_INIT;
    struct brine_reader r;
    const uint8_t *data;
    size_t len;
    int i;

    brine_put_tuple(&b, 2000);
    for (i = 0; i < 1000; i++) {
        brine_put_tuple(&b, 0);
        brine_put_tuple(&b, 1);
        brine_put_frozenset(&b, 0);
    }
    brine_read(&r, b.data, b.len);
    assert_true(brine_skip(&r, &data, &len));
    assert_true(brine_at_end(&r));
}

TEST(an_error_stays_what_it_was_first)
{
    AUTO_BYTES brine = from_hex("13 07 50 50 50");
    struct brine_reader r;
    struct brine_item item;
    const uint8_t *data;
    size_t len;
    int64_t n;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_next(&r, &item));
    assert_false(brine_next(&r, &item));
    assert_false(brine_next(&r, &item));
    assert_false(brine_skip(&r, &data, &len));
    assert_false(brine_expect_int(&r, &n));
    assert_false(brine_expect_tuple(&r, 1));
    assert_false(brine_fail(&r, "something else"));
    assert_int_equal(r.failed, RPYC_EPROTOCOL);
    assert_string_equal(r.problem, "an unknown tag");
    assert_false(brine_at_end(&r));
}

TEST(a_caller_may_fail_the_reader)
{
    AUTO_BYTES brine = from_hex("11 50 50");
    struct brine_reader r;
    struct brine_item item;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_next(&r, &item));
    assert_false(brine_fail(&r, "wrong number of arguments"));
    assert_false(brine_next(&r, &item));
    assert_int_equal(brine_error(&r, &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "bad brine: wrong number of arguments");
    assert_int_equal(brine_error(&r, NULL), -1);
}

TEST(asking_for_more_than_one_value_fails)
{
    AUTO_BYTES brine = from_hex("50 51");
    struct brine_reader r;
    struct brine_item item;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_next(&r, &item));
    assert_false(brine_next(&r, &item));
    assert_int_equal(r.failed, RPYC_EPROTOCOL);
    assert_string_equal(r.problem, "the data ends too early");
}

TEST(asking_for_more_than_a_tuple_holds_fails)
{
    AUTO_BYTES brine = from_hex("10 50 51");
    struct brine_reader r;
    struct brine_item item;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_next(&r, &item));
    assert_true(brine_next(&r, &item));
    assert_false(brine_next(&r, &item));
    assert_string_equal(r.problem, "the data ends too early");
}

TEST(bytes_behind_the_value_are_not_the_end)
{
    AUTO_BYTES brine = from_hex("10 50 51");
    struct brine_reader r;
    const uint8_t *data;
    size_t len;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_skip(&r, &data, &len));
    assert_int_equal(len, 2);
    assert_false(brine_at_end(&r));
    assert_int_equal(r.failed, RPYC_OK);
    brine_error(&r, &err);
    assert_error(&err, RPYC_EPROTOCOL, "bad brine: bytes after the value");
}

TEST(a_value_half_read_is_not_at_its_end)
{
    AUTO_BYTES brine = from_hex("11 50 50");
    struct brine_reader r;
    struct brine_item item;

    brine_read(&r, brine.data, brine.len);
    assert_false(brine_at_end(&r));
    assert_true(brine_next(&r, &item));
    assert_false(brine_at_end(&r));
    assert_true(brine_next(&r, &item));
    assert_false(brine_at_end(&r));
    assert_true(brine_next(&r, &item));
    assert_true(brine_at_end(&r));
}

TEST(a_value_that_lacks_an_item_is_not_at_its_end)
{
    AUTO_BYTES brine = from_hex("11 0a61"); /* a tuple of two with one item */
    struct brine_reader r;
    struct brine_item item;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_next(&r, &item));
    assert_true(brine_next(&r, &item));
    assert_false(brine_at_end(&r));
    assert_false(brine_next(&r, &item));
    assert_string_equal(r.problem, ENDS_EARLY);
}

/* ---- Skipping and expecting ------------------------------------------------------------------ */

TEST(a_skip_takes_just_one_value)
{
    AUTO_BYTES brine = from_hex("13 51 11 10 00 1912000000 080b6865 1a1155 56");
    struct brine_reader r;
    struct brine_item item;
    const uint8_t *data;
    size_t len;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_next(&r, &item));
    assert_true(brine_skip(&r, &data, &len));
    assert_bytes(data, len, "51");
    assert_true(brine_skip(&r, &data, &len));
    assert_bytes(data, len, "11 10 00 1912000000");
    assert_ptr_equal(data, brine.data + 2);
    assert_true(brine_skip(&r, &data, &len));
    assert_bytes(data, len, "080b6865");
    assert_true(brine_skip(&r, &data, &len));
    assert_bytes(data, len, "1a115556");
    assert_true(brine_at_end(&r));
    assert_false(brine_skip(&r, &data, &len));
    assert_string_equal(r.problem, "the data ends too early");
}

TEST(a_tuple_of_just_that_length_is_expected)
{
    const char *others[] = {"11 5050", "02", "00", "50", "1a 10 50", "08 01", "1912 000000"};
    AUTO_BYTES brine = from_hex("10 50");
    struct brine_reader r;
    int64_t n;
    size_t i;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_expect_tuple(&r, 1));
    assert_true(brine_expect_int(&r, &n));
    assert_int_equal(n, 0);
    assert_true(brine_at_end(&r));
    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_BYTES other = from_hex(others[i]);

        brine_read(&r, other.data, other.len);
        assert_false(brine_expect_tuple(&r, 1));
        assert_int_equal(r.failed, RPYC_EPROTOCOL);
        assert_string_equal(r.problem, "a tuple has the wrong number of items");
    }
}

TEST(a_frozenset_or_slice_of_three_is_not_the_expected_tuple)
{
    const char *others[] = {"1a 12 505050", "19 12 505050"};
    struct brine_reader r;
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_BYTES other = from_hex(others[i]);

        brine_read(&r, other.data, other.len);
        assert_false(brine_expect_tuple(&r, 3));
    }
}

TEST(an_int_is_expected_and_nothing_else)
{
    const char *others[] = {"03",   "00",     "18 0000000000000000",
                            "0a61", "080a35", "1613 39323233333732303336383534373735383038",
                            "02",   "10 50"};
    AUTO_BYTES brine = from_hex("16142d39323233333732303336383534373735383038");
    struct brine_reader r;
    int64_t n;
    size_t i;

    brine_read(&r, brine.data, brine.len);
    assert_true(brine_expect_int(&r, &n));
    assert_true(n == INT64_MIN);
    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_BYTES other = from_hex(others[i]);

        brine_read(&r, other.data, other.len);
        assert_false(brine_expect_int(&r, &n));
        assert_int_equal(r.failed, RPYC_EPROTOCOL);
        assert_string_equal(r.problem, "expected a small int");
    }
}

TEST(expecting_fails_on_what_cannot_be_read)
{
    AUTO_BYTES brine = from_hex("07");
    struct brine_reader r;
    int64_t n;

    brine_read(&r, brine.data, brine.len);
    assert_false(brine_expect_int(&r, &n));
    assert_string_equal(r.problem, "an unknown tag");
    brine_read(&r, brine.data, brine.len);
    assert_false(brine_expect_tuple(&r, 2));
    assert_string_equal(r.problem, "an unknown tag");
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

static bool utf8(const char *hex)
{
    AUTO_BYTES text = from_hex(hex);

    return brine_utf8(text.data, text.len);
}

TEST(utf_8_is_what_python_takes_for_it)
{
    const char *good[] = {
        "",         "00",       "7f",       "6162",     "c280",     "dfbf",
        "e0a080",   "e0bfbf",   "e18080",   "ecbfbf",   "ed8080",   "ed9fbf",
        "ee8080",   "efbfbf",   "f0908080", "f0bfbfbf", "f1808080", "f3bfbfbf",
        "f4808080", "f48fbfbf", "efbfbe",   "efbbbf61", "68c3a961", "f09f908de282acc3a961",
    };
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (!utf8(good[i]))
            fail_msg("%s is UTF-8", good[i]);
}

TEST(anything_else_is_not_utf_8)
{
    const char *bad[] = {
        "80",           "bf",           "61bf",     "8080", /* continuation bytes only */
        "c0af",         "c1bf",         "c080",     "e08080",   "e09fbf", /* longer than needed */
        "f0808080",     "f08fbfbf",     "f08080af",                       /* longer than needed */
        "eda080",       "edbfbf",       "edafbf",   "edb080",             /* surrogates */
        "eda080edb080",                                                   /* a pair of them */
        "f4908080",     "f5808080",     "f6808080", "f7bfbfbf",           /* beyond U+10FFFF */
        "f888808080",   "fc8480808080", "fe",       "ff", /* bytes that UTF-8 never has */
        "c2",           "e0",           "e0a0",     "f0",       "f090",     "f09080", /* cut off */
        "61c2",         "c2c2",         "c261",     "c27f",     "c2c0", /* followed by the wrong
                                                                           byte */
        "e0a061",       "e0a0c0",       "e28261",   "e282ff",   "e2c2ac",   "e228a1",
        "f09f9061",     "f09f90c0",     "f09f6190", "f0289080", "f09f28bc",
    };
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (utf8(bad[i]))
            fail_msg("%s is not UTF-8", bad[i]);
}

TEST(every_code_point_but_surrogates_is_utf_8)
{
    uint32_t c;

    for (c = 0x800; c < 0x10000; c++) {
        const uint8_t text[] = {(uint8_t)(0xe0 | c >> 12), (uint8_t)(0x80 | (c >> 6 & 0x3f)),
                                (uint8_t)(0x80 | (c & 0x3f))};

        assert_int_equal(brine_utf8(text, 3), c < 0xd800 || c > 0xdfff);
    }
    for (c = 0x10000; c < 0x140000; c += 0x3f) {
        const uint8_t text[] = {(uint8_t)(0xf0 | c >> 18), (uint8_t)(0x80 | (c >> 12 & 0x3f)),
                                (uint8_t)(0x80 | (c >> 6 & 0x3f)), (uint8_t)(0x80 | (c & 0x3f))};

        assert_int_equal(brine_utf8(text, 4), c < 0x110000);
    }
}
