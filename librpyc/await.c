/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_internal.h"

#include <poll.h>
#include <stdlib.h>

/* The time limit for sending a reply that refuses a request, in ms. */
#define REFUSAL_MS 10000

/* ---- Serving requests ----------------------------------------------------------------------- */

/* Replies to m with an exception, which says that too many requests are being served or are queued.
 * The caller still owns m. */
static int refuse(struct conn *c, const struct message *m, struct rpyc_error *err)
{
    bool full;

    pthread_mutex_lock(&c->lock);
    full = serving_is_full(&c->serving);
    pthread_mutex_unlock(&c->lock);
    return conn_reply_exception(c, m, "builtins", full ? "RecursionError" : "RuntimeError",
                                full ? "too many nested requests"
                                     : "too many requests wait for this thread",
                                deadline_in(REFUSAL_MS), err);
}

/* Removes and returns the next request that is queued at s. If there is none, waits while another
 * thread is about to queue a request at s. NULL: no request is queued, or the connection is closed.
 * Call with c->lock held. */
static struct queued *next_queued(struct conn *c, struct serving *s)
{
    while (!c->closed && TAILQ_EMPTY(&s->queued) && c->queue == s)
        pthread_cond_wait(&c->changed, &c->lock);
    return c->closed ? NULL : serving_dequeue(&c->serving, s, false);
}

/* Serves the request m, then the requests that were meanwhile queued for this thread. s: the entry
 * for m in c->serving; this entry is removed at the end. */
static int serve(struct conn *c, struct serving *s, struct message *m, int64_t handler,
                 struct rpyc_error *err)
{
    int result = c->callbacks->serve(c->owner, c, m, handler, err);
    struct queued *q;

    pthread_mutex_lock(&c->lock);
    while (result == 0 && (q = next_queued(c, s))) {
        s->peer_thread = q->request.sender;
        pthread_mutex_unlock(&c->lock);
        result = c->callbacks->serve(c->owner, c, &q->request, q->handler, err);
        queued_free(q);
        pthread_mutex_lock(&c->lock);
    }
    while (c->queue == s) /* a thread in conn_attend_for is reading; it does not wait */
        pthread_cond_wait(&c->changed, &c->lock);
    serving_leave(&c->serving, s);
    pthread_mutex_unlock(&c->lock);
    return result;
}

/* Serves a request that was removed from this thread's queue, and frees q. Call with c->lock held;
 * the lock is released meanwhile. */
static void serve_dequeued(struct conn *c, struct queued *q)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    bool full = serving_is_full(&c->serving);
    struct serving *s = serving_enter(&c->serving, q->request.sender);
    int result;

    pthread_mutex_unlock(&c->lock);
    if (s)
        result = serve(c, s, &q->request, q->handler, &why);
    else
        result = full ? refuse(c, &q->request, &why) : error_nomem(&why);
    queued_free(q);
    if (result < 0)
        conn_close(c, &why);
    pthread_mutex_lock(&c->lock);
}

/* Serves one request from this thread's queue. If nested is true, serves only a request that
 * names this thread as its recipient, because such a request belongs to the request that this
 * thread is serving already. Returns false if the queue has no request to serve, or if the
 * connection is closed. Call with c->lock held; the lock is released meanwhile. */
static bool serve_queued(struct conn *c, bool nested)
{
    struct queued *q;

    if (c->closed || c->serving.queued_bytes == 0)
        return false;
    q = serving_dequeue_own(&c->serving, nested);
    if (q)
        serve_dequeued(c, q);
    return q != NULL;
}

/* ---- The read role -------------------------------------------------------------------------- */

/* Releases the read role. Call with c->lock held. */
static void release_role(struct conn *c)
{
    c->reading = false;
    c->for_other = false;
    c->queue = NULL;
    pthread_cond_broadcast(&c->changed);
}

static void unclaimed(struct conn *c, struct message *reply)
{
    if (reply->kind == MESSAGE_REPLY && c->callbacks->unclaimed && !conn_closed(c))
        c->callbacks->unclaimed(c->owner, c, reply);
    message_free(reply);
}

/* Delivers the reply m and releases the read role. Takes ownership of m. A TCP peer may delay
 * further replies until this side acknowledges the received data or sends something. So this
 * function acknowledges the data at once if more replies may follow: if other requests wait for
 * their replies, or if the reply answers a DEL, for which no thread waits. */
static void deliver(struct conn *c, struct message *m)
{
    struct completion done;

    pthread_mutex_lock(&c->lock);
    done = pending_complete(&c->pending, m);
    if (!done.claimed || !LIST_EMPTY(&c->pending))
        stream_acknowledge(&c->stream);
    release_role(c);
    pthread_mutex_unlock(&c->lock);
    if (!done.claimed)
        unclaimed(c, m);
    else if (done.notify)
        done.notify(done.arg);
}

/* Handles a request that was read, and releases the read role. Decides which thread serves the
 * request. Queues the request if another thread has to serve it, or if this thread has to serve it
 * later. If this thread has to serve it now, serves or refuses it. Returns -1 with err filled if
 * the connection has to be closed. */
static int handle_request(struct conn *c, struct message *m, struct rpyc_error *err)
{
    struct serving *s = NULL;
    int64_t handler;
    int result = message_handler(m, &handler, err);
    bool ours = false;

    if (result == 0 && handler == HANDLE_CLOSE)
        result = error_set(err, RPYC_ECLOSED, "the peer closed the connection");
    pthread_mutex_lock(&c->lock);
    c->was_asked = true;
    if (result == 0) {
        result = serving_claim(&c->serving, conn_envelope(c).bound, c->queue, m, handler, &s, err);
        ours = result > 0;
    }
    release_role(c);
    pthread_mutex_unlock(&c->lock);
    if (!ours)
        return result;
    if (s)
        return serve(c, s, m, handler, err);
    message_free(m);
    return refuse(c, m, err);
}

static void pass_on(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    release_role(c);
    pthread_mutex_unlock(&c->lock);
}

/* Reads one message and handles it. Call with the read role, which this function releases. Returns
 * RPYC_OK if a message was read. Returns RPYC_ETIMEOUT or RPYC_EINTERRUPT if the wait ended before
 * a message arrived. After any other error, closes the connection and returns RPYC_OK. But if
 * conn_attend_for() reads and the stream has ended, returns RPYC_ECLOSED and does not close the
 * connection. */
static enum rpyc_errcode read_and_handle(struct conn *c, deadline_t deadline)
{
    struct envelope env = conn_envelope(c);
    struct rpyc_error why;
    struct message m = {0};
    int result;

    error_init(&why);
    result = conn_receive(c, &m, deadline, &why);
    if (result < 0 && (conn_may_retry(&why) || (c->for_other && why.code == RPYC_ECLOSED))) {
        pass_on(c);
        return why.code;
    }
    if (result == 0) {
        result = message_parse(&m, &env, &why);
        conn_set_envelope(c, env);
        brine_limit(&m.body, c->max_depth, c->max_items);
    }
    if (result == 0 && m.kind != MESSAGE_REQUEST) {
        deliver(c, &m);
        return RPYC_OK;
    }
    if (result == 0)
        result = handle_request(c, &m, &why);
    else
        pass_on(c);
    message_free(&m);
    if (result < 0)
        conn_close(c, &why);
    return RPYC_OK;
}

/* Takes the read role, reads one message and handles it. Returns 1, or 0 if a signal ended the wait
 * before a message arrived. Call with c->lock held; the lock is released meanwhile. Errors:
 * RPYC_ETIMEOUT, RPYC_EINTERRUPT. */
static int take_role_and_read(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    enum rpyc_errcode ended;
    bool stop;

    c->reading = true;
    pthread_mutex_unlock(&c->lock);
    ended = read_and_handle(c, deadline);
    stop = conn_interrupted(c, ended != RPYC_OK);
    pthread_mutex_lock(&c->lock);
    if (stop)
        return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
    if (ended == RPYC_ETIMEOUT)
        return error_set(err, RPYC_ETIMEOUT, "no answer in time");
    return ended == RPYC_OK;
}

/* If no thread has the read role, reads and handles one message; else waits for c->changed. Returns
 * 1 if this thread handled a message, else 0. Call with c->lock held; the lock is released
 * meanwhile. Errors: RPYC_ETIMEOUT, RPYC_EINTERRUPT. An error of the connection itself sets
 * c->closed and is not returned. */
static int step(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    return c->reading ? conn_wait_for_change(c, deadline, err)
                      : take_role_and_read(c, deadline, err);
}

/* ---- Serving while nothing is awaited ------------------------------------------------------- */

int conn_process(struct conn *c, deadline_t deadline, bool *handled, struct rpyc_error *err)
{
    int result = 1;

    pthread_mutex_lock(&c->lock);
    if (!c->closed && !serve_queued(c, false))
        result = step(c, deadline, err);
    *handled = result > 0;
    if (c->closed) {
        conn_closed_error(c, err);
        result = c->why.code == RPYC_OK || c->why.code == RPYC_ECLOSED ? 0 : -1;
    } else if (result == 0) {
        result = 1;
    }
    pthread_mutex_unlock(&c->lock);
    return result;
}

int conn_serve_one(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    bool handled;

    return conn_process(c, deadline, &handled, err);
}

int conn_serve(struct conn *c, struct rpyc_error *err)
{
    int result;

    while ((result = conn_serve_one(c, DEADLINE_NEVER, err)) == 1)
        ;
    return result;
}

/* ---- Serving while something else is awaited ------------------------------------------------- */

/* While the queued requests take more than this number of bytes, conn_attend does not read. */
#define ATTEND_MAX ((size_t)1 << 20)

int conn_attend(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct serving *s;
    int result = 0;

    pthread_mutex_lock(&c->lock);
    s = serving_outermost(&c->serving, pthread_self());
    if (!c->closed && (!s || c->reading || c->serving.queued_bytes > ATTEND_MAX)) {
        conn_wait_for_change(c, deadline, &why);
    } else if (!c->closed) {
        c->queue = s;
        take_role_and_read(c, deadline, &why);
    }
    if (c->closed)
        result = conn_closed_error(c, err);
    pthread_mutex_unlock(&c->lock);
    rpyc_error_clear(&why);
    return result;
}

/* Reads what has arrived, on behalf of another thread. s: the entry of that thread in c->serving.
 * Returns RPYC_OK if a message was read. Call with c->lock held; the lock is released meanwhile. */
static enum rpyc_errcode read_for(struct conn *c, struct serving *s)
{
    enum rpyc_errcode ended;

    c->reading = c->for_other = true;
    c->queue = s;
    pthread_mutex_unlock(&c->lock);
    ended = read_and_handle(c, deadline_in(0));
    pthread_mutex_lock(&c->lock);
    c->at_end = c->at_end || ended == RPYC_ECLOSED;
    return ended;
}

bool conn_attend_for(struct conn *c, pthread_t thread, deadline_t deadline)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct serving *s;
    bool goes_on, waits = false;

    pthread_mutex_lock(&c->lock);
    s = serving_outermost(&c->serving, thread);
    goes_on = s && !c->closed && !c->at_end;
    if (goes_on && (c->reading || c->serving.queued_bytes > ATTEND_MAX))
        conn_wait_for_change(c, deadline, &why);
    else if (goes_on)
        waits = read_for(c, s) != RPYC_OK && !c->at_end;
    pthread_mutex_unlock(&c->lock);
    /* If a long message waits for its turn, the fd is not polled: the bytes of the message are not
     * read yet, so a poll would return at once. */
    if (waits)
        stream_wait(conn_awaits_turn(c) ? -1 : conn_fd(c), POLLIN, NULL, deadline, &why);
    rpyc_error_clear(&why);
    return goes_on;
}

bool conn_take_queued(struct conn *c, pthread_t thread, int64_t handler, struct message *request)
{
    struct queued *q;

    pthread_mutex_lock(&c->lock);
    q = serving_dequeue_handler(&c->serving, thread, handler);
    pthread_mutex_unlock(&c->lock);
    if (!q)
        return false;
    *request = q->request;
    free(q);
    return true;
}

/* ---- Awaiting replies ----------------------------------------------------------------------- */

struct pending *conn_expect(struct conn *c, int64_t seq)
{
    struct pending *p = pending_new(seq);

    if (!p)
        return NULL;
    pthread_mutex_lock(&c->lock);
    LIST_INSERT_HEAD(&c->pending, p, entry);
    pthread_mutex_unlock(&c->lock);
    return p;
}

int conn_start(struct conn *c, struct outgoing *out, int64_t seq, struct pending **p,
               deadline_t deadline, struct rpyc_error *err)
{
    *p = conn_expect(c, seq);
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

/* True if the reply to p has arrived. If p is NULL: true if the peer's generation is known. Call
 * with c->lock held. */
static bool has_come(const struct conn *c, const struct pending *p)
{
    return p ? p->done : conn_has_met(c);
}

/* Waits until has_come(c, p) is true. Serves requests of the peer meanwhile; this does not extend
 * the deadline. If the owner ends the wait, fails with RPYC_EINTERRUPT even if the reply has
 * arrived. Call with c->lock held; the lock is released meanwhile. */
static int wait_for(struct conn *c, const struct pending *p, deadline_t deadline,
                    struct rpyc_error *err)
{
    bool cancellable = p && p->cancellable;
    struct rpyc_error why = RPYC_ERROR_INIT;

    while (!has_come(c, p)) {
        if (p && p->cancelled)
            return error_set(err, RPYC_ECANCELED, "the wait was cancelled");
        if (c->closed)
            return conn_closed_error(c, err);
        if (serve_queued(c, p && conn_envelope(c).bound))
            continue;
        if (step(c, conn_next_check(c, deadline, cancellable), &why) < 0 &&
            why.code == RPYC_EINTERRUPT)
            return error_copy(err, &why);
        if (!has_come(c, p) && conn_deadline_passed(deadline))
            return error_set(err, RPYC_ETIMEOUT, "no answer in time");
    }
    return 0;
}

int conn_meet(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    int result;

    pthread_mutex_lock(&c->lock);
    result = wait_for(c, NULL, deadline, err);
    pthread_mutex_unlock(&c->lock);
    return result;
}

int conn_wait(struct conn *c, struct pending *p, struct message *reply, deadline_t deadline,
              struct rpyc_error *err)
{
    int result;

    pthread_mutex_lock(&c->lock);
    p->awaited = reply != NULL;
    result = wait_for(c, p, deadline, err);
    p->awaited = false;
    if (result == 0 && reply) {
        *reply = p->reply;
        p->reply.frame = FRAME_INIT;
        p->reply.turn = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    return result;
}

int conn_request(struct conn *c, struct outgoing *out, int64_t seq, struct message *reply,
                 deadline_t deadline, struct rpyc_error *err)
{
    struct pending *p;
    int result;

    if (conn_start(c, out, seq, &p, deadline, err) < 0)
        return -1;
    p->cancellable = false; /* only this thread has p, so no thread can cancel the wait */
    result = conn_wait(c, p, reply, deadline, err);
    conn_forget(c, p);
    return result;
}

/* True if conn_wait would not block. Call with c->lock held. */
static bool is_done(const struct conn *c, const struct pending *p)
{
    return p->done || p->cancelled || c->closed;
}

bool conn_is_done(struct conn *c, const struct pending *p)
{
    bool done;

    pthread_mutex_lock(&c->lock);
    done = is_done(c, p);
    pthread_mutex_unlock(&c->lock);
    return done;
}

bool conn_has_result(struct conn *c, const struct pending *p)
{
    bool result;

    pthread_mutex_lock(&c->lock);
    result = p->done && p->reply.frame.data && p->reply.kind == MESSAGE_REPLY;
    pthread_mutex_unlock(&c->lock);
    return result;
}

void conn_notify_done(struct conn *c, struct pending *p, void (*notify)(void *arg), void *arg)
{
    bool now;

    pthread_mutex_lock(&c->lock);
    now = is_done(c, p);
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
        LIST_REMOVE(p, entry);
    pthread_mutex_unlock(&c->lock);
    if (p->done && p->reply.frame.data)
        unclaimed(c, &p->reply);
    free(p);
}
