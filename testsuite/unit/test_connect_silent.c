/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Servers that do not answer: a second connection tries the other envelope.
 */
#include "fake_server.h"

TEST(a_silent_server_is_asked_in_the_other_envelope_on_a_second_connection)
{
    const struct act acts[] = {{0}, {.answers = {ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " end][" GETROOT_5 " " CLOSE_5 " end]");
}

TEST(a_silent_server_is_asked_with_bind_threads_in_the_end)
{
    const struct act six[] = {{0}, {0}, {.answers = {THREADS ANSWER_6}}};
    const struct act five[] = {{0}, {0}, {0}, {.answers = {THREADS ANSWER_5}}};
    char heard[1024], threads[33];

    snprintf(threads, sizeof(threads), "%016lx%016x", (unsigned long)pthread_self(), 0);
    snprintf(heard, sizeof(heard),
             "[" GETROOT_6 " end][" GETROOT_5 " end][%s" GETROOT_6 " %s" CLOSE_6 " end]", threads,
             threads);
    assert_connects(ACTS(six), RPYC_GENERATION_AUTO, RPYC_GENERATION_6, heard);
    snprintf(heard, sizeof(heard),
             "[" GETROOT_6 " end][" GETROOT_5 " end][%s" GETROOT_6 " end][%s" GETROOT_5
             " %s" CLOSE_5 " end]",
             threads, threads, threads);
    assert_connects(ACTS(five), RPYC_GENERATION_AUTO, RPYC_GENERATION_5, heard);
}

TEST(a_busy_server_may_answer_on_the_first_connection_after_the_second_was_opened)
{
    const struct act acts[] = {{.answers = {ANSWER_6}, .after = 2}, {0}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end][" GETROOT_5 " end]");
}

TEST(a_second_connection_that_ends_leaves_the_first_one)
{
    const struct act closes[] = {{.answers = {ANSWER_6}, .after = 3}, {.answers = {GOODBYE_6}}};
    const struct act ends[] = {{.answers = {ANSWER_6}, .after = 3},
                               {.answers = {""}, .hangs_up = true}};
    const char *stays = "[" GETROOT_6 " " CLOSE_6 " end][" GETROOT_5 " end]";

    assert_connects(ACTS(closes), RPYC_GENERATION_AUTO, RPYC_GENERATION_6, stays);
    assert_connects(ACTS(ends), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end][" GETROOT_5 " ]");
}

/* The second envelope may be the right one. */
TEST(a_second_connection_outlives_the_first)
{
    const struct act ends[] = {{.answers = {""}, .after = 2, .hangs_up = true},
                               {.answers = {ANSWER_5}, .after = 3}};
    const struct act closes[] = {{.answers = {GOODBYE_5}, .after = 2, .hangs_up = true},
                                 {.answers = {ANSWER_5}, .after = 3}};
    const char *heard = "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]";

    assert_connects(ACTS(ends), RPYC_GENERATION_AUTO, RPYC_GENERATION_5, heard);
    assert_connects(ACTS(closes), RPYC_GENERATION_AUTO, RPYC_GENERATION_5, heard);
}

TEST(what_became_of_the_first_connection_is_the_error)
{
    const struct act acts[] = {{.answers = {""}, .after = 2, .hangs_up = true},
                               {.answers = {GOODBYE_6}, .after = 3, .hangs_up = true}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_ECLOSED, "the peer hung up",
                        "[" GETROOT_6 " ][" GETROOT_5 " ]");
}

/* An is_certain callback that is a step, for which the server's answer waits. */
struct hook {
    struct server *server;
    bool is_certain;
    int calls;
};

static bool call_hook(void *arg)
{
    struct hook *hook = arg;

    hook->calls++;
    step(hook->server);
    return hook->is_certain;
}

/* Connects to a server that answers after is_certain was called. Checks that it is called once. */
static void assert_asks_whether_it_is_certain(bool is_certain, bool stops_listening)
{
    const struct act acts[] = {{.answers = {ANSWER_6}, .after = 2}};
    struct server s = {.acts = acts, .count = 1, .stops_listening = stops_listening};
    struct hook hook = {.server = &s, .is_certain = is_certain};
    const struct rpyc_options options = {.is_certain = call_hook, .is_certain_arg = &hook};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    server_listen_unix(&s);
    thread_start(&s.thread, run_server, &s);
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_connected(conn, RPYC_GENERATION_6);
    assert_int_equal(hook.calls, 1);
    server_end(&s, "[" GETROOT_6 " " CLOSE_6 " end]");
}

TEST(a_second_connection_that_is_refused_leaves_the_first_one)
{
    assert_asks_whether_it_is_certain(false, true);
}

TEST(a_server_that_is_known_for_certain_is_waited_for_on_one_connection)
{
    assert_asks_whether_it_is_certain(true, false);
}

static bool call_silent(void *arg)
{
    call_hook(arg);
    return true;
}

/* The server answers after on_silence was called. */
TEST(the_caller_is_told_once_of_a_server_that_is_silent)
{
    const struct act acts[] = {{.answers = {ANSWER_6}, .after = 2}};
    struct server s;
    struct hook hook = {.server = &s};
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6,
                                         .on_silence = call_silent,
                                         .on_silence_arg = &hook,
                                         .silence_ms = 1};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    server_start(&s, ACTS(acts));
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_connected(conn, RPYC_GENERATION_6);
    assert_int_equal(hook.calls, 1);
    server_end(&s, "[" GETROOT_6 " " CLOSE_6 " end]");
}

static bool give_up(void *arg)
{
    *(bool *)arg = true;
    return false;
}

TEST(the_caller_may_give_up_a_server_that_is_silent)
{
    const struct act acts[] = {{0}};
    struct server s;
    bool is_called = false;
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6,
                                         .on_silence = give_up,
                                         .on_silence_arg = &is_called,
                                         .silence_ms = 1};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    server_start(&s, ACTS(acts));
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_true(is_called);
    server_end(&s, "[" GETROOT_6 " end]");
}

TEST(a_remembered_way_that_meets_silence_is_followed_by_the_others)
{
    const struct act acts[] = {{0}, {.answers = {ANSWER_6}}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};

    assert_remembers(&remembered, ACTS(acts), RPYC_GENERATION_6,
                     "[" GETROOT_5 " end][" GETROOT_6 " " CLOSE_6 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_6);
}

TEST(a_server_that_is_silent_in_every_way_is_waited_for_until_the_deadline)
{
    const struct act acts[] = {{0}, {0}};
    struct rpyc_options options = {.connect_timeout_ms = 1000};

    assert_no_answer(ACTS(acts), &options, "[" GETROOT_6 " end][" GETROOT_5 " end]");
}

/* The server accepts one connection, and the guess is wrong. */
TEST(a_server_that_tells_its_generation_and_serves_no_more_is_an_error)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}, .hangs_up = true}};
    struct server s = {.acts = acts, .count = 1, .stops_listening = true};
    struct rpyc_envelope remembered = {0};
    const struct rpyc_options options = {.remembered = &remembered};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    server_listen_unix(&s);
    thread_start(&s.thread, run_server, &s);
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    assert_error(&err, RPYC_EGENERATION,
                 "the server speaks rpyc 5 and accepts no second connection (");
    assert_error(&err, RPYC_EGENERATION, "Connection refused): set options.generation");
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_6 " ]");
}
