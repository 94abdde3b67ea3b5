/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values: reading, looking at them, writing.
 */
#include "link.h"

#include "value.h"

TEST(every_plain_type_is_read)
{
    const struct {
        const char *hex;
        enum rpyc_type type;
    } cases[] = {
        {"00", RPYC_NONE},
        {"03", RPYC_BOOL},
        {"51", RPYC_INT},
        {"161339323233333732303336383534373735383038", RPYC_INT},
        {"18 3ff8000000000000", RPYC_FLOAT},
        {"1b 3ff8000000000000 c000000000000000", RPYC_COMPLEX},
        {"08 0a61", RPYC_STR},
        {"0a61", RPYC_BYTES},
        {"11 50 00", RPYC_TUPLE},
        {"1a 11 50 51", RPYC_FROZENSET},
        {"19 12 50 00 51", RPYC_SLICE},
        {"06", RPYC_ELLIPSIS},
        {"05", RPYC_NOTIMPLEMENTED},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        AUTO_BUFFER again = BUFFER_INIT;

        assert_int_equal(rpyc_type_of(v), cases[i].type);
        value_put(&again, v);
        assert_false(again.failed);
        assert_bytes(again.data, again.len, cases[i].hex);
    }
}

TEST(a_value_is_written_as_it_was_read)
{
    const char *hex = "140e 080b6865 57 080c6c6c6f 58 02 1603393030 00 03 06 184032333333333333 "
                      "1b402a0000000000004032333333333333 19 12515253 1a 12555657 05";
    AUTO_VALUE *v = read_value(hex);
    AUTO_BUFFER again = BUFFER_INIT;

    assert_int_equal(rpyc_length(v), 14);
    value_put(&again, v);
    assert_bytes(again.data, again.len, hex);
}

TEST(text_and_bytes_are_told_apart)
{
    AUTO_VALUE *text = read_value("08 0e05 68006c6c6f");
    AUTO_VALUE *bytes = read_value("0b 00ff");
    AUTO_VALUE *none = read_value("00");
    size_t len = 0;

    assert_memory_equal(rpyc_str(text, &len), "h\0llo", 6);
    assert_int_equal(len, 5);
    assert_non_null(rpyc_str(text, NULL));
    assert_null(rpyc_bytes(text, &len));
    assert_memory_equal(rpyc_bytes(bytes, &len), "\0\377", 3);
    assert_int_equal(len, 2);
    assert_null(rpyc_str(bytes, &len));
    assert_null(rpyc_str(none, &len));
    assert_null(rpyc_bytes(none, NULL));
}

TEST(empty_text_is_text)
{
    AUTO_VALUE *text = read_value("08 01");
    AUTO_VALUE *bytes = read_value("01");
    size_t len = 7;

    assert_string_equal(rpyc_str(text, &len), "");
    assert_int_equal(len, 0);
    assert_string_equal(rpyc_bytes(bytes, NULL), "");
}

TEST(ints_and_bools_are_numbers)
{
    const struct {
        const char *hex;
        int64_t value;
    } cases[] = {{"50", 0},
                 {"20", -48},
                 {"03", 1},
                 {"04", 0},
                 {"161339323233333732303336383534373735383037", INT64_MAX},
                 {"16142d39323233333732303336383534373735383038", INT64_MIN}};
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        int64_t n = 7;

        assert_ok(rpyc_int64(v, &n, &err), &err);
        assert_true(n == cases[i].value);
        assert_null(rpyc_int_digits(v));
    }
}

TEST(an_int_that_does_not_fit_has_digits)
{
    AUTO_VALUE *v = read_value("16142d39323233333732303336383534373735383039");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t n = 7;
    double d = 7;

    assert_int_equal(rpyc_int64(v, &n, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected int of 64 bits, got an int of ");
    assert_int_equal(n, 7);
    assert_string_equal(rpyc_int_digits(v), "-9223372036854775809");
    assert_int_equal(rpyc_double(v, &d, &err), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
}

TEST(what_is_not_a_number_is_none)
{
    const char *others[] = {"00", "08 0a31", "0a31",
                            "02", "06",      "1b 3ff0000000000000 0000000000000000"};
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_VALUE *v = read_value(others[i]);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        int64_t n;
        double d;

        assert_int_equal(rpyc_int64(v, &n, &err), -1);
        assert_error(&err, RPYC_ETYPE, "expected int, got ");
        assert_int_equal(rpyc_double(v, &d, &err), -1);
        assert_error(&err, RPYC_ETYPE, "expected float, got ");
        assert_int_equal(rpyc_int64(v, &n, NULL), -1);
        assert_null(rpyc_int_digits(v));
    }
}

TEST(a_float_is_not_an_int)
{
    AUTO_VALUE *v = read_value("18 3ff0000000000000");
    int64_t n;
    double d;

    assert_int_equal(rpyc_int64(v, &n, NULL), -1);
    assert_int_equal(rpyc_double(v, &d, NULL), 0);
    assert_true(d == 1);
}

TEST(every_number_is_a_complex)
{
    const struct {
        const char *hex;
        double real, imag;
    } cases[] = {{"1b 3ff8000000000000 c000000000000000", 1.5, -2},
                 {"18 3ff8000000000000", 1.5, 0},
                 {"53", 3, 0},
                 {"03", 1, 0}};
    AUTO_VALUE *text = read_value("080a78");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    double real, imag;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);

        assert_ok(rpyc_complex(v, &real, &imag, &err), &err);
        assert_true(real == cases[i].real);
        assert_true(imag == cases[i].imag);
    }
    assert_int_equal(rpyc_complex(text, &real, &imag, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected complex, got str");
}

TEST(nothing_is_no_value_of_any_type)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    double real, imag;
    int64_t n;

    assert_int_equal(rpyc_int64(NULL, &n, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected int, got no value");
    assert_int_equal(rpyc_double(NULL, &real, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected float, got ");
    assert_int_equal(rpyc_complex(NULL, &real, &imag, NULL), -1);
    assert_null(rpyc_int_digits(NULL));
}

TEST(an_int_is_a_double_where_a_double_holds_it_exactly)
{
    const struct {
        const char *hex;
        bool exact;
        double value;
    } cases[] = {
        {"51", true, 1},
        {"03", true, 1},
        {"1610 39303037313939323534373430393932", true, 0x1p53},
        {"1611 2d39303037313939323534373430393932", true, -0x1p53},
        {"1610 39303037313939323534373430393933", false, 0}, /* 2**53 + 1 */
        {"1613 31313532393231353034363036383436393736", true, 0x1p60},
        {"1613 31313532393231353034363036383436393737", false, 0}, /* 2**60 + 1 */
        {"1613 39323233333732303336383534373735383037", false, 0}, /* 2**63 - 1 */
        {"1614 2d39323233333732303336383534373735383038", true, -0x1p63},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        double d = 0;

        if (rpyc_double(v, &d, &err) != (cases[i].exact ? 0 : -1))
            fail_msg("%s: %s", cases[i].hex, err.text);
        assert_true(d == cases[i].value);
        if (!cases[i].exact)
            assert_error(&err, RPYC_ETYPE,
                         "expected float, got an int that a double does not hold exactly");
    }
}

TEST(items_are_counted_and_borrowed)
{
    AUTO_VALUE *tuple = read_value("12 50 08 0a61 11 51 52");
    AUTO_VALUE *slice = read_value("19 12 50 00 51");
    AUTO_VALUE *text = read_value("08 0c616263");
    AUTO_VALUE *empty = read_value("02");

    assert_int_equal(rpyc_length(tuple), 3);
    assert_string_equal(rpyc_str(rpyc_item(tuple, 1), NULL), "a");
    assert_int_equal(rpyc_length(rpyc_item(tuple, 2)), 2);
    assert_null(rpyc_item(tuple, 3));
    assert_null(rpyc_item(tuple, SIZE_MAX));
    assert_int_equal(rpyc_length(slice), 3);
    assert_int_equal(rpyc_type_of(rpyc_item(slice, 1)), RPYC_NONE);
    assert_int_equal(rpyc_length(text), 0);
    assert_null(rpyc_item(text, 0));
    assert_int_equal(rpyc_length(empty), 0);
    assert_null(rpyc_item(empty, 0));
    assert_null(rpyc_class_name(tuple));
}

TEST(an_item_can_outlive_its_container)
{
    rpyc_value *tuple = read_value("10 08 0a61");
    AUTO_VALUE *item = rpyc_ref(rpyc_item(tuple, 0));

    rpyc_unref(tuple);
    assert_string_equal(rpyc_str(item, NULL), "a");
}

TEST(nothing_can_be_unreferenced)
{
    rpyc_unref(NULL);
}

TEST(what_is_not_a_value_is_an_error_and_leaves_nothing)
{
    assert_read_fails("", RPYC_EPROTOCOL, "bad brine: ");
    assert_read_fails("07", RPYC_EPROTOCOL, "bad brine: an unknown tag");
    assert_read_fails("12 0a61 08 0a62 07", RPYC_EPROTOCOL, "bad brine: an unknown tag");
    assert_read_fails("12 11 0a61 10 0a61 0a62 1600", RPYC_EPROTOCOL, "an int without digits");
    assert_read_fails("11 1614 39393939393939393939393939393939393939", RPYC_EPROTOCOL,
                      "bad brine: ");
}

TEST(text_that_is_not_utf_8_is_an_error)
{
    assert_read_fails("08 0a ff", RPYC_EPROTOCOL, "a str that is not UTF-8");
    assert_read_fails("11 08 0a61 08 0c eda080", RPYC_EPROTOCOL, "a str that is not UTF-8");
}

TEST(deep_values_are_read_up_to_the_limit)
{
    char hex[2 * 202 + 1];
    size_t depth;

    for (depth = 200; depth <= 201; depth++) {
        AUTO_BUFFER again = BUFFER_INIT;
        rpyc_value *v;
        size_t i;

        for (i = 0; i < depth; i++)
            memcpy(hex + 2 * i, "10", 2);
        memcpy(hex + 2 * depth, "00", 3);
        if (depth > 200) {
            assert_read_fails(hex, RPYC_ELIMIT,
                              "a message was refused: it is nested deeper than max_depth (200)");
            continue;
        }
        v = read_value(hex);
        value_put(&again, v);
        assert_bytes(again.data, again.len, hex);
        rpyc_unref(v);
    }
}

TEST(a_plain_value_is_dumped_as_brine)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *value = NULL;
    void *data = NULL;
    size_t len;

    assert_ok(rpyc_build(&value, &err, "(isN)", 5, "a"), &err);
    assert_ok(rpyc_dump(value, &data, &len, &err), &err);
    assert_bytes(data, len, "12 55 080a61 00");
    rpyc_unref(value);
    free(data);
}

TEST(a_netref_is_not_dumped)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_VALUE *ref = unbox(&l, "1154" LIST);
    rpyc_value *tuple = NULL;
    void *data = NULL;
    size_t len;

    assert_ok(rpyc_pack(&tuple, &ref, 1, &err), &err);
    assert_int_equal(rpyc_dump(tuple, &data, &len, &err), -1);
    assert_error(&err, RPYC_ETYPE, "cannot encode a netref");
    assert_null(data);
    rpyc_unref(tuple);
}
