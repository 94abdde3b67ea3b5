/* SPDX-License-Identifier: BSD-3-Clause */
#include "turns.h"

#include "monotonic_cond.h"

#include <stdlib.h>

struct turns {
    atomic_int refs;
    size_t kept_max;

    pthread_mutex_t lock;   /* guards the members below; no thread waits while it holds this, except
                               for `changed` */
    pthread_cond_t changed; /* the turn became free, or turn_stop was called */
    struct turn *owner;     /* NULL: the turn is free */
    TAILQ_HEAD(turn_queue, turn) queue;
    size_t kept;
};

static void init_lock(struct turns *turns)
{
    monotonic_cond_init(&turns->changed);
    pthread_mutex_init(&turns->lock, NULL);
}

struct turns *turns_new(size_t kept_max)
{
    struct turns *turns = calloc(1, sizeof(*turns));

    if (!turns)
        return NULL;
    atomic_init(&turns->refs, 1);
    turns->kept_max = kept_max;
    TAILQ_INIT(&turns->queue);
    init_lock(turns);
    return turns;
}

struct turns *turns_ref(struct turns *turns)
{
    atomic_fetch_add(&turns->refs, 1);
    return turns;
}

void turns_unref(struct turns *turns)
{
    if (!turns || atomic_fetch_sub(&turns->refs, 1) > 1)
        return;
    pthread_cond_destroy(&turns->changed);
    pthread_mutex_destroy(&turns->lock);
    free(turns);
}

void turn_init(struct turn *t, struct turns *turns)
{
    *t = (struct turn){.turns = turns ? turns_ref(turns) : NULL};
    atomic_init(&t->has, false);
    atomic_init(&t->stopped, false);
}

/* Removes t from the queue. Call with the lock held. */
static void leave(struct turn *t)
{
    if (t->queued)
        TAILQ_REMOVE(&t->turns->queue, t, entry);
    t->queued = false;
}

/* Releases the turn if t has it. Call with the lock held. */
static void give(struct turn *t)
{
    if (t->turns->owner != t)
        return;
    t->turns->owner = NULL;
    atomic_store(&t->has, false);
    pthread_cond_broadcast(&t->turns->changed);
}

void turn_end(struct turn *t)
{
    if (!t->turns)
        return;
    pthread_mutex_lock(&t->turns->lock);
    leave(t);
    give(t);
    t->turns->kept -= t->kept;
    pthread_mutex_unlock(&t->turns->lock);
    turns_unref(t->turns);
    t->turns = NULL;
}

void turn_forked(struct turn *t)
{
    struct turns *turns = t->turns;

    if (!turns)
        return;
    init_lock(turns);
    TAILQ_INIT(&turns->queue);
    turns->owner = NULL;
    turns->kept = 0;
    t->queued = false;
    t->kept = 0;
    atomic_store(&t->has, false);
}

/* Looks only at the connections in the queue that come before the connection `before`; if `before`
 * is NULL, at all connections in the queue. True if one of these connections waits. Call with the
 * lock held. */
static bool any_waits(const struct turns *turns, const struct turn *before)
{
    const struct turn *t;

    TAILQ_FOREACH (t, &turns->queue, entry) {
        if (t == before)
            return false;
        if (t->waiting)
            return true;
    }
    return false;
}

/* Waits until the turn is free and t is next. Returns false if the deadline has passed or turn_stop
 * was called. Then another connection has the turn, or waits and is before t in the queue. It wakes
 * up the connections behind t when it releases the turn. Call with the lock held. */
static bool wait_until_free(struct turn *t, deadline_t until)
{
    struct turns *turns = t->turns;
    struct timespec end = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    int result = 0;

    while (turns->owner || any_waits(turns, t)) {
        if (result != 0 || atomic_load(&t->stopped))
            return false;
        if (until == DEADLINE_NEVER)
            pthread_cond_wait(&turns->changed, &turns->lock);
        else
            result = pthread_cond_timedwait(&turns->changed, &turns->lock, &end);
    }
    return true;
}

bool turn_take(struct turn *t, deadline_t until)
{
    struct turns *turns = t->turns;
    bool has;

    if (!turns || atomic_load(&t->has))
        return true;
    pthread_mutex_lock(&turns->lock);
    if (!t->queued)
        TAILQ_INSERT_TAIL(&turns->queue, t, entry);
    t->queued = true;
    t->waiting = true;
    has = wait_until_free(t, until);
    t->waiting = false;
    if (has) {
        leave(t);
        turns->owner = t;
        atomic_store(&t->has, true);
    }
    pthread_mutex_unlock(&turns->lock);
    return has;
}

void turn_leave(struct turn *t)
{
    if (!t->turns)
        return;
    pthread_mutex_lock(&t->turns->lock);
    leave(t);
    pthread_mutex_unlock(&t->turns->lock);
}

void turn_stop(struct turn *t)
{
    if (!t->turns)
        return;
    pthread_mutex_lock(&t->turns->lock);
    atomic_store(&t->stopped, true);
    pthread_cond_broadcast(&t->turns->changed);
    pthread_mutex_unlock(&t->turns->lock);
}

bool turn_is_wanted(struct turn *t)
{
    bool wanted;

    if (!t->turns)
        return false;
    pthread_mutex_lock(&t->turns->lock);
    wanted = any_waits(t->turns, NULL);
    pthread_mutex_unlock(&t->turns->lock);
    return wanted;
}

void turn_give(struct turn *t)
{
    if (!t->turns)
        return;
    pthread_mutex_lock(&t->turns->lock);
    give(t);
    pthread_mutex_unlock(&t->turns->lock);
}

bool turn_keep(struct turn *t, size_t n)
{
    struct turns *turns = t->turns;
    bool fits;

    if (!turns)
        return true;
    pthread_mutex_lock(&turns->lock);
    fits = n <= turns->kept_max - turns->kept;
    if (fits) {
        turns->kept += n;
        t->kept += n;
    }
    pthread_mutex_unlock(&turns->lock);
    return fits;
}

void turn_unkeep(struct turn *t, size_t n)
{
    if (!t->turns)
        return;
    pthread_mutex_lock(&t->turns->lock);
    t->turns->kept -= n;
    t->kept -= n;
    pthread_mutex_unlock(&t->turns->lock);
}
