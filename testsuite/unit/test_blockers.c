/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The thread for which others wait, if there is no deadlock.
 */
#include "waiting.h"

#include "diagnosis/blocker_finding.h"
#include "diagnosis/diagnose.h"
#include "schema.h"

TEST(the_thread_for_which_others_wait_is_named)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "writer", "db.lock", 28);
    wait_for(&w, "reader", "db.lock", 12);
    assert_findings(&w, "reader apparently waits for writer (bank.py:1)\n"
                        "  reader (bank.py:12) waits for Lock db.lock, apparently held by writer "
                        "since bank.py:28\n");
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_SEEN);
    assert_true(is_text(w.p->findings.items[0].members.items[0], "thread:reader"));
    assert_true(is_text(w.p->findings.items[0].evidence.items[0], "thread:writer"));
}

TEST(those_that_wait_through_others_are_counted)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "writer", "db.lock", 28);
    wait_for(&w, "reader", "db.lock", 12);
    wait_for(&w, "MainThread", "thread:reader", 40);
    wait_for(&w, "writer", "queue", 30)->kind = literal("queue-get");
    wait_for(&w, "idle", "queue", 50);
    assert_findings(&w, "2 threads apparently wait for writer (bank.py:30), which waits for an "
                        "item in Queue queue\n"
                        "  reader (bank.py:12) waits for Lock db.lock, apparently held by writer "
                        "since bank.py:28\n"
                        "  MainThread (bank.py:40) waits for the end of thread reader\n");
}

TEST(the_blocker_with_the_most_waiters_comes_first)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "a", "x", 1);
    hold(&w, "b", "y", 1);
    wait_for(&w, "c", "x", 2);
    wait_for(&w, "d", "y", 2);
    wait_for(&w, "e", "y", 2);
    conclude(&w);
    assert_int_equal(w.p->findings.count, 2);
    assert_int_equal(w.p->findings.items[0].members.count, 2);
    assert_true(is_text(w.p->findings.items[0].evidence.items[0], "thread:b"));
    assert_true(is_text(w.p->findings.items[1].evidence.items[0], "thread:a"));
}

TEST(a_thread_is_only_perhaps_a_blocker_by_a_guess)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "writer", "db.lock", 28)->certainty = CERTAINTY_LIKELY;
    wait_for(&w, "reader", "db.lock", 12);
    assert_findings(&w, "");
    object_of(&w, "db.lock")->holder_status = HOLDER_NOT_KNOWN;
    conclude(&w);
    assert_findings(&w, "reader perhaps waits for writer (bank.py:1)\n"
                        "  reader (bank.py:12) waits for Lock db.lock, perhaps held by writer "
                        "since bank.py:28\n");
    assert_true(is_text(w.p->findings.items[0].kind, FINDING_PERHAPS_BLOCKER));
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_LIKELY);
}

TEST(a_wait_with_a_timeout_has_a_blocker)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "writer", "db.lock", 28);
    wait_for(&w, "reader", "db.lock", 12)->timed = BOOL_TRUE;
    wait_for(&w, "MainThread", "thread:reader", 40);
    assert_findings(&w, "MainThread apparently waits for reader (bank.py:12), which waits for Lock "
                        "db.lock, with a timeout\n"
                        "  MainThread (bank.py:40) waits for the end of thread reader\n"
                        "reader apparently waits for writer (bank.py:1)\n"
                        "  reader (bank.py:12) waits for Lock db.lock, apparently held by writer "
                        "since bank.py:28, with a timeout\n");
    assert_true(is_text(w.p->findings.items[1].kind, FINDING_PERHAPS_BLOCKER));
}

TEST(who_waits_for_a_deadlock_is_in_no_other_finding)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "a", "x", 1);
    hold(&w, "b", "y", 1);
    wait_for(&w, "a", "y", 2);
    wait_for(&w, "b", "x", 2);
    wait_for(&w, "c", "x", 2);
    conclude(&w);
    assert_int_equal(w.p->findings.count, 1);
    assert_true(is_text(w.p->findings.items[0].kind, "deadlock"));
}

TEST(a_blocker_that_has_the_gil_is_said_to)
{
    struct report_gil gil = {.state = GIL_HELD, .holder = literal("thread:writer")};
    AUTO_WAITING w = waiting_make();

    w.p->gil = &gil;
    hold(&w, "writer", "db.lock", 28);
    wait_for(&w, "reader", "db.lock", 12);
    thread_of(&w, "writer")->syscall = NULL;
    conclude(&w);
    assert_true(text_begins(diagnose_find(w.p, FINDING_BLOCKER)->text,
                            "reader apparently waits for writer (bank.py:1), which has the GIL"));
}

TEST(a_blocker_is_as_certain_as_its_least_certain_waiter)
{
    static const struct {
        int hold, first, second, certainty;
    } table[] = {
        {CERTAINTY_KNOWN, CERTAINTY_KNOWN, CERTAINTY_KNOWN, CERTAINTY_KNOWN},
        {CERTAINTY_KNOWN, CERTAINTY_KNOWN, CERTAINTY_SEEN, CERTAINTY_SEEN},
        {CERTAINTY_KNOWN, CERTAINTY_SEEN, CERTAINTY_KNOWN, CERTAINTY_SEEN},
        {CERTAINTY_SEEN, CERTAINTY_KNOWN, CERTAINTY_KNOWN, CERTAINTY_SEEN},
    };
    AUTO_WAITING w = waiting_make();
    size_t i;

    hold(&w, "writer", "x", 3);
    wait_for(&w, "a", "x", 5);
    wait_for(&w, "b", "x", 5);
    for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
        thread_of(&w, "writer")->holds.items[0].certainty = table[i].hold;
        thread_of(&w, "a")->waits->certainty = table[i].first;
        thread_of(&w, "b")->waits->certainty = table[i].second;
        conclude(&w);
        assert_int_equal(w.p->findings.items[0].certainty, table[i].certainty);
    }
}

TEST(a_guess_makes_the_blocker_of_all_waiters_a_guess)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "writer", "x", 3)->certainty = CERTAINTY_LIKELY;
    object_of(&w, "x")->holder_status = HOLDER_NOT_KNOWN;
    hold(&w, "writer", "y", 4);
    wait_for(&w, "a", "x", 5);
    wait_for(&w, "b", "y", 5)->timed = BOOL_TRUE;
    conclude(&w);
    assert_int_equal(w.p->findings.items[0].members.count, 2);
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_LIKELY);
}
