/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of the reader, and its state.
 */
#include "brine_text.h"

TEST(an_error_stays_what_it_was_first)
{
    READER(r, "13 07 50 50 50");
    struct brine_item item;
    const uint8_t *data;
    size_t len;
    int64_t n;

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
    READER(r, "11 50 50");
    struct brine_item item;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_true(brine_next(&r, &item));
    assert_false(brine_fail(&r, "wrong number of arguments"));
    assert_false(brine_next(&r, &item));
    assert_int_equal(brine_error(&r, &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "bad brine: wrong number of arguments");
    assert_int_equal(brine_error(&r, NULL), -1);
}

TEST(asking_for_more_than_one_value_fails)
{
    READER(r, "50 51");
    struct brine_item item;

    assert_true(brine_next(&r, &item));
    assert_false(brine_next(&r, &item));
    assert_int_equal(r.failed, RPYC_EPROTOCOL);
    assert_string_equal(r.problem, "the data ends too early");
}

TEST(asking_for_more_than_a_tuple_holds_fails)
{
    READER(r, "10 50 51");
    struct brine_item item;

    assert_true(brine_next(&r, &item));
    assert_true(brine_next(&r, &item));
    assert_false(brine_next(&r, &item));
    assert_string_equal(r.problem, "the data ends too early");
}

TEST(bytes_behind_the_value_are_not_the_end)
{
    READER(r, "10 50 51");
    const uint8_t *data;
    size_t len;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_true(brine_skip(&r, &data, &len));
    assert_int_equal(len, 2);
    assert_false(brine_at_end(&r));
    assert_int_equal(r.failed, RPYC_OK);
    brine_error(&r, &err);
    assert_error(&err, RPYC_EPROTOCOL, "bad brine: bytes after the value");
}

TEST(a_value_half_read_is_not_at_its_end)
{
    READER(r, "11 50 50");
    struct brine_item item;

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
    READER(r, "11 0a61"); /* a tuple of two with one item */
    struct brine_item item;

    assert_true(brine_next(&r, &item));
    assert_true(brine_next(&r, &item));
    assert_false(brine_at_end(&r));
    assert_false(brine_next(&r, &item));
    assert_string_equal(r.problem, ENDS_EARLY);
}

TEST(a_skip_takes_just_one_value)
{
    READER(r, "13 51 11 10 00 1912000000 080b6865 1a1155 56");
    struct brine_item item;
    const uint8_t *data;
    size_t len;

    assert_true(brine_next(&r, &item));
    assert_true(brine_skip(&r, &data, &len));
    assert_bytes(data, len, "51");
    assert_true(brine_skip(&r, &data, &len));
    assert_bytes(data, len, "11 10 00 1912000000");
    assert_ptr_equal(data, r_bytes.data + 2);
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
    READER(r, "10 50");
    int64_t n;
    size_t i;

    assert_true(brine_expect_tuple(&r, 1));
    assert_true(brine_expect_int(&r, &n));
    assert_int_equal(n, 0);
    assert_true(brine_at_end(&r));
    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_BYTES other = from_hex(others[i]);

        brine_read(&r, other.data, other.len);
        assert_false(brine_expect_tuple(&r, 1));
        assert_int_equal(r.failed, RPYC_EPROTOCOL);
        assert_string_equal(r.problem, "a value is not a tuple with the expected number of items");
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
    READER(r, "16142d39323233333732303336383534373735383038");
    int64_t n;
    size_t i;

    assert_true(brine_expect_int(&r, &n));
    assert_true(n == INT64_MIN);
    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_BYTES other = from_hex(others[i]);

        brine_read(&r, other.data, other.len);
        assert_false(brine_expect_int(&r, &n));
        assert_int_equal(r.failed, RPYC_EPROTOCOL);
        assert_string_equal(r.problem, "expected an int that fits 64 bits");
    }
}

TEST(expecting_fails_on_what_cannot_be_read)
{
    READER(r, "07");
    int64_t n;

    assert_false(brine_expect_int(&r, &n));
    assert_string_equal(r.problem, "an unknown tag");
    brine_read(&r, r_bytes.data, r_bytes.len);
    assert_false(brine_expect_tuple(&r, 2));
    assert_string_equal(r.problem, "an unknown tag");
}
