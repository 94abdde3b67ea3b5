/* SPDX-License-Identifier: BSD-3-Clause */
#include "reports.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "procfs/call_waits.h"
#include "procfs/thread_facts.h"
#include "procfs/threads.h"
#include "schema.h"

#define BUDGET_MS  60000
#define PATIENCE_S 60

static const struct target_process self = {.folder = "/proc/self", .is_own = true};
static const struct target_process other = {.folder = "/proc/self"}; /* as if it were another one */

/* A thread of this process that reads one byte after the other from a pipe, until its end. */
struct reader {
    pthread_t thread;
    atomic_int id; /* the kernel's ID of the thread */
    int fds[2];
    struct report report;
    struct report_process *process; /* has this thread only */
};

static void *read_all(void *arg)
{
    struct reader *r = arg;
    char byte;

    atomic_store(&r->id, (int)syscall(SYS_gettid));
    while (read(r->fds[0], &byte, 1) == 1)
        ;
    return NULL;
}

/* Waits until the thread waits for a byte. */
static void wait_for_read(const struct reader *r)
{
    int64_t end = clock_ms() + PATIENCE_S * INT64_C(1000);
    struct report scratch;
    bool waits = false;

    report_init(&scratch, 0);
    for (; !waits && clock_ms() < end; sched_yield()) {
        const struct report_syscall *call;

        if (atomic_load(&r->id) == 0 ||
            procfs_thread_state("/proc/self", atomic_load(&r->id)) != STATE_SLEEPING)
            continue;
        call = procfs_thread_syscall("/proc/self", atomic_load(&r->id), &scratch.arena);
        waits = call && is_text(call->name, "read");
    }
    report_free(&scratch);
    assert_true(waits);
}

/* Returns the CPU time that the thread has used when it waits for a byte. */
static int64_t reader_start(struct reader *r)
{
    int64_t used;

    *r = (struct reader){.id = 0};
    assert_int_equal(pipe(r->fds), 0);
    assert_int_equal(pthread_create(&r->thread, NULL, read_all, r), 0);
    wait_for_read(r);
    report_init(&r->report, 0);
    r->process = report_add_process(&r->report);
    assert_non_null(r->process);
    r->process->threads.items = schema_make(&r->report.arena, &schema_thread, 1);
    assert_non_null(r->process->threads.items);
    r->process->threads.count = 1;
    r->process->threads.items->native_id = atomic_load(&r->id);
    used = procfs_own_cpu_ns(atomic_load(&r->id));
    assert_true(used >= 0);
    return used;
}

static void reader_end(struct reader *r)
{
    close(r->fds[1]);
    pthread_join(r->thread, NULL);
    close(r->fds[0]);
    report_free(&r->report);
}

/* Sets the facts about the thread, and returns the thread. */
static const struct report_thread *facts_from(const struct target_process *from, struct reader *r,
                                              const int64_t *before)
{
    struct report_thread *t = r->process->threads.items;

    t->state = 0;
    t->syscall = NULL;
    thread_facts_fill(from, &r->report.arena, r->process, before, "it is not allowed", BUDGET_MS);
    return t;
}

static const struct report_thread *facts_of(struct reader *r, const int64_t *before)
{
    return facts_from(&self, r, before);
}

TEST(a_thread_that_has_not_run_has_the_call_in_which_its_frames_are)
{
    struct reader r;
    const int64_t before = reader_start(&r);
    const struct report_thread *t = facts_of(&r, &before);

    assert_int_equal(t->state, STATE_SLEEPING);
    assert_true(t->syscall && is_text(t->syscall->name, "read") && t->syscall->fd == r.fds[0]);
    assert_true(t->syscall && t->syscall->target && is_text(t->syscall->target->kind, "pipe"));
    assert_null(t->cpu);
    reader_end(&r);
}

TEST(a_thread_that_has_run_since_its_frames_were_read_has_no_call)
{
    struct reader r;
    const int64_t before = reader_start(&r);
    const struct report_thread *t;

    assert_int_equal(write(r.fds[1], "x", 1), 1);
    while (procfs_own_cpu_ns(atomic_load(&r.id)) == before)
        sched_yield();
    wait_for_read(&r); /* in the same call again, but its frames may be others */
    t = facts_of(&r, &before);
    assert_int_equal(t->state, STATE_SLEEPING);
    assert_null(t->syscall);
    t = facts_of(&r, NULL); /* the caller does not know when the frames were read */
    assert_non_null(t->syscall);
    reader_end(&r);
}

TEST(nothing_is_said_about_a_thread_whose_activity_is_not_known)
{
    const int64_t before = -1;
    struct reader r;

    reader_start(&r);
    assert_int_equal(facts_of(&r, &before)->state, 0);
    assert_null(r.process->threads.items->syscall);
    reader_end(&r);
}

TEST(a_thread_of_another_process_that_may_have_run_has_a_state_but_no_call)
{
    const struct report_thread *t;
    struct reader r;
    int64_t before;

    reader_start(&r);
    before = procfs_thread_activity(&other, atomic_load(&r.id));
    r.process->threads.items->interpreter = 0;
    assert_non_null(facts_from(&other, &r, &before)->syscall);
    before--;
    assert_null(facts_from(&other, &r, &before)->syscall);
    before = -1;
    t = facts_from(&other, &r, &before);
    assert_int_equal(t->state, STATE_SLEEPING);
    assert_null(t->syscall);
    /* The activity of a thread of a subinterpreter is never known. */
    r.process->threads.items->interpreter = 1;
    assert_non_null(facts_from(&other, &r, &before)->syscall);
    reader_end(&r);
}

TEST(how_much_a_running_thread_computes_is_measured)
{
    const struct report_thread *t;
    struct reader r;
    int64_t before;

    reader_start(&r);
    r.process->threads.items->native_id =
        syscall(SYS_gettid); /* the thread that reads the facts: it runs */
    before = procfs_own_cpu_ns((pid_t)syscall(SYS_gettid));
    t = facts_of(&r, &before);
    assert_int_equal(t->state, STATE_RUNNING);
    assert_non_null(t->cpu);
    assert_true(t->cpu->percent > 0 && t->cpu->percent <= 100);
    assert_true(t->cpu->over_ms >= 20);
    assert_null(t->syscall);
    reader_end(&r);
}

TEST(a_thread_that_has_run_does_not_wait_for_a_process)
{
    struct report_wait wait = {.kind = literal("output")}, lock = {.kind = literal("lock")};
    struct report_thread t = {.waits = &wait};
    struct reader r;

    reader_start(&r);
    t.native_id = atomic_load(&r.id);
    t.switches = procfs_thread_switches("/proc/self", (pid_t)t.native_id);
    call_waits_check("/proc/self", &t, 1);
    assert_ptr_equal(t.waits, &wait);
    t.switches--;
    call_waits_check("/proc/self", &t, 1);
    assert_null(t.waits);
    t.waits = &wait;
    t.switches = REPORT_UNKNOWN;
    call_waits_check("/proc/self", &t, 1);
    assert_null(t.waits);
    t.waits = &lock;
    call_waits_check("/proc/self", &t, 1);
    assert_ptr_equal(t.waits, &lock);
    reader_end(&r);
}

/* Returns the kind of the wait that a call is; an unknown text if it is no wait for a process. */
static struct report_text kind_of_wait(struct arena *arena, const char *call, const char *target,
                                       int64_t peer, int state)
{
    struct report_target on = {.kind = literal(target), .peer_pid = peer};
    struct report_syscall syscall = {.name = literal(call), .target = &on};
    struct report_thread t = {.state = state, .syscall = &syscall};

    call_waits_set(arena, &t, 1, 1, literal("1@host"));
    return t.waits ? t.waits->kind : (struct report_text){NULL, 0};
}

TEST(only_a_thread_that_sleeps_in_a_call_waits_for_another_process)
{
    static const struct {
        const char *call, *target;
        int64_t peer;
        int state;
        const char *kind;
    } table[] = {
        {"read", "pipe", 2, STATE_SLEEPING, "input"},
        {"read", "pipe", 2, STATE_RUNNING, NULL},
        {"read", "pipe", 1, STATE_SLEEPING, NULL},
        {"read", "pipe", REPORT_UNKNOWN, STATE_SLEEPING, NULL},
        {"read", "file", 2, STATE_SLEEPING, NULL},
        {"write", "unix", 2, STATE_SLEEPING, "output"},
        {"pause", "pipe", 2, STATE_SLEEPING, NULL},
        {"wait4", "process", 2, STATE_SLEEPING, "process"},
        {"wait4", "pipe", 2, STATE_SLEEPING, NULL},
        {"read", "process", 2, STATE_SLEEPING, NULL},
    };
    AUTO_REPORT r;
    struct report_text kind;
    size_t i;

    report_init(&r, 0);
    for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
        kind =
            kind_of_wait(&r.arena, table[i].call, table[i].target, table[i].peer, table[i].state);
        assert_true(table[i].kind ? is_text(kind, table[i].kind) : !kind.data);
    }
}
