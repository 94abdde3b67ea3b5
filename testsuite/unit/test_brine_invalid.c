/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes that are not brine.
 */
#include "brine_text.h"

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
