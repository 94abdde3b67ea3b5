/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests on an object.
 */
#include "link.h"

#include "request.h"

/* Declares a connection, its root object and an error. */
#define OPEN_ROOT(l, root, err)                                                                    \
    AUTO_LINK l = link_open(-1);                                                                   \
    AUTO_VALUE *root = unbox(&(l), "1154" ROOT);                                                   \
    AUTO_ERROR err = RPYC_ERROR_INIT

TEST(an_attribute_is_asked_for)
{
    OPEN_ROOT(l, root, err);
    AUTO_VALUE *result = NULL;

    say(&l.peer, "021150 1154" LIST);
    assert_ok(rpyc_getattr(root, "ab", &result, &err), &err);
    assert_string_equal(rpyc_class_name(result), "builtins.list");
    hears(&l.peer, "011150 1154 1152 11 1153" ROOT "1151 080b6162");
}

TEST(a_call_has_its_arguments_in_a_tuple)
{
    OPEN_ROOT(l, root, err);
    AUTO_VALUE *result = NULL;

    say(&l.peer, "021150 1151 93");
    assert_ok(rpyc_call(root, &result, &err, "is", 5, "x"), &err);
    hears(&l.peer, "011150 1157 1152 11 1153" ROOT "1151 11 55 080a78");
    assert_int_equal(rpyc_type_of(result), RPYC_INT);
}

TEST(a_call_may_have_no_arguments)
{
    OPEN_ROOT(l, root, err);

    say(&l.peer, "021150" NONE);
    say(&l.peer, "021151" NONE);
    say(&l.peer, "021152" NONE);
    assert_ok(rpyc_call(root, NULL, &err, NULL), &err);
    assert_ok(rpyc_call(root, NULL, &err, ""), &err);
    assert_ok(rpyc_callattr(root, "f", NULL, &err, NULL), &err);
    hears(&l.peer, "011150 1157 1152 11 1153" ROOT "1151 02");
    hears(&l.peer, "011151 1157 1152 11 1153" ROOT "1151 02");
    hears(&l.peer, "011152 1158 1152 12 1153" ROOT "1151 080a66 1151 02");
}

TEST(a_method_is_called_with_one_request)
{
    OPEN_ROOT(l, root, err);
    AUTO_VALUE *result = NULL;

    say(&l.peer, "021150 1151 080a79");
    assert_ok(rpyc_callattr(root, "f", &result, &err, "s", "x"), &err);
    hears(&l.peer, "011150 1158 1152 12 1153" ROOT "1151 080a66 1151 10 080a78");
    assert_string_equal(rpyc_str(result, NULL), "y");
}

TEST(repr_and_str_are_asked_for)
{
    OPEN_ROOT(l, root, err);
    AUTO_VALUE *repr = NULL, *str = NULL;

    say(&l.peer, "021150 1151 080a72");
    say(&l.peer, "021151 1151 080a73");
    assert_ok(rpyc_repr(root, &repr, &err), &err);
    assert_ok(rpyc_tostr(root, &str, &err), &err);
    assert_string_equal(rpyc_str(repr, NULL), "r");
    assert_string_equal(rpyc_str(str, NULL), "s");
    hears(&l.peer, "011150 1159 1152 10 1153" ROOT);
    hears(&l.peer, "011151 115a 1152 10 1153" ROOT);
}

TEST(items_are_got_set_and_deleted)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *key = read_value("51"), *item = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say_reply(&l, 0, "1151 080a78");
    say_reply(&l, 1, NONE);
    say_reply(&l, 2, NONE);
    assert_ok(rpyc_getitem(list, key, &item, &err), &err);
    assert_string_equal(rpyc_str(item, NULL), "x");
    assert_ok(rpyc_setitem(list, key, item, &err), &err);
    assert_ok(rpyc_delitem(list, key, &err), &err);
    hears(&l.peer, "011150 1158 1152 12 1153" LIST "1151 080e0b 5f5f6765746974656d5f5f 1151 10 51");
    hears(&l.peer,
          "011151 1158 1152 12 1153" LIST "1151 080e0b 5f5f7365746974656d5f5f 1151 11 51 080a78");
    hears(&l.peer, "011152 1158 1152 12 1153" LIST "1151 080e0b 5f5f64656c6974656d5f5f 1151 10 51");
}

TEST(a_length_is_a_number_that_is_not_negative)
{
    const char *others[] = {"1151 4f", "1151 00", "1151 080a78", ("1154" DICT),
                            "1151 1614 3939393939393939393939393939393939393939"};
    size_t i, len = 7;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_LINK l = link_open(-1);
        AUTO_VALUE *list = unbox(&l, "1154" LIST);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        say_reply(&l, 0, others[i]);
        assert_int_equal(rpyc_len(list, &len, &err), -1);
        assert_error(&err, RPYC_ETYPE, "expected a length as the result");
    }
    assert_int_equal(len, 7);
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST);
    say_reply(&l, 0, "1151 53");
    assert_int_equal(rpyc_len(list, &len, NULL), 0);
    assert_int_equal(len, 3);
    hears(&l.peer, "011150 1158 1152 12 1153" LIST "1151 080e07 5f5f6c656e5f5f 1151 02");
}

TEST(a_hash_is_an_int)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t hash = 0;

    say_reply(&l, 0, "1151 4e");
    say_reply(&l, 1, "1151 080a78");
    assert_ok(rpyc_hash(list, &hash, &err), &err);
    assert_true(hash == -2);
    assert_int_equal(rpyc_hash(list, &hash, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a hash as the result");
    hears(&l.peer, "011150 115c 1152 10 1153" LIST);
}

TEST(texts_tuples_and_bytes_are_nothing_else)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *dir = NULL, *pickled = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *none = NULL;
    int i;

    for (i = 0; i < 4; i++)
        say_reply(&l, i, "1151 51");
    assert_int_equal(rpyc_repr(list, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a str as the result");
    assert_int_equal(rpyc_tostr(list, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a str as the result");
    assert_int_equal(rpyc_dir(list, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a tuple as the result");
    assert_int_equal(rpyc_pickle(list, 2, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a bytes as the result");
    assert_null(none);
    say_reply(&l, 4, "1151 10 080a78");
    say_reply(&l, 5, "1151 0a2e");
    say_reply(&l, 6, "1151 080a78");
    assert_ok(rpyc_dir(list, &dir, &err), &err);
    assert_string_equal(rpyc_str(rpyc_item(dir, 0), NULL), "x");
    assert_ok(rpyc_pickle(list, 2, &pickled, &err), &err);
    assert_string_equal(rpyc_bytes(pickled, NULL), ".");
    assert_ok(rpyc_repr(list, NULL, &err), &err);
}
