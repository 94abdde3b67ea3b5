/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Deadlocks, and what looks like one and is none.
 */
#include "waiting.h"

#include "diagnosis/cycles.h"
#include "diagnosis/deadlock_finding.h"
#include "diagnosis/diagnose.h"
#include "schema.h"

/* Two threads, each of which waits for a Lock that the other one has entered. */
static void make_deadlock(struct waiting *w)
{
    *w = waiting_make();
    hold(w, "transfer-0", "src.lock", 7);
    hold(w, "transfer-1", "dst.lock", 7);
    wait_for(w, "transfer-0", "dst.lock", 9);
    wait_for(w, "transfer-1", "src.lock", 9);
}

TEST(two_threads_that_wait_for_each_other_are_a_deadlock)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    wait_for(&w, "MainThread", "thread:transfer-0", 21);
    assert_findings(
        &w,
        "DEADLOCK: transfer-1 -> transfer-0 -> transfer-1\n"
        "  transfer-1 (bank.py:9) waits for Lock src.lock, held by transfer-0 since bank.py:7\n"
        "  transfer-0 (bank.py:9) waits for Lock dst.lock, held by transfer-1 since bank.py:7\n");
    assert_notes(&w, "MainThread",
                 "waits for the end of thread transfer-0, which is in the deadlock above\n");
    assert_notes(&w, "transfer-0",
                 "in the deadlock above: waits for Lock dst.lock, held by transfer-1 since "
                 "bank.py:7\n");
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_SEEN);
    assert_int_equal(w.p->findings.items[0].members.count, 2);
    assert_int_equal(w.p->findings.items[0].evidence.count, 2);
    assert_true(is_text(w.p->findings.items[0].members.items[0], "thread:transfer-0"));
}

TEST(the_words_of_the_waiting_thread_come_first)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    thread_of(&w, "transfer-0")->waits->words = literal("self.other");
    assert_notes(&w, "transfer-0",
                 "in the deadlock above: waits for Lock self.other, held by transfer-1 since "
                 "bank.py:7\n");
}

TEST(a_deadlock_of_owners_is_known)
{
    AUTO_WAITING w;
    size_t i;

    make_deadlock(&w);
    for (i = 0; i < 2; i++) {
        w.p->objects.items[i].kind = literal("rlock");
        w.p->objects.items[i].type = literal("_thread.RLock");
        w.p->objects.items[i].words = literal(NULL);
        w.p->threads.items[i].holds.items[0].certainty = CERTAINTY_KNOWN;
        w.p->threads.items[i].holds.items[0].since = NULL;
        w.p->threads.items[i].waits->certainty = CERTAINTY_KNOWN;
    }
    conclude(&w);
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_KNOWN);
    assert_findings(&w, "DEADLOCK: transfer-1 -> transfer-0 -> transfer-1\n"
                        "  transfer-1 (bank.py:9) waits for an RLock, held by transfer-0\n"
                        "  transfer-0 (bank.py:9) waits for an RLock, held by transfer-1\n");
}

TEST(a_thread_that_waits_for_its_own_lock_is_a_deadlock)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "a", "lock", 3);
    wait_for(&w, "a", "lock", 5);
    wait_for(&w, "b", "lock", 5);
    assert_findings(&w, "DEADLOCK: a waits for a Lock that it holds itself\n"
                        "  a (bank.py:5) waits for Lock lock, held by itself since bank.py:3\n");
    assert_notes(&w, "b",
                 "waits for Lock lock, apparently held by a since bank.py:3, which is in the "
                 "deadlock above\n");
}

TEST(joins_and_locks_together_are_a_deadlock)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "main", "lock", 3);
    wait_for(&w, "main", "thread:worker", 4);
    wait_for(&w, "worker", "lock", 8);
    assert_findings(&w, "DEADLOCK: worker -> main -> worker\n"
                        "  worker (bank.py:8) waits for Lock lock, held by main since bank.py:3\n"
                        "  main (bank.py:4) waits for the end of thread worker\n");
}

TEST(several_deadlocks_are_told_apart)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    hold(&w, "c", "x", 3);
    wait_for(&w, "c", "x", 5);
    wait_for(&w, "d", "x", 6);
    wait_for(&w, "e", "thread:d", 7);
    conclude(&w);
    assert_int_equal(w.p->findings.count, 2);
    assert_notes(&w, "d",
                 "waits for Lock x, apparently held by c since bank.py:3, which is in one of the "
                 "deadlocks above\n");
    assert_notes(&w, "e", "waits for the end of thread d, which can never continue\n");
}

/* ---- No deadlock ----------------------------------------------------------------------------- */

static void assert_no_deadlock(struct waiting *w, const char *what)
{
    conclude(w);
    if (diagnose_find(w->p, "deadlock") || diagnose_find(w->p, "abandoned"))
        fail_msg("called a deadlock: %s", what);
    waiting_free(w);
}

TEST(a_guess_is_no_deadlock)
{
    AUTO_WAITING w;
    struct report_thread *t;

    make_deadlock(&w);
    t = &w.p->threads.items[0];
    t->holds.items[0].certainty = CERTAINTY_LIKELY;
    assert_no_deadlock(&w, "a hold that is likely");
    make_deadlock(&w);
    w.p->threads.items[0].holds.items[0].certainty = 0;
    assert_no_deadlock(&w, "a hold of unknown certainty");
    make_deadlock(&w);
    w.p->threads.items[0].waits->certainty = CERTAINTY_LIKELY;
    assert_no_deadlock(&w, "a wait that is likely");
    make_deadlock(&w);
    w.p->threads.items[0].waits->certainty = 0;
    assert_no_deadlock(&w, "a wait of unknown certainty");
}

TEST(a_wait_with_a_timeout_is_no_deadlock)
{
    struct report_syscall call = {.name = literal("futex")};
    int64_t args[6] = {1, 2, 3, 0x7ffe0000, 0, 0};
    AUTO_WAITING w;

    make_deadlock(&w);
    thread_of(&w, "transfer-1")->waits->timed = BOOL_TRUE;
    assert_notes(&w, "transfer-1",
                 "waits for Lock src.lock, apparently held by transfer-0 since bank.py:7, which "
                 "waits for Lock dst.lock; the wait has a timeout\n");
    call.left_ms = 12000;
    thread_of(&w, "transfer-1")->syscall = &call;
    assert_notes(&w, "transfer-1",
                 "waits for Lock src.lock, apparently held by transfer-0 since bank.py:7, which "
                 "waits for Lock dst.lock; the wait has a timeout, which ends in 12 s\n");
    assert_no_deadlock(&w, "a wait with a timeout");
    make_deadlock(&w);
    call.args.items = args;
    call.args.count = 6;
    thread_of(&w, "transfer-1")->syscall = &call;
    assert_no_deadlock(&w, "futex with a timeout");
    make_deadlock(&w);
    args[3] = 0;
    thread_of(&w, "transfer-1")->syscall = &call;
    conclude(&w);
    assert_non_null(diagnose_find(w.p, "deadlock"));
}

TEST(a_thread_that_runs_is_in_no_deadlock)
{
    struct report_syscall call = {.name = literal("read")};
    AUTO_WAITING w;

    make_deadlock(&w);
    thread_of(&w, "transfer-1")->state = STATE_RUNNING;
    assert_no_deadlock(&w, "a thread that runs");
    make_deadlock(&w);
    thread_of(&w, "transfer-1")->exact = BOOL_FALSE;
    assert_no_deadlock(&w, "a thread that moves");
    make_deadlock(&w);
    thread_of(&w, "transfer-1")->syscall = &call;
    assert_no_deadlock(&w, "a thread in read()");
}

TEST(one_of_two_holders_is_no_deadlock)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    hold(&w, "transfer-2", "src.lock", 7);
    assert_notes(&w, "transfer-1",
                 "waits for Lock src.lock, perhaps held by one of transfer-0 and transfer-2\n");
    assert_no_deadlock(&w, "one of two");
    make_deadlock(&w);
    hold(&w, "transfer-2", "src.lock", 7);
    object_of(&w, "src.lock")->holder_status = HOLDER_KNOWN;
    assert_no_deadlock(&w, "a Lock that two threads hold");
    make_deadlock(&w);
    object_of(&w, "src.lock")->holder_status = HOLDER_NOT_KNOWN;
    assert_notes(&w, "transfer-1",
                 "waits for Lock src.lock, perhaps held by transfer-0 since bank.py:7, which "
                 "waits for Lock dst.lock\n");
    assert_no_deadlock(&w, "a holder that is not known");
    make_deadlock(&w);
    object_of(&w, "src.lock")->holder_status = HOLDER_FREE;
    assert_notes(&w, "transfer-1", "waits for Lock src.lock, which is free now\n");
    assert_no_deadlock(&w, "a lock that is free");
}

TEST(a_cycle_with_a_guess_is_perhaps_a_deadlock)
{
    AUTO_WAITING w;
    const struct report_finding *found;

    make_deadlock(&w);
    object_of(&w, "src.lock")->holder_status = HOLDER_NOT_KNOWN;
    thread_of(&w, "transfer-0")->holds.items[0].certainty = CERTAINTY_LIKELY;
    wait_for(&w, "MainThread", "thread:transfer-0", 21);
    conclude(&w);
    assert_null(diagnose_find(w.p, FINDING_DEADLOCK));
    found = diagnose_find(w.p, FINDING_PERHAPS);
    assert_non_null(found);
    assert_int_equal(found->certainty, CERTAINTY_LIKELY);
    assert_true(
        is_text(found->text,
                "not known whether this is a deadlock: transfer-1 -> transfer-0 -> transfer-1"));
    assert_true(is_text(found->lines.items[0], "transfer-1 (bank.py:9) waits for Lock src.lock, "
                                               "perhaps held by transfer-0 since bank.py:7"));
    assert_true(is_text(found->lines.items[1], "transfer-0 (bank.py:9) waits for Lock dst.lock, "
                                               "apparently held by transfer-1 since bank.py:7"));
    assert_int_equal(found->lines.count, 2);
}

TEST(a_guess_is_no_edge_if_others_may_hold_the_object)
{
    AUTO_WAITING w;
    size_t i;

    for (i = 0; i < 3; i++) {
        make_deadlock(&w);
        object_of(&w, "src.lock")->holder_status = HOLDER_NOT_KNOWN;
        thread_of(&w, "transfer-0")->holds.items[0].certainty = CERTAINTY_LIKELY;
        if (i == 1)
            object_of(&w, "src.lock")->kind = literal("semaphore");
        if (i == 2)
            hold(&w, "transfer-1", "src.lock", 8)->certainty = CERTAINTY_LIKELY;
        conclude(&w);
        assert_int_equal(!diagnose_find(w.p, FINDING_PERHAPS), i > 0);
        waiting_free(&w);
    }
    make_deadlock(&w);
}

/* Threads that wait for a deadlock and for each other are not reported twice. */
TEST(a_cycle_with_a_guess_that_leads_to_a_deadlock_is_not_reported)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    hold(&w, "third", "third.lock", 7)->certainty = CERTAINTY_LIKELY;
    object_of(&w, "third.lock")->holder_status = HOLDER_NOT_KNOWN;
    wait_for(&w, "third", "src.lock", 9);
    wait_for(&w, "fourth", "third.lock", 9);
    conclude(&w);
    assert_non_null(diagnose_find(w.p, FINDING_DEADLOCK));
    assert_null(diagnose_find(w.p, FINDING_PERHAPS));
}

/* Any thread may set an Event, notify a Condition, put into a Queue. */
TEST(what_any_thread_may_release_is_no_deadlock)
{
    static const struct {
        const char *kind, *type, *note;
    } cases[] = {
        {"event", "threading.Event", "waits for Event src.lock to be set\n"},
        {"condition", "threading.Condition", "waits for a notification of Condition src.lock\n"},
        {"barrier", "threading.Barrier", "waits at Barrier src.lock\n"},
        {"queue", "queue.Queue", "waits for Queue src.lock\n"},
        {"semaphore", "threading.Semaphore",
         "waits for Semaphore src.lock, apparently held by transfer-0 since bank.py:7, which waits "
         "for Lock dst.lock\n"},
        {"semlock", "_multiprocessing.SemLock",
         "waits for multiprocessing lock src.lock, apparently held by transfer-0 since bank.py:7, "
         "which waits for Lock dst.lock\n"},
        {"telepathy", "a.b.Mind", "waits for Mind src.lock\n"},
        {"telepathy", NULL, "waits for object src.lock\n"},
    };
    AUTO_WAITING w;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        make_deadlock(&w);
        object_of(&w, "src.lock")->kind = literal(cases[i].kind);
        object_of(&w, "src.lock")->type = literal(cases[i].type);
        thread_of(&w, "transfer-1")->waits->kind = literal(cases[i].kind);
        assert_notes(&w, "transfer-1", cases[i].note);
        assert_no_deadlock(&w, cases[i].kind);
    }
}

TEST(a_semaphore_all_permits_of_which_are_held_is_a_deadlock)
{
    struct report_pair permits = {literal("permits"), literal("1")};
    AUTO_WAITING w;

    make_deadlock(&w);
    object_of(&w, "src.lock")->kind = literal("semaphore");
    object_of(&w, "src.lock")->detail.items = &permits;
    object_of(&w, "src.lock")->detail.count = 1;
    conclude(&w);
    assert_non_null(diagnose_find(w.p, "deadlock"));
    permits.value = literal("2");
    assert_no_deadlock(&w, "a semaphore with a permit that other code has");
}

/* Any process may release a Lock of multiprocessing, but only its owner an RLock. */
TEST(a_multiprocessing_lock_that_was_not_taken_by_a_with_is_no_deadlock)
{
    struct report_pair detail[] = {{literal("permits"), literal("1")},
                                   {literal("other"), literal("yes")}};
    AUTO_WAITING w;
    struct report_hold *hold;

    make_deadlock(&w);
    object_of(&w, "src.lock")->kind = literal("semlock");
    object_of(&w, "src.lock")->detail.items = detail;
    object_of(&w, "src.lock")->detail.count = 2;
    hold = &thread_of(&w, "transfer-0")->holds.items[0];
    hold->by = HOLD_BY_OWNER;
    conclude(&w);
    assert_null(diagnose_find(w.p, FINDING_DEADLOCK));
    assert_non_null(diagnose_find(w.p, FINDING_PERHAPS));
    hold->by = HOLD_BY_WITH;
    conclude(&w);
    assert_non_null(diagnose_find(w.p, FINDING_DEADLOCK));
    hold->by = HOLD_BY_OWNER;
    detail[1].name = literal("recursive");
    conclude(&w);
    assert_non_null(diagnose_find(w.p, FINDING_DEADLOCK));
}

/* An RLock can be taken again; the collector was wrong. */
TEST(a_thread_does_not_wait_for_its_own_rlock)
{
    static const char *const kinds[] = {"rlock", "import", "semlock"};
    struct report_pair one = {literal("permits"), literal("1")};
    AUTO_WAITING w;
    size_t i;

    for (i = 0; i < 3; i++) {
        w = waiting_make();
        hold(&w, "a", "lock", 3);
        wait_for(&w, "a", "lock", 5);
        object_of(&w, "lock")->kind = literal(kinds[i]);
        object_of(&w, "lock")->detail.items = &one;
        object_of(&w, "lock")->detail.count = 1;
        assert_no_deadlock(&w, kinds[i]);
    }
}

TEST(a_chain_that_ends_at_a_thread_that_runs_is_no_deadlock)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "a", "x", 3);
    hold(&w, "b", "y", 3);
    hold(&w, "b", "z", 4);
    wait_for(&w, "c", "x", 5);
    wait_for(&w, "a", "y", 5);
    conclude(&w);
    assert_null(diagnose_find(w.p, FINDING_DEADLOCK));
    assert_notes(
        &w, "c",
        "waits for Lock x, apparently held by a since bank.py:3, which waits for Lock y\n");
    assert_notes(&w, "a",
                 "waits for Lock y, apparently held by b since bank.py:3, now in transfer "
                 "(bank.py:1)\n");
    assert_notes(&w, "b", "");
}

/* ---- Locks that no living thread can release ------------------------------------------------- */

TEST(a_lock_whose_holder_has_ended_is_a_finding)
{
    struct report_pair holder = {literal("holder"), literal("Thread-3 (fill)")};
    AUTO_WAITING w = waiting_make();

    wait_for(&w, "a", "lock", 5);
    wait_for(&w, "b", "thread:a", 6);
    object_of(&w, "lock")->holder_status = HOLDER_ENDED;
    object_of(&w, "lock")->kind = literal("rlock");
    object_of(&w, "lock")->type = literal("_thread.RLock");
    assert_findings(&w,
                    "ABANDONED: RLock lock, held by a thread, which has ended: no living thread "
                    "can release it\n"
                    "  a (bank.py:5) waits for it\n");
    object_of(&w, "lock")->detail.items = &holder;
    object_of(&w, "lock")->detail.count = 1;
    assert_notes(&w, "a",
                 "waits for RLock lock, held by Thread-3 (fill), which has ended: no living thread "
                 "can release it\n");
    assert_notes(&w, "b", "waits for the end of thread a, which can never continue\n");
    object_of(&w, "lock")->holder_status = HOLDER_INHERITED;
    assert_notes(&w, "a",
                 "waits for RLock lock, apparently inherited by fork from Thread-3 (fill) of the "
                 "parent process: no living thread can release it\n");
    assert_int_equal(w.p->findings.items[0].members.count, 1);
}

/* Any process may release a Lock of multiprocessing, but only the owner an RLock. */
TEST(a_multiprocessing_lock_whose_holder_has_ended_is_not_lost)
{
    struct report_pair detail[] = {{literal("permits"), literal("1")},
                                   {literal("other"), literal("yes")}};
    AUTO_WAITING w = waiting_make();

    object_of(&w, "lock")->kind = literal("semlock");
    object_of(&w, "lock")->holder_status = HOLDER_ENDED;
    wait_for(&w, "a", "lock", 5);
    object_of(&w, "lock")->type = literal("_multiprocessing.SemLock");
    assert_findings(&w, "");
    assert_notes(&w, "a",
                 "waits for multiprocessing lock lock, apparently held by a thread, which has "
                 "ended\n");
    object_of(&w, "lock")->detail.items = detail;
    object_of(&w, "lock")->detail.count = 2;
    assert_findings(&w, "");
    detail[1].name = literal("recursive");
    assert_findings(&w,
                    "ABANDONED: multiprocessing lock lock, held by a thread, which has ended: no "
                    "living thread can release it\n"
                    "  a (bank.py:5) waits for it\n");
    object_of(&w, "lock")->holder_status = HOLDER_INHERITED;
    assert_findings(&w, "");
    assert_notes(
        &w, "a",
        "waits for multiprocessing lock lock, apparently inherited by fork from a thread of "
        "the parent process\n");
}

TEST(a_lost_lock_that_no_thread_waits_for_is_no_finding)
{
    AUTO_WAITING w = waiting_make();

    object_of(&w, "lock")->holder_status = HOLDER_ENDED;
    assert_findings(&w, "");
}

/* ---- Several processes ----------------------------------------------------------------------- */

TEST(a_deadlock_of_two_processes_is_a_finding_of_the_report)
{
    AUTO_REPORT r;
    struct report_process *p;
    size_t i;
    static const char *const other[] = {"2@host/thread:1", "1@host/thread:1"};

    report_init(&r, 0);
    report_add_process(&r);
    report_add_process(&r);
    for (i = 0; i < 2; i++) {
        p = &r.processes.items[i];
        p->id = literal(i == 0 ? "1@host" : "2@host");
        p->threads.items = schema_make(&r.arena, &schema_thread, 1);
        p->threads.count = 1;
        p->threads.items[0].id = literal("thread:1");
        p->threads.items[0].name = literal("MainThread");
        p->threads.items[0].waits = schema_make(&r.arena, &schema_wait, 1);
        p->threads.items[0].waits->object = literal("obj:1");
        p->threads.items[0].waits->kind = literal("flock");
        p->threads.items[0].waits->certainty = CERTAINTY_KNOWN;
        p->objects.items = schema_make(&r.arena, &schema_object, 1);
        p->objects.count = 1;
        p->objects.items[0].id = literal("obj:1");
        p->objects.items[0].kind = literal("flock");
        p->objects.items[0].words = literal("/var/lock/x");
        p->objects.items[0].holder_status = HOLDER_KNOWN;
        p->objects.items[0].holders.items = arena_array(&r.arena, 1, sizeof(struct report_text));
        p->objects.items[0].holders.items[0] = literal(other[i]);
        p->objects.items[0].holders.count = 1;
    }
    assert_true(diagnose(&r, &r.processes.items[0]));
    assert_true(diagnose(&r, &r.processes.items[1]));
    assert_true(diagnose_between(&r));
    assert_int_equal(r.processes.items[0].findings.count, 0);
    assert_int_equal(r.findings.count, 1);
    assert_true(is_text(r.findings.items[0].text,
                        "DEADLOCK: MainThread -> MainThread of process 1@host -> MainThread"));
    assert_true(is_text(r.findings.items[0].members.items[1], "2@host/thread:1"));
    assert_true(is_text(r.findings.items[0].lines.items[0],
                        "MainThread waits for file lock /var/lock/x, held by MainThread of process "
                        "1@host"));
}

/* ---- Malicious reports ----------------------------------------------------------------------- */

TEST(ids_that_do_not_exist_are_no_edges)
{
    AUTO_WAITING w = waiting_make();

    wait_for(&w, "a", "lock", 5);
    object_of(&w, "lock")->holders.items[0] = literal("thread:nowhere");
    object_of(&w, "lock")->holders.count = 1;
    object_of(&w, "lock")->holder_status = HOLDER_KNOWN;
    wait_for(&w, "b", "thread:nowhere", 5);
    wait_for(&w, "c", "lock", 5)->object = literal("obj:nowhere");
    wait_for(&w, "d", "lock", 5)->object = literal(NULL);
    wait_for(&w, "e", "lock", INT64_MAX)->frame = INT64_MAX;
    wait_for(&w, "f", "lock", 5)->object = literal("1@a/2@b/obj");
    assert_findings(&w, "");
    assert_notes(&w, "a", "waits for Lock lock, held by thread nowhere\n");
    assert_notes(&w, "b", "waits for the end of a thread\n");
    assert_notes(&w, "c", "waits for a Lock\n");
}

TEST(objects_that_hold_each_other_are_no_deadlock)
{
    AUTO_WAITING w = waiting_make();

    wait_for(&w, "a", "x", 5);
    object_of(&w, "y");
    object_of(&w, "x")->holders.items[0] = object_of(&w, "y")->id;
    object_of(&w, "y")->holders.items[0] = object_of(&w, "x")->id;
    object_of(&w, "x")->holders.count = object_of(&w, "y")->holders.count = 1;
    object_of(&w, "x")->holder_status = object_of(&w, "y")->holder_status = HOLDER_KNOWN;
    assert_findings(&w, "");
}

TEST(equal_ids_are_the_first_one)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    thread_of(&w, "twin")->id = literal("thread:transfer-0");
    conclude(&w);
    assert_int_equal(w.p->findings.count, 1);
    assert_true(
        is_text(w.p->findings.items[0].text, "DEADLOCK: transfer-1 -> transfer-0 -> transfer-1"));
}

/* Makes `count` threads: thread n holds lock n and waits for lock n + 1; the last one waits for
 * lock `last`, or for nothing if there is no such lock. */
static struct report_process *make_chain(struct report *r, size_t count, size_t last)
{
    struct report_process *p = report_add_process(r);
    char text[40];
    size_t i;

    p->threads.items = schema_make(&r->arena, &schema_thread, count);
    p->objects.items = schema_make(&r->arena, &schema_object, count);
    p->threads.count = p->objects.count = count;
    for (i = 0; i < count; i++) {
        struct report_thread *t = &p->threads.items[i];
        struct report_object *o = &p->objects.items[i];

        t->id = report_text(r, text, (size_t)snprintf(text, sizeof(text), "thread:%zu", i));
        t->name = t->id;
        o->id = report_text(r, text, (size_t)snprintf(text, sizeof(text), "obj:%zu", i));
        o->kind = literal("rlock");
        o->holders.items = &t->id;
        o->holders.count = 1;
        o->holder_status = HOLDER_KNOWN;
    }
    for (i = 0; i < count; i++) {
        struct report_wait *wait = schema_make(&r->arena, &schema_wait, 1);
        size_t next = i + 1 < count ? i + 1 : last;

        wait->object = next < count ? p->objects.items[next].id : literal("obj:none");
        wait->kind = literal("rlock");
        wait->certainty = CERTAINTY_KNOWN;
        p->threads.items[i].waits = wait;
    }
    return p;
}

TEST(a_long_chain_is_followed_without_recursion)
{
    enum { COUNT = 50000 };
    AUTO_REPORT r;
    struct report_process *p;

    report_init(&r, 0);
    p = make_chain(&r, COUNT, COUNT);
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.items[0].members.count, COUNT - 1);
    assert_null(diagnose_find(p, FINDING_DEADLOCK));
    p = make_chain(&r, COUNT, COUNT - 1); /* the last one waits for itself: an RLock does not */
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.items[0].members.count, COUNT - 1);
    assert_null(diagnose_find(p, FINDING_DEADLOCK));
    p = make_chain(&r, COUNT, COUNT - 2);
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.count, 1);
    assert_int_equal(p->findings.items[0].members.count, 2);
    assert_true(is_text(p->threads.items[0].notes.items[0],
                        "waits for an RLock, held by thread:1, which can never continue"));
    p = make_chain(&r, COUNT, 0);
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.count, 1);
    assert_int_equal(p->findings.items[0].members.count, COUNT);
    assert_int_equal(p->findings.items[0].lines.count, 10);
    assert_true(is_text(p->findings.items[0].text,
                        "DEADLOCK: thread:49999 -> thread:0 -> thread:1 -> thread:2 -> thread:3 -> "
                        "thread:4 -> thread:5 -> thread:6 -> thread:7 -> 49991 others -> "
                        "thread:49999"));
}

TEST(a_long_name_is_cut)
{
    AUTO_WAITING w = waiting_make();
    char name[1001] = {0};

    memset(name, 'x', 119);
    memcpy(name + 119, "\xc3\xa9", 2);
    memset(name + 121, 'y', 800);
    hold(&w, "a", "lock", 3);
    thread_of(&w, "a")->name = literal(name);
    wait_for(&w, "b", "lock", 5);
    conclude(&w);
    assert_true(w.p->threads.items[1].notes.items[0].len < 250);
    name[119] = 0;
    assert_non_null(strstr(w.p->threads.items[1].notes.items[0].data, "xxx... since bank.py:3"));
}

/* Each object may name all threads as its holders, and many threads may wait for it. */
TEST(many_holders_of_many_objects_take_little_time)
{
    enum { COUNT = 3000 };
    AUTO_REPORT r;
    struct report_process *p;
    struct report_text *all;
    size_t i;

    report_init(&r, (size_t)1 << 30);
    p = make_chain(&r, COUNT, 0);
    all = arena_array(&r.arena, COUNT, sizeof(*all));
    for (i = 0; i < COUNT; i++)
        all[i] = p->threads.items[i].id;
    for (i = 0; i < COUNT; i++) {
        p->objects.items[i].kind = literal("future");
        if (i % 100 == 0) {
            p->objects.items[i].holders.items = all;
            p->objects.items[i].holders.count = COUNT;
        }
    }
    assert_true(diagnose(&r, p));
    assert_int_equal(p->findings.count, 1);
}

TEST(diagnosing_without_memory_fails)
{
    AUTO_WAITING w;
    size_t limit;
    bool done = false;

    for (limit = 0; !done; limit += 16) {
        make_deadlock(&w);
        w.r.arena.max = w.r.arena.taken;
        w.r.arena.free = limit;
        done = diagnose(&w.r, w.p);
        waiting_free(&w);
    }
    assert_true(limit > 100);
    w = waiting_make();
}
