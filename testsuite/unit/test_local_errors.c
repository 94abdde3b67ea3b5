/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests that are refused, and callbacks that fail.
 */
#include "local_object.h"

TEST(an_error_without_an_exception_becomes_one)
{
    const struct {
        enum rpyc_errcode code;
        const char *class_name;
    } cases[] = {
        {RPYC_ESYSTEM, "RuntimeError"},    {RPYC_ELIMIT, "RuntimeError"},
        {RPYC_ENOMEM, "MemoryError"},      {RPYC_ETYPE, "TypeError"},
        {RPYC_EINVAL, "ValueError"},       {RPYC_ETIMEOUT, "TimeoutError"},
        {RPYC_ECLOSED, "EOFError"},        {RPYC_ERESOLVE, "RuntimeError"},
        {RPYC_EINTERRUPT, "RuntimeError"}, {RPYC_ECANCELED, "RuntimeError"},
    };
    SHOW_THING(l, t, v, pack);
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        t.fails = cases[i].code;
        assert_raises(cases[i].class_name, "that failed", &l, HANDLE_DELATTR, "1152 11" OBJ SIZE,
                      pack.hex);
    }
}

TEST(what_is_raised_has_a_class_and_a_text)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_raise(&err, "KeyError", "no %s, %d", "such", 7), -1);
    assert_error(&err, RPYC_EREMOTE, "no such, 7");
    assert_true(rpyc_error_is(&err, "KeyError"));
    assert_int_equal(rpyc_length(rpyc_exception_args(err.remote)), 1);
    assert_string_equal(rpyc_str(rpyc_item(rpyc_exception_args(err.remote), 0), NULL),
                        "no such, 7");
    assert_null(rpyc_exception_attribute(err.remote, "x"));
    assert_int_equal(rpyc_raise(NULL, "KeyError", "x"), -1);
}

TEST(unknown_objects_are_key_errors)
{
    AUTO_LINK l = link_open(-1);
    const char *text = "the peer named an object to which it has no reference";

    assert_raises("KeyError", text, &l, HANDLE_GETATTR, "1152 11 1153" UNKNOWN SIZE);
    assert_raises("KeyError", text, &l, HANDLE_CALL, "1152 11 1153" UNKNOWN "1151 02");
    assert_raises("KeyError", text, &l, HANDLE_INSPECT, "1151 10" UNKNOWN);
    assert_raises("KeyError", text, &l, HANDLE_STR, "1152 10 1153" UNKNOWN);
    assert_raises("KeyError", text, &l, HANDLE_GETATTR, "1152 11 1153 12 080a61 51 50" SIZE);
}

/* Nested containers. */
#define OPEN_16 "10101010101010101010101010101010"
#define OPEN_64 OPEN_16 OPEN_16 OPEN_16 OPEN_16

TEST(a_request_over_a_limit_is_answered_with_an_exception)
{
    static const char too_long[] = "00000065 00 011157 1151 1151 10";
    const struct conn_config config = {.generation = RPYC_GENERATION_6, .max_frame = 100};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_LINK l = link_configured(&config, -1);
    char frame[sizeof(too_long) + 2 * 94] = "";
    AUTO_BYTES answer = {0};
    size_t i;

    memcpy(frame, too_long, sizeof(too_long) - 1);
    for (i = sizeof(too_long) - 1; i < sizeof(too_long) - 1 + 2 * 94; i++)
        frame[i] = 'f';
    say_raw(&l.peer, frame);
    assert_int_equal(rpyc_process(l.conn, 10000, &err), 1);
    answer = next_frame(&l.peer);
    assert_bytes(answer.data, 3, "031157");
    assert_contains(&answer, "ValueError");
    assert_contains(&answer, "it is longer than max_frame (100)");
    assert_answers("1151 0801", &l, HANDLE_PING, "1151 10 0801");
}

TEST(values_of_a_request_that_are_nested_too_deep_are_an_exception)
{
    AUTO_LINK l = link_open(-1);

    assert_raises("ValueError", "it is nested deeper than max_depth (200)", &l, HANDLE_PING,
                  "1151 10 " OPEN_64 OPEN_64 OPEN_64 OPEN_64 "02");
}

TEST(a_wrong_number_of_arguments_is_a_type_error)
{
    static const struct {
        int handler;
        const char *few, *many;
    } cases[] = {
        {HANDLE_GETATTR, "", "1151 0801 1151 00"},
        {HANDLE_DELATTR, "", "1151 0801 1151 00"},
        {HANDLE_SETATTR, "1151 0801", "1151 0801 1151 00 1151 00"},
        {HANDLE_CALL, "", "1151 02 1151 02 1151 02"},
        {HANDLE_CALLATTR, "1151 0801", "1151 0801 1151 02 1151 02 1151 02"},
        {HANDLE_REPR, NULL, "1151 00"},
        {HANDLE_STR, NULL, "1151 00"},
        {HANDLE_CMP, "", "1151 00 1151 00 1151 00"},
        {HANDLE_HASH, NULL, "1151 00"},
        {HANDLE_DIR, NULL, "1151 00"},
    };
    const char *text = "wrong number of arguments";
    SHOW_THING(l, t, v, pack);
    size_t i, extra;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int handler = cases[i].handler;

        assert_raises("TypeError", text, &l, handler, "1151 02");
        assert_raises("TypeError", text, &l, handler, "1151 50");
        for (extra = 0; extra < 2; extra++) {
            const char *more = extra ? cases[i].many : cases[i].few;
            size_t count = 1, k;
            char tuple[8];

            for (k = 0; more && more[k]; k++)
                count += strncmp(more + k, "1151", 4) == 0;
            if (!more)
                continue;
            snprintf(tuple, sizeof(tuple), count > 4 ? "14%02zx" : "%02zx",
                     count > 4 ? count : count + 0xf);
            assert_raises("TypeError", text, &l, handler, "1152 %s" OBJ "%s", tuple, pack.hex,
                          more);
        }
    }
    assert_int_equal(t.called, 0);
}

TEST(arguments_of_a_wrong_type_are_type_errors)
{
    SHOW_THING(l, t, v, pack);
    const char *name = "name must be a string", *tuple = "the arguments of a call must";
    const char *strange = "the first argument must be an object of the C program";

    assert_raises("TypeError", name, &l, HANDLE_GETATTR, "1152 11" OBJ "1151 50", pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_GETATTR, "1152 11" OBJ "1154" LIST, pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_SETATTR, "1152 12" OBJ "1151 00 1151 00", pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_DELATTR, "1152 11" OBJ "1151 02", pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_CALLATTR, "1152 12" OBJ "1151 50 1151 02",
                  pack.hex);
    assert_raises("TypeError", tuple, &l, HANDLE_CALL, "1152 11" OBJ "1151 50", pack.hex);
    assert_raises("TypeError", tuple, &l, HANDLE_CALL, "1152 12" OBJ "1151 02 1151 50", pack.hex);
    assert_raises("TypeError", tuple, &l, HANDLE_CALL, "1152 11" OBJ "1154" LIST, pack.hex);
    assert_raises("TypeError", strange, &l, HANDLE_STR, "1151 10 50");
    assert_raises("TypeError", strange, &l, HANDLE_GETATTR, "1152 11 1154" LIST SIZE);
    assert_raises("TypeError", "INSPECT takes an id pack", &l, HANDLE_INSPECT, "1152 10" OBJ,
                  pack.hex);
    assert_int_equal(t.called, 0);
}

/* A callback may assume that kwargs is a tuple of (name, value) tuples. */
TEST(keywords_that_are_none_are_type_errors)
{
    const char *others[] = {"10 50", "10 10 080a6b", "10 11 50 51", "10 12 080a6b 51 52"};
    SHOW_THING(l, t, v, pack);
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_raises("TypeError", "", &l, HANDLE_CALL, "1152 12" OBJ "1151 02 1151 %s", pack.hex,
                      others[i]);
    assert_int_equal(t.called, 0);
}

TEST(all_other_requests_are_refused)
{
    AUTO_LINK l = link_open(-1);
    int handler;

    for (handler = -1; handler <= 25; handler++) {
        switch (handler) {
        case HANDLE_PING:
        case HANDLE_CLOSE:
        case HANDLE_GETROOT:
        case HANDLE_GETATTR:
        case HANDLE_DELATTR:
        case HANDLE_SETATTR:
        case HANDLE_CALL:
        case HANDLE_CALLATTR:
        case HANDLE_REPR:
        case HANDLE_STR:
        case HANDLE_CMP:
        case HANDLE_HASH:
        case HANDLE_DIR:
        case HANDLE_DEL:
        case HANDLE_INSPECT:
            break;
        default:
            assert_raises("PermissionError", "a C program does not serve this request", &l, handler,
                          "1151 02");
        }
    }
}
