/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads with equal stacks, and lists of their names.
 */
#include "reports.h"

#include "name_runs.h"
#include "schema.h"
#include "stack_groups.h"

#define ASSERT_NAMES(wanted, ...)                                                                  \
    do {                                                                                           \
        static const char *const given[] = {__VA_ARGS__};                                          \
        assert_names(wanted, given, sizeof(given) / sizeof(*given));                               \
    } while (0)

static void assert_names(const char *wanted, const char *const *given, size_t count)
{
    AUTO_BUFFER text = BUFFER_INIT;
    struct report_text names[40];
    size_t i;

    for (i = 0; i < count; i++)
        names[i] = literal(given[i]);
    name_runs_put(&text, names, count);
    buffer_put_u8(&text, 0);
    assert_string_equal((const char *)text.data, wanted);
}

TEST(names_with_consecutive_numbers_are_a_run)
{
    ASSERT_NAMES("worker-0 ... worker-3", "worker-3", "worker-1", "worker-0", "worker-2");
    ASSERT_NAMES("w8 ... w11", "w10", "w8", "w11", "w9");
    ASSERT_NAMES("w08 ... w11", "w10", "w08", "w11", "w09");
    ASSERT_NAMES("Thread-1 (f2) ... Thread-3 (f2)", "Thread-1 (f2)", "Thread-2 (f2)",
                 "Thread-3 (f2)");
    ASSERT_NAMES("pool-0_0 ... pool-0_2, pool-1_0", "pool-0_0", "pool-0_1", "pool-0_2", "pool-1_0");
}

TEST(other_names_are_no_run)
{
    ASSERT_NAMES("a", "a");
    ASSERT_NAMES("a1, a2", "a1", "a2");
    ASSERT_NAMES("a, a, a", "a", "a", "a");
    ASSERT_NAMES("a1, a3, a5", "a5", "a3", "a1");
    ASSERT_NAMES("a1b1, a2b2, a3b3", "a1b1", "a2b2", "a3b3");
    ASSERT_NAMES("a1b1, a2b1, a2b2", "a1b1", "a2b1", "a2b2");
    ASSERT_NAMES("1a, 1b, 1c", "1a", "1b", "1c");
    ASSERT_NAMES("1000000000000000000000, 1000000000000000000001, 1000000000000000000002",
                 "1000000000000000000001", "1000000000000000000002", "1000000000000000000000");
    ASSERT_NAMES(", a", "a", "");
}

TEST(of_many_names_the_first_ones_are_shown)
{
    ASSERT_NAMES("a, b, c, d, e, f, g, h, i, j1 ... j3 and 1 other", "a", "b", "c", "d", "e", "f",
                 "g", "h", "i", "j1", "j2", "j3", "k");
    ASSERT_NAMES("a, b, c, d, e, f, g, h, i, j and 2 others", "a", "b", "c", "d", "e", "f", "g",
                 "h", "i", "j", "k", "l");
}

/* Makes threads from the letters of their functions: "aab" are three threads. '?': unknown frames.
 * '!': the stack is "a", and not exact. */
static struct report_process *make(struct report *r, const char *letters)
{
    struct report_process *p = report_add_process(r);
    size_t i;

    p->threads.count = strlen(letters);
    p->threads.items = schema_make(&r->arena, &schema_thread, p->threads.count);
    for (i = 0; i < p->threads.count; i++) {
        struct report_thread *t = &p->threads.items[i];

        if (letters[i] == '?')
            continue;
        t->exact = letters[i] == '!' ? BOOL_FALSE : BOOL_TRUE;
        t->frames.items = schema_make(&r->arena, &schema_frame, 1);
        t->frames.count = 1;
        t->frames.items[0].function =
            letters[i] == '!' ? literal("a") : (struct report_text){&letters[i], 1};
    }
    return p;
}

/* Checks the groups, written as "1 [0 2]": the thread 1, then the threads 0 and 2 together. */
static void assert_groups(const char *letters, const char *wanted)
{
    AUTO_REPORT r;
    AUTO_BUFFER text = BUFFER_INIT;
    struct stack_groups groups;
    char number[24];
    size_t i, k;

    report_init(&r, 0);
    assert_true(stack_groups_make(&groups, make(&r, letters)));
    for (i = 0; i < groups.count; i++) {
        bool large = groups.items[i].count > 1;

        buffer_put(&text, large ? "[" : "", large);
        for (k = 0; k < groups.items[i].count; k++)
            buffer_put(&text, number,
                       (size_t)snprintf(number, sizeof(number), "%zu ",
                                        groups.threads[groups.items[i].first + k]));
        buffer_put(&text, large ? "] " : "", large ? 2 : 0);
    }
    buffer_put_u8(&text, 0);
    assert_string_equal((const char *)text.data, wanted);
    stack_groups_free(&groups);
}

TEST(from_five_equal_stacks_on_they_are_a_group)
{
    assert_groups("aaaa", "0 1 2 3 ");
    assert_groups("aaaaa", "[0 1 2 3 4 ] ");
    assert_groups("baaacaa", "0 4 [1 2 3 5 6 ] ");
    assert_groups("aaaaaabbbbb", "[6 7 8 9 10 ] [0 1 2 3 4 5 ] ");
    assert_groups("cbbbbbbaaaaad", "0 12 [7 8 9 10 11 ] [1 2 3 4 5 6 ] ");
    assert_groups("", "");
}

TEST(stacks_that_are_not_known_or_not_exact_are_in_no_group)
{
    assert_groups("?????", "0 1 2 3 4 ");
    assert_groups("a!a!a!a!a!", "1 3 5 7 9 [0 2 4 6 8 ] ");
}
