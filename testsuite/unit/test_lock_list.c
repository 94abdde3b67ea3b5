/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The list of locks: names, holders, waiters, and the order.
 */
#include "waiting.h"

#include "diagnosis/lock_list.h"

/* Checks the list: each title, and its lines behind two spaces. */
static void assert_list(struct waiting *w, const char *wanted)
{
    AUTO_BUFFER text = BUFFER_INIT;
    lock_list list;
    size_t i, k;

    conclude(w);
    assert_true(lock_list_make(&w->r, w->p, &list));
    for (i = 0; i < list.count; i++) {
        const struct lock_entry *entry = &list.items[i];

        buffer_put(&text, entry->title.data, entry->title.len);
        buffer_put(&text, "\n", 1);
        for (k = 0; k < entry->lines.count; k++) {
            buffer_put(&text, "  ", 2);
            buffer_put(&text, entry->lines.items[k].data, entry->lines.items[k].len);
            buffer_put(&text, "\n", 1);
        }
    }
    buffer_put(&text, "", 1);
    assert_string_equal(text.data, wanted);
}

TEST(each_lock_has_its_holder_and_its_waiters)
{
    AUTO_WAITING w = waiting_make();

    assert_list(&w, "");
    hold(&w, "b", "x", 7);
    wait_for(&w, "a", "x", 9);
    hold(&w, "a", "free", 3);
    assert_list(&w, "Lock x at x\n"
                    "  apparently held by b since bank.py:7\n"
                    "  a (bank.py:9) waits for it\n"
                    "Lock free at free\n"
                    "  apparently held by a since bank.py:3\n");
}

TEST(a_lock_of_a_deadlock_is_held_for_certain)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "a", "x", 7);
    wait_for(&w, "a", "y", 9)->words = literal("self.y");
    hold(&w, "b", "y", 7);
    wait_for(&w, "b", "x", 9);
    assert_list(&w, "Lock x at x\n"
                    "  held by a since bank.py:7\n"
                    "  b (bank.py:9) waits for it\n"
                    "Lock y at y\n"
                    "  held by b since bank.py:7\n"
                    "  a (bank.py:9) waits for it (self.y)\n");
}

TEST(the_words_depend_on_the_kind_of_the_object)
{
    AUTO_WAITING w = waiting_make();

    wait_for(&w, "a", "q", 9)->kind = literal("queue-put");
    wait_for(&w, "b", "q", 8)->kind = literal("queue-get");
    object_of(&w, "q")->kind = literal("queue");
    object_of(&w, "q")->type = literal("queue.Queue");
    object_of(&w, "q")->words = literal(NULL);
    thread_of(&w, "b")->waits->timed = BOOL_TRUE;
    thread_of(&w, "b")->waits->certainty = CERTAINTY_LIKELY;
    assert_list(&w, "a Queue at q\n"
                    "  a (bank.py:9) waits for room in it\n"
                    "  b (bank.py:8) perhaps waits for an item in it; the wait has a timeout\n");
}

TEST(what_is_not_known_about_a_holder_is_said)
{
    AUTO_WAITING w = waiting_make();

    wait_for(&w, "a", "x", 9);
    wait_for(&w, "b", "y", 9);
    object_of(&w, "y")->holder_status = HOLDER_FREE;
    wait_for(&w, "c", "z", 9);
    hold(&w, "d", "z", 1);
    hold(&w, "e", "z", 1);
    assert_list(&w, "Lock x at x\n"
                    "  holder not known\n"
                    "  a (bank.py:9) waits for it\n"
                    "Lock y at y\n"
                    "  free now\n"
                    "  b (bank.py:9) waits for it\n"
                    "Lock z at z\n"
                    "  perhaps held by one of d and e\n"
                    "  c (bank.py:9) waits for it\n");
}

TEST(many_waiters_are_counted_and_come_first)
{
    static const char *const names[] = {"b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    AUTO_WAITING w = waiting_make();
    size_t i;

    wait_for(&w, "a", "x", 9);
    for (i = 0; i < 11; i++)
        wait_for(&w, names[i], "y", 9);
    assert_list(&w, "Lock y at y\n"
                    "  holder not known\n"
                    "  b (bank.py:9) waits for it\n"
                    "  c (bank.py:9) waits for it\n"
                    "  d (bank.py:9) waits for it\n"
                    "  e (bank.py:9) waits for it\n"
                    "  f (bank.py:9) waits for it\n"
                    "  g (bank.py:9) waits for it\n"
                    "  h (bank.py:9) waits for it\n"
                    "  i (bank.py:9) waits for it\n"
                    "  j (bank.py:9) waits for it\n"
                    "  k (bank.py:9) waits for it\n"
                    "  and 1 other\n"
                    "Lock x at x\n"
                    "  holder not known\n"
                    "  a (bank.py:9) waits for it\n");
}
