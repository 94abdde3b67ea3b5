/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Other processes, for which the threads of a process wait.
 */
#include "waiting.h"

#include "diagnosis/blocker_finding.h"
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

TEST(who_writes_to_a_pipe_is_in_no_deadlock_if_its_own_threads_are_not_all_known)
{
    static struct report_missing missing = {{"some threads", 12}, {NULL, 0}};
    AUTO_WAITING w;

    wait_in(&w, with_child(&w, 1), "wait4", "process", "1@host");
    wait_in(&w, thread_of(&w, "MainThread"), "write", "output", "2@host");
    thread_of(&w, "MainThread")->main = BOOL_TRUE;
    conclude(&w);
    assert_true(text_begins(w.p->findings.items[0].text, "DEADLOCK"));
    w.p->missing.items = &missing;
    w.p->missing.count = 1;
    conclude(&w);
    assert_false(text_begins(w.p->findings.items[0].text, "DEADLOCK"));
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

TEST(a_worker_of_a_pool_has_ended_only_if_the_other_workers_wait_for_tasks)
{
    AUTO_WAITING w;
    struct report_thread *worker;

    with_idle_worker(&w);
    worker = w.p->others.items[0].threads.items;
    assert_true(worker_has_ended(&w));
    worker->frames.count--; /* the innermost frame is not looked at */
    assert_true(worker_has_ended(&w));
    worker->state = STATE_RUNNING;
    assert_false(worker_has_ended(&w));
    worker->state = STATE_SLEEPING;
    worker->exact = BOOL_FALSE;
    assert_false(worker_has_ended(&w));
    worker->exact = BOOL_TRUE;
    worker->syscall->name = literal("futex"); /* but not for the lock of the tasks */
    assert_false(worker_has_ended(&w));
    STACK(&w, worker, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "get"},
          {LIB "multiprocessing/synchronize.py", "__enter__"});
    assert_true(worker_has_ended(&w));
    STACK(&w, worker, {POOL, "worker"}, {"/srv/app/bank.py", "task"});
    assert_false(worker_has_ended(&w));
    STACK(&w, worker, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "get"},
          {LIB "multiprocessing/synchronize.py", "__enter__"});
    worker->syscall->name = literal("write");
    assert_false(worker_has_ended(&w));
    worker->syscall->name = literal("read");
    STACK(&w, worker, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "put"},
          {CONNECTION, "recv_bytes"});
    assert_false(worker_has_ended(&w));
    STACK(&w, worker, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "get"},
          {CONNECTION, "recv_bytes"}, {"a", "4"}, {"a", "5"}, {"a", "6"}, {"a", "7"}, {"a", "8"});
    assert_true(worker_has_ended(&w));
    STACK(&w, worker, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "get"},
          {CONNECTION, "recv_bytes"}, {"a", "4"}, {"a", "5"}, {"a", "6"}, {"a", "7"}, {"a", "8"},
          {"a", "9"});
    assert_false(worker_has_ended(&w));
    worker->syscall->name = literal("futex");
    STACK(&w, worker, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "get"},
          {LIB "multiprocessing/synchronize.py", "__enter__"});
    assert_true(worker_has_ended(&w));
    worker->main = BOOL_FALSE;
    assert_false(worker_has_ended(&w));
    worker->main = BOOL_TRUE;
    w.p->others.items[0].python = (struct report_text){NULL, 0};
    STACK(&w, worker, {POOL, "worker"}, {LIB "multiprocessing/queues.py", "get"},
          {LIB "multiprocessing/synchronize.py", "__enter__"});
    assert_false(worker_has_ended(&w));
}

TEST(a_worker_of_a_pool_has_ended_only_if_the_workers_are_known_and_nothing_moves)
{
    AUTO_WAITING w;
    struct report_object *o;

    with_idle_worker(&w);
    o = object_of(&w, "result");
    assert_true(worker_has_ended(&w));
    o->detail.items[0].value = literal("moving");
    assert_false(worker_has_ended(&w));
    o->detail.items[0].value = literal("yes");
    o->holders.count = 0;
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

static bool is_deadlock(struct waiting *w)
{
    conclude(w);
    return diagnose_find(w->p, "deadlock");
}

/* Makes a report in which process 2, with this number of threads, waits for the end of process 1.
 * The MainThread of process 1 waits for process 2 because of a pipe. */
static void with_pipe(struct waiting *w, size_t threads, const char *call, const char *kind,
                      int own_end)
{
    struct report_thread *t = with_child(w, threads), *main_thread = thread_of(w, "MainThread");
    size_t i;

    for (i = 0; i < threads; i++)
        wait_in(w, &t[i], "wait4", "process", "1@host");
    wait_in(w, main_thread, call, kind, "2@host");
    w->p->python = literal("3.11.7");
    main_thread->main = BOOL_TRUE;
    main_thread->syscall->target->own_end = own_end;
    main_thread->syscall->target->peer_pid = 2;
}

TEST(who_may_end_a_wait_for_a_pipe_depends_on_its_ends)
{
    static const struct {
        const char *call, *kind;
        int own_end;
        bool is_deadlock;
    } table[] = {
        {"read", "input", BOOL_FALSE, true},   {"read", "input", BOOL_TRUE, false},
        {"write", "output", BOOL_FALSE, true}, {"write", "output", BOOL_TRUE, true},
        {"read", "child", BOOL_FALSE, true},   {"read", "child", BOOL_TRUE, false},
        {"write", "child", BOOL_FALSE, true},  {"write", "child", BOOL_TRUE, true},
    };
    AUTO_WAITING w = waiting_make();
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
        waiting_free(&w);
        with_pipe(&w, 1, table[i].call, table[i].kind, table[i].own_end);
        assert_int_equal(is_deadlock(&w), table[i].is_deadlock);
        w.p->others.items[0].threads.count = 0; /* the process could not be read */
        assert_false(is_deadlock(&w));
    }
}

TEST(a_thread_of_the_own_process_may_read_what_is_written_to_both)
{
    AUTO_WAITING w;

    with_pipe(&w, 1, "write", "output", BOOL_TRUE);
    assert_true(is_deadlock(&w));
    thread_of(&w, "reader");
    assert_false(is_deadlock(&w));
}

TEST(a_wait_for_a_child_is_for_the_process_at_the_other_end)
{
    AUTO_WAITING w;

    with_pipe(&w, 1, "read", "child", BOOL_FALSE);
    assert_true(is_deadlock(&w));
    thread_of(&w, "MainThread")->syscall->target->peer_pid = 3;
    assert_false(is_deadlock(&w));
}

TEST(a_pipe_between_processes_with_too_many_threads_has_no_edges)
{
    AUTO_WAITING w;

    with_pipe(&w, 127, "write", "output", BOOL_FALSE);
    assert_true(is_deadlock(&w));
    waiting_free(&w);
    with_pipe(&w, 128, "write", "output", BOOL_FALSE);
    assert_false(is_deadlock(&w));
}

TEST(a_child_that_has_ended_blocks_no_thread)
{
    AUTO_WAITING w;

    with_child(&w, 2)->state = STATE_ENDED;
    conclude(&w);
    assert_int_equal(w.p->findings.count, 1); /* its other thread has not ended */
    w.p->others.items[0].threads.count = 1;
    conclude(&w);
    assert_int_equal(w.p->findings.count, 0);
}

/* ---- Locks of multiprocessing ---------------------------------------------------------------- */

static void set_lock(struct waiting *w, struct report_object *o, const char *id,
                     const char *semaphore, const char *holder)
{
    o->id = literal(id);
    o->kind = literal("semlock");
    o->type = literal("_multiprocessing.SemLock");
    o->detail.items = arena_array(&w->r.arena, 3, sizeof(*o->detail.items));
    o->detail.items[0] = (struct report_pair){literal("semaphore"), literal(semaphore)};
    o->detail.items[1] = (struct report_pair){literal("permits"), literal("1")};
    o->detail.count = 2;
    o->holder_status = HOLDER_NOT_KNOWN;
    if (!holder)
        return;
    o->holder_status = HOLDER_KNOWN;
    o->holders.items = arena_array(&w->r.arena, 2, sizeof(*o->holders.items));
    o->holders.items[o->holders.count++] = literal(holder);
}

/* Makes an object the only one that a thread holds: it has entered it by `with`. */
static void set_hold(struct waiting *w, struct report_thread *t, const char *id)
{
    t->holds.items = schema_make(&w->r.arena, &schema_hold, 1);
    t->holds.count = 1;
    t->holds.items[0].object = literal(id);
    t->holds.items[0].certainty = CERTAINTY_SEEN;
    t->holds.items[0].by = HOLD_BY_WITH;
}

/* Lets a thread of a process hold one semaphore and wait for another one. objects: the two locks.
 */
static void cross(struct waiting *w, struct report_thread *t, struct report_object *objects,
                  const char *held, const char *wanted)
{
    wait_in(w, t, "futex", "semlock", "obj:wanted");
    t->syscall->target = NULL;
    t->exact = BOOL_TRUE;
    t->switches = 7;
    set_hold(w, t, "obj:held");
    set_lock(w, &objects[0], "obj:held", held, t->id.data);
    set_lock(w, &objects[1], "obj:wanted", wanted, NULL);
}

/* The thread and the two locks of each process. In the processes 1 and 2, the thread holds one lock
 * and waits for the lock that the thread of the other process holds. Process 3 holds no lock. */
struct crossed {
    struct report_thread *thread[3];
    struct report_object *objects[3];
};

static struct crossed with_crossed_locks(struct waiting *w)
{
    struct report_other *others;
    struct crossed c;
    size_t i;

    *w = waiting_make();
    w->p->id = literal("1@host");
    w->p->pid = 1;
    w->p->objects.count = 2;
    c.thread[0] = thread_of(w, "MainThread");
    c.objects[0] = w->p->objects.items;
    w->p->others.items = others = schema_make(&w->r.arena, &schema_other, 2);
    w->p->others.count = 2;
    for (i = 0; i < 2; i++) {
        others[i].id = literal(i == 0 ? "2@host" : "3@host");
        others[i].pid = 2 + (int64_t)i;
        others[i].command = literal("yes");
        others[i].threads.items = c.thread[i + 1] = schema_make(&w->r.arena, &schema_thread, 1);
        others[i].threads.count = 1;
        c.thread[i + 1]->id = literal("thread:9");
        c.thread[i + 1]->native_id = 2 + (int64_t)i;
        others[i].objects.items = c.objects[i + 1] = schema_make(&w->r.arena, &schema_object, 2);
        others[i].objects.count = 2;
    }
    cross(w, c.thread[0], c.objects[0], "x", "y");
    cross(w, c.thread[1], c.objects[1], "y", "x");
    cross(w, c.thread[2], c.objects[2], "z", "x");
    return c;
}

static void change_nothing(struct crossed *c)
{
    (void)c;
}

static void let_first_run(struct crossed *c)
{
    c->thread[0]->switches = REPORT_UNKNOWN;
}

static void let_second_run(struct crossed *c)
{
    c->thread[1]->switches = REPORT_UNKNOWN;
}

static void let_two_hold(struct crossed *c)
{
    c->objects[2][0].detail.items[0].value = literal("y");
}

static void make_semaphore(struct crossed *c)
{
    c->objects[0][1].detail.items[1].value = literal("2");
}

static void make_other_semaphore(struct crossed *c)
{
    c->objects[1][0].detail.items[1].value = literal("2");
}

static void lose_name(struct crossed *c)
{
    c->objects[0][1].detail.count = 0;
}

static void not_be_known(struct crossed *c)
{
    c->objects[1][0].holder_status = HOLDER_NOT_KNOWN;
}

static void be_of_two_threads(struct crossed *c)
{
    c->objects[1][0].holders.items[c->objects[1][0].holders.count++] = literal("thread:8");
}

static void be_taken_without_with(struct crossed *c)
{
    c->thread[1]->holds.items[0].by = HOLD_BY_OWNER;
}

static void be_known_to_be_free(struct crossed *c)
{
    c->objects[0][1].holder_status = HOLDER_FREE;
}

TEST(locks_of_multiprocessing_are_a_deadlock_only_if_their_holders_are_known)
{
    static void (*const changes[])(struct crossed * c) = {
        change_nothing,      let_first_run,         let_second_run,
        let_two_hold,        make_semaphore,        make_other_semaphore,
        lose_name,           not_be_known,          be_of_two_threads,
        be_known_to_be_free, be_taken_without_with,
    };
    AUTO_WAITING w = waiting_make();
    struct crossed c;
    size_t i;

    for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        waiting_free(&w);
        c = with_crossed_locks(&w);
        changes[i](&c);
        assert_int_equal(is_deadlock(&w), i == 0);
    }
}

TEST(who_holds_a_lock_of_multiprocessing_is_its_blocker_if_one_process_holds_it)
{
    AUTO_WAITING w;
    struct crossed c = with_crossed_locks(&w);

    c.thread[1]->waits = NULL;
    conclude(&w);
    assert_int_equal(w.p->findings.count, 1);
    assert_true(is_text(w.p->findings.items[0].evidence.items[0], "2@host"));
    waiting_free(&w);
    c = with_crossed_locks(&w);
    c.thread[1]->waits = NULL;
    let_two_hold(&c);
    conclude(&w);
    assert_int_equal(w.p->findings.count, 0);
}

TEST(each_thread_between_two_locks_of_other_processes_must_not_have_run)
{
    AUTO_WAITING w = waiting_make();
    struct report_thread *worker;
    struct crossed c;
    size_t i;

    for (i = 0; i < 4; i++) {
        waiting_free(&w);
        c = with_crossed_locks(&w);
        worker = thread_of(&w, "worker"); /* holds "x", and waits for a lock of MainThread */
        wait_in(&w, worker, "futex", "semlock", "obj:local");
        worker->syscall->target = NULL;
        worker->switches = 7;
        c.objects[0][0].holders.items[0] = worker->id;
        set_hold(&w, worker, "obj:held");
        set_hold(&w, c.thread[0], "obj:local");
        set_lock(&w, &c.objects[0][2], "obj:local", "local", c.thread[0]->id.data);
        w.p->objects.count = 3;
        if (i > 0)
            (i == 1 ? c.thread[0] : i == 2 ? c.thread[1] : worker)->switches = REPORT_UNKNOWN;
        assert_int_equal(is_deadlock(&w), i == 0);
    }
}

TEST(a_thread_that_waits_for_several_processes_has_no_blocker)
{
    AUTO_WAITING w;
    struct report_object *o;

    with_child(&w, 1);
    o = object_of(&w, "children");
    o->kind = literal("children");
    o->holders.items[o->holders.count++] = literal("2@host");
    o->holder_status = HOLDER_KNOWN;
    thread_of(&w, "MainThread")->waits->kind = o->kind;
    thread_of(&w, "MainThread")->waits->object = o->id;
    conclude(&w);
    assert_int_equal(w.p->findings.count, 1);
    o->holders.items[o->holders.count++] = literal("3@host");
    conclude(&w);
    assert_int_equal(w.p->findings.count, 0);
    o->holders.count = 1;
    o->holder_status = HOLDER_NOT_KNOWN;
    conclude(&w);
    assert_int_equal(w.p->findings.count, 0);
}

TEST(what_the_end_of_the_program_waits_for_is_said_once)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "writer", "x", 3);
    thread_of(&w, "writer")->daemon = BOOL_FALSE;
    wait_for(&w, "MainThread", "x", 5);
    thread_of(&w, "MainThread")->main = BOOL_TRUE;
    conclude(&w);
    assert_non_null(diagnose_find(w.p, FINDING_BLOCKER));
    STACK(&w, thread_of(&w, "MainThread"), {LIB "threading.py", "_shutdown"});
    conclude(&w);
    assert_non_null(diagnose_find(w.p, "exit"));
    assert_null(diagnose_find(w.p, FINDING_BLOCKER));
}
