/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connecting with what is known of the server.
 */
#include "fake_server.h"

TEST(what_was_found_is_remembered_and_tried_first)
{
    const struct act found[] = {{.answers = {GOODBYE_5}, .hangs_up = true},
                                {.answers = {ANSWER_5}}};
    const struct act known[] = {{.answers = {ANSWER_5}}};
    struct rpyc_envelope remembered = {0};

    assert_remembers(&remembered, ACTS(found), RPYC_GENERATION_5,
                     "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
    assert_false(remembered.bind_threads);
    assert_remembers(&remembered, ACTS(known), RPYC_GENERATION_5,
                     "[" GETROOT_5 " " CLOSE_5 " end]");
}

TEST(bind_threads_is_remembered_too)
{
    const struct act found[] = {{.answers = {THREADS GOODBYE_6}}, {.answers = {THREADS ANSWER_6}}};
    const struct act known[] = {{.answers = {THREADS ANSWER_6}}};
    struct rpyc_envelope remembered = {0};
    char heard[512], bound[256];

    snprintf(bound, sizeof(bound), "[%016lx%016x" GETROOT_6 " %016lx%016x" CLOSE_6 " end]",
             (unsigned long)pthread_self(), 0, (unsigned long)pthread_self(), 0);
    snprintf(heard, sizeof(heard), "[" GETROOT_6 " end]%s", bound);
    assert_remembers(&remembered, ACTS(found), RPYC_GENERATION_6, heard);
    assert_true(remembered.bind_threads);
    assert_remembers(&remembered, ACTS(known), RPYC_GENERATION_6, bound);
}

TEST(bind_threads_is_an_option_with_a_generation)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_5, .bind_threads = true};
    const struct act acts[] = {{.answers = {THREADS ANSWER_5}}};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;
    char heard[256];

    server_start(&s, ACTS(acts));
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_true(rpyc_conn_envelope(conn).bind_threads);
    assert_connected(conn, RPYC_GENERATION_5);
    snprintf(heard, sizeof(heard), "[%016lx%016x" GETROOT_5 " %016lx%016x" CLOSE_5 " end]",
             (unsigned long)pthread_self(), 0, (unsigned long)pthread_self(), 0);
    server_end(&s, heard);
}

TEST(another_server_in_the_place_of_the_remembered_one_is_found_out)
{
    const struct act acts[] = {{.answers = {GOODBYE_6}}, {.answers = {ANSWER_6}}};
    const struct act hangs_up[] = {{.answers = {""}, .hangs_up = true}, {.answers = {ANSWER_6}}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};

    assert_remembers(&remembered, ACTS(acts), RPYC_GENERATION_6,
                     "[" GETROOT_5 " end][" GETROOT_6 " " CLOSE_6 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_6);
    remembered.generation = RPYC_GENERATION_5;
    assert_remembers(&remembered, ACTS(hangs_up), RPYC_GENERATION_6,
                     "[" GETROOT_5 " ][" GETROOT_6 " " CLOSE_6 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_6);
}

TEST(what_is_remembered_stays_where_no_answer_comes)
{
    const struct act silent[] = {{0}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};
    const struct rpyc_options options = {.remembered = &remembered, .connect_timeout_ms = 40};

    assert_no_answer(ACTS(silent), &options, "[" GETROOT_5 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
}

TEST(what_is_remembered_is_not_asked_where_a_generation_is_given)
{
    const struct act acts[] = {{.answers = {ANSWER_6}}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6,
                                         .remembered = &remembered};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(acts));
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_connected(conn, RPYC_GENERATION_6);
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_6 " " CLOSE_6 " end]");
}
