/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include "turns.h"

enum { CONNECTIONS = 3, KEPT_MAX = 100 };

struct crowd {
    struct turns *turns;
    struct turn each[CONNECTIONS];
};

static struct crowd *crowd_new(void)
{
    struct crowd *c = malloc(sizeof(*c));
    size_t i;

    c->turns = turns_new(KEPT_MAX);
    assert_non_null(c->turns);
    for (i = 0; i < CONNECTIONS; i++)
        turn_init(&c->each[i], c->turns);
    return c;
}

static void crowd_free(struct crowd **c)
{
    size_t i;

    for (i = 0; i < CONNECTIONS; i++)
        turn_end(&(*c)->each[i]);
    turns_unref((*c)->turns);
    free(*c);
}

#define AUTO_CROWD _cleanup_(crowd_free) struct crowd *

#define NOW  deadline_in(0)
#define SOON deadline_in(20000)

/* A thread that waits for its turn. */
struct waiter {
    struct thread thread;
    struct turn *turn;
    bool has;
};

static void wait_for_turn(void *arg)
{
    struct waiter *w = arg;

    w->has = turn_take(w->turn, SOON);
}

static void waiter_start(struct waiter *w, struct turn *turn)
{
    *w = (struct waiter){.turn = turn};
    thread_start(&w->thread, wait_for_turn, w);
    thread_wait_asleep(&w->thread);
}

static bool waiter_end(struct waiter *w)
{
    thread_join(&w->thread);
    return w->has;
}

TEST(one_connection_has_the_turn)
{
    AUTO_CROWD c = crowd_new();

    assert_true(turn_take(&c->each[0], NOW));
    assert_true(turn_take(&c->each[0], NOW));
    assert_false(turn_take(&c->each[1], NOW));
    turn_give(&c->each[1]);
    assert_false(turn_take(&c->each[1], NOW));
    turn_give(&c->each[0]);
    assert_true(turn_take(&c->each[1], NOW));
    assert_false(turn_take(&c->each[0], NOW));
}

TEST(without_turns_everyone_has_one)
{
    struct turn t;

    turn_init(&t, NULL);
    assert_true(turn_take(&t, NOW));
    assert_true(turn_keep(&t, SIZE_MAX));
    assert_false(turn_is_wanted(&t));
    turn_unkeep(&t, SIZE_MAX);
    turn_give(&t);
    turn_leave(&t);
    turn_stop(&t);
    turn_forked(&t);
    turn_end(&t);
}

TEST(the_turn_is_given_in_the_order_of_waiting)
{
    AUTO_CROWD c = crowd_new();
    struct waiter first, second;

    assert_true(turn_take(&c->each[0], NOW));
    assert_false(turn_is_wanted(&c->each[0]));
    waiter_start(&first, &c->each[1]);
    assert_true(turn_is_wanted(&c->each[0]));
    waiter_start(&second, &c->each[2]);
    turn_give(&c->each[0]);
    assert_true(waiter_end(&first));
    assert_true(turn_is_wanted(&c->each[1]));
    turn_give(&c->each[1]);
    assert_true(waiter_end(&second));
}

TEST(a_place_in_the_queue_is_kept_and_delays_no_other)
{
    AUTO_CROWD c = crowd_new();
    struct waiter w;

    assert_true(turn_take(&c->each[0], NOW));
    assert_false(turn_take(&c->each[1], NOW)); /* which is now first in the queue */
    assert_false(turn_is_wanted(&c->each[0]));
    assert_false(turn_take(&c->each[2], NOW));
    turn_give(&c->each[0]);
    assert_true(turn_take(&c->each[2], NOW));
    turn_give(&c->each[2]);
    assert_true(turn_take(&c->each[0], NOW));
    assert_false(turn_take(&c->each[2], NOW));
    waiter_start(&w, &c->each[1]);
    turn_give(&c->each[0]);
    assert_true(waiter_end(&w));
    turn_leave(&c->each[2]);
}

TEST(a_stop_ends_the_wait_and_not_the_turn)
{
    AUTO_CROWD c = crowd_new();
    struct waiter w;

    assert_true(turn_take(&c->each[0], NOW));
    waiter_start(&w, &c->each[1]);
    turn_stop(&c->each[1]);
    assert_false(waiter_end(&w));
    assert_false(turn_take(&c->each[1], SOON));
    turn_stop(&c->each[0]);
    assert_false(turn_take(&c->each[2], NOW));
    turn_give(&c->each[0]);
    assert_true(turn_take(&c->each[1], NOW)); /* the turn is free */
}

TEST(the_end_of_a_connection_frees_the_turn)
{
    AUTO_CROWD c = crowd_new();
    struct waiter w;

    assert_true(turn_take(&c->each[0], NOW));
    assert_true(turn_keep(&c->each[0], KEPT_MAX));
    waiter_start(&w, &c->each[1]);
    turn_end(&c->each[0]);
    assert_true(waiter_end(&w));
    assert_true(turn_keep(&c->each[1], KEPT_MAX));
}

TEST(the_end_of_a_connection_removes_it_from_the_queue)
{
    AUTO_CROWD c = crowd_new();

    assert_true(turn_take(&c->each[0], NOW));
    assert_false(turn_take(&c->each[1], NOW));
    turn_end(&c->each[1]);
    c->each[1].waiting = true; /* its memory may be used again */
    assert_false(turn_is_wanted(&c->each[0]));
    turn_init(&c->each[1], c->turns);
}

TEST(kept_bytes_have_a_limit)
{
    AUTO_CROWD c = crowd_new();

    assert_true(turn_keep(&c->each[0], 60));
    assert_false(turn_keep(&c->each[1], 41));
    assert_false(turn_keep(&c->each[1], SIZE_MAX));
    assert_true(turn_keep(&c->each[1], 40));
    assert_false(turn_keep(&c->each[2], 1));
    turn_unkeep(&c->each[0], 60);
    assert_true(turn_keep(&c->each[2], 60));
    turn_end(&c->each[0]); /* it keeps nothing any more */
    assert_false(turn_keep(&c->each[1], 1));
    turn_end(&c->each[2]);
    assert_true(turn_keep(&c->each[1], 60));
    assert_false(turn_keep(&c->each[1], 1));
}

TEST(the_child_of_a_fork_has_no_turns_of_its_parent)
{
    AUTO_CROWD c = crowd_new();
    size_t i;

    assert_true(turn_take(&c->each[0], NOW));
    assert_true(turn_keep(&c->each[1], KEPT_MAX));
    assert_false(turn_take(&c->each[2], NOW));
    for (i = 0; i < CONNECTIONS; i++)
        turn_forked(&c->each[i]);
    assert_true(turn_keep(&c->each[0], KEPT_MAX));
    assert_true(turn_take(&c->each[2], NOW));
}
