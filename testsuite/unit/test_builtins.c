/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Operations by the modules builtins and operator of the peer; context managers.
 */
#include "link.h"

#include "builtins.h"

TEST(an_isinstance_is_asked_for)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool is = false;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1151 03");
    assert_ok(rpyc_isinstance(root, root, &is, &err), &err);
    assert_true(is);
    hears_builtin(&l, "080e0a 6973696e7374616e6365", "1152 11 1153" ROOT "1153" ROOT);
}

TEST(the_truth_of_a_netref_is_asked_for)
{
    const char *answers[] = {"1151 04", "1151 03"};
    int i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_with_root();
        AUTO_VALUE *root = NULL;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        bool truth = !i;

        assert_ok(rpyc_root(l.conn, &root, &err), &err);
        say_builtin(&l, answers[i]);
        assert_ok(rpyc_truth(root, &truth, &err), &err);
        assert_int_equal(truth, i);
        hears_builtin(&l, "080d 626f6f6c", "1152 10 1153" ROOT);
    }
}

TEST(a_truth_is_a_bool)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool truth;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1151 080a78");
    assert_int_equal(rpyc_truth(root, &truth, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a bool as the result");
}

TEST(the_truth_of_a_plain_value_is_python_s)
{
    const struct {
        const char *hex;
        bool truth;
    } cases[] = {
        {"00", false},
        {"04", false},
        {"03", true},
        {"50", false},
        {"4f", true},
        {"1614 39393939393939393939393939393939393939 39", true},
        {"18 0000000000000000", false},
        {"18 8000000000000000", false},
        {"18 7ff8000000000000", true}, /* nan */
        {"1b 0000000000000000 0000000000000000", false},
        {"1b 0000000000000000 3ff0000000000000", true},
        {"08 01", false},
        {"08 0a00", true},
        {"01", false},
        {"0a00", true},
        {"02", false},
        {"10 00", true},
        {"1a 02", false},
        {"1a 10 00", true},
        {"19 12 00 00 00", true},
        {"06", true},
    };
    AUTO_ERROR err = RPYC_ERROR_INIT;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        bool truth = !cases[i].truth;

        assert_ok(rpyc_truth(v, &truth, &err), &err);
        if (truth != cases[i].truth)
            fail_msg("the truth of %s", cases[i].hex);
    }
}

TEST(comparisons_and_contains_are_functions_of_operator)
{
    const struct {
        const char *op, *name;
    } cases[] = {{"<", "080b 6c74"},
                 {"<=", "080b 6c65"},
                 {"==", "080b 6571"},
                 {"!=", "080b 6e65"},
                 {">", "080b 6774"},
                 {">=", "080b 6765"},
                 {NULL, "080e08 636f6e7461696e73"}};
    AUTO_VALUE *one = read_value("51");
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_with_root();
        AUTO_VALUE *root = NULL;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char frame[256];
        bool is = false;

        assert_ok(rpyc_root(l.conn, &root, &err), &err);
        say_reply(&l, 1, "1154" LIST);
        say_reply(&l, 2, "1151 03");
        if (cases[i].op)
            assert_ok(rpyc_compare(root, cases[i].op, one, &is, &err), &err);
        else
            assert_ok(rpyc_contains(root, one, &is, &err), &err);
        assert_true(is);
        hears(&l.peer, "011151 1158 1152 12 1153" ROOT
                       "1151 080e09 6765746d6f64756c65 1151 10 080e08 6f70657261746f72");
        snprintf(frame, sizeof(frame),
                 "011152 1158 1152 12 1153" LIST "1151 %s 1152 11 1153" ROOT "1151 51",
                 cases[i].name);
        hears(&l.peer, frame);
    }
}

TEST(other_comparisons_are_refused_before_anything_is_sent)
{
    const char *others[] = {"", "=", "<>", "is", "in", "< "};
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char text[64];
    bool is;
    size_t i;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        snprintf(text, sizeof(text), "'%s' is not a comparison", others[i]);
        assert_int_equal(rpyc_compare(root, others[i], root, &is, &err), -1);
        assert_error(&err, RPYC_EINVAL, text);
        assert_int_equal(rpyc_compare(root, others[i], root, &is, NULL), -1);
    }
    hears_no_more(&l.peer);
}

TEST(an_exception_on_the_way_to_an_answer_is_that_exception)
{
    int seq;

    for (seq = 1; seq <= 2; seq++) { /* the module, and its attribute */
        AUTO_LINK l = link_with_root();
        AUTO_VALUE *root = NULL;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        rpyc_iter *iter = NULL;
        char raised[128];

        assert_ok(rpyc_root(l.conn, &root, &err), &err);
        if (seq == 2)
            say_reply(&l, 1, "1154" LIST);
        snprintf(raised, sizeof(raised), "0311 %02x 13" KEY_ERROR "02 02 0801", seq + 0x50);
        say(&l.peer, raised);
        assert_int_equal(rpyc_iterate(root, &iter, &err), -1);
        assert_error(&err, RPYC_EREMOTE, "KeyError");
        assert_null(iter);
    }
}

TEST(a_context_manager_is_entered_and_left)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *exception = unbox(&l, "1154" DICT);
    AUTO_VALUE *entered = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool suppressed = true;

    say_reply(&l, 0, "1151 52");
    say_reply(&l, 1, NONE);
    say_reply(&l, 2, "1151 03");
    say_reply(&l, 3, "1151 03");
    assert_ok(rpyc_enter(list, &entered, &err), &err);
    assert_int_equal(rpyc_type_of(entered), RPYC_INT);
    assert_ok(rpyc_exit(list, NULL, &suppressed, &err), &err);
    assert_false(suppressed);
    assert_ok(rpyc_exit(list, exception, &suppressed, &err), &err);
    assert_true(suppressed);
    assert_ok(rpyc_exit(list, exception, NULL, &err), &err);
    hears(&l.peer, "011150 1158 1152 12 1153" LIST "1151 080e09 5f5f656e7465725f5f 1151 02");
    hears(&l.peer, "011151 1163 1152 11 1153" LIST "1151 00");
    hears(&l.peer, "011152 1163 1152 11 1153" LIST "1153" DICT);
    hears(&l.peer, "011153 1163 1152 11 1153" LIST "1153" DICT);
}

TEST(an_exception_to_leave_with_is_a_netref)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *plain = read_value("51");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool suppressed = true;

    assert_int_equal(rpyc_exit(list, plain, &suppressed, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a netref as the exception, got ");
    assert_int_equal(rpyc_exit(list, plain, &suppressed, NULL), -1);
    assert_true(suppressed);
    hears_no_more(&l.peer);
}
