/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Remote exceptions: from the wire, to the wire, and as the text that Python 3.11 prints.
 */
#include "link.h"

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

/* Returns a new value, made by rpyc_build. */
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
    /* Positions beyond the end of the text, which a peer may send. */
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

/* Sends a request; the peer replies with an exception. */
static void raise_remote(const char *vinegar, struct rpyc_error *err)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_BUFFER reply = BUFFER_INIT;
    AUTO_BYTES bytes = from_hex(vinegar);
    rpyc_value *result = NULL;

    buffer_put_u32(&reply, (uint32_t)bytes.len + 3);
    buffer_put(&reply, "\0\3\x11\x50", 4);
    buffer_put(&reply, bytes.data, bytes.len);
    buffer_put_u8(&reply, '\n');
    say_bytes(&l.peer, reply.data, reply.len);
    assert_int_equal(rpyc_repr(root, &result, err), -1);
    assert_null(result);
}

TEST(an_exception_says_what_and_where)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    raise_remote("13" KEY_ERROR "10 080a78 10 11 080a61 51 080b7462", &err);
    assert_error(&err, RPYC_EREMOTE, "KeyError: 'x'");
    assert_string_equal(err.text, "KeyError: 'x'");
    assert_int_equal(err.sys_errno, 0);
    assert_non_null(err.remote);
    assert_string_equal(rpyc_exception_module(err.remote), "builtins");
    assert_string_equal(rpyc_exception_name(err.remote), "KeyError");
    assert_string_equal(rpyc_exception_traceback(err.remote), "tb");
    assert_int_equal(rpyc_length(err.remote->args), 1);
    assert_int_equal(rpyc_length(err.remote->attributes), 1);
}

TEST(an_exception_says_its_arguments)
{
    const struct {
        const char *args, *text;
    } cases[] = {{"02", "KeyError"},
                 {"11 080a61 080a62", "KeyError: ('a', 'b')"},
                 {"10 51", "KeyError: 1"},
                 {"10 0a61", "KeyError: b'a'"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char vinegar[256];

        snprintf(vinegar, sizeof(vinegar), "13 %s %s 02 0801", KEY_ERROR, cases[i].args);
        raise_remote(vinegar, &err);
        assert_int_equal(err.code, RPYC_EREMOTE);
        assert_string_equal(err.text, cases[i].text);
    }
}

TEST(stop_iteration_is_an_exception)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    raise_remote("51", &err);
    assert_error(&err, RPYC_EREMOTE, "StopIteration");
    assert_true(rpyc_error_is(&err, "StopIteration"));
    assert_string_equal(rpyc_exception_module(err.remote), "builtins");
    assert_string_equal(rpyc_exception_traceback(err.remote), "");
    raise_remote("1614 3132333435363738393031323334353637383930", &err); /* any other int, too */
    assert_error(&err, RPYC_EREMOTE, "StopIteration");
}

TEST(an_exception_is_known_by_its_class)
{
    AUTO_ERROR err = RPYC_ERROR_INIT, other = RPYC_ERROR_INIT, none = RPYC_ERROR_INIT;

    raise_remote("13" KEY_ERROR "02 02 0801", &err);
    assert_true(rpyc_error_is(&err, "KeyError"));
    assert_true(rpyc_error_is(&err, "builtins.KeyError"));
    assert_false(rpyc_error_is(&err, "LookupError"));
    assert_false(rpyc_error_is(&err, "Key"));
    assert_false(rpyc_error_is(&err, "builtin.KeyError"));
    assert_false(rpyc_error_is(&err, "builtinss.KeyError"));
    assert_false(rpyc_error_is(&err, ""));

    raise_remote("13 11 080c612e62 080a43 02 02 0801", &other); /* a.b.C */
    assert_true(rpyc_error_is(&other, "a.b.C"));
    assert_false(rpyc_error_is(&other, "C"));
    assert_false(rpyc_error_is(&other, "b.C"));
    assert_false(rpyc_error_is(&none, "KeyError"));
}

TEST(the_text_of_an_exception_is_one_line)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    raise_remote("13 11 080e086275696c74696e73 080e0a56616c75654572726f72 10 080e05 610a620d63"
                 "02 0801",
                 &err);
    assert_error(&err, RPYC_EREMOTE, "ValueError: a b c");
    assert_null(strchr(err.text, '\r'));
}

TEST(a_long_text_of_an_exception_is_cut_off_between_characters)
{
    size_t shift;

    for (shift = 0; shift < 4; shift++) { /* before 100 characters of four bytes each */
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char vinegar[2048];
        FILE *f = fmemopen(vinegar, sizeof(vinegar), "w");
        size_t i;

        fprintf(f, "13" KEY_ERROR "10 080f %08zx", shift + 400);
        for (i = 0; i < shift; i++)
            fputs("61", f);
        for (i = 0; i < 100; i++)
            fputs("f09f908d", f);
        fputs("02 0801", f);
        fclose(f);
        raise_remote(vinegar, &err);
        assert_int_equal(err.code, RPYC_EREMOTE);
        assert_true(strlen(err.text) > 200);
        assert_true(strlen(err.text) < sizeof(err.text));
        assert_true(brine_utf8((const uint8_t *)err.text, strlen(err.text)));
    }
}

TEST(an_exception_has_arguments_and_attributes)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t n = 0;

    raise_remote("13" KEY_ERROR "11 080a78 53 12 11 080a61 51 11 080a62 52 51 0801", &err);
    assert_int_equal(err.code, RPYC_EREMOTE);
    assert_int_equal(rpyc_length(rpyc_exception_args(err.remote)), 2);
    assert_string_equal(rpyc_str(rpyc_item(rpyc_exception_args(err.remote), 0), NULL), "x");
    assert_ok(rpyc_int64(rpyc_exception_attribute(err.remote, "b"), &n, NULL), &err);
    assert_true(n == 2);
    assert_null(rpyc_exception_attribute(err.remote, "c"));
    assert_null(rpyc_exception_attribute(err.remote, ""));
}

TEST(an_exception_of_another_form_is_an_error)
{
    const char *forms[] = {
        "00",
        "080a78",
        "02",
        "12" KEY_ERROR "02 02",
        "1405" KEY_ERROR "02 02 0801 00",
        "13" KEY_ERROR "00 02 0801",
        "13" KEY_ERROR "02 00 0801",
        "13" KEY_ERROR "02 02 00",
        "13 00 02 02 0801",
        "13 10 080a61 02 02 0801",
        "13 11 080a61 00 02 02 0801",
        "13 11 0a61 0a62 02 02 0801",
        "13 11 00 080a61 02 02 0801",
        "13 12 080a61 080a62 02 02 0801 00",
        "13 11 080a61 0801 02 02 0801",
        "13 11 080a61 080a00 02 02 0801",
        "13 11 080a61 080aff 02 02 0801",
        "13 11 080aff 080a61 02 02 0801",
        "13" KEY_ERROR "02 02",
        "1a 13" KEY_ERROR "02 02 0801",
        "07",
    };
    size_t i;

    for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;

        raise_remote(forms[i], &err);
        if (err.code != RPYC_EPROTOCOL)
            fail_msg("%s: %d %s", forms[i], err.code, err.text);
        assert_null(err.remote);
    }
}

TEST(an_exception_need_not_be_asked_for)
{
    raise_remote("13" KEY_ERROR "10 080a78 02 080b7462", NULL);
    raise_remote("51", NULL);
    raise_remote("00", NULL);
}

TEST(an_error_is_cleared_before_it_is_used_again)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "031150 13" KEY_ERROR "10 080a78 02 0801");
    assert_int_equal(rpyc_repr(root, NULL, &err), -1);
    say(&l.peer, "031151 13" KEY_ERROR "10 080a79 02 0801");
    assert_int_equal(rpyc_repr(root, NULL, &err), -1);
    assert_string_equal(err.text, "KeyError: 'y'");
    rpyc_error_clear(&err);
    assert_int_equal(err.code, RPYC_OK);
    assert_string_equal(err.text, "");
    assert_null(err.remote);
    rpyc_error_clear(&err);
    rpyc_error_clear(NULL);
}
