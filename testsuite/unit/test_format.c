/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values and arguments from format strings: the brine of the value for each letter.
 */
#include "unit.h"

#include "format.h"

/* Checks the brine of a value. Drops the reference. */
static void assert_value(rpyc_value *v, const char *hex)
{
    AUTO_BUFFER brine = BUFFER_INIT;

    value_put(&brine, v);
    assert_false(brine.failed);
    assert_bytes(brine.data, brine.len, hex);
    rpyc_unref(v);
}

/* Checks the brine of what rpyc_build creates. */
#define assert_builds(hex, ...)                                                                    \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        rpyc_value *v_ = NULL;                                                                     \
        assert_ok(rpyc_build(&v_, &err_, __VA_ARGS__), &err_);                                     \
        assert_value(v_, hex);                                                                     \
    } while (0)

/* Checks that rpyc_build fails, with a text in the error. */
#define assert_refuses(text, ...)                                                                  \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        rpyc_value *v_ = NULL;                                                                     \
        assert_int_equal(rpyc_build(&v_, &err_, __VA_ARGS__), -1);                                 \
        assert_error(&err_, RPYC_EINVAL, text);                                                    \
        assert_null(v_);                                                                           \
        assert_int_equal(rpyc_build(&v_, NULL, __VA_ARGS__), -1);                                  \
    } while (0)

/* ---- Letters --------------------------------------------------------------------------------- */

TEST(s_is_a_str_or_none)
{
    assert_builds("0801", "s", "");
    assert_builds("080bc3a9", "s", "\303\251");
    assert_builds("00", "s", (const char *)NULL);
}

TEST(z_is_a_str_that_may_hold_nuls)
{
    assert_builds("080c610062", "z", "a\0b", (size_t)3);
    assert_builds("080a61", "z", "abc", (size_t)1);
    assert_builds("0801", "z", "abc", (size_t)0);
}

TEST(y_is_bytes)
{
    assert_builds("0b00ff", "y", "\0\377", (size_t)2);
    assert_builds("01", "y", "abc", (size_t)0);
    assert_builds("01", "y", NULL, (size_t)0);
}

TEST(i_l_and_u_are_ints)
{
    assert_builds("50", "i", 0);
    assert_builds("16032d3439", "i", -49);
    assert_builds("160a32313437343833363437", "i", INT32_MAX);
    assert_builds("160b2d32313437343833363438", "i", INT32_MIN);
    assert_builds("161339323233333732303336383534373735383037", "l", INT64_MAX);
    assert_builds("16142d39323233333732303336383534373735383038", "l", INT64_MIN);
    assert_builds("51", "u", (uint64_t)1);
    assert_builds("161339323233333732303336383534373735383037", "u", (uint64_t)INT64_MAX);
    assert_builds("161339323233333732303336383534373735383038", "u", (uint64_t)INT64_MAX + 1);
    assert_builds("16143138343436373434303733373039353531363135", "u", UINT64_MAX);
}

TEST(an_int_of_a_format_is_one_that_can_be_read)
{
    AUTO_VALUE *small = NULL, *large = NULL;
    int64_t n = 0;

    assert_int_equal(rpyc_build(&small, NULL, "u", (uint64_t)INT64_MAX), 0);
    assert_int_equal(rpyc_int64(small, &n, NULL), 0);
    assert_true(n == INT64_MAX);
    assert_int_equal(rpyc_build(&large, NULL, "u", UINT64_MAX), 0);
    assert_int_equal(rpyc_int64(large, &n, NULL), -1);
    assert_string_equal(rpyc_int_digits(large), "18446744073709551615");
}

TEST(n_is_an_int_from_its_digits)
{
    assert_builds("50", "n", "0");
    assert_builds("51", "n", "1");
    assert_builds("1603393939", "n", "999");
    assert_builds("16142d39323233333732303336383534373735383039", "n", "-9223372036854775809");
}

TEST(digits_that_are_none_are_refused)
{
    const char *texts[] = {"", "-", "x", "12x", "1.5", "1 2", "--1", "0x10", "1e5"};
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_refuses("is not a number", "n", texts[i]);
}

TEST(d_and_c_are_floats)
{
    assert_builds("183ff8000000000000", "d", 1.5);
    assert_builds("1b3ff8000000000000c000000000000000", "c", 1.5, -2.0);
}

TEST(b_is_a_bool)
{
    assert_builds("03", "b", 1);
    assert_builds("03", "b", 256);
    assert_builds("04", "b", 0);
}

TEST(n_e_and_x_take_no_arguments)
{
    assert_builds("00", "N");
    assert_builds("06", "E");
    assert_builds("05", "X");
    assert_builds("13 00060551", "NEXi", 1);
}

TEST(o_borrows_a_value)
{
    rpyc_value *v = NULL, *tuple = NULL, *same = NULL;

    assert_int_equal(rpyc_build(&v, NULL, "s", "a"), 0);
    assert_int_equal(rpyc_build(&same, NULL, "O", v), 0);
    assert_ptr_equal(same, v);
    rpyc_unref(same);
    assert_int_equal(rpyc_build(&tuple, NULL, "OO", v, v), 0);
    assert_ptr_equal(rpyc_item(tuple, 1), v);
    rpyc_unref(v);
    assert_value(tuple, "11 080a61 080a61");
    assert_refuses("", "O", NULL);
    assert_refuses("", "iO", 1, NULL);
}

TEST(a_str_has_to_be_utf_8)
{
    assert_refuses("a str that is not UTF-8", "s", "\377");
    assert_refuses("a str that is not UTF-8", "s", "a\355\240\200");
    assert_refuses("a str that is not UTF-8", "z", "\303\251", (size_t)1);
    assert_refuses("a str that is not UTF-8", "i(s)", 1, "\377");
}

TEST(other_letters_are_refused)
{
    const char *others = "aefghjkmopqrtvwxABCDFGHIJKLMPQRSTUVWYZ0123456789?!*=_)]}.;:\n\t\"";
    const char *c;

    for (c = others; *c; c++) {
        const char format[] = {'N', *c, '\0'};

        assert_refuses("unknown format letter '", format);
    }
}

/* ---- Several, and brackets ------------------------------------------------------------------- */

TEST(nothing_is_none_one_is_itself_and_several_are_a_tuple)
{
    assert_builds("00", "");
    assert_builds("00", "  , ");
    assert_builds("51", "i", 1);
    assert_builds("11 5152", "ii", 1, 2);
    assert_builds("12 515253", " i, i ,,i ", 1, 2, 3);
    assert_builds("140a 51515151515151515151", "iiiiiiiiii", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
}

TEST(round_brackets_are_tuples)
{
    assert_builds("02", "()");
    assert_builds("10 51", "(i)", 1);
    assert_builds("11 5152", "( i, i )", 1, 2);
    assert_builds("12 51 11 52 10 53 54", "i(i(i))i", 1, 2, 3, 4);
}

TEST(curly_brackets_are_frozensets)
{
    assert_builds("1a 02", "{}");
    assert_builds("1a 11 51 080a61", "{is}", 1, "a");
    assert_builds("10 1a 10 11 5152", "({(ii)})", 1, 2);
}

TEST(square_brackets_are_slices)
{
    assert_builds("19 12 515200", "[iiN]", 1, 2);
    assert_builds("19 12 000000", "[NNN]");
    assert_refuses("a slice in a format must have three", "[]");
    assert_refuses("a slice in a format must have three", "[ii]", 1, 2);
    assert_refuses("a slice in a format must have three", "[iiii]", 1, 2, 3, 4);
}

TEST(brackets_have_to_be_closed_by_their_own_kind)
{
    assert_refuses("the format lacks a closing ')'", "(");
    assert_refuses("the format lacks a closing ')'", "i(ii", 1, 2, 3);
    assert_refuses("the format lacks a closing '}'", "{i", 1);
    assert_refuses("the format lacks a closing ']'", "[iii", 1, 2, 3);
    assert_refuses("the format lacks a closing ')'", "(()");
    assert_refuses("unknown format letter ']'", "(i]", 1);
    assert_refuses("unknown format letter ')'", "(i))", 1);
    assert_refuses("unknown format letter '}'", "}");
}

TEST(brackets_nest_up_to_a_limit)
{
    char format[103] = {0}, hex[101] = {0};
    size_t i;

    for (i = 0; i < 50; i++) {
        format[i] = '(';
        format[50 + i] = ')';
        memcpy(hex + 2 * i, i < 49 ? "10" : "02", 2);
    }
    assert_builds(hex, format);
    memset(format, '(', 51);
    memset(format + 51, ')', 51);
    assert_refuses("the format is nested too deeply", format);
    memset(format, '(', sizeof(format) - 1);
    assert_refuses("the format is nested too deeply", format);
}

/* The limit is on the depth, not on the number of brackets. */
TEST(many_brackets_may_stand_side_by_side)
{
    char format[121] = {0};
    AUTO_VALUE *v = NULL;
    size_t i;

    for (i = 0; i < 120; i += 2)
        memcpy(format + i, "()", 2);
    assert_int_equal(rpyc_build(&v, NULL, format), 0);
    assert_int_equal(rpyc_length(v), 60);
}

TEST(a_failure_frees_what_was_made_before)
{
    assert_refuses("not UTF-8", "s(zy{n})s", "a", "b", (size_t)1, "c", (size_t)1, "7", "\377");
}

/* ---- Arguments of a call --------------------------------------------------------------------- */

static int arguments(rpyc_value **args, rpyc_value **kwargs, struct rpyc_error *err,
                     const char *format, ...)
{
    va_list ap;
    int result;

    va_start(ap, format);
    result = format_arguments(args, kwargs, format, &ap, err);
    va_end(ap);
    return result;
}

#define assert_arguments(args_hex, kwargs_hex, ...)                                                \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        rpyc_value *args_ = NULL, *kwargs_ = NULL;                                                 \
        assert_ok(arguments(&args_, &kwargs_, &err_, __VA_ARGS__), &err_);                         \
        assert_value(args_, args_hex);                                                             \
        assert_value(kwargs_, kwargs_hex);                                                         \
    } while (0)

#define assert_no_arguments(text, ...)                                                             \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        rpyc_value *args_ = NULL, *kwargs_ = NULL;                                                 \
        assert_int_equal(arguments(&args_, &kwargs_, &err_, __VA_ARGS__), -1);                     \
        assert_error(&err_, RPYC_EINVAL, text);                                                    \
    } while (0)

TEST(arguments_are_always_a_tuple)
{
    assert_arguments("02", "02", NULL);
    assert_arguments("02", "02", "");
    assert_arguments("10 51", "02", "i", 1);
    assert_arguments("10 11 5152", "02", "(ii)", 1, 2);
    assert_arguments("11 51 080a61", "02", "i, s", 1, "a");
}

TEST(collected_arguments_come_with_stars)
{
    AUTO_VALUE *args = NULL, *kwargs = NULL, *one = NULL;

    assert_int_equal(rpyc_build(&args, NULL, "(is)", 1, "a"), 0);
    assert_int_equal(rpyc_build(&kwargs, NULL, "((si)(si))", "a", 1, "b", 2), 0);
    assert_int_equal(rpyc_build(&one, NULL, "i", 1), 0);
    assert_arguments("11 51 080a61", "02", "*", args);
    assert_arguments("13 52 51 080a61 53", "02", "i, *, i", 2, args, 3);
    assert_arguments("02", "11 11 080a61 51 11 080a62 52", "**", kwargs);
    assert_arguments("11 51 080a61", "12 11 080a63 53 11 080a61 51 11 080a62 52", "*, c=i, **",
                     args, 3, kwargs);
    assert_no_arguments("follows a keyword argument", "**, *", kwargs, args);
    assert_no_arguments("format '*' needs a tuple", "*", one);
    assert_no_arguments("format '*' needs a tuple", "**", (rpyc_value *)NULL);
    assert_no_arguments("(name, value) tuples", "**", args);
}

TEST(values_are_packed_into_a_tuple)
{
    AUTO_VALUE *a = NULL, *b = NULL;
    rpyc_value *packed = NULL;

    assert_int_equal(rpyc_build(&a, NULL, "i", 1), 0);
    assert_int_equal(rpyc_build(&b, NULL, "s", "a"), 0);
    assert_int_equal(rpyc_pack(&packed, (rpyc_value *[]){a, b, a}, 3, NULL), 0);
    assert_value(packed, "12 51 080a61 51");
    assert_int_equal(rpyc_pack(&packed, NULL, 0, NULL), 0);
    assert_value(packed, "02");
}

TEST(keywords_follow_positional_arguments)
{
    assert_arguments("02", "10 11 080a61 51", "a=i", 1);
    assert_arguments("10 51", "11 11 080b6162 52 11 080d635f4433 10 53", "i, ab=i, c_D3=(i)", 1, 2,
                     3);
    assert_arguments("02", "11 11 080a69 51 11 080a73 52", "i=i s=i", 1, 2);
    assert_arguments("02", "11 11 080a61 00 11 080a62 00", "a=Nb=N");
}

TEST(keywords_that_make_no_sense_are_refused)
{
    assert_no_arguments("a positional argument follows a keyword argument", "a=i, i", 1, 2);
    assert_no_arguments("unknown format letter '='", "=i", 1);
    assert_no_arguments("unknown format letter '?'", "a=?");
    assert_no_arguments("", "a=");
    assert_no_arguments("", "a=i, b=", 1);
    assert_no_arguments("not UTF-8", "i, a=s", 1, "\377");
    assert_no_arguments("unknown format letter 'a'", "(a=i)", 1);
}

TEST(keywords_are_for_calls_alone)
{
    assert_refuses("unknown format letter '", "a=i", 1);
}
