/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is said about single threads: waits, system calls, states; loops that are blocked; exits.
 */
#include "waiting.h"

#include <sys/mman.h>

#include "diagnosis/diagnose.h"
#include "diagnosis/syscall_words.h"
#include "schema.h"

/* ---- Waits ----------------------------------------------------------------------------------- */

TEST(a_wait_is_described_by_its_kind)
{
    static const struct {
        const char *kind, *type, *words, *note;
    } cases[] = {
        {"lock", "_thread.lock", "self.pool._lock",
         "waits for Lock self.pool._lock, holder not known\n"},
        {"lock", NULL, NULL, "waits for a Lock, holder not known\n"},
        {"lock", "app.locks.Loud", "x", "waits for Loud x, holder not known\n"},
        {"rlock", "_thread.RLock", NULL, "waits for an RLock, holder not known\n"},
        {"event", "threading.Event", NULL, "waits for an Event to be set\n"},
        {"event", "threading.Event", "done", "waits for Event done to be set\n"},
        {"queue-get", "queue.Queue", "jobs", "waits for an item in Queue jobs\n"},
        {"queue-get", "_queue.SimpleQueue", NULL, "waits for an item in a SimpleQueue\n"},
        {"queue-put", "queue.Queue", "jobs", "waits for room in Queue jobs\n"},
        {"queue-join", "queue.LifoQueue", "jobs",
         "waits until all items of LifoQueue jobs are done\n"},
        {"future", "concurrent.futures._base.Future", "f", "waits for the result of Future f\n"},
        {"import", "_frozen_importlib._ModuleLock", "app.models",
         "waits for the import of module app.models, holder not known\n"},
        {"flock", NULL, "/run/lock", "waits for file lock /run/lock, holder not known\n"},
    };
    AUTO_WAITING w;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        w = waiting_make();
        wait_for(&w, "a", "x", 3)->kind = literal(cases[i].kind);
        w.p->objects.items[0].kind = literal(cases[i].kind);
        w.p->objects.items[0].type = literal(cases[i].type);
        w.p->objects.items[0].words = literal(cases[i].words);
        assert_notes(&w, "a", cases[i].note);
        waiting_free(&w);
    }
    w = waiting_make();
}

TEST(how_certain_a_holder_is_can_be_read)
{
    AUTO_WAITING w = waiting_make();
    struct report_hold *h;

    h = hold(&w, "b", "x", 3);
    wait_for(&w, "a", "x", 4);
    h->certainty = CERTAINTY_KNOWN;
    assert_notes(&w, "a",
                 "waits for Lock x, held by b since bank.py:3, now in transfer (bank.py:1)\n");
    h->certainty = CERTAINTY_SEEN;
    assert_notes(
        &w, "a",
        "waits for Lock x, apparently held by b since bank.py:3, now in transfer (bank.py:1)\n");
    h->certainty = CERTAINTY_LIKELY;
    assert_notes(
        &w, "a",
        "waits for Lock x, perhaps held by b since bank.py:3, now in transfer (bank.py:1)\n");
    thread_of(&w, "b")->exact = BOOL_FALSE;
    h->since->line = REPORT_UNKNOWN;
    thread_of(&w, "a")->waits->certainty = CERTAINTY_LIKELY;
    assert_notes(
        &w, "a",
        "perhaps waits for Lock x, perhaps held by b since bank.py, now in transfer (about "
        "bank.py:1)\n");
}

TEST(many_possible_holders_are_counted)
{
    static const char *const names[] = {"b", "c", "d", "e", "f"};
    AUTO_WAITING w = waiting_make();
    size_t i;

    wait_for(&w, "a", "x", 4);
    for (i = 0; i < 5; i++)
        hold(&w, names[i], "x", 3);
    assert_notes(&w, "a", "waits for Lock x, perhaps held by one of b, c, d and 2 others\n");
}

TEST(how_certain_several_holders_are_can_be_read)
{
    AUTO_WAITING w = waiting_make();
    struct report_hold *first, *second;

    first = hold(&w, "b", "x", 3);
    second = hold(&w, "c", "x", 3);
    object_of(&w, "x")->holder_status = HOLDER_KNOWN;
    object_of(&w, "x")->kind = literal("semaphore");
    object_of(&w, "x")->type = literal("threading.Semaphore");
    wait_for(&w, "a", "x", 4);
    assert_notes(&w, "a", "waits for Semaphore x, apparently held by b and c\n");
    second->certainty = CERTAINTY_KNOWN;
    assert_notes(&w, "a", "waits for Semaphore x, apparently held by b and c\n");
    first->certainty = CERTAINTY_KNOWN;
    assert_notes(&w, "a", "waits for Semaphore x, held by b and c\n");
    second->certainty = CERTAINTY_LIKELY;
    assert_notes(&w, "a", "waits for Semaphore x, perhaps held by b and c\n");
    second->certainty = 0;
    assert_notes(&w, "a", "waits for Semaphore x, perhaps held by b and c\n");
    object_of(&w, "x")->holder_status = HOLDER_NOT_KNOWN;
    assert_notes(&w, "a", "waits for Semaphore x, perhaps held by one of b and c\n");
}

TEST(what_has_no_name_and_no_number_is_called_by_its_id)
{
    AUTO_WAITING w = waiting_make();
    struct report_thread *t;

    hold(&w, "b", "x", 3)->certainty = CERTAINTY_KNOWN;
    wait_for(&w, "a", "x", 4);
    t = thread_of(&w, "b");
    t->name = literal(NULL);
    t->frames.count = 0;
    t->native_id = 7;
    assert_notes(&w, "a", "waits for Lock x, held by thread 7 since bank.py:3\n");
    t->native_id = REPORT_UNKNOWN;
    assert_notes(&w, "a", "waits for Lock x, held by thread b since bank.py:3\n");
    t->id = object_of(&w, "x")->holders.items[0] = literal("other");
    assert_notes(&w, "a", "waits for Lock x, held by other since bank.py:3\n");

    t->id = literal(NULL);
    t->main = BOOL_FALSE;
    t->daemon = BOOL_FALSE;
    thread_of(&w, "a")->main = BOOL_TRUE;
    thread_of(&w, "a")->frames.items[0].file = literal("/usr/lib/python3.11/threading.py");
    thread_of(&w, "a")->frames.items[0].function = literal("_shutdown");
    assert_findings(&w, "the program exits and waits for a thread that is not a daemon: a thread "
                        "that is not known\n");
}

TEST(a_descriptor_that_is_not_known_is_not_named)
{
    struct report_watched watched = {REPORT_UNKNOWN, literal("input"), NULL};
    struct report_syscall call = {.name = literal("epoll_wait"),
                                  .fd = 3,
                                  .left_ms = REPORT_UNKNOWN,
                                  .watched = {&watched, 1}};
    const struct report_process process = {0};
    AUTO_BUFFER text = BUFFER_INIT;

    syscall_words_put(&text, &call, &process);
    buffer_put_u8(&text, 0);
    assert_string_equal((const char *)text.data,
                        "in the system call epoll_wait on descriptor 3, for input");
}

TEST(a_future_is_computed)
{
    AUTO_WAITING w = waiting_make();

    hold(&w, "worker", "f", 3);
    object_of(&w, "f")->kind = literal("future");
    object_of(&w, "f")->type = literal("concurrent.futures._base.Future");
    wait_for(&w, "a", "f", 4);
    assert_notes(
        &w, "a",
        "waits for the result of Future f, computed by worker, now in transfer (bank.py:1)\n");
    wait_for(&w, "worker", "f", 4);
    assert_findings(&w,
                    "DEADLOCK: worker waits for the result of a Future that it computes itself\n"
                    "  worker (bank.py:4) waits for the result of Future f, computed by itself\n");
}

/* A pool of two threads whose tasks both wait for a task that the pool has not begun. */
TEST(a_pool_that_waits_for_itself_is_a_deadlock)
{
    AUTO_WAITING w = waiting_make();

    wait_for(&w, "pool_0", "f", 4);
    wait_for(&w, "pool_1", "f", 4);
    hold(&w, "pool_0", "f", 3);
    hold(&w, "pool_1", "f", 3);
    w.p->threads.items[0].holds.count = w.p->threads.items[1].holds.count = 0;
    object_of(&w, "f")->kind = literal("future");
    object_of(&w, "f")->holder_status = HOLDER_KNOWN;
    conclude(&w);
    assert_int_equal(w.p->findings.count, 1);
    assert_int_equal(w.p->findings.items[0].members.count, 2);
    w.p->threads.items[1].waits = NULL; /* one that is not stuck will begin the task */
    assert_findings(&w, "");
}

TEST(a_future_may_be_queued_in_a_pool)
{
    struct report_pair detail = {literal("queued"), literal("IOExecutor")};
    AUTO_WAITING w = waiting_make();

    wait_for(&w, "a", "f", 4)->kind = literal("future");
    hold(&w, "pool_0", "f", 3);
    thread_of(&w, "pool_0")->holds.count = 0;
    object_of(&w, "f")->kind = literal("future");
    object_of(&w, "f")->detail.items = &detail;
    object_of(&w, "f")->detail.count = 1;
    assert_notes(&w, "a",
                 "waits for the result of Future f, queued in an IOExecutor whose only thread is "
                 "pool_0, now in transfer (bank.py:1)\n");
    hold(&w, "pool_1", "f", 3);
    object_of(&w, "f")->holder_status = HOLDER_KNOWN;
    assert_notes(&w, "a",
                 "waits for the result of Future f, queued in an IOExecutor whose threads are all "
                 "busy: pool_0 and pool_1\n");
}

/* ---- System calls ---------------------------------------------------------------------------- */

static void assert_call_of(const struct report_process *process, const struct report_syscall *call,
                           const char *wanted)
{
    AUTO_BUFFER text = BUFFER_INIT;

    syscall_words_put(&text, call, process);
    buffer_put_u8(&text, 0);
    assert_string_equal((const char *)text.data, wanted);
}

static void assert_call(const struct report_syscall *call, const char *wanted)
{
    assert_call_of(&(struct report_process){.pid = 1}, call, wanted);
}

TEST(the_process_itself_is_told_by_the_id_outside_of_its_container)
{
    const struct report_process process = {.pid = 1, .pid_outside = 4711};
    struct report_target t = {.kind = literal("pipe"), .peer_pid = 4711};
    struct report_syscall call = {
        .name = literal("read"), .fd = 5, .left_ms = REPORT_UNKNOWN, .target = &t};

    assert_call_of(&process, &call,
                   "in the system call read on descriptor 5: pipe, this process itself has the "
                   "other end");
    t.peer_pid = 1;
    assert_call_of(&process, &call,
                   "in the system call read on descriptor 5: pipe, process 1 has the other end");
}

TEST(a_system_call_is_described_with_its_target)
{
    struct report_target t = {.peer_pid = REPORT_UNKNOWN};
    struct report_syscall call = {
        .name = literal("recvfrom"), .fd = 5, .left_ms = REPORT_UNKNOWN, .target = NULL};

    assert_call(&call, "in the system call recvfrom on descriptor 5");
    call.target = &t;
    assert_call(&call, "in the system call recvfrom on descriptor 5");
    t.kind = literal("tcp");
    t.local = literal("127.0.0.1:40000");
    t.remote = literal("127.0.0.1:5432");
    t.tcp_state = literal("ESTABLISHED");
    assert_call(&call, "in the system call recvfrom on descriptor 5: TCP 127.0.0.1:40000 -> "
                       "127.0.0.1:5432, ESTABLISHED");
    t = (struct report_target){.kind = literal("pipe"), .peer_pid = 4711};
    call.name = literal("read");
    assert_call(&call, "in the system call read on descriptor 5: pipe, process 4711 has the other "
                       "end");
    t.peer_pid = 1;
    assert_call(&call, "in the system call read on descriptor 5: pipe, this process itself has the "
                       "other end");
    t = (struct report_target){
        .kind = literal("file"), .path = literal("/run/lock"), .peer_pid = 4711};
    call.name = literal("flock");
    assert_call(&call,
                "in the system call flock on descriptor 5: file /run/lock, locked by process 4711");
    t.peer_pid = 1;
    assert_call(&call, "in the system call flock on descriptor 5: file /run/lock, locked by this "
                       "process itself");
    t.peer_pid = REPORT_UNKNOWN;
    t.kind = literal("unix");
    assert_call(&call, "in the system call flock on descriptor 5: Unix socket /run/lock");
    t.kind = literal("file");
    t.mount = literal("/mnt/nfs");
    t.wchan = literal("rpc_wait_bit_killable");
    call.name = literal("read");
    assert_call(&call, "in the system call read on descriptor 5: file /run/lock, on the file "
                       "system /mnt/nfs, in the kernel's rpc_wait_bit_killable");
}

TEST(a_wait_for_a_child_names_the_child)
{
    struct report_target t = {.kind = literal("process"), .peer_pid = 4711};
    struct report_syscall call = {
        .name = literal("wait4"), .fd = REPORT_UNKNOWN, .left_ms = REPORT_UNKNOWN, .target = &t};

    assert_call(&call, "in the system call wait4: waits for the end of process 4711");
    t.peer_pid = REPORT_UNKNOWN;
    assert_call(&call, "in the system call wait4: process");
}

TEST(descriptors_that_are_polled_are_listed)
{
    struct report_target pipe = {.kind = literal("pipe"), .peer_pid = 4711},
                         epoll = {.kind = literal("epoll"), .peer_pid = REPORT_UNKNOWN};
    struct report_watched all[5] = {{7, literal("input"), &pipe}, {8, literal("output"), NULL}};
    struct report_syscall call = {.name = literal("poll"),
                                  .fd = 7,
                                  .left_ms = REPORT_UNKNOWN,
                                  .target = &pipe,
                                  .watched = {all, 1}};

    assert_call(&call, "in the system call poll on descriptor 7: pipe, process 4711 has the other "
                       "end, for input");
    call.fd = REPORT_UNKNOWN;
    call.target = NULL;
    call.watched.count = 2;
    assert_call(&call, "in the system call poll, for input on descriptor 7 (pipe, process 4711 has "
                       "the other end), for output on descriptor 8");
    call.name = literal("epoll_wait");
    call.fd = 3;
    call.target = &epoll;
    call.watched.count = 0;
    assert_call(&call,
                "in the system call epoll_wait on descriptor 3, with no descriptors to wait for");
    call.watched.items = NULL;
    assert_call(&call, "in the system call epoll_wait on descriptor 3: epoll descriptor");
    for (int i = 0; i < 5; i++)
        all[i] = (struct report_watched){i + 4, literal("input"), NULL};
    call.watched.items = all;
    call.watched.count = 5;
    assert_call(&call, "in the system call epoll_wait on descriptor 3, for input on descriptor 4, "
                       "for input on descriptor 5, for input on descriptor 6, for input on "
                       "descriptor 7, and on others");
}

TEST(a_sleep_says_how_long_it_lasts)
{
    struct report_syscall call = {
        .name = literal("clock_nanosleep"), .fd = REPORT_UNKNOWN, .left_ms = 3599000};

    assert_call(&call, "sleeps for another 3599 s");
    call.name = literal("epoll_wait");
    call.fd = 4;
    assert_call(&call, "in the system call epoll_wait on descriptor 4, for another 3599 s");
    call.left_ms = REPORT_UNKNOWN;
    call.fd = REPORT_UNKNOWN;
    assert_call(&call, "in the system call epoll_wait");
}

TEST(the_kernel_says_what_a_thread_does)
{
    struct report_syscall call = {
        .name = literal("futex"), .fd = REPORT_UNKNOWN, .left_ms = REPORT_UNKNOWN};
    struct report_cpu cpu = {.percent = 97.6, .over_ms = 20};
    AUTO_WAITING w = waiting_make();
    struct report_thread *t;

    t = thread_of(&w, "a");
    t->syscall = &call;
    assert_notes(&w, "a", "in the system call futex: waits for the GIL or for a lock of C code\n");
    w.p->source = SOURCE_SERVER;
    assert_notes(&w, "a", "");
    wait_for(&w, "a", "x", 3);
    assert_notes(&w, "a", "waits for Lock x, holder not known\n");
    t->waits = NULL;
    t->syscall = NULL;
    t->state = STATE_RUNNING;
    assert_notes(&w, "a", "running\n");
    t->cpu = &cpu;
    assert_notes(&w, "a", "running, 98 % of a core over 20 ms\n");
    cpu.percent = HUGE_VAL;
    assert_notes(&w, "a", "running\n");
    t->state = STATE_DISK;
    assert_notes(&w, "a", "in an uninterruptible sleep\n");
    t->state = STATE_STOPPED;
    w.p->gil = schema_make(&w.r.arena, &schema_gil, 1);
    w.p->gil->state = GIL_HELD;
    w.p->gil->holder = t->id;
    assert_notes(&w, "a", "stopped by a signal or a tracer, has the GIL\n");
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

TEST(a_loop_that_a_synchronous_call_blocks_is_a_finding)
{
    static const char *const calls[][2] = {{LIB "asyncio/base_events.py", "run_forever"},
                                           {LIB "asyncio/events.py", "_run"},
                                           {"/srv/app/web.py", "handle"}};
    static const char *const idle[][2] = {{LIB "asyncio/events.py", "_run"},
                                          {LIB "selectors.py", "select"}};
    static const char *const own[][2] = {{"/srv/asyncio/events.py", "_run"},
                                         {"/srv/app/web.py", "handle"}};
    struct report_syscall call = {
        .name = literal("clock_nanosleep"), .fd = REPORT_UNKNOWN, .left_ms = 59000};
    AUTO_WAITING w = waiting_make();

    set_stack(&w, thread_of(&w, "main"), calls, 3);
    thread_of(&w, "main")->syscall = &call;
    assert_findings(&w, "the asyncio loop of main is blocked by a synchronous call: handle "
                        "(web.py:3), sleeps for another 59 s\n");
    assert_true(is_text(w.p->findings.items[0].kind, "blocked-loop"));
    thread_of(&w, "main")->state = STATE_RUNNING;
    assert_findings(&w, "");
    thread_of(&w, "main")->state = STATE_SLEEPING;
    call.name = literal("futex");
    assert_findings(&w, "");
    wait_for(&w, "main", "x", 3);
    set_stack(&w, thread_of(&w, "main"), calls, 3);
    assert_findings(&w, "the asyncio loop of main is blocked by a synchronous call: handle "
                        "(web.py:3), waits for Lock x, holder not known\n");
    thread_of(&w, "main")->waits = NULL;
    call.name = literal("epoll_wait");
    set_stack(&w, thread_of(&w, "main"), idle, 2);
    assert_findings(&w, "");
    set_stack(&w, thread_of(&w, "main"), own, 2);
    assert_findings(&w, "");
    set_stack(&w, thread_of(&w, "main"), calls,
              2); /* the task itself has no frame: between two callbacks */
    assert_findings(&w, "");
}

TEST(a_thread_whose_hub_cannot_run_has_one_finding)
{
    AUTO_WAITING w = waiting_make();
    struct report_pair detail = {literal("state"), literal("waiting")};
    struct report_object *hubs[2];
    size_t i;

    wait_for(&w, "main", "x", 3);
    for (i = 0; i < 2; i++) { /* the second one is malicious */
        hubs[i] = object_of(&w, i == 0 ? "hub" : "other");
        hubs[i]->kind = literal("hub");
        hubs[i]->holders.items[hubs[i]->holders.count++] = literal("thread:main");
        hubs[i]->detail.items = &detail;
        hubs[i]->detail.count = 1;
    }
    assert_findings(&w, "the gevent hub of main is blocked by a synchronous call: transfer "
                        "(bank.py:3), waits for Lock x, holder not known\n");
    hubs[0]->holders.items[0] = hubs[1]->holders.items[0] = literal("obj:x");
    assert_findings(&w, "");
}

TEST(code_at_the_end_of_a_program_is_not_called_an_exit_handler)
{
    static const char *const calls[][2] = {{"/srv/app/bank.py", "flush"},
                                           {LIB "threading.py", "wait"}};
    AUTO_WAITING w = waiting_make();

    set_stack(&w, thread_of(&w, "main"), calls, 2);
    thread_of(&w, "main")->main = BOOL_TRUE;
    assert_findings(&w, "");
    w.p->exiting = BOOL_TRUE;
    assert_findings(&w, "the program exits and is in flush (bank.py:1)\n");
}

TEST(a_program_that_cannot_exit_is_a_finding)
{
    static const char *const calls[][2] = {{LIB "threading.py", "_shutdown"}};
    static const char *const own[][2] = {{"/srv/app/threading.py", "_shutdown"}};
    static const char *const executors[][2] = {
        {LIB "threading.py", "_shutdown"}, {LIB "concurrent/futures/thread.py", "_python_exit"}};
    AUTO_WAITING w = waiting_make();

    set_stack(&w, thread_of(&w, "main"), calls, 1);
    thread_of(&w, "main")->main = BOOL_TRUE;
    thread_of(&w, "a")->daemon = BOOL_TRUE;
    assert_findings(&w, "");
    thread_of(&w, "b")->daemon = BOOL_FALSE;
    assert_findings(&w, "the program exits and waits for a thread that is not a daemon: b\n");
    thread_of(&w, "c")->daemon = BOOL_FALSE;
    assert_findings(&w, "the program exits and waits for threads that are not daemons: b and c\n");
    assert_int_equal(w.p->findings.items[0].members.count, 2);
    assert_notes(&w, "main", "waits until all threads that are not daemons have ended\n");
    wait_for(&w, "main", "x", 3);
    assert_notes(&w, "main", "waits until all threads that are not daemons have ended\n");
    set_stack(&w, thread_of(&w, "main"), executors, 2);
    assert_notes(&w, "main", "waits for Lock x, holder not known\n");
    set_stack(&w, thread_of(&w, "main"), own, 1);
    assert_findings(&w, "");
    assert_notes(&w, "main", "waits for Lock x, holder not known\n");
}

/* ---- Malicious reports ----------------------------------------------------------------------- */

#define FRAMES      50000
#define WAITERS     4000
#define FILE_LENGTH 2000

/* Makes a thread that holds a lock and has many frames with long file names, all of a library, and
 * many threads that wait for the lock. If the stack were described again for each of them, the
 * diagnosis would take longer than the watchdog allows. */
static void make_waiters(struct waiting *w)
{
    static const char folder[] = "/site-packages/";
    struct report_thread *t;
    char *file = arena_alloc(&w->r.arena, FILE_LENGTH);
    size_t i;

    hold(w, "holder", "x", 3);
    wait_for(w, "a", "x", 4);
    assert_non_null(file);
    memset(file, 'a', FILE_LENGTH);
    memcpy(file, folder, sizeof(folder) - 1);
    t = w->p->threads.items;
    t->frames.items = schema_make(&w->r.arena, &schema_frame, FRAMES);
    t->frames.count = FRAMES;
    for (i = 0; i < FRAMES; i++) {
        t->frames.items[i].file = (struct report_text){file, FILE_LENGTH};
        t->frames.items[i].function = literal("f");
    }
    w->p->threads.items = schema_make(&w->r.arena, &schema_thread, WAITERS + 1);
    w->p->threads.items[0] = t[0];
    for (i = 0; i < WAITERS; i++)
        w->p->threads.items[i + 1] = t[1];
    w->p->threads.count = WAITERS + 1;
}

TEST(what_the_holder_of_a_lock_does_is_described_once)
{
    AUTO_WAITING w = waiting_make();
    size_t i;

    make_waiters(&w);
    conclude(&w);
    for (i = 1; i <= WAITERS; i++) {
        const report_texts *notes = &w.p->threads.items[i].notes;

        assert_int_equal(notes->count, 1);
        assert_int_equal(notes->items[0].len, w.p->threads.items[1].notes.items[0].len);
        assert_non_null(memmem(notes->items[0].data, notes->items[0].len, ", now in aaa", 12));
    }
}

#define PAGE 65536 /* a multiple of the page size of each machine */

/* Returns a text the first PAGE bytes of which are an 'x'. The others cannot be read: if the
 * diagnosis reads all of a long text for each waiter, the test crashes. */
static struct report_text long_text(void)
{
    char *text = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(text != MAP_FAILED);
    assert_int_equal(mprotect(text, PAGE, PROT_READ | PROT_WRITE), 0);
    memset(text, 'x', PAGE);
    return (struct report_text){text, 2 * PAGE};
}

/* Texts and lists that one object has, and that the notes of all of its waiters are about. */
TEST(of_a_long_text_only_the_beginning_is_read)
{
    const struct report_text text = long_text();
    AUTO_WAITING w = waiting_make();
    struct report_object *o;

    hold(&w, "holder", "x", 3)->since->file = text;
    wait_for(&w, "a", "x", 4);
    o = object_of(&w, "x");
    o->type = text;
    o->words = text;
    conclude(&w);
    assert_int_equal(thread_of(&w, "a")->notes.count, 1);

    o->words = literal(NULL);
    o->kind = literal("import");
    thread_of(&w, "a")->waits->kind = o->kind;
    o->detail.items = (struct report_pair *)(text.data + PAGE) - 16;
    o->detail.count = 1000;
    memset(o->detail.items, 0, 16 * sizeof(*o->detail.items));
    conclude(&w);
    assert_int_equal(thread_of(&w, "a")->notes.count, 1);

    o->kind = literal("lock");
    o->detail.count = 0;
    thread_of(&w, "holder")->id = o->holders.items[0] = text;
    conclude(&w);
    assert_int_equal(thread_of(&w, "a")->notes.count, 1);
    munmap((void *)(uintptr_t)text.data, text.len);
}

TEST(only_the_main_thread_of_the_main_interpreter_lets_the_program_exit)
{
    static const char *const shutdown[][2] = {{LIB "threading.py", "_shutdown"}};
    static const char *const last[][2] = {{"/srv/app/bank.py", "close"}};
    AUTO_WAITING w = waiting_make();
    struct report_thread *main_thread = thread_of(&w, "main");

    main_thread->main = BOOL_TRUE;
    main_thread->daemon = BOOL_FALSE;
    main_thread->frames.count = 0;
    thread_of(&w, "b")->daemon = BOOL_FALSE;
    set_stack(&w, thread_of(&w, "b"), shutdown, 1);
    assert_findings(&w, "");
    w.p->exiting = BOOL_TRUE;
    assert_findings(&w, "");
    set_stack(&w, main_thread, shutdown, 1);
    assert_findings(&w, "the program exits and waits for a thread that is not a daemon: b\n");
    set_stack(&w, main_thread, last, 1);
    main_thread->interpreter = 1;
    assert_findings(&w, "");
    main_thread->interpreter = 0;
    assert_findings(&w, "the program exits and is in close (bank.py:1)\n");
    wait_for(&w, "main", "thread:main", 1);
    conclude(&w);
    assert_null(diagnose_find(w.p, "exit"));
    assert_non_null(diagnose_find(w.p, "deadlock"));
}

TEST(of_many_threads_that_a_program_waits_for_at_its_end_five_are_named)
{
    static const char *const shutdown[][2] = {{LIB "threading.py", "_shutdown"}};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    AUTO_WAITING w = waiting_make();
    size_t i;

    set_stack(&w, thread_of(&w, "main"), shutdown, 1);
    thread_of(&w, "main")->main = BOOL_TRUE;
    for (i = 0; i < 6; i++)
        thread_of(&w, names[i])->daemon = BOOL_FALSE;
    assert_findings(&w, "the program exits and waits for threads that are not daemons: a, b, c, d, "
                        "e and f\n");
    thread_of(&w, names[6])->daemon = BOOL_FALSE;
    assert_findings(&w, "the program exits and waits for threads that are not daemons: a, b, c, d, "
                        "e and 2 others\n");
}
