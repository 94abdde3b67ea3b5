/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Remote exceptions: from the wire, to the wire, and as the text that Python 3.11 prints.
 */
#include "unit.h"

#include "exception.h"
#include "value.h"
#include "vinegar.h"

static void assert_text(const struct buffer *b, const char *text)
{
    assert_false(b->failed);
    if (b->len != strlen(text) || memcmp(b->data, text, b->len) != 0)
        fail_msg("wanted %s\nfound  %.*s", text, (int)b->len, b->data);
}

/* Checks the text of an exception with a class, arguments, (name, value) pairs (NULL: none) and a
 * traceback. Takes the values. */
static void assert_shown(const char *module, const char *name, rpyc_value *args,
                         rpyc_value *attributes, const char *traceback, const char *text)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER wire = BUFFER_INIT;
    AUTO_BUFFER out = BUFFER_INIT;
    struct brine_reader r;

    vinegar_begin(&wire, module, name);
    value_put(&wire, args);
    if (attributes)
        value_put(&wire, attributes);
    else
        brine_put_tuple(&wire, 0);
    brine_put_str(&wire, traceback, strlen(traceback));
    rpyc_unref(args);
    rpyc_unref(attributes);
    brine_read(&r, wire.data, wire.len);
    assert_int_equal(exception_raise(&r, &err), -1);
    assert_int_equal(err.code, RPYC_EREMOTE);
    exception_describe(&out, err.remote);
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
