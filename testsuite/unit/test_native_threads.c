/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include "native_threads.h"
#include "schema.h"

#define IDENT     INT64_C(0x7f0000001000)
#define NATIVE_ID 70

/* What the kernel says about each thread: its CPU time. */
static int64_t cpu_time;

static int64_t activity(const struct memory *m, pid_t thread)
{
    (void)m;
    (void)thread;
    return cpu_time;
}

/* A process with a thread state of the same native thread in each of two interpreters. */
struct scene {
    struct arena arena;
    struct offsets offsets;
    struct report_process process;
    struct report_thread *main, *sub;
    struct thread_check checks[2];
};

static void scene_close(struct scene *s)
{
    arena_free(&s->arena);
}

#define AUTO_SCENE _cleanup_(scene_close) struct scene

static void set_frames(struct scene *s, struct report_thread *t, size_t count)
{
    t->frames.items = schema_make(&s->arena, &schema_frame, count);
    t->frames.count = count;
    for (size_t i = 0; i < count; i++)
        t->frames.items[i].line = t->interpreter * 100 + (int64_t)i;
}

static void scene_open(struct scene *s, int minor, size_t frames, size_t inner_frames)
{
    *s = (struct scene){.checks = {{.activity = 5}, {.activity = -1, .is_first = true}}};
    s->offsets.minor = minor;
    s->process.threads.items = schema_make(&s->arena, &schema_thread, 2);
    s->process.threads.count = 2;
    s->main = &s->process.threads.items[0];
    s->sub = &s->process.threads.items[1];
    for (int i = 0; i < 2; i++) {
        struct report_thread *t = &s->process.threads.items[i];

        t->interpreter = i;
        t->ident = IDENT;
        t->native_id = NATIVE_ID;
        t->exact = BOOL_TRUE;
        set_frames(s, t, i == 0 ? frames : inner_frames);
    }
    cpu_time = 5;
}

/* Joins the threads. Returns how many are left. */
static size_t scene_join(struct scene *s)
{
    const struct python py = {.memory = {.activity = activity}, .offsets = &s->offsets};
    uint64_t table[4];

    native_threads_join(&py, &s->arena, &s->process, s->checks, table);
    return s->process.threads.count;
}

TEST(a_thread_state_without_frames_is_no_thread_of_its_own)
{
    AUTO_SCENE s;

    scene_open(&s, 12, 2, 0);
    cpu_time = 6;
    assert_int_equal(scene_join(&s), 1);
    assert_int_equal(s.main->frames.count, 2);
    assert_int_equal(s.main->exact, BOOL_TRUE);
}

TEST(the_frames_of_the_older_interpreter_come_first)
{
    static const int64_t lines[] = {0, 1, 100, 101, 102};
    AUTO_SCENE s;

    scene_open(&s, 13, 2, 3);
    assert_int_equal(scene_join(&s), 1);
    assert_int_equal(s.main->frames.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(s.main->frames.items[i].line, lines[i]);
    assert_int_equal(s.main->exact, BOOL_TRUE);
}

TEST(waits_and_holds_name_the_same_frames_as_before)
{
    AUTO_SCENE s;

    scene_open(&s, 13, 2, 3);
    s.main->holds.items = schema_make(&s.arena, &schema_hold, 1);
    s.main->holds.count = 1;
    s.main->holds.items[0].since = schema_make(&s.arena, &schema_since, 1);
    s.main->holds.items[0].since->frame = 1;
    s.sub->holds.items = schema_make(&s.arena, &schema_hold, 1);
    s.sub->holds.count = 1;
    s.sub->holds.items[0].since = schema_make(&s.arena, &schema_since, 1);
    s.sub->holds.items[0].since->frame = 0;
    s.sub->waits = schema_make(&s.arena, &schema_wait, 1);
    s.sub->waits->frame = 2;
    assert_int_equal(scene_join(&s), 1);
    assert_int_equal(s.main->holds.count, 2);
    assert_int_equal(s.main->holds.items[0].since->frame, 1);
    assert_int_equal(s.main->holds.items[1].since->frame, 2);
    assert_int_equal(s.main->waits->frame, 4);
}

TEST(a_thread_that_ran_between_the_readings_is_moving)
{
    AUTO_SCENE s;

    scene_open(&s, 13, 2, 3);
    cpu_time = 6;
    assert_int_equal(scene_join(&s), 1);
    assert_int_equal(s.main->exact, BOOL_FALSE);
}

TEST(frames_that_another_thread_may_run_are_moving)
{
    AUTO_SCENE s;

    scene_open(&s, 12, 2, 3);
    assert_int_equal(scene_join(&s), 1);
    assert_int_equal(s.main->exact, BOOL_FALSE);
    scene_close(&s);
    scene_open(&s, 12, 2, 3);
    s.checks[1].is_first = false;
    assert_int_equal(scene_join(&s), 1);
    assert_int_equal(s.main->exact, BOOL_TRUE);
}

TEST(different_threads_and_thread_states_of_one_interpreter_are_not_joined)
{
    AUTO_SCENE s;

    scene_open(&s, 13, 2, 3);
    s.sub->native_id = NATIVE_ID + 1;
    assert_int_equal(scene_join(&s), 2);
    s.sub->native_id = NATIVE_ID;
    s.sub->ident = IDENT + 64;
    assert_int_equal(scene_join(&s), 2);
    s.sub->ident = s.main->ident = REPORT_UNKNOWN;
    assert_int_equal(scene_join(&s), 2);
    s.sub->ident = s.main->ident = IDENT;
    s.sub->interpreter = 0;
    assert_int_equal(scene_join(&s), 2);
    assert_int_equal(s.main->frames.count, 2);
}
