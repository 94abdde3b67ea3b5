/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How the GIL is used, and when a request is answered without it.
 */
#include "unit.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "gil_held.h"
#include "stream.h"

#define LONG_AGO 5000 /* ms */

/* What was seen of a thread that keeps the GIL and uses CPU time. */
static const struct ps_gil_look busy = {
    .known = true, .locked = true, .unchanged_ms = LONG_AGO, .cpu_ms = LONG_AGO, .interval_ms = 5};

/* What was seen while Python code runs. */
static const struct ps_gil_look python = {
    .known = true, .locked = true, .unchanged_ms = 2, .switches = 9, .interval_ms = 5};

TEST(code_that_keeps_the_gil_and_runs_is_c)
{
    struct ps_gil_look look = busy;

    assert_int_equal(ps_gil_use(&look), PS_GIL_C);
    look.cpu_ms = -1; /* not known */
    assert_int_equal(ps_gil_use(&look), PS_GIL_C);
}

TEST(the_gil_may_be_free_or_the_helpers)
{
    struct ps_gil_look look = busy;

    look.by_helper = true;
    assert_int_equal(ps_gil_use(&look), PS_GIL_OWN);
    look.locked = false;
    assert_int_equal(ps_gil_use(&look), PS_GIL_FREE);
}

TEST(only_a_gil_that_changed_hands_shows_that_python_runs)
{
    struct ps_gil_look look = python;

    assert_int_equal(ps_gil_use(&look), PS_GIL_PYTHON);
    look.switches = 0;
    assert_int_equal(ps_gil_use(&look), PS_GIL_UNKNOWN);
}

static void read_a_byte(void *arg)
{
    char byte;

    assert_int_equal(read(*(int *)arg, &byte, 1), 1);
}

TEST(a_holder_that_has_not_run_is_in_c_code_if_it_sleeps)
{
    struct ps_gil_look look = busy;
    struct thread sleeper;
    int fds[2];

    look.cpu_ms = 0;
    look.holder = (pid_t)syscall(SYS_gettid); /* this thread, which runs */
    assert_int_equal(ps_gil_use(&look), PS_GIL_UNKNOWN);
    assert_int_equal(pipe(fds), 0);
    thread_start(&sleeper, read_a_byte, &fds[0]);
    thread_wait_asleep(&sleeper);
    look.holder = atomic_load(&sleeper.tid);
    assert_int_equal(ps_gil_use(&look), PS_GIL_C);
    assert_int_equal(write(fds[1], "x", 1), 1);
    thread_join(&sleeper);
    close(fds[0]);
    close(fds[1]);
}

/* True if a request is answered without the GIL that was read so many ms ago. */
static bool is_too_long(const struct ps_gil_look *look, int64_t ms, int64_t budget_ms, bool running)
{
    return ps_gil_is_held_too_long(look, deadline_in(0) - ms * 1000000, budget_ms, running);
}

TEST(a_request_waits_for_python_code_and_not_for_c_code)
{
    struct ps_gil_look unknown = busy;

    unknown.known = false;
    assert_false(is_too_long(&unknown, 100000, 500, false));
    assert_true(is_too_long(&busy, 0, 500, false));
    assert_false(is_too_long(&python, 1000, 500, false));
    assert_true(is_too_long(&python, 2000, 500, false));
}

TEST(a_collection_that_has_begun_gets_its_budget)
{
    struct ps_gil_look own = busy;

    own.by_helper = true;
    assert_false(is_too_long(&busy, 400, 500, true));
    assert_true(is_too_long(&busy, 1000, 500, true));
    assert_false(is_too_long(&python, 1000, 500, true)); /* it gets the GIL, but late */
    assert_true(is_too_long(&python, 2000, 500, true));
    assert_false(is_too_long(&python, 2000, 2000, true));
    assert_false(is_too_long(&own, 4000, 500, true));
    assert_true(is_too_long(&own, 6000, 500, true));
}
