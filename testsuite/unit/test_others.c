/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Other processes, for which the threads of a process wait.
 */
#include "waiting.h"

#include "diagnosis/diagnose.h"
#include "schema.h"

/* Lets a thread wait for a process. call: the system call. */
static void wait_in(struct waiting *w, struct report_thread *t, const char *call, const char *kind,
                    const char *id)
{
    t->waits = schema_make(&w->r.arena, &schema_wait, 1);
    t->waits->object = literal(id);
    t->waits->kind = literal(kind);
    t->waits->words = literal("pipe");
    t->waits->certainty = CERTAINTY_KNOWN;
    t->state = STATE_SLEEPING;
    t->syscall = schema_make(&w->r.arena, &schema_syscall, 1);
    t->syscall->name = literal(call);
    t->syscall->target = schema_make(&w->r.arena, &schema_target, 1);
    t->syscall->target->own_end = BOOL_FALSE;
}

/* Makes a report about the process 1, in which the thread "MainThread" waits for the end of the
 * process 2. Process 2 has `threads` threads; the first one is returned. */
static struct report_thread *with_child(struct waiting *w, size_t threads)
{
    struct report_other *other;
    size_t i;

    *w = waiting_make();
    w->p->id = literal("1@host");
    w->p->pid = 1;
    wait_in(w, thread_of(w, "MainThread"), "wait4", "process", "2@host");
    w->p->others.items = other = schema_make(&w->r.arena, &schema_other, 1);
    w->p->others.count = 1;
    other->id = literal("2@host");
    other->pid = 2;
    other->command = literal("yes");
    other->threads.items = schema_make(&w->r.arena, &schema_thread, threads);
    other->threads.count = threads;
    for (i = 0; i < threads; i++)
        other->threads.items[i].native_id = 2 + (int64_t)i;
    other->threads.items[0].main = BOOL_TRUE;
    return other->threads.items;
}

#define WAITS   "MainThread waits for process 2 (yes)"
#define LINE    "  MainThread (bank.py:1) waits for the end of process 2 (yes)\n"
#define WRITES  "writes to a full pipe whose other end this process has\n"
#define IN_PIPE "process 2 (yes) " WRITES

TEST(a_child_that_writes_to_a_full_pipe_of_its_parent_is_a_deadlock)
{
    AUTO_WAITING w;

    wait_in(&w, with_child(&w, 1), "write", "output", "1@host");
    assert_findings(&w, "DEADLOCK: process 2 (yes) -> MainThread -> process 2\n"
                        "  " IN_PIPE LINE);
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_KNOWN);
    assert_true(is_text(w.p->findings.items[0].members.items[0], "thread:MainThread"));
    assert_true(is_text(w.p->findings.items[0].members.items[1], "2@host"));
    assert_notes(&w, "MainThread", "in the deadlock above: waits for the end of process 2 (yes)\n");
}

TEST(a_pipe_that_another_thread_may_read_is_no_deadlock)
{
    AUTO_WAITING w;

    wait_in(&w, with_child(&w, 1), "write", "output", "1@host");
    thread_of(&w, "reader");
    assert_findings(&w, WAITS ", which " WRITES LINE);
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_KNOWN);
}

TEST(a_process_with_several_threads_may_end_although_one_of_them_waits)
{
    AUTO_WAITING w;

    wait_in(&w, with_child(&w, 2), "write", "output", "1@host");
    assert_findings(&w, WAITS ", which " WRITES LINE);
}

TEST(a_pipe_whose_reader_is_not_known_is_no_deadlock)
{
    AUTO_WAITING w;
    struct report_thread *t;

    t = with_child(&w, 1);
    wait_in(&w, t, "write", "output", "1@host");
    t->syscall->target->own_end = 0;
    assert_findings(&w, WAITS ", which " WRITES LINE);
}

TEST(a_process_that_has_both_ends_may_write_what_it_reads)
{
    AUTO_WAITING w;
    struct report_thread *t;

    t = with_child(&w, 1);
    wait_in(&w, t, "read", "input", "1@host");
    t->syscall->target->own_end = BOOL_TRUE;
    assert_findings(&w, WAITS ", which waits for input from a pipe whose other end this process "
                              "has\n" LINE);
    t->syscall->target->own_end = BOOL_FALSE;
    conclude(&w);
    assert_true(text_begins(w.p->findings.items[0].text, "DEADLOCK"));
}

TEST(what_a_child_does_is_said_as_the_kernel_tells_it)
{
    AUTO_WAITING w;
    struct report_thread *t;

    t = with_child(&w, 1);
    t->state = STATE_RUNNING;
    assert_findings(&w, WAITS ", which runs\n" LINE);
    t->state = STATE_STOPPED;
    assert_findings(&w, WAITS ", which is stopped by a signal\n" LINE);
    wait_in(&w, t, "wait4", "process", "3@host");
    assert_findings(&w, WAITS ", which waits for the end of process 3\n" LINE);
    t->waits = NULL;
    t->syscall->target = NULL;
    t->syscall->name = literal("pause");
    assert_findings(&w, WAITS ", which is in the system call pause\n" LINE);
    assert_notes(&w, "MainThread",
                 "waits for the end of process 2 (yes), which is in the system call pause\n");
}

TEST(who_waits_for_input_is_not_said_to_depend_on_the_writer)
{
    AUTO_WAITING w;

    with_child(&w, 1);
    wait_in(&w, thread_of(&w, "MainThread"), "read", "input", "2@host");
    assert_findings(&w, "");
    assert_notes(&w, "MainThread", "in the system call read\n");
}

TEST(a_thread_that_has_moved_or_waits_with_a_timeout_is_in_no_deadlock)
{
    AUTO_WAITING w;

    wait_in(&w, with_child(&w, 1), "write", "output", "1@host");
    thread_of(&w, "MainThread")->waits->timed = BOOL_TRUE;
    conclude(&w);
    assert_false(text_begins(w.p->findings.items[0].text, "DEADLOCK"));
    thread_of(&w, "MainThread")->waits->timed = BOOL_FALSE;
    thread_of(&w, "MainThread")->exact = BOOL_FALSE;
    conclude(&w);
    assert_false(text_begins(w.p->findings.items[0].text, "DEADLOCK"));
}

TEST(the_deadlock_of_a_child_is_a_finding_of_its_parent)
{
    AUTO_WAITING w;
    struct report_other *other;
    struct report_thread *t;
    size_t i;

    t = with_child(&w, 2);
    other = w.p->others.items;
    other->python = literal("3.11.7");
    for (i = 0; i < 2; i++) {
        t[i].id = literal(i == 0 ? "thread:1" : "thread:2");
        t[i].name = literal(i == 0 ? "MainThread" : "worker");
        t[i].waits = schema_make(&w.r.arena, &schema_wait, 1);
        t[i].waits->object = literal(i == 0 ? "thread:2" : "thread:1");
        t[i].waits->kind = literal("thread");
        t[i].waits->certainty = CERTAINTY_KNOWN;
    }
    assert_findings(&w, "DEADLOCK: worker of process 2 (yes) -> MainThread of process 2 -> worker "
                        "of process 2\n"
                        "  worker of process 2 (yes) waits for the end of thread MainThread of "
                        "process 2\n"
                        "  MainThread of process 2 (yes) waits for the end of thread worker of "
                        "process 2\n");
    assert_notes(&w, "MainThread",
                 "waits for the end of process 2 (yes), whose thread MainThread waits for the end "
                 "of thread worker\n");
}

TEST(a_pipe_of_a_process_whose_threads_are_not_all_known_is_no_deadlock)
{
    static struct report_missing missing[] = {{{"repr", 4}, {NULL, 0}}, {{NULL, 0}, {NULL, 0}}};
    AUTO_WAITING w;

    wait_in(&w, with_child(&w, 1), "write", "output", "1@host");
    w.p->missing.items = missing;
    w.p->missing.count = 1;
    conclude(&w);
    assert_true(text_begins(w.p->findings.items[0].text, "DEADLOCK"));
    w.p->missing.count = 2;
    missing[1].what = literal("some threads");
    assert_findings(&w, WAITS ", which " WRITES LINE);
    missing[1].what = literal("threads of other interpreters");
    assert_findings(&w, WAITS ", which " WRITES LINE);
}

TEST(threads_of_another_process_that_run_no_python_stay_in_the_list)
{
    AUTO_WAITING w;
    struct report_process *from;
    struct report_other *other;

    with_child(&w, 3);
    from = report_add_process(&w.r);
    w.p = &w.r.processes.items[0];
    other = w.p->others.items;
    from->python = literal("3.11.7");
    from->threads.items = schema_make(&w.r.arena, &schema_thread, 2);
    from->threads.count = 2;
    from->threads.items[0].native_id = 3;
    from->threads.items[1].native_id = 2;
    report_add_missing(&w.r.arena, from, "some threads", "there are too many to read");
    report_complete_other(&w.r, other, from);
    assert_null(other->python.data);
    assert_int_equal(other->threads.items[0].native_id, 2);
    from->missing.count = 0;
    report_complete_other(&w.r, other, from);
    assert_true(is_text(other->python, "3.11.7"));
    assert_int_equal(other->threads.count, 3);
    assert_int_equal(other->threads.items[0].native_id, 3);
    assert_int_equal(other->threads.items[1].native_id, 2);
    assert_int_equal(other->threads.items[2].native_id, 4);
}

#define POOL       LIB "multiprocessing/pool.py"
#define CONNECTION LIB "multiprocessing/connection.py"
#define CALLS(...)                                                                                 \
    (const char *const[][2])                                                                       \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define COUNT(...) (sizeof(CALLS(__VA_ARGS__)) / sizeof(*CALLS(__VA_ARGS__)))

#define STACK(w, thread, ...) set_stack(w, thread, CALLS(__VA_ARGS__), COUNT(__VA_ARGS__))

/* Makes a report about a process whose MainThread waits for a result of a Pool. The only worker of
 * the Pool waits for tasks. Two threads of the process send tasks and receive results. */
static void with_idle_worker(struct waiting *w)
{
    struct report_thread *t;
    struct report_object *o;

    t = with_child(w, 1);
    w->p->others.items[0].python = literal("3.11.7");
    wait_in(w, t, "read", "input", "1@host");
    t->exact = BOOL_TRUE;
    STACK(w, t, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "get"},
          {CONNECTION, "recv_bytes"}, {CONNECTION, "_recv_bytes"}, {CONNECTION, "_recv"});
    wait_for(w, "MainThread", "result", 1);
    thread_of(w, "MainThread")->syscall = NULL;
    o = object_of(w, "result");
    o->kind = literal("future");
    o->type = literal("multiprocessing.pool.ApplyResult");
    o->holder_status = HOLDER_KNOWN;
    o->holders.items[o->holders.count++] = literal("2@host");
    o->detail.items = arena_array(&w->r.arena, 1, sizeof(*o->detail.items));
    o->detail.items[o->detail.count++] = (struct report_pair){literal("workers"), literal("yes")};
    STACK(w, thread_of(w, "sender"), {LIB "threading.py", "run"}, {POOL, "_handle_tasks"});
    STACK(w, thread_of(w, "receiver"), {POOL, "_handle_results"}, {CONNECTION, "recv"},
          {CONNECTION, "_recv_bytes"}, {CONNECTION, "_recv"});
}

static bool worker_has_ended(struct waiting *w)
{
    conclude(w);
    return diagnose_find(w->p, "worker-died");
}

TEST(a_worker_of_a_pool_has_ended_only_if_the_threads_of_the_pool_wait)
{
    AUTO_WAITING w;
    struct report_thread *sender, *receiver;

    with_idle_worker(&w);
    sender = thread_of(&w, "sender");
    receiver = thread_of(&w, "receiver");
    assert_true(worker_has_ended(&w));
    STACK(&w, receiver, {POOL, "_handle_results"}); /* of a ThreadPool */
    assert_true(worker_has_ended(&w));

    STACK(&w, receiver, {POOL, "_handle_results"}, {POOL, "_set"});
    assert_false(worker_has_ended(&w));
    STACK(&w, receiver, {POOL, "_handle_results"}, {POOL, "_set"}, {"/srv/app/bank.py", "done"},
          {CONNECTION, "_recv"});
    assert_false(worker_has_ended(&w));
    STACK(&w, receiver, {POOL, "_handle_results"}, {CONNECTION, "recv"},
          {"/srv/app/bank.py", "__setstate__"});
    assert_false(worker_has_ended(&w));
    STACK(&w, receiver, {LIB "threading.py", "run"}); /* the thread of the results has ended */
    assert_false(worker_has_ended(&w));

    STACK(&w, receiver, {POOL, "_handle_results"});
    STACK(&w, sender, {POOL, "_handle_tasks"}, {POOL, "_guarded_task_generation"});
    assert_false(worker_has_ended(&w));
    STACK(&w, sender, {LIB "threading.py", "run"});
    assert_false(worker_has_ended(&w));
}

TEST(a_pool_with_more_workers_than_a_report_may_have_is_not_looked_at)
{
    AUTO_WAITING w;
    struct report_object *o;
    size_t i;

    with_idle_worker(&w);
    o = object_of(&w, "result");
    o->holders.items = arena_array(&w.r.arena, 65, sizeof(*o->holders.items));
    for (i = 0; i < 65; i++)
        o->holders.items[i] = literal("2@host");
    o->holders.count = 64;
    assert_true(worker_has_ended(&w));
    o->holders.count = 65;
    assert_false(worker_has_ended(&w));
}

TEST(a_malicious_list_of_waits_for_input_makes_no_large_graph)
{
    AUTO_WAITING w;
    size_t i;

    with_child(&w, 100);
    w.p->threads.items = schema_make(&w.r.arena, &schema_thread, 20000);
    w.p->threads.count = 20000;
    for (i = 0; i < w.p->threads.count; i++)
        wait_in(&w, &w.p->threads.items[i], "write", "output", "2@host");
    conclude(&w);
    assert_false(w.r.arena.failed);
}

TEST(a_malicious_wait_for_a_process_that_is_a_thread_has_no_blocker)
{
    AUTO_WAITING w;

    with_child(&w, 1);
    thread_of(&w, "MainThread")->waits->object = literal("thread:MainThread");
    thread_of(&w, "MainThread")->waits->certainty = CERTAINTY_LIKELY;
    assert_findings(&w, "");
}
