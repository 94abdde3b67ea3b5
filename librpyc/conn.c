/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_internal.h"

#include "monotonic_cond.h"

#include <stdlib.h>

/* The interval in ms at which a wait checks for cancellation, and for a signal that arrived just
 * before the wait blocked. */
#define SIGNAL_CHECK_MS 50

/* ---- Lifetime ------------------------------------------------------------------------------- */

static void init_locks(struct conn *c)
{
    monotonic_cond_init(&c->changed);
    pthread_mutex_init(&c->lock, NULL);
}

int conn_new(struct conn **out, const struct stream *stream, const struct conn_callbacks *callbacks,
             void *owner, const struct conn_config *config, struct rpyc_error *err)
{
    struct conn *c = calloc(1, sizeof(*c));
    struct stream taken = *stream;

    if (!c) {
        stream_shutdown(&taken); /* if another process has the socket open, close() does not end the
                                    connection */
        stream_close(&taken);
        return error_nomem(err);
    }
    atomic_init(&c->refs, 1);
    c->stream = taken;
    c->callbacks = callbacks;
    c->owner = owner;
    conn_set_envelope(c, config ? (struct envelope){config->generation, config->bound}
                                : (struct envelope){0});
    c->stall_ms = config ? config->stall_ms : 0;
    frame_reader_init(&c->reader, config ? config->max_frame : 0);
    if (config && config->max_inflated)
        c->reader.max_inflated = config->max_inflated;
    c->max_depth = config ? config->max_depth : 0;
    c->max_items = config ? config->max_items : 0;
    turn_init(&c->turn, config ? config->turns : NULL);
    init_locks(c);
    *out = c;
    return 0;
}

struct conn *conn_ref(struct conn *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void conn_unref(struct conn *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    stream_close(&c->stream);
    turn_end(&c->turn);
    frame_reader_free(&c->reader);
    buffer_free(&c->spare);
    serving_free(&c->serving);
    rpyc_error_clear(&c->why);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- Closing -------------------------------------------------------------------------------- */

/* Calls the notify functions of all requests that have no reply. Call after the connection has been
 * closed. */
static void notify_closed(struct conn *c)
{
    struct completion next;

    pthread_mutex_lock(&c->lock);
    while (pending_next_notification(&c->pending, &next)) {
        pthread_mutex_unlock(&c->lock);
        next.notify(next.arg);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
}

void conn_close(struct conn *c, const struct rpyc_error *why)
{
    bool was_closed;

    pthread_mutex_lock(&c->lock);
    was_closed = c->closed;
    if (!was_closed) {
        c->closed = true;
        if (why)
            error_copy(&c->why, why);
        stream_shutdown(&c->stream);
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    turn_stop(&c->turn);
    if (!was_closed)
        notify_closed(c);
}

void conn_shutdown(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->closed)
        stream_shutdown(&c->stream);
    pthread_mutex_unlock(&c->lock);
    turn_stop(&c->turn);
}

void conn_hung_up(struct conn *c)
{
    turn_stop(&c->turn);
}

void conn_release(struct conn *c)
{
    conn_close(c, NULL);
    pthread_mutex_lock(&c->lock);
    while (c->reading || c->sending)
        pthread_cond_wait(&c->changed, &c->lock);
    stream_close(&c->stream);
    frame_reader_free(&c->reader); /* it may hold memory for the start of a message */
    turn_leave(&c->turn);
    turn_unkeep(&c->turn, c->kept);
    c->kept = 0;
    pthread_mutex_unlock(&c->lock);
}

void conn_let_go(struct conn *c)
{
    conn_close(c, NULL);
    pthread_mutex_lock(&c->lock);
    if (!c->reading && !c->sending)
        stream_close(&c->stream);
    pthread_mutex_unlock(&c->lock);
}

void conn_reset(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    stream_reset(&c->stream);
    pthread_mutex_unlock(&c->lock);
    notify_closed(c);
}

void conn_forked(struct conn *c)
{
    stream_drop(&c->stream);
    c->closed = true;
    c->reading = false;
    c->queue = NULL;
    c->sending = false;
    turn_forked(&c->turn);
    init_locks(c);
}

int conn_lost_error(const struct rpyc_error *why, struct rpyc_error *err)
{
    return rpyc_error_is_fatal(why) ? error_copy(err, why)
                                    : error_set(err, RPYC_ECLOSED, "%s", why->text);
}

int conn_closed_error(const struct conn *c, struct rpyc_error *err)
{
    if (c->why.code == RPYC_OK)
        return error_set(err, RPYC_ECLOSED, "the connection is closed");
    return conn_lost_error(&c->why, err);
}

/* ---- State ---------------------------------------------------------------------------------- */

bool conn_closed(struct conn *c)
{
    bool closed;

    pthread_mutex_lock(&c->lock);
    closed = c->closed;
    pthread_mutex_unlock(&c->lock);
    return closed;
}

bool conn_gave_up(struct conn *c)
{
    bool gave_up;

    pthread_mutex_lock(&c->lock);
    gave_up = c->closed && c->why.code != RPYC_OK && !rpyc_error_is_fatal(&c->why);
    pthread_mutex_unlock(&c->lock);
    return gave_up;
}

bool conn_lost_fd(struct conn *c)
{
    bool lost;

    pthread_mutex_lock(&c->lock);
    lost = !c->closed && !stream_is_ours(&c->stream);
    pthread_mutex_unlock(&c->lock);
    return lost;
}

int conn_fd(struct conn *c)
{
    int fd;

    pthread_mutex_lock(&c->lock);
    fd = c->stream.fd;
    pthread_mutex_unlock(&c->lock);
    return fd;
}

struct envelope conn_envelope(const struct conn *c)
{
    unsigned packed = atomic_load(&c->envelope);

    return (struct envelope){packed >> 1, packed & 1};
}

void conn_set_envelope(struct conn *c, struct envelope env)
{
    atomic_store(&c->envelope, (unsigned)env.generation << 1 | env.bound);
}

bool conn_has_met(const struct conn *c)
{
    return conn_envelope(c).generation != RPYC_GENERATION_AUTO;
}

bool conn_was_asked(struct conn *c)
{
    bool asked;

    pthread_mutex_lock(&c->lock);
    asked = c->was_asked;
    pthread_mutex_unlock(&c->lock);
    return asked;
}

bool conn_awaits_turn(struct conn *c)
{
    return atomic_load(&c->turn_due) != 0;
}

bool conn_keep(struct conn *c, size_t n)
{
    return turn_keep(&c->turn, n);
}

void conn_unkeep(struct conn *c, size_t n)
{
    turn_unkeep(&c->turn, n);
}

/* ---- Deadlines and signals ------------------------------------------------------------------ */

bool conn_deadline_passed(deadline_t deadline)
{
    return deadline != DEADLINE_NEVER && deadline_in(0) >= deadline;
}

deadline_t conn_stalled_at(const struct conn *c, deadline_t deadline)
{
    deadline_t stalled = c->stall_ms > 0 ? deadline_in(c->stall_ms) : DEADLINE_NEVER;

    return stalled < deadline ? stalled : deadline;
}

bool conn_interrupted(struct conn *c, bool by_signal)
{
    return c->callbacks->interrupted && c->callbacks->interrupted(c->owner, by_signal);
}

static bool checks_signals(const struct conn *c)
{
    return c->callbacks->interrupted &&
           (!c->callbacks->checks_signals || c->callbacks->checks_signals(c->owner));
}

deadline_t conn_next_check(const struct conn *c, deadline_t deadline, bool cancellable)
{
    deadline_t soon;

    if (!cancellable && !checks_signals(c))
        return deadline;
    soon = deadline_in(SIGNAL_CHECK_MS);
    return soon < deadline ? soon : deadline;
}

/* Waits for c->changed until the deadline. Call with c->lock held. */
static void sleep_until_change(struct conn *c, deadline_t deadline)
{
    struct timespec t = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};

    if (deadline == DEADLINE_NEVER)
        pthread_cond_wait(&c->changed, &c->lock);
    else
        pthread_cond_timedwait(&c->changed, &c->lock, &t);
}

int conn_wait_for_change(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    bool stop;

    sleep_until_change(c, conn_next_check(c, deadline, false));
    pthread_mutex_unlock(&c->lock);
    stop = conn_interrupted(c, true);
    pthread_mutex_lock(&c->lock);
    if (stop)
        return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
    if (conn_deadline_passed(deadline))
        return error_set(err, RPYC_ETIMEOUT, "no answer in time");
    return 0;
}
