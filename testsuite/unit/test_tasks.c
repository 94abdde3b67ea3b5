/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tasks of asyncio: their tree, and the conclusions about them.
 */
#include "waiting.h"

#include <stdio.h>

#include "diagnosis/deadlock_finding.h"
#include "diagnosis/diagnose.h"
#include "schema.h"
#include "task_tree.h"
#include "unite_objects.h"

/* Returns a task, which it adds if there is none with this name. Its id is its name. */
static struct report_task *task_of(struct waiting *w, const char *name)
{
    struct report_task *t;
    size_t i;

    if (!w->p->tasks.items)
        w->p->tasks.items = schema_make(&w->r.arena, &schema_task, 4 * WAITING_MAX);
    for (i = 0; i < w->p->tasks.count; i++) {
        if (is_text(w->p->tasks.items[i].name, name))
            return &w->p->tasks.items[i];
    }
    assert_true(i < 4 * WAITING_MAX);
    t = &w->p->tasks.items[w->p->tasks.count++];
    t->id = t->name = report_text(&w->r, name, strlen(name));
    t->loop = literal("obj:loop");
    t->state = literal("waiting");
    t->awaits.items = arena_array(&w->r.arena, WAITING_MAX, sizeof(*t->awaits.items));
    t->holds.items = schema_make(&w->r.arena, &schema_hold, 1);
    t->frames.items = schema_make(&w->r.arena, &schema_frame, 1);
    t->frames.count = 1;
    t->frames.items[0].file = literal("/srv/app/bank.py");
    t->frames.items[0].function = t->name;
    t->frames.items[0].line = 5;
    return t;
}

static void await(struct waiting *w, const char *name, const char *other)
{
    struct report_task *t = task_of(w, name);

    t->awaits.items[t->awaits.count++] = task_of(w, other)->id;
}

static struct report_wait *task_waits(struct waiting *w, const char *name, const char *object,
                                      const char *kind)
{
    struct report_task *t = task_of(w, name);

    t->waits = schema_make(&w->r.arena, &schema_wait, 1);
    t->waits->object = object ? object_of(w, object)->id : literal(NULL);
    t->waits->kind = literal(kind);
    t->waits->certainty = CERTAINTY_KNOWN;
    t->waits->frame = 0;
    return t->waits;
}

/* Makes a task the holder of an object, since line 3. */
static void task_holds(struct waiting *w, const char *name, const char *object)
{
    struct report_task *t = task_of(w, name);
    struct report_object *o = object_of(w, object);

    t->holds.count = 1;
    t->holds.items[0].object = o->id;
    t->holds.items[0].certainty = CERTAINTY_SEEN;
    t->holds.items[0].since = schema_make(&w->r.arena, &schema_since, 1);
    t->holds.items[0].since->file = literal("/srv/app/bank.py");
    t->holds.items[0].since->line = 3;
    o->holders.items[o->holders.count++] = t->id;
    o->holder_status = HOLDER_KNOWN;
}

/* Lets a thread run the loop of all tasks. */
static void run_loop(struct waiting *w, const char *thread)
{
    struct report_object *loop = object_of(w, "loop");

    loop->kind = literal("loop");
    loop->holders.items[loop->holders.count++] = thread_of(w, thread)->id;
    loop->holder_status = HOLDER_KNOWN;
}

/* Checks the rows of the tree: each on a line, indented by its depth, with the names of its tasks.
 */
static void assert_tree(struct waiting *w, bool folds, const char *wanted)
{
    struct task_tree tree _cleanup_(task_tree_free);
    AUTO_BUFFER text = BUFFER_INIT;
    size_t i, k;

    assert_true(task_tree_make(&tree, w->p, folds));
    for (i = 0; i < tree.count; i++) {
        for (k = 0; k < tree.rows[i].depth; k++)
            buffer_put_u8(&text, ' ');
        for (k = 0; k < tree.rows[i].count; k++) {
            const struct report_text name =
                w->p->tasks.items[tree.tasks[tree.rows[i].first + k]].name;

            if (k > 0)
                buffer_put_u8(&text, '+');
            buffer_put(&text, name.data, name.len);
        }
        buffer_put_u8(&text, '\n');
    }
    buffer_put_u8(&text, 0);
    assert_string_equal((const char *)text.data, wanted);
}

/* ---- The tree -------------------------------------------------------------------------------- */

TEST(tasks_are_below_those_that_await_them)
{
    AUTO_WAITING w = waiting_make();

    task_of(&w, "leaf");
    await(&w, "main", "b");
    await(&w, "main", "a");
    await(&w, "a", "leaf");
    await(&w, "other", "a");
    assert_tree(&w, true, "main\n b\n a\n  leaf\nother\n");
}

TEST(tasks_that_await_each_other_are_in_the_tree_once)
{
    AUTO_WAITING w = waiting_make();

    await(&w, "a", "b");
    await(&w, "b", "a");
    await(&w, "self", "self");
    await(&w, "c", "nothing");
    w.p->tasks.items[3].awaits.items[0] = literal("obj:1"); /* not a task */
    assert_tree(&w, true, "self\nc\nnothing\na\n b\n");
}

TEST(the_tasks_of_a_loop_are_together)
{
    AUTO_WAITING w = waiting_make();

    task_of(&w, "a");
    task_of(&w, "b")->loop = literal("obj:second");
    task_of(&w, "c");
    task_of(&w, "d")->loop = literal(NULL);
    task_of(&w, "e")->loop = literal("obj:second");
    assert_tree(&w, true, "a\nc\nb\ne\nd\n");
}

static void make_alike(struct waiting *w, const char *kind, int count)
{
    char name[20];
    int i;

    for (i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%d", kind, i);
        task_of(w, name)->frames.items[0].function = literal(kind);
    }
}

TEST(five_tasks_with_equal_stacks_are_one_row_after_the_others)
{
    AUTO_WAITING w = waiting_make();

    make_alike(&w, "w", 5);
    make_alike(&w, "v", 4);
    await(&w, "main", "w1");
    assert_tree(&w, true, "w0\nw2\nw3\nw4\nv0\nv1\nv2\nv3\nmain\n w1\n");
    w.p->tasks.items[9].awaits.count = 0;
    assert_tree(&w, true, "v0\nv1\nv2\nv3\nmain\nw0+w1+w2+w3+w4\n");
    assert_tree(&w, false, "w0\nw1\nw2\nw3\nw4\nv0\nv1\nv2\nv3\nmain\n");
}

TEST(what_folded_tasks_await_is_below_all_of_them)
{
    AUTO_WAITING w = waiting_make();
    char name[2][20];
    int i;

    make_alike(&w, "w", 6);
    make_alike(&w, "x", 6);
    for (i = 0; i < 6; i++) {
        snprintf(name[0], sizeof(name[0]), "w%d", i);
        snprintf(name[1], sizeof(name[1]), "x%d", i);
        await(&w, name[0], name[1]);
    }
    await(&w, "w3", "odd");
    assert_tree(&w, true, "w0+w1+w2+w3+w4+w5\n odd\n x0+x1+x2+x3+x4+x5\n");
}

TEST(the_tree_of_a_long_chain_needs_no_stack)
{
    AUTO_WAITING w = waiting_make();
    struct task_tree tree _cleanup_(task_tree_free);
    const size_t count = 20000;
    char id[20];
    size_t i;

    w.p->tasks.items = schema_make(&w.r.arena, &schema_task, count);
    w.p->tasks.count = count;
    for (i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "t%zu", i);
        w.p->tasks.items[i].id = report_text(&w.r, id, strlen(id));
        w.p->tasks.items[i].awaits.items = &w.p->tasks.items[(i + 1) % count].id;
        w.p->tasks.items[i].awaits.count = 1;
    }
    assert_true(task_tree_make(&tree, w.p, true));
    assert_int_equal(tree.count, count);
    assert_int_equal(tree.rows[count - 1].depth, count - 1);
    conclude(&w);
    assert_int_equal(w.p->findings.count, 1);
}

/* ---- Conclusions ----------------------------------------------------------------------------- */

/* Two tasks, each of which waits for a lock that the other one has entered. */
static void make_deadlock(struct waiting *w)
{
    *w = waiting_make();
    run_loop(w, "MainThread");
    task_holds(w, "a", "x");
    task_holds(w, "b", "y");
    task_waits(w, "a", "y", "lock");
    task_waits(w, "b", "x", "lock");
}

static void assert_no_deadlock(struct waiting *w)
{
    assert_null(diagnose_find(w->p, FINDING_DEADLOCK));
}

static void assert_task_notes(struct waiting *w, const char *name, const char *wanted)
{
    const report_texts *notes = &task_of(w, name)->notes;

    assert_int_equal(notes->count, wanted ? 1 : 0);
    if (wanted)
        assert_true(is_text(notes->items[0], wanted));
}

TEST(tasks_that_wait_for_locks_of_each_other_are_a_deadlock)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    w.p->objects.items[1].type = literal("asyncio.locks.Lock");
    await(&w, "main", "a");
    await(&w, "main", "b");
    task_waits(&w, "main", NULL, "task");
    assert_findings(&w, "DEADLOCK: b -> a -> b\n"
                        "  b (bank.py:5) waits for asyncio.Lock x, held by a since bank.py:3\n"
                        "  a (bank.py:5) waits for Lock y, held by b since bank.py:3\n");
    assert_int_equal(w.p->findings.items[0].certainty, CERTAINTY_SEEN);
    assert_task_notes(&w, "main", "awaits a and b: can never continue");
}

TEST(a_wait_with_a_timeout_is_no_deadlock)
{
    AUTO_WAITING w;

    make_deadlock(&w);
    task_of(&w, "a")->waits->timed = BOOL_TRUE;
    conclude(&w);
    assert_no_deadlock(&w);

    await(&w, "c", "d");
    await(&w, "d", "c");
    task_waits(&w, "c", NULL, "task")->timed = BOOL_TRUE;
    task_waits(&w, "d", NULL, "task");
    conclude(&w);
    assert_no_deadlock(&w);
    assert_task_notes(&w, "c", "awaits d; the wait has a timeout");
}

TEST(a_task_that_also_awaits_a_future_may_continue)
{
    AUTO_WAITING w = waiting_make();

    await(&w, "a", "b");
    await(&w, "b", "a");
    task_waits(&w, "a", NULL, "task");
    task_of(&w, "a")->awaits.items[1] = literal("obj:0x1");
    task_of(&w, "a")->awaits.count = 2;
    conclude(&w);
    assert_no_deadlock(&w);
    assert_task_notes(&w, "a", "awaits b and 1 other");
}

TEST(a_thread_that_waits_for_a_task_of_its_own_loop_is_a_deadlock)
{
    AUTO_WAITING w = waiting_make();

    run_loop(&w, "MainThread");
    task_holds(&w, "keeper", "x");
    task_waits(&w, "keeper", NULL, "sleep")->timed = BOOL_TRUE;
    wait_for(&w, "MainThread", "x", 18);
    assert_findings(&w,
                    "DEADLOCK: MainThread -> keeper -> MainThread\n"
                    "  MainThread (bank.py:18) waits for Lock x, held by keeper since bank.py:3\n"
                    "  keeper (bank.py:5) sleeps, but only MainThread can run it\n");
    assert_task_notes(&w, "keeper", "in the deadlock above: sleeps");

    task_of(&w, "keeper")->waits = NULL;
    task_of(&w, "keeper")->state = literal("ready");
    conclude(&w);
    assert_true(is_text(w.p->findings.items[0].lines.items[1],
                        "keeper (bank.py:5) is ready, but only MainThread can run it"));
    assert_task_notes(&w, "keeper", "in the deadlock above: ready to run in MainThread");

    object_of(&w, "loop")->holders.items[0] = thread_of(&w, "other")->id;
    conclude(&w);
    assert_no_deadlock(&w);
}

TEST(descriptions_of_the_same_object_are_united)
{
    AUTO_WAITING w = waiting_make();
    struct report_object *o;

    object_of(&w, "x");
    hold(&w, "thread", "y", 1);
    o = object_of(&w, "z");
    o->id = literal("obj:x");
    o->holders.items[o->holders.count++] = literal("task");
    o->holder_status = HOLDER_KNOWN;
    o = object_of(&w, "again");
    o->id = literal("obj:y");
    o->holders.items[o->holders.count++] = literal("task");
    o->holder_status = HOLDER_KNOWN;
    assert_true(unite_objects(w.p));
    assert_int_equal(w.p->objects.count, 2);
    assert_true(is_text(w.p->objects.items[0].words, "x"));
    assert_true(is_text(w.p->objects.items[0].holders.items[0], "task"));
    assert_int_equal(w.p->objects.items[0].holder_status, HOLDER_KNOWN);
    assert_int_equal(w.p->objects.items[1].holders.count, 1);
    assert_true(is_text(w.p->objects.items[1].holders.items[0], "thread:thread"));
}
