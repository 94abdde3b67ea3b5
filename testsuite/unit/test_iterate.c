/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Iteration.
 */
#include "link.h"

#include "request.h"

TEST(items_come_in_pieces_until_there_are_no_more)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_iter *iter = NULL;
    int64_t i, n = 0;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1154" DICT);
    assert_ok(rpyc_iterate(root, &iter, &err), &err);
    hears_builtin(&l, "080d 69746572", "1152 10 1153" ROOT);
    say_reply(&l, 5, "1151 11 51 52");
    say_reply(&l, 6, "1151 10 53");
    say_reply(&l, 7, "1151 02");
    for (i = 1; i <= 3; i++) {
        AUTO_VALUE *item = NULL;

        assert_int_equal(rpyc_next(iter, &item, &err), 1);
        assert_ok(rpyc_int64(item, &n, &err), &err);
        assert_true(n == i);
    }
    rpyc_value *none = NULL;
    assert_int_equal(rpyc_next(iter, &none, &err), 0);
    assert_null(none);
    rpyc_iter_free(iter);
    rpyc_iter_free(NULL);
    hears(&l.peer, "011155 1161 1152 11 1153" DICT "1151 60"); /* 16, then 32, then 64 */
    hears(&l.peer, "011156 1161 1152 11 1153" DICT "1151 70");
}

/* Checks that iter() of the root succeeds and that the first next() fails. piece: the reply to its
 * request, or NULL if it sends none. */
static void assert_next_fails(const char *iterator, const char *piece, const char *text)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *item = NULL;
    rpyc_iter *iter = NULL;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, iterator);
    assert_ok(rpyc_iterate(root, &iter, &err), &err);
    if (piece)
        say_reply(&l, 5, piece);
    assert_int_equal(rpyc_next(iter, &item, &err), -1);
    assert_error(&err, RPYC_ETYPE, text);
    assert_null(item);
    rpyc_iter_free(iter);
}

TEST(pieces_that_are_no_tuples_are_an_error)
{
    assert_next_fails("1154" DICT, "1151 080a78", "expected a tuple as the result");
}

TEST(an_iterator_that_is_a_plain_value_is_an_error)
{
    assert_next_fails("1151 51", NULL, "expected a netref, got ");
}
