/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values as text: what Python 3.11 prints for them.
 */
#include "link.h"

#include <locale.h>

#include "describe.h"
#include "value.h"

static void assert_text(const struct buffer *b, const char *text)
{
    assert_false(b->failed);
    if (b->len != strlen(text) || memcmp(b->data, text, b->len) != 0)
        fail_msg("wanted %s\nfound  %.*s", text, (int)b->len, b->data);
}

static void assert_repr(rpyc_value *taken, const char *text)
{
    AUTO_VALUE *v = taken;
    AUTO_BUFFER out = BUFFER_INIT;

    describe_repr(&out, v);
    assert_text(&out, text);
}

TEST(values_are_shown_as_python_shows_them)
{
    const struct {
        const char *hex, *text;
    } cases[] = {
        {"00", "None"},
        {"03", "True"},
        {"04", "False"},
        {"05", "NotImplemented"},
        {"06", "Ellipsis"},
        {"4f", "-1"},
        {"16142d39323233333732303336383534373735383039", "-9223372036854775809"},
        {"02", "()"},
        {"10 51", "(1,)"},
        {"11 51 080a61", "(1, 'a')"},
        {"1a 02", "frozenset()"},
        {"1a 10 51", "frozenset({1})"},
        {"19 12 50 00 51", "slice(0, None, 1)"},
        {"0b6100", "b'a\\x00'"},
        {"0c c3a927", "b\"\\xc3\\xa9'\""},
        {"08 0c c3a927", "\"\xc3\xa9'\""},
        {"08 0b 2722", "'\\'\"'"},
        {"08 0e06 0a0d091b7f5c", "'\\n\\r\\t\\x1b\\x7f\\\\'"},
        {"1b 3ff8000000000000 c000000000000000", "(1.5-2j)"},
        {"1b 0000000000000000 3ff0000000000000", "1j"},
        {"1b 8000000000000000 3ff0000000000000", "(-0+1j)"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_repr(read_value(cases[i].hex), cases[i].text);
}

static void assert_floats_are_shown(void)
{
    const struct {
        double d;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {100000.0, "100000.0"},
        {0.1, "0.1"},
        {1.5, "1.5"},
        {-12.25, "-12.25"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1e15, "1000000000000000.0"},
        {1e16, "1e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {1e100, "1e+100"},
        {5e-324, "5e-324"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3 * 100, "66.66666666666666"},
        {__builtin_inf(), "inf"},
        {-__builtin_inf(), "-inf"},
        {__builtin_nan(""), "nan"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        rpyc_value *v = NULL;

        assert_int_equal(rpyc_build(&v, NULL, "d", cases[i].d), 0);
        assert_repr(v, cases[i].text);
    }
}

TEST(floats_have_as_many_digits_as_they_need)
{
    assert_floats_are_shown();
}

TEST(floats_have_a_point_in_every_locale)
{
    const char *comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8"};
    bool found = false;

    for (size_t i = 0; i < 3 && !found; i++)
        found = setlocale(LC_NUMERIC, comma[i]) != NULL;
    if (found)
        assert_floats_are_shown();
    setlocale(LC_NUMERIC, "C");
    if (!found)
        skip();
}

TEST(a_long_value_is_cut_off)
{
    AUTO_BUFFER out = BUFFER_INIT;
    AUTO_VALUE *v = NULL;
    char *text = calloc(1, 100001);

    memset(text, 'x', 100000);
    assert_int_equal(rpyc_build(&v, NULL, "ss", text, text), 0);
    free(text);
    describe_repr(&out, v);
    assert_int_equal(out.len, DESCRIBE_MAX);
}

TEST(types_have_pythons_names)
{
    const struct {
        const char *hex, *name;
    } cases[] = {
        {"00", "NoneType"}, {"03", "bool"},    {"51", "int"},   {"18 3ff0000000000000", "float"},
        {"080a61", "str"},  {"0a61", "bytes"}, {"02", "tuple"}, {"06", "ellipsis"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);

        assert_string_equal(value_type_name(v), cases[i].name);
    }
    assert_string_equal(value_type_name(NULL), "no value");
}
