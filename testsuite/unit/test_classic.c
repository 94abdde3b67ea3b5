/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The classic service.
 */
#include "link.h"

#include "classic.h"

TEST(the_root_is_kept)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    assert_string_equal(rpyc_class_name(root), "a.Root");
    hears_no_more(&l.peer);
}

TEST(a_root_that_is_not_an_object_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1151 51");
    assert_int_equal(fetch_root(l.conn, &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "the server sent a plain value as its root object");
}

TEST(modules_and_evaluation_are_methods_of_the_root)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *module = NULL, *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021151 1154" LIST);
    say(&l.peer, "021152 1151 52");
    say(&l.peer, "021153" NONE);
    assert_ok(rpyc_module(l.conn, "sys", &module, &err), &err);
    assert_ok(rpyc_eval(l.conn, "1+1", &result, &err), &err);
    assert_ok(rpyc_execute(l.conn, "x=5", &err), &err);
    hears(&l.peer,
          "011151 1158 1152 12 1153" ROOT "1151 080e09 6765746d6f64756c65 1151 10 080c737973");
    hears(&l.peer, "011152 1158 1152 12 1153" ROOT "1151 080d 6576616c 1151 10 080c312b31");
    hears(&l.peer, "011153 1158 1152 12 1153" ROOT "1151 080e07 65786563757465 1151 10 080c783d35");
    assert_int_equal(rpyc_type_of(module), RPYC_NETREF);
    assert_int_equal(rpyc_type_of(result), RPYC_INT);
}

TEST(a_module_is_there_or_not)
{
    const struct {
        const char *find_spec; /* what rpyc_has_module returns */
        int result;
        bool has;
        enum rpyc_errcode code;
    } cases[] = {
        {"0211 52 1154" DICT, 0, true, RPYC_OK},
        {"0211 52" NONE, 0, false, RPYC_OK},
        {"0311 52 13 11 080e086275696c74696e73 080e13 4d6f64756c654e6f74466f756e644572726f72 02 02 "
         "0801",
         0, false, RPYC_OK},
        {"0311 52 13" KEY_ERROR "02 02 0801", -1, false, RPYC_EREMOTE},
    };
    size_t i;

    for (i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_with_root();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        bool has = i % 2;

        say(&l.peer, "021151 1154" LIST);
        say(&l.peer, cases[i / 2].find_spec);
        assert_int_equal(rpyc_has_module(l.conn, "a.b", &has, i % 2 ? &err : NULL),
                         cases[i / 2].result);
        assert_int_equal(has, cases[i / 2].has);
        if (i % 2)
            assert_int_equal(err.code, cases[i / 2].code);
    }
}

TEST(a_module_is_not_looked_for_without_importlib)
{
    AUTO_LINK l = link_with_root();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool has = true;

    say(&l.peer, "031151 13" KEY_ERROR "02 02 0801");
    assert_int_equal(rpyc_has_module(l.conn, "a", &has, &err), -1);
    assert_error(&err, RPYC_EREMOTE, "KeyError");
    assert_false(has);
}

TEST(the_namespace_is_an_attribute_of_the_root)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *namespace = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021151 1154" DICT);
    assert_ok(rpyc_namespace(l.conn, &namespace, &err), &err);
    assert_string_equal(rpyc_class_name(namespace), "builtins.dict");
    hears(&l.peer, "011151 1154 1152 11 1153" ROOT "1151 080e09 6e616d657370616365");
}

TEST(without_a_root_there_is_no_classic_service)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;

    assert_int_equal(rpyc_root(l.conn, &v, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the connection is closed");
    assert_int_equal(rpyc_eval(l.conn, "1", &v, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    assert_int_equal(rpyc_namespace(l.conn, &v, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the connection is closed");
    assert_int_equal(rpyc_namespace(l.conn, &v, NULL), -1);
    assert_null(v);
}
