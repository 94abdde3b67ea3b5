/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests: their arguments, results and failures.
 */
#include "link.h"

#include "request.h"

TEST(every_letter_of_a_format_is_an_argument)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *list = unbox(&l, "1154" LIST);
    AUTO_VALUE *plain = read_value("11 00 51");
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150" NONE);
    assert_ok(rpyc_call(root, NULL, &err, "syildbbNOO", "\303\251", "\0\377", (size_t)2, -49,
                        INT64_MIN, 1.5, 7, 0, list, plain),
              &err);
    hears(&l.peer, "011150 1157 1152 11 1153" ROOT "1152 140a"
                   "1151 080bc3a9"
                   "1151 0b00ff"
                   "1151 16032d3439"
                   "1151 16142d39323233333732303336383534373735383038"
                   "1151 183ff8000000000000"
                   "1151 03"
                   "1151 04"
                   "1151 00"
                   "1153" LIST "1151 11 00 51");
}

TEST(a_letter_that_does_not_exist_is_refused_before_anything_is_sent)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_call(root, NULL, &err, "i?", 1), -1);
    assert_error(&err, RPYC_EINVAL, "unknown format letter '?'");
    assert_int_equal(rpyc_callattr(root, "f", NULL, &err, "Z"), -1);
    assert_error(&err, RPYC_EINVAL, "unknown format letter 'Z'");
    assert_int_equal(rpyc_call(root, NULL, NULL, "?"), -1);
    hears_no_more(&l.peer);
}

TEST(a_netref_of_another_connection_is_refused)
{
    AUTO_LINK l = link_open(-1), other = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *stranger = unbox(&other, "1154" LIST);
    AUTO_VALUE *within = unbox(&other, "1152 10 1152 10 1154" DICT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_call(root, NULL, &err, "iO", 1, stranger), -1);
    assert_error(&err, RPYC_EINVAL, "another connection");
    assert_int_equal(rpyc_callattr(root, "f", NULL, &err, "O", within), -1);
    assert_error(&err, RPYC_EINVAL, "another connection");
    hears_no_more(&l.peer);
}

TEST(references_stand_in_tuples_only)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *set = NULL, *slice = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(rpyc_build(&set, &err, "{iO}", 1, root), &err);
    assert_ok(rpyc_build(&slice, &err, "[OiN]", root, 1), &err);
    assert_int_equal(rpyc_call(root, NULL, &err, "O", set), -1);
    assert_error(&err, RPYC_EINVAL, "a frozenset or slice contains a netref or a local object");
    assert_int_equal(rpyc_call(root, NULL, &err, "(O)", slice), -1);
    assert_error(&err, RPYC_EINVAL, "a frozenset or slice contains a netref or a local object");
    assert_int_equal(rpyc_call(root, NULL, NULL, "O", set), -1);
    hears_no_more(&l.peer);
}

TEST(requests_are_made_of_netrefs)
{
    AUTO_VALUE *plain = read_value("080a78");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *result = NULL;

    assert_int_equal(rpyc_getattr(plain, "x", &result, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a netref, got ");
    assert_int_equal(rpyc_call(plain, &result, &err, NULL), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_int_equal(rpyc_callattr(plain, "x", &result, &err, "i", 1), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_int_equal(rpyc_repr(plain, &result, &err), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_int_equal(rpyc_tostr(plain, &result, &err), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_null(result);
}

#define assert_not_a_netref(call)                                                                  \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        struct rpyc_error *err = &err_;                                                            \
        assert_int_equal(call, -1);                                                                \
        assert_error(err, RPYC_ETYPE, "expected a netref, got ");                                  \
        err = NULL;                                                                                \
        assert_int_equal(call, -1);                                                                \
    } while (0)

TEST(all_other_requests_are_made_of_netrefs_too)
{
    AUTO_VALUE *plain = read_value("080a78");
    rpyc_pending *pending = NULL;
    rpyc_value *result = NULL;
    rpyc_iter *iter = NULL;
    int64_t hash = 7;
    size_t len = 7;
    bool b = true;

    assert_not_a_netref(rpyc_setattr(plain, "x", plain, err));
    assert_not_a_netref(rpyc_delattr(plain, "x", err));
    assert_not_a_netref(rpyc_getitem(plain, plain, &result, err));
    assert_not_a_netref(rpyc_setitem(plain, plain, plain, err));
    assert_not_a_netref(rpyc_delitem(plain, plain, err));
    assert_not_a_netref(rpyc_len(plain, &len, err));
    assert_not_a_netref(rpyc_contains(plain, plain, &b, err));
    assert_not_a_netref(rpyc_compare(plain, "<", plain, &b, err));
    assert_not_a_netref(rpyc_hash(plain, &hash, err));
    assert_not_a_netref(rpyc_isinstance(plain, plain, &b, err));
    assert_not_a_netref(rpyc_dir(plain, &result, err));
    assert_not_a_netref(rpyc_pickle(plain, 2, &result, err));
    assert_not_a_netref(rpyc_enter(plain, &result, err));
    assert_not_a_netref(rpyc_exit(plain, NULL, &b, err));
    assert_not_a_netref(rpyc_iterate(plain, &iter, err));
    assert_not_a_netref(rpyc_start_getattr(plain, "x", &pending, err));
    assert_not_a_netref(rpyc_start_call(plain, &pending, err, NULL));
    assert_not_a_netref(rpyc_start_callattr(plain, "x", &pending, err, "i", 1));
    assert_null(result);
    assert_null(iter);
    assert_null(pending);
    assert_true(hash == 7 && len == 7 && b);
}

TEST(a_ping_comes_back)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1151 0c616263");
    assert_ok(rpyc_ping(l.conn, "abc", 3, &err), &err);
    hears(&l.peer, "011150 1151 1151 10 0c616263");
    say(&l.peer, "021151 1151 01");
    assert_ok(rpyc_ping(l.conn, NULL, 0, &err), &err);
}

TEST(a_request_by_the_number_of_its_handler)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *answer = NULL;
    int64_t number;

    say(&l.peer, "021150 1151 55");
    assert_ok(rpyc_request(l.conn, 0x70, &answer, &err, "is", 2, "a"), &err);
    hears(&l.peer, "011150 11 c0 1151 11 52 080a61");
    assert_ok(rpyc_int64(answer, &number, &err), &err);
    assert_int_equal(number, 5);
    rpyc_unref(answer);
}

TEST(a_request_has_no_keyword_arguments)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_request(l.conn, 0x70, NULL, &err, "i, a=i", 1, 2), -1);
    assert_error(&err, RPYC_EINVAL, "keyword");
}

TEST(a_ping_with_other_data_is_an_error)
{
    const char *others[] = {"1151 0c616264",   "1151 0b6162", "1151 0d61626363",
                            "1151 080c616263", "1151 00",     "1151 01"};
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_LINK l = link_open(-1);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char reply[64];

        snprintf(reply, sizeof(reply), "021150 %s", others[i]);
        say(&l.peer, reply);
        assert_int_equal(rpyc_ping(l.conn, "abc", 3, &err), -1);
        assert_error(&err, RPYC_EPROTOCOL,
                     "the reply to a ping differs from the data that was sent");
    }
}

TEST(a_request_has_a_timeout)
{
    AUTO_LINK l = link_open(20);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_ping(l.conn, "x", 1, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    say(&l.peer, "021150 1151 0a78"); /* too late */
    say(&l.peer, "021151 1151 0a79");
    l.conn->request_timeout_ms = 10000;
    assert_ok(rpyc_ping(l.conn, "y", 1, &err), &err);
}

TEST(close_instead_of_a_reply_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "011150 1152 115102");
    assert_int_equal(rpyc_repr(root, NULL, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
}

TEST(a_reply_that_is_not_a_box_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *result = NULL;

    say(&l.peer, "021150 00");
    assert_int_equal(rpyc_repr(root, &result, &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "bad brine: ");
    assert_null(result);
}

TEST(nothing_can_be_asked_of_what_is_not_there)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *tuple = unbox(&l, "1151 02");
    rpyc_value *beyond = rpyc_item(tuple, 5), *v = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_pending *pending = NULL;
    rpyc_iter *iter = NULL;
    bool answer = true;
    size_t len;

#define REFUSED(request)                                                                           \
    do {                                                                                           \
        assert_int_equal(request, -1);                                                             \
        assert_error(&err, RPYC_ETYPE, "expected a netref, got ");                                 \
        rpyc_error_clear(&err);                                                                    \
    } while (0)
    assert_null(beyond);
    REFUSED(rpyc_getattr(beyond, "x", &v, &err));
    REFUSED(rpyc_call(beyond, &v, &err, ""));
    REFUSED(rpyc_callattr(beyond, "x", &v, &err, "i", 1));
    REFUSED(rpyc_start_call(beyond, &pending, &err, "s", "x"));
    REFUSED(rpyc_len(beyond, &len, &err));
    REFUSED(rpyc_repr(beyond, &v, &err));
    REFUSED(rpyc_contains(beyond, tuple, &answer, &err));
    REFUSED(rpyc_compare(beyond, "<", tuple, &answer, &err));
    REFUSED(rpyc_isinstance(beyond, tuple, &answer, &err));
    REFUSED(rpyc_iterate(beyond, &iter, &err));
    assert_ok(rpyc_truth(beyond, &answer, &err), &err);
    assert_false(answer);
    hears_no_more(&l.peer);
}
