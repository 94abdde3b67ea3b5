/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A request that follows the one for the root at once.
 */
#include "fake_server.h"

#define EARLY_6             "01115111c011511052" /* handler 112 with the argument 2 */
#define EARLY_5             "12515111c011511052"
#define EARLY_ANSWER_6      "021151115157" /* 7 */
#define EARLY_ERROR_6       "0311511311080e086275696c74696e73080e084b65794572726f7202020801"
#define CLOSE_LATER_6       "0111521152115102"
#define THIRD_6             "01115211c011511052"
#define CLOSE_AFTER_THIRD_6 "0111531152115102"
#define CLOSE_LATER_5       "1251521152115102"

/* Connects with an early request. has_root: whether the root comes before connecting ends. */
static rpyc_conn *connect_early(struct server *s, const struct act *acts, size_t count,
                                bool has_root)
{
    struct rpyc_options options = {.early_handler = 112};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    assert_ok(rpyc_build(&options.early_args, &err, "(i)", 2), &err);
    server_start(s, acts, count);
    assert_ok(rpyc_connect_unix(&conn, s->name, &options, &err), &err);
    rpyc_unref(options.early_args);
    assert_int_equal(rpyc_has_root(conn), has_root);
    return conn;
}

static void assert_early_result(rpyc_conn *conn)
{
    rpyc_pending *early = rpyc_take_early(conn);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *result = NULL;
    int64_t number;

    assert_non_null(early);
    assert_null(rpyc_take_early(conn));
    assert_ok(rpyc_pending_wait(early, 0, &result, &err), &err);
    assert_ok(rpyc_int64(result, &number, &err), &err);
    assert_int_equal(number, 7);
    rpyc_unref(result);
    rpyc_pending_free(early);
}

/* Also: the client does not wait for the root before it sends the early request. */
TEST(an_early_request_is_sent_behind_the_one_for_the_root)
{
    const struct act acts[] = {{.answers = {"", ANSWER_6 "/" EARLY_ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), true);

    assert_early_result(conn);
    assert_connected(conn, RPYC_GENERATION_6);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " CLOSE_LATER_6 " end]");
}

TEST(an_early_request_may_be_answered_alone_and_the_root_later)
{
    const struct act acts[] = {{.answers = {"", EARLY_ANSWER_6, ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_pending *third = NULL;

    assert_early_result(conn);
    assert_int_equal(rpyc_await_root(conn, 1, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    rpyc_error_clear(&err);
    rpyc_set_timeout(conn, 1);
    assert_int_equal(rpyc_execute(conn, "pass", &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    rpyc_error_clear(&err);
    assert_ok(rpyc_start_request(conn, 112, &third, &err, "i", 2), &err);
    assert_ok(rpyc_await_root(conn, -1, &err), &err);
    assert_true(rpyc_has_root(conn));
    rpyc_pending_free(third);
    assert_connected(conn, RPYC_GENERATION_6);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " THIRD_6 " " CLOSE_AFTER_THIRD_6 " end]");
}

TEST(an_early_request_that_was_not_taken_ends_with_the_connection)
{
    const struct act acts[] = {{.answers = {"", EARLY_ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), false);

    rpyc_close(conn);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " CLOSE_LATER_6 " end]");
}

/* An exception alone says nothing: a server may refuse the request and still give its root. */
TEST(an_exception_for_an_early_request_is_not_the_end_of_connecting)
{
    const struct act acts[] = {{.answers = {"", EARLY_ERROR_6 "/" ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), true);
    rpyc_pending *early = rpyc_take_early(conn);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_pending_wait(early, 0, NULL, &err), -1);
    assert_true(rpyc_error_is(&err, "KeyError"));
    rpyc_pending_free(early);
    assert_connected(conn, RPYC_GENERATION_6);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " CLOSE_LATER_6 " end]");
}

/* The server may close before it has read the second request. */
TEST(an_early_request_is_sent_again_in_the_right_envelope)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}, .hangs_up = true},
                               {.answers = {"", ANSWER_5 "/12525111511557"}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), true);

    assert_connected(conn, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_6 " ][" GETROOT_5 " " EARLY_5 " " CLOSE_LATER_5 " end]");
}

TEST(connecting_fails_without_the_root_and_an_early_result)
{
    const struct act acts[] = {{.answers = {"", ""}}};
    const struct rpyc_options options = {.early_handler = 112, .connect_timeout_ms = 40};

    assert_no_answer(ACTS(acts), &options, "[" GETROOT_6 " 01115111c0115102 end]");
}
