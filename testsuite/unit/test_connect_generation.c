/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which generation a server uses, and whether it binds threads.
 */
#include "fake_server.h"

TEST(a_server_of_generation_6_is_found_with_one_connection)
{
    const struct act acts[] = {{.answers = {ANSWER_6}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end]");
}

TEST(a_server_of_generation_5_is_found_with_a_second_connection)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}, .hangs_up = true}, {.answers = {ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]");
}

/* The first byte decides, without waiting for the end of file. */
TEST(a_server_that_says_goodbye_and_stays_is_hung_up_on)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}}, {.answers = {ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " end][" GETROOT_5 " " CLOSE_5 " end]");
}

TEST(a_server_with_bind_threads_is_found_with_a_second_connection)
{
    const struct {
        struct act acts[2];
        enum rpyc_generation generation;
        const char *getroot, *close;
    } cases[] = {
        {{{.answers = {THREADS GOODBYE_5}, .hangs_up = true}, {.answers = {THREADS ANSWER_5}}},
         RPYC_GENERATION_5,
         GETROOT_5,
         CLOSE_5},
        {{{.answers = {THREADS GOODBYE_6}}, {.answers = {THREADS ANSWER_6}}},
         RPYC_GENERATION_6,
         GETROOT_6,
         CLOSE_6},
    };
    char heard[512], threads[33];
    size_t i;

    snprintf(threads, sizeof(threads), "%016lx%016x", (unsigned long)pthread_self(), 0);
    for (i = 0; i < 2; i++) {
        snprintf(heard, sizeof(heard), "[%s%s][%s%s %s%s end]", GETROOT_6 " ",
                 cases[i].acts[0].hangs_up ? "" : "end", threads, cases[i].getroot, threads,
                 cases[i].close);
        assert_connects(cases[i].acts, 2, RPYC_GENERATION_AUTO, cases[i].generation, heard);
    }
}

TEST(a_symmetric_server_of_generation_6_asks_first)
{
    const struct act acts[] = {{.greeting = GETROOT_6, .answers = {"", ANSWER_6}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " 021150" SERVICE " " CLOSE_6 " end]");
}

TEST(a_symmetric_server_of_generation_5_asks_first)
{
    const struct act acts[] = {{.greeting = GETROOT_5, .answers = {""}, .hangs_up = true},
                               {.greeting = GETROOT_5, .answers = {"", ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " ][" GETROOT_5 " 125250" SERVICE " " CLOSE_5 " end]");
}

/* The server's first request shows its envelope. It gets no reply in another one. */
TEST(a_symmetric_server_of_another_kind_is_hung_up_on)
{
    const struct act five[] = {{.greeting = GETROOT_5}, {.answers = {ANSWER_5}}};
    const struct act bound[] = {{.greeting = THREADS GETROOT_6}, {.answers = {THREADS ANSWER_6}}};
    char heard[512], threads[33];

    assert_connects(ACTS(five), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " end][" GETROOT_5 " " CLOSE_5 " end]");
    snprintf(threads, sizeof(threads), "%016lx%016x", (unsigned long)pthread_self(), 0);
    snprintf(heard, sizeof(heard), "[%s end][%s%s %s%s end]", GETROOT_6, threads, GETROOT_6,
             threads, CLOSE_6);
    assert_connects(ACTS(bound), RPYC_GENERATION_AUTO, RPYC_GENERATION_6, heard);
}

TEST(a_symmetric_server_of_a_given_generation_is_answered)
{
    const struct act acts[] = {{.greeting = GETROOT_5, .answers = {"", ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_5, RPYC_GENERATION_5,
                    "[" GETROOT_5 " 125250" SERVICE " " CLOSE_5 " end]");
}

TEST(a_generation_that_is_given_is_not_guessed)
{
    const struct act five[] = {{.answers = {ANSWER_5}}};
    const struct act six[] = {{.answers = {ANSWER_6}}};

    assert_connects(ACTS(five), RPYC_GENERATION_5, RPYC_GENERATION_5,
                    "[" GETROOT_5 " " CLOSE_5 " end]");
    assert_connects(ACTS(six), RPYC_GENERATION_6, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end]");
}

TEST(a_generation_that_is_given_wrongly_is_an_error)
{
    const struct act five[] = {{.answers = {GOODBYE_5}, .hangs_up = true}};
    const struct act six[] = {{.answers = {GOODBYE_6}}};

    assert_connects_not(ACTS(five), 0, RPYC_GENERATION_6, RPYC_EPROTOCOL,
                        "the peer uses the protocol of rpyc 5, expected rpyc 6",
                        "[" GETROOT_6 " ]");
    assert_connects_not(ACTS(six), 0, RPYC_GENERATION_5, RPYC_EPROTOCOL,
                        "the peer uses the protocol of rpyc 6, expected rpyc 5",
                        "[" GETROOT_5 " end]");
}
