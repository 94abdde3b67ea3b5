/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stacks of many threads as one tree.
 */
#include "reports.h"

#include "json.h"
#include "merge.h"
#include "schema.h"

/* Adds threads whose stacks are given as the letters of their functions: "abc" is a calling b
 * calling c. NULL: the frames are unknown. */
static struct report_process *stacks(struct report *r, const char *const *names, size_t count)
{
    struct report_process *process = report_add_process(r);
    struct report_thread *t;
    size_t i, j;

    process->threads.items = schema_make(&r->arena, &schema_thread, count);
    process->threads.count = count;
    for (i = 0; i < count; i++) {
        t = &process->threads.items[i];
        if (!names[i])
            continue;
        t->frames.count = strlen(names[i]);
        t->frames.items = schema_make(&r->arena, &schema_frame, t->frames.count);
        for (j = 0; j < t->frames.count; j++) {
            t->frames.items[j].file = literal("file.py");
            t->frames.items[j].line = 7;
            t->frames.items[j].function = (struct report_text){&names[i][j], 1};
        }
    }
    return process;
}

/* Writes a tree as "abc*2[0,3](d*1[1])". */
static void put_tree(struct buffer *out, const struct report_merged *node, size_t count)
{
    char text[32];
    size_t i;

    for (; count > 0; node++, count--) {
        for (i = 0; i < node->frames.count; i++)
            buffer_put(out, node->frames.items[i].function.data, 1);
        buffer_put(
            out, text,
            (size_t)snprintf(text, sizeof(text), "*%d[%s]", (int)node->count, node->members.data));
        if (node->children.count == 0)
            continue;
        buffer_put_u8(out, '(');
        put_tree(out, node->children.items, node->children.count);
        buffer_put_u8(out, ')');
    }
}

#define ASSERT_TREE(wanted, ...)                                                                   \
    do {                                                                                           \
        static const char *const names[] = {__VA_ARGS__};                                          \
        AUTO_REPORT r;                                                                             \
        AUTO_BUFFER text = BUFFER_INIT;                                                            \
        struct report_process *p;                                                                  \
                                                                                                   \
        report_init(&r, 0);                                                                        \
        p = stacks(&r, names, sizeof(names) / sizeof(*names));                                     \
        assert_true(report_merge(&r, p));                                                          \
        put_tree(&text, p->merged.items, p->merged.count);                                         \
        buffer_put_u8(&text, 0);                                                                   \
        assert_string_equal((char *)text.data, wanted);                                            \
    } while (0)

TEST(equal_stacks_are_one_node)
{
    ASSERT_TREE("abc*3[0-2]", "abc", "abc", "abc");
}

TEST(stacks_share_their_outer_calls)
{
    ASSERT_TREE("ab*4[0-3](c*1[2]d*3[0-1,3])", "abd", "abd", "abc", "abd");
}

TEST(a_thread_may_end_where_others_go_on)
{
    ASSERT_TREE("ab*3[0-2](cd*2[0,2](e*1[2]))", "abcd", "ab", "abcde");
}

TEST(the_calls_of_few_threads_come_first)
{
    ASSERT_TREE("c*1[3]a*2[0,4]b*3[1-2,5]", "a", "b", "b", "c", "a", "b");
}

TEST(threads_without_known_frames_are_in_no_tree)
{
    ASSERT_TREE("a*1[1]", NULL, "a", "");
}

TEST(a_tree_of_no_threads_is_empty_and_not_unknown)
{
    AUTO_REPORT r;
    struct report_process *p;

    report_init(&r, 0);
    p = report_add_process(&r);
    assert_true(report_merge(&r, p));
    assert_null(p->merged.items); /* the threads are unknown */
    p = stacks(&r, NULL, 0);
    assert_true(report_merge(&r, p));
    assert_non_null(p->merged.items);
    assert_int_equal(p->merged.count, 0);
}

TEST(equal_stacks_have_equal_hashes_and_others_do_not)
{
    static const char *const names[] = {"ab", "ab", "ba", "abc", NULL, ""};
    AUTO_REPORT r;
    struct report_process *p;
    struct report_thread *t;
    size_t i, j;

    report_init(&r, 0);
    p = stacks(&r, names, 6);
    assert_true(report_merge(&r, p));
    t = p->threads.items;
    assert_true(is_text(t[0].stack, t[1].stack.data));
    for (i = 1; i < 6; i++) {
        for (j = i + 1; j < 6; j++)
            assert_false(t[i].stack.data && t[j].stack.data &&
                         is_text(t[i].stack, t[j].stack.data));
    }
    assert_null(t[4].stack.data);
    assert_int_equal(t[0].stack.len, 16);
}

TEST(stacks_differ_in_file_line_and_function)
{
    static const char *const names[] = {"a", "a", "a", "a"};
    AUTO_REPORT r;
    struct report_process *p;

    report_init(&r, 0);
    p = stacks(&r, names, 4);
    p->threads.items[1].frames.items[0].line = 8;
    p->threads.items[2].frames.items[0].file = literal("file.pyc");
    assert_true(report_merge(&r, p));
    assert_int_equal(p->merged.count, 3);
    assert_true(is_text(p->merged.items[2].members, "0,3"));
}

/* A stack may have 50,000 frames: neither the tree nor its JSON may nest that deep. */
TEST(a_deep_stack_is_one_node)
{
    enum { DEPTH = 50000 };
    AUTO_REPORT r;
    AUTO_BUFFER text = BUFFER_INIT;
    AUTO_BYTES one = {malloc(DEPTH + 1), DEPTH + 1}, two = {malloc(DEPTH + 2), DEPTH + 2};
    char *deep = (char *)one.data, *deeper = (char *)two.data;
    const char *names[] = {deep, deeper};
    struct report_process *p;

    memset(deep, 'f', DEPTH);
    deep[DEPTH] = 0;
    memset(deeper, 'f', DEPTH + 1);
    deeper[DEPTH + 1] = 0;
    report_init(&r, 0);
    p = stacks(&r, names, 2);
    assert_true(report_merge(&r, p));
    assert_int_equal(p->merged.count, 1);
    assert_int_equal(p->merged.items[0].frames.count, DEPTH);
    assert_int_equal(p->merged.items[0].children.count, 1);
    p->threads.count = 0; /* lists, which take long to write */
    report_write_json(&text, p);
    assert_false(text.failed);
}

TEST(merging_without_memory_fails_and_says_so)
{
    static const char *const names[] = {"abcd", "abef", "abeg"};
    AUTO_REPORT r;
    struct report_process *p;
    size_t limit;
    bool done = false;

    for (limit = 0; !done; limit += 16) { /* a multiple of the arena's alignment */
        report_init(&r, 0);
        p = stacks(&r, names, 3);
        r.arena.max = r.arena.taken;
        r.arena.free = limit;
        done = report_merge(&r, p);
        if (!done)
            assert_null(p->merged.items);
        report_free(&r);
    }
    assert_true(limit > 100);
}
