/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values and exceptions as text: what Python 3.11 prints for the same.
 */
#include "unit.h"

#include <locale.h>

#include "describe.h"
#include "value.h"

static void value_unref(rpyc_value **v)
{
    rpyc_unref(*v);
}

#define AUTO_VALUE _cleanup_(value_unref) rpyc_value

static rpyc_value *read_value(const char *hex)
{
    AUTO_BYTES bytes = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;
    rpyc_value *v;

    brine_read(&r, bytes.data, bytes.len);
    v = value_read(&r, &err);
    if (!v)
        fail_msg("%s: %s", hex, err.text);
    return v;
}

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

        assert_string_equal(describe_type(v), cases[i].name);
    }
    assert_string_equal(describe_type(NULL), "no value");
}

/* ---- Exceptions ------------------------------------------------------------------------------ */

/* That an exception with these arguments, (name, value) pairs and traceback is shown so. Takes the
 * values. */
static void assert_shown(const char *module, const char *name, rpyc_value *args,
                         rpyc_value *attributes, const char *traceback, const char *text)
{
    struct rpyc_exception *exc = exception_new(module, name, traceback);
    AUTO_BUFFER out = BUFFER_INIT;

    assert_non_null(exc);
    rpyc_unref(exc->args);
    exc->args = args;
    if (attributes) {
        rpyc_unref(exc->attributes);
        exc->attributes = attributes;
    }
    describe_exception(&out, exc);
    exception_free(exc);
    assert_text(&out, text);
}

/* rpyc_build, for a value that the next function takes. */
#define VALUE(...)                                                                                 \
    ({                                                                                             \
        rpyc_value *built = NULL;                                                                  \
        assert_int_equal(rpyc_build(&built, NULL, __VA_ARGS__), 0);                                \
        built;                                                                                     \
    })

TEST(an_exception_is_shown_with_its_arguments)
{
    assert_shown("builtins", "ValueError", VALUE("()"), NULL, "", "ValueError");
    assert_shown("builtins", "ValueError", VALUE("(s)", "no"), NULL, "", "ValueError: no");
    assert_shown("builtins", "ValueError", VALUE("(s)", ""), NULL, "", "ValueError");
    assert_shown("builtins", "ValueError", VALUE("(si)", "no", 1), NULL, "",
                 "ValueError: ('no', 1)");
    assert_shown("builtins", "SystemExit", VALUE("(i)", 3), NULL, "", "SystemExit: 3");
    assert_shown("builtins", "AssertionError", VALUE("((ii))", 1, 2), NULL, "",
                 "AssertionError: (1, 2)");
}

TEST(the_key_of_a_key_error_is_quoted)
{
    assert_shown("builtins", "KeyError", VALUE("(s)", "x"), NULL, "", "KeyError: 'x'");
    assert_shown("builtins", "KeyError", VALUE("(i)", 7), NULL, "", "KeyError: 7");
    assert_shown("builtins", "KeyError", VALUE("(ss)", "x", "y"), NULL, "", "KeyError: ('x', 'y')");
    assert_shown("a.b", "KeyError", VALUE("(s)", "x"), NULL, "", "KeyError: x");
}

TEST(a_syntax_error_has_its_file_line_and_text)
{
    assert_shown("builtins", "SyntaxError",
                 VALUE("s(siisii)", "invalid syntax", "/tmp/a.py", 3, 4, "   1 +\n", 3, 4), NULL,
                 "", "SyntaxError: invalid syntax (a.py, line 3): 1 +");
    assert_shown("builtins", "IndentationError",
                 VALUE("s(siis)", "unexpected indent", "<string>", 1, 2, "\tx"), NULL, "",
                 "IndentationError: unexpected indent (<string>, line 1): x");
    assert_shown("builtins", "SyntaxError", VALUE("s(NiNN)", "bad", 3), NULL, "",
                 "SyntaxError: bad (line 3)");
    assert_shown("builtins", "SyntaxError", VALUE("s(sNNN)", "bad", "f.py"), NULL, "",
                 "SyntaxError: bad (f.py)");
    assert_shown("builtins", "SyntaxError", VALUE("s(NNNN)", "bad"), NULL, "", "SyntaxError: bad");
    assert_shown("builtins", "SyntaxError", VALUE("(s)", "bad"), NULL, "", "SyntaxError: bad");
    assert_shown("builtins", "SyntaxError", VALUE("si", "bad", 1), NULL, "",
                 "SyntaxError: ('bad', 1)");
}

TEST(an_os_error_has_its_number_and_files)
{
    assert_shown("builtins", "FileNotFoundError", VALUE("is", 2, "No such file or directory"),
                 VALUE("((si)(ss)(ss)(sN))", "errno", 2, "strerror", "No such file or directory",
                       "filename", "a'b", "filename2"),
                 "", "FileNotFoundError: [Errno 2] No such file or directory: \"a'b\"");
    assert_shown("builtins", "OSError", VALUE("is", 18, "Cross"),
                 VALUE("((si)(ss)(ss)(ss))", "errno", 18, "strerror", "Cross", "filename", "a",
                       "filename2", "b"),
                 "", "OSError: [Errno 18] Cross: 'a' -> 'b'");
    assert_shown("socket", "gaierror", VALUE("is", -2, "Name"),
                 VALUE("((si)(ss))", "errno", -2, "strerror", "Name"), "",
                 "gaierror: [Errno -2] Name");
    assert_shown("builtins", "OSError", VALUE("(s)", "just text"),
                 VALUE("((sN)(sN))", "errno", "strerror"), "", "OSError: just text");
}

TEST(a_unicode_error_has_its_place)
{
    assert_shown("builtins", "UnicodeDecodeError",
                 VALUE("syiis", "utf-8", "a\xff", (size_t)2, 1, 2, "invalid start byte"), NULL, "",
                 "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 1: invalid "
                 "start byte");
    assert_shown("builtins", "UnicodeDecodeError",
                 VALUE("syiis", "utf-8", "a\xff", (size_t)2, 0, 2, "bad"), NULL, "",
                 "UnicodeDecodeError: 'utf-8' codec can't decode bytes in position 0-1: bad");
    assert_shown("builtins", "UnicodeEncodeError",
                 VALUE("ssiis", "ascii", "\xe2\x82\xac\xc3\xa9", 1, 2, "no"), NULL, "",
                 "UnicodeEncodeError: 'ascii' codec can't encode character '\\xe9' in position 1: "
                 "no");
    assert_shown("builtins", "UnicodeEncodeError",
                 VALUE("ssiis", "ascii", "\xe2\x82\xac", 0, 1, "no"), NULL, "",
                 "UnicodeEncodeError: 'ascii' codec can't encode character '\\u20ac' in position "
                 "0: no");
    assert_shown("builtins", "UnicodeEncodeError",
                 VALUE("ssiis", "ascii", "\xf0\x9f\x90\x8d", 0, 1, "no"), NULL, "",
                 "UnicodeEncodeError: 'ascii' codec can't encode character '\\U0001f40d' in "
                 "position 0: no");
    assert_shown("builtins", "UnicodeEncodeError", VALUE("ssiis", "ascii", "ab", 0, 2, "no"), NULL,
                 "",
                 "UnicodeEncodeError: 'ascii' codec can't encode characters in position 0-1: no");
    /* Numbers beyond the text, as a peer may send them. */
    assert_shown("builtins", "UnicodeDecodeError",
                 VALUE("syiis", "utf-8", "a", (size_t)1, 7, 8, "bad"), NULL, "",
                 "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x00 in position 7: bad");
    assert_shown("builtins", "UnicodeEncodeError", VALUE("ssiis", "ascii", "ab", 7, 8, "no"), NULL,
                 "",
                 "UnicodeEncodeError: 'ascii' codec can't encode character '\\x00' in position 7: "
                 "no");
    assert_shown("builtins", "UnicodeDecodeError", VALUE("(s)", "x"), NULL, "",
                 "UnicodeDecodeError: x");
}

TEST(a_class_of_the_programs_says_itself_what_happened)
{
    const char *traceback = "Traceback (most recent call last):\n"
                            "  File \"x.py\", line 1, in <module>\n"
                            "a.b.Broken: the first\n\n"
                            "During handling of the above exception, another exception occurred:\n"
                            "\n"
                            "a.b.Broken: code 7\n  and more\n";

    assert_shown("a.b", "Broken", VALUE("(i)", 7), NULL, traceback, "Broken: code 7\n  and more");
    assert_shown("a.b", "Broken", VALUE("(i)", 7), NULL, "<traceback denied>", "Broken: 7");
    assert_shown("a.b", "Broken", VALUE("(i)", 7), NULL, "a.NotBroken: x\n", "Broken: 7");
    assert_shown("a.b", "Broken", VALUE("()"), NULL, "a.Broken\n", "Broken");
}

TEST(a_group_says_how_many_are_in_it)
{
    const char *traceback = "  + Exception Group Traceback (most recent call last):\n"
                            "  |   File \"x.py\", line 1, in <module>\n"
                            "  | ExceptionGroup: several (2 sub-exceptions)\n"
                            "  +-+---------------- 1 ----------------\n"
                            "    | ValueError: a\n"
                            "    +---------------- 2 ----------------\n"
                            "    | ExceptionGroup: inner (1 sub-exception)\n"
                            "    +------------------------------------\n";

    assert_shown("builtins", "ExceptionGroup", VALUE("ss", "several", "[ValueError('a')]"), NULL,
                 traceback, "ExceptionGroup: several (2 sub-exceptions)");
    assert_shown("builtins", "ExceptionGroup", VALUE("ss", "several", "[ValueError('a')]"), NULL,
                 "", "ExceptionGroup: ('several', \"[ValueError('a')]\")");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_shown_as_python_shows_them),
        cmocka_unit_test(floats_have_as_many_digits_as_they_need),
        cmocka_unit_test(floats_have_a_point_in_every_locale),
        cmocka_unit_test(a_long_value_is_cut_off),
        cmocka_unit_test(types_have_pythons_names),
        cmocka_unit_test(an_exception_is_shown_with_its_arguments),
        cmocka_unit_test(the_key_of_a_key_error_is_quoted),
        cmocka_unit_test(a_syntax_error_has_its_file_line_and_text),
        cmocka_unit_test(an_os_error_has_its_number_and_files),
        cmocka_unit_test(a_unicode_error_has_its_place),
        cmocka_unit_test(a_class_of_the_programs_says_itself_what_happened),
        cmocka_unit_test(a_group_says_how_many_are_in_it),
    };

    return RUN(tests);
}
