/* SPDX-License-Identifier: BSD-3-Clause */
#include "pending.h"

#include <stdlib.h>

/* ---- Replies -----------------------------------------------------------------------------------
 */

/* With the lock held: takes the request that a reply is for out of the list; NULL for none. */
static struct pending *take_pending(struct conn *c, int64_t seq)
{
    struct pending **at;

    for (at = &c->pending; *at; at = &(*at)->next) {
        struct pending *p = *at;

        if (p->seq == seq) {
            *at = p->next;
            return p;
        }
    }
    return NULL;
}

struct completion pending_complete(struct conn *c, struct message *m)
{
    struct pending *p = take_pending(c, m->seq);
    struct completion done = {.claimed = p != NULL};

    if (!p)
        return done;
    done.notify = p->notify;
    done.arg = p->notify_arg;
    if (!p->awaited)
        message_give_turn(m);
    p->reply = *m;
    p->done = true;
    p->notify = NULL;
    return done;
}

void pending_unclaimed(struct conn *c, struct message *m)
{
    if (m->kind == MESSAGE_REPLY && c->ops->unclaimed && !conn_closed(c))
        c->ops->unclaimed(c->host, c, m);
    message_free(m);
}

/* With the lock held: the next one of those who wait to be told that the connection is closed. */
static struct pending *next_to_notify(struct conn *c)
{
    struct pending *p = c->pending;

    while (p && !p->notify)
        p = p->next;
    return p;
}

void pending_notify_closed(struct conn *c)
{
    struct pending *p;
    conn_notify notify;
    void *arg;

    pthread_mutex_lock(&c->lock);
    while ((p = next_to_notify(c))) {
        notify = p->notify;
        arg = p->notify_arg;
        p->notify = NULL;
        pthread_mutex_unlock(&c->lock);
        notify(arg);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- Waiting ------------------------------------------------------------------------------------
 */

/* Waits until p is done, with the lock held. A host that wants the wait given up has its way even
 * when the reply has arrived; and a peer that keeps us busy does not put the deadline off. */
static int wait_done(struct conn *c, const struct pending *p, deadline_t deadline,
                     struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    while (!p->done) {
        if (p->cancelled)
            return error_set(err, RPYC_ECANCELED, "the wait was cancelled");
        if (c->closed)
            return conn_closed_error(c, err);
        if (serving_within(c, false))
            continue;
        if (conn_step(c, conn_next_stretch(c, deadline, !p->plain), &why) < 0 &&
            why.code == RPYC_EINTERRUPT)
            return error_set(err, why.code, "%s", why.text);
        if (!p->done && conn_deadline_passed(deadline))
            return error_set(err, RPYC_ETIMEOUT, "no answer in time");
    }
    return 0;
}

/* Enters a request of ours in the list. Not on the stack, for the reasons that struct serving has.
 */
static struct pending *enter_pending(struct conn *c, int64_t seq)
{
    struct pending *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->seq = seq;
    pthread_mutex_lock(&c->lock);
    p->next = c->pending;
    c->pending = p;
    pthread_mutex_unlock(&c->lock);
    return p;
}

int conn_start(struct conn *c, struct outgoing *out, int64_t seq, struct pending **p,
               deadline_t deadline, struct rpyc_error *err)
{
    *p = enter_pending(c, seq);
    if (!*p) {
        conn_abandon(c, out, deadline);
        return error_nomem(err);
    }
    if (conn_send(c, out, deadline, err) == 0)
        return 0;
    conn_forget(c, *p);
    *p = NULL;
    return -1;
}

int conn_wait(struct conn *c, struct pending *p, struct message *reply, deadline_t deadline,
              struct rpyc_error *err)
{
    int result;

    pthread_mutex_lock(&c->lock);
    p->awaited = reply != NULL;
    result = wait_done(c, p, deadline, err);
    p->awaited = false;
    if (result == 0 && reply) {
        *reply = p->reply;
        p->reply.frame = FRAME_INIT;
        p->reply.turn = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    return result;
}

bool conn_is_done(struct conn *c, const struct pending *p)
{
    bool done;

    pthread_mutex_lock(&c->lock);
    done = p->done || p->cancelled || c->closed;
    pthread_mutex_unlock(&c->lock);
    return done;
}

void conn_notify_done(struct conn *c, struct pending *p, conn_notify notify, void *arg)
{
    bool now;

    pthread_mutex_lock(&c->lock);
    now = p->done || p->cancelled || c->closed;
    if (!now) {
        p->notify = notify;
        p->notify_arg = arg;
    }
    pthread_mutex_unlock(&c->lock);
    if (now)
        notify(arg);
}

void conn_cancel(struct conn *c, struct pending *p)
{
    pthread_mutex_lock(&c->lock);
    p->cancelled = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void conn_forget(struct conn *c, struct pending *p)
{
    pthread_mutex_lock(&c->lock);
    if (!p->done)
        take_pending(c, p->seq);
    pthread_mutex_unlock(&c->lock);
    if (p->done && p->reply.frame.data)
        pending_unclaimed(c, &p->reply);
    free(p);
}

int conn_request(struct conn *c, struct outgoing *out, int64_t seq, struct message *reply,
                 deadline_t deadline, struct rpyc_error *err)
{
    struct pending *p;
    int result;

    if (conn_start(c, out, seq, &p, deadline, err) < 0)
        return -1;
    p->plain = true;
    result = conn_wait(c, p, reply, deadline, err);
    conn_forget(c, p);
    return result;
}
