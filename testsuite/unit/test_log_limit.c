/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "log_limit.h"

#define WARNING 30
#define ERROR   40
#define MINUTE  PS_LOG_PERIOD_MS

static struct ps_source address(const char *text)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = 5};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return ps_source_of_address((struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return ps_source_of_address((struct sockaddr *)&in6);
}

/* Returns true if a line from this source is logged at this time. Then checks the text that is
 * logged. */
static bool admits_as(struct ps_log_limit *limit, struct ps_source source, const char *line,
                      int64_t now, const char *logged)
{
    char text[PS_LOG_LINE_SIZE];

    snprintf(text, sizeof(text), "%s", line);
    if (!ps_log_limit_admits(limit, &source, WARNING, 1, text, now))
        return false;
    assert_string_equal(text, logged);
    return true;
}

static bool admits(struct ps_log_limit *limit, struct ps_source source, const char *line,
                   int64_t now)
{
    return admits_as(limit, source, line, now, line);
}

/* Takes a count that must be logged, and checks its text and level. */
static void assert_taken(struct ps_log_limit *limit, bool at_once, int64_t now, int level,
                         const char *logged)
{
    char text[PS_LOG_LINE_SIZE];
    int taken_level;

    assert_true(ps_log_limit_take(limit, at_once, now, &taken_level, text));
    assert_string_equal(text, logged);
    assert_int_equal(taken_level, level);
}

static void assert_none_to_take(struct ps_log_limit *limit, bool at_once, int64_t now)
{
    char text[PS_LOG_LINE_SIZE];
    int level;

    assert_false(ps_log_limit_take(limit, at_once, now, &level, text));
}

TEST(a_line_is_logged_once_in_a_minute_and_then_with_a_count)
{
    struct ps_source user = ps_source_of_user(5001);
    struct ps_log_limit limit = {0};

    assert_true(admits(&limit, user, "refused", 1000));
    assert_false(admits(&limit, user, "refused", 1000));
    assert_false(admits(&limit, user, "refused", 1000 + MINUTE - 1));
    assert_true(admits_as(&limit, user, "refused", 1000 + MINUTE, "refused (3 times in 60 s)"));
    assert_false(admits(&limit, user, "refused", 1000 + MINUTE + 1));
    assert_true(
        admits_as(&limit, user, "refused", 1000 + 3 * MINUTE, "refused (2 times in 120 s)"));
}

TEST(a_line_that_is_repeated_after_a_minute_has_no_count)
{
    struct ps_source user = ps_source_of_user(5001);
    struct ps_log_limit limit = {0};

    for (int64_t now = 0; now < 5 * MINUTE; now += MINUTE)
        assert_true(admits(&limit, user, "refused", now));
    assert_none_to_take(&limit, true, 6 * MINUTE);
}

TEST(the_count_of_a_line_that_is_not_repeated_is_logged_after_a_minute)
{
    struct ps_source user = ps_source_of_user(5001);
    struct ps_log_limit limit = {0};

    for (int i = 0; i < 5; i++)
        admits(&limit, user, "refused", 0);
    assert_none_to_take(&limit, false, MINUTE - 1);
    assert_taken(&limit, false, MINUTE, WARNING, "refused (4 times in 60 s)");
    assert_none_to_take(&limit, true, MINUTE);
    assert_true(admits(&limit, user, "refused", MINUTE));
}

TEST(at_the_end_all_counts_are_logged)
{
    struct ps_log_limit limit = {0};
    char text[PS_LOG_LINE_SIZE] = "one";
    struct ps_source user = ps_source_of_user(1);

    for (int i = 0; i < 3; i++)
        ps_log_limit_admits(&limit, &user, ERROR, 1, text, 0);
    for (int i = 0; i < 2; i++)
        admits(&limit, user, "two", 500);
    assert_taken(&limit, true, 1500, ERROR, "one (2 times in 1 s)");
    assert_taken(&limit, true, 1500, WARNING, "two (1 times in 1 s)");
    assert_none_to_take(&limit, true, 1500);
}

TEST(each_source_and_each_line_has_a_count_of_its_own)
{
    struct ps_log_limit limit = {0};

    assert_true(admits(&limit, ps_source_of_user(1), "refused", 0));
    assert_true(admits(&limit, ps_source_of_user(2), "refused", 0));
    assert_true(admits(&limit, (struct ps_source){0}, "refused", 0));
    assert_true(admits(&limit, address("127.0.0.1"), "refused", 0));
    assert_true(admits(&limit, ps_source_of_user(1), "hung up on", 0));
    assert_false(admits(&limit, ps_source_of_user(1), "refused", 1));
    assert_false(admits(&limit, ps_source_of_user(2), "refused", 1));
    assert_false(admits(&limit, (struct ps_source){0}, "refused", 1));
    assert_false(admits(&limit, address("127.0.0.1"), "refused", 1));
    assert_false(admits(&limit, ps_source_of_user(1), "hung up on", 1));
}

TEST(lines_that_differ_only_in_numbers_are_counted_together)
{
    struct ps_source user = ps_source_of_user(1);
    struct ps_log_limit limit = {0};

    assert_true(admits(&limit, user, "client 7 was hung up on: a frame of 500 bytes", 0));
    assert_false(admits(&limit, user, "client 18 was hung up on: a frame of 6000 bytes", 1));
    assert_true(admits(&limit, user, "client 19 was hung up on: not a frame", 1));
}

TEST(an_address_counts_without_its_port_and_without_the_last_64_bits_of_ipv6)
{
    struct ps_log_limit limit = {0};

    assert_true(admits(&limit, address("192.0.2.1"), "refused", 0));
    assert_true(admits(&limit, address("192.0.2.2"), "refused", 0));
    assert_false(admits(&limit, address("192.0.2.1"), "refused", 0));
    assert_true(admits(&limit, address("2001:db8:1::1"), "refused", 0));
    assert_false(admits(&limit, address("2001:db8:1::2"), "refused", 0));
    assert_true(admits(&limit, address("2001:db8:1:1::1"), "refused", 0));
    assert_true(admits(&limit, address("::ffff:192.0.2.1"), "refused", 0));
    assert_true(admits(&limit, address("::ffff:192.0.2.2"), "refused", 0));
}

TEST(the_number_of_lines_of_many_addresses_is_limited)
{
    struct ps_log_limit limit = {0};
    size_t logged = 0;
    char text[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "192.0.%d.%d", i / 250, i % 250);
        logged += admits(&limit, address(text), "refused", i);
    }
    assert_int_equal(logged, PS_LOG_KINDS);
    assert_none_to_take(&limit, false, MINUTE + PS_LOG_KINDS - 1);
    assert_taken(&limit, false, MINUTE + PS_LOG_KINDS, WARNING,
                 "more lines about clients were not logged (940 times in 60 s)");
    assert_none_to_take(&limit, true, MINUTE + PS_LOG_KINDS);
}

TEST(new_lines_are_logged_again_after_a_minute)
{
    struct ps_log_limit limit = {0};
    char text[32];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PS_LOG_KINDS; i++) {
            snprintf(text, sizeof(text), "10.%d.0.%d", round, i);
            assert_true(admits(&limit, address(text), "refused", round * MINUTE));
        }
        assert_false(admits(&limit, address("192.0.2.1"), "refused", round * MINUTE));
    }
}

TEST(an_entry_with_a_count_is_not_replaced_before_the_count_is_taken)
{
    struct ps_source user = ps_source_of_user(5001);
    struct ps_log_limit limit = {0};
    char text[32];

    for (int i = 0; i < 9; i++)
        admits(&limit, user, "refused", 0);
    for (int i = 0; i < PS_LOG_KINDS; i++) {
        snprintf(text, sizeof(text), "10.0.0.%d", i);
        admits(&limit, address(text), "refused", 2 * MINUTE);
    }
    assert_taken(&limit, false, 2 * MINUTE, WARNING, "refused (8 times in 120 s)");
}

TEST(one_source_cannot_use_all_entries)
{
    struct ps_log_limit limit = {0};
    char text[PS_LOG_LINE_SIZE];
    size_t logged = 0;

    for (int i = 0; i < 26; i++) {
        snprintf(text, sizeof(text), "refused: %c", 'a' + i);
        logged += admits(&limit, address("192.0.2.1"), text, 0);
    }
    assert_int_equal(logged, PS_LOG_KINDS_OF_ONE);
    assert_true(admits(&limit, address("192.0.2.2"), "refused: z", 0));
}

TEST(a_burst_of_lines_is_logged_before_counting_begins)
{
    struct ps_source user = ps_source_of_user(1);
    struct ps_log_limit limit = {0};
    char text[PS_LOG_LINE_SIZE];
    size_t logged = 0;

    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof(text), "client %d: connected", i);
        logged += ps_log_limit_admits(&limit, &user, 20, 20, text, i);
    }
    assert_int_equal(logged, 20);
    assert_taken(&limit, true, 2000, 20, "client 0: connected (30 times in 2 s)");
}

TEST(a_long_line_is_cut_off_to_append_the_count)
{
    struct ps_source user = ps_source_of_user(1);
    struct ps_log_limit limit = {0};
    char text[PS_LOG_LINE_SIZE], taken[PS_LOG_LINE_SIZE];
    const char *count = " (2 times in 60 s)";
    int level;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 3; i++)
        ps_log_limit_admits(&limit, &user, WARNING, 1, text, 0);
    assert_true(ps_log_limit_take(&limit, false, MINUTE, &level, taken));
    assert_int_equal(strlen(taken), PS_LOG_LINE_SIZE - 1);
    assert_string_equal(taken + strlen(taken) - strlen(count), count);
}

TEST(lines_that_could_not_be_logged_are_counted)
{
    struct ps_log_limit limit = {0};

    ps_log_limit_left_out(&limit, WARNING, 0);
    ps_log_limit_left_out(&limit, ERROR, 10);
    ps_log_limit_left_out(&limit, WARNING, 20);
    assert_taken(&limit, true, 3000, ERROR,
                 "more lines about clients were not logged (3 times in 3 s)");
}
