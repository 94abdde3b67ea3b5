/* SPDX-License-Identifier: BSD-3-Clause */
#include "pending.h"

#include <stdlib.h>

/* How often a wait looks whether a signal came that did not interrupt it, in ms. */
#define SIGNAL_CHECK_MS 50

/* ---- Lifetime ------------------------------------------------------------------------------- */

static void init_locks(struct conn *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&c->lock, NULL);
}

int conn_new(struct conn **out, const struct stream *stream, const struct conn_callbacks *ops,
             void *host, const struct conn_config *config, struct rpyc_error *err)
{
    struct conn *c = calloc(1, sizeof(*c));
    struct stream taken = *stream;

    if (!c) {
        stream_shutdown(&taken); /* somebody else may have it open, or wait on it */
        stream_close(&taken);
        return error_nomem(err);
    }
    atomic_init(&c->refs, 1);
    c->stream = taken;
    c->ops = ops;
    c->host = host;
    c->env.generation = config ? config->generation : RPYC_GENERATION_AUTO;
    c->env.bound = config && config->bound;
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
    rpyc_error_clear(&c->why);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Whether an error leaves the connection as it was. */
static bool is_passing(const struct rpyc_error *err)
{
    return err->code == RPYC_ETIMEOUT || err->code == RPYC_EINTERRUPT;
}

void conn_close(struct conn *c, const struct rpyc_error *why)
{
    bool was_closed;

    pthread_mutex_lock(&c->lock);
    was_closed = c->closed;
    if (!was_closed) {
        c->closed = true;
        if (why)
            error_set(&c->why, why->code, "%s", why->text);
        stream_shutdown(&c->stream);
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    turn_stop(&c->turn);
    if (!was_closed)
        pending_notify_closed(c);
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

bool conn_keep(struct conn *c, size_t n)
{
    return turn_keep(&c->turn, n);
}

void conn_unkeep(struct conn *c, size_t n)
{
    turn_unkeep(&c->turn, n);
}

bool conn_awaits_turn(struct conn *c)
{
    return atomic_load(&c->turn_due) != 0;
}

bool conn_closed(struct conn *c)
{
    bool closed;

    pthread_mutex_lock(&c->lock);
    closed = c->closed;
    pthread_mutex_unlock(&c->lock);
    return closed;
}

bool conn_lost_fd(struct conn *c)
{
    bool lost;

    pthread_mutex_lock(&c->lock);
    lost = !c->closed && !stream_is_ours(&c->stream);
    pthread_mutex_unlock(&c->lock);
    return lost;
}

void conn_release(struct conn *c)
{
    conn_close(c, NULL);
    pthread_mutex_lock(&c->lock);
    while (c->reading || c->sending)
        pthread_cond_wait(&c->changed, &c->lock);
    stream_close(&c->stream);
    frame_reader_free(&c->reader); /* what came of a message that is not going to be complete */
    turn_leave(&c->turn);
    turn_unkeep(&c->turn, c->kept);
    c->kept = 0;
    pthread_mutex_unlock(&c->lock);
}

void conn_reset(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    stream_reset(&c->stream);
    pthread_mutex_unlock(&c->lock);
    pending_notify_closed(c);
}

void conn_forked(struct conn *c)
{
    stream_drop(&c->stream);
    c->closed = true;
    c->reading = false;
    c->sending = false;
    turn_forked(&c->turn);
    init_locks(c);
}

int conn_fd(struct conn *c)
{
    int fd;

    pthread_mutex_lock(&c->lock);
    fd = c->stream.fd;
    pthread_mutex_unlock(&c->lock);
    return fd;
}

struct envelope conn_envelope(struct conn *c)
{
    struct envelope env;

    pthread_mutex_lock(&c->lock);
    env = c->env;
    pthread_mutex_unlock(&c->lock);
    return env;
}

bool conn_gave_up(struct conn *c)
{
    bool gave_up;

    pthread_mutex_lock(&c->lock);
    gave_up = c->closed && c->why.code == RPYC_ETIMEOUT;
    pthread_mutex_unlock(&c->lock);
    return gave_up;
}

/* A time that was over for a message is over for the connection: nobody is to wait on. */
int conn_closed_error(const struct conn *c, struct rpyc_error *err)
{
    if (c->why.code == RPYC_OK)
        return error_set(err, RPYC_ECLOSED, "the connection is closed");
    return error_set(err, is_passing(&c->why) ? RPYC_ECLOSED : c->why.code, "%s", c->why.text);
}

/* ---- Waiting for a role --------------------------------------------------------------------- */

bool conn_interrupted(struct conn *c, bool by_signal)
{
    return c->ops->interrupted && c->ops->interrupted(c->host, by_signal);
}

bool conn_deadline_passed(deadline_t deadline)
{
    return deadline != DEADLINE_NEVER && deadline_in(0) >= deadline;
}

static bool hears_signals(const struct conn *c)
{
    return c->ops->interrupted && (!c->ops->hears_signals || c->ops->hears_signals(c->host));
}

deadline_t conn_next_stretch(const struct conn *c, deadline_t deadline, bool cancellable)
{
    deadline_t soon = deadline_in(SIGNAL_CHECK_MS);

    return (cancellable || hears_signals(c)) && soon < deadline ? soon : deadline;
}

/* With the lock held: sleeps until something changes or the deadline passes. */
static void sleep_until_change(struct conn *c, deadline_t deadline)
{
    struct timespec t = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};

    if (deadline == DEADLINE_NEVER)
        pthread_cond_wait(&c->changed, &c->lock);
    else
        pthread_cond_timedwait(&c->changed, &c->lock, &t);
}

/* With the lock held before and after: waits for something to change. Errors: RPYC_ETIMEOUT,
 * RPYC_EINTERRUPT. */
static int wait_for_change(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    bool stop;

    sleep_until_change(c, conn_next_stretch(c, deadline, false));
    pthread_mutex_unlock(&c->lock);
    stop = conn_interrupted(c, true);
    pthread_mutex_lock(&c->lock);
    if (stop)
        return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
    if (conn_deadline_passed(deadline))
        return error_set(err, RPYC_ETIMEOUT, "no answer in time");
    return 0;
}

/* ---- Sending -------------------------------------------------------------------------------- */

static uint64_t own_thread(void)
{
    return (uint64_t)pthread_self();
}

/* With the lock held: the peer's thread that this thread is serving, 0 for none. */
static uint64_t served_thread(const struct conn *c)
{
    const struct serving *s = serving_of_thread(c, pthread_self());

    return s ? s->peer_thread : 0;
}

/* With the lock held: starts a message in memory that an earlier one left, where there is some. */
static void begin(struct conn *c, struct outgoing *out, enum message_kind kind, int64_t seq,
                  uint64_t recipient)
{
    out->buf = c->spare;
    out->sent = false;
    c->spare = BUFFER_INIT;
    out->threads = (struct thread_pair){own_thread(), recipient};
    out->start = message_begin(&out->buf, &c->env, kind, seq, &out->threads);
}

static void give_back(struct conn *c, struct outgoing *out)
{
    buffer_clear(&out->buf);
    pthread_mutex_lock(&c->lock);
    if (!c->spare.data) {
        c->spare = out->buf;
        out->buf = BUFFER_INIT;
    }
    pthread_mutex_unlock(&c->lock);
    buffer_free(&out->buf);
}

static void begin_request(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq,
                          bool apart)
{
    pthread_mutex_lock(&c->lock);
    *seq = c->next_seq++;
    begin(c, out, MESSAGE_REQUEST, *seq, apart ? 0 : served_thread(c));
    pthread_mutex_unlock(&c->lock);
    brine_put_tuple(&out->buf, 2);
    brine_put_int(&out->buf, handler);
}

void conn_request_begin(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq)
{
    begin_request(c, out, handler, seq, false);
}

void conn_request_begin_apart(struct conn *c, struct outgoing *out, enum handler handler,
                              int64_t *seq)
{
    begin_request(c, out, handler, seq, true);
}

/* Writes the head of one more request of a message. */
static void put_request(struct conn *c, struct outgoing *out, enum handler handler, int64_t seq)
{
    out->start = message_begin(&out->buf, &c->env, MESSAGE_REQUEST, seq, &out->threads);
    brine_put_tuple(&out->buf, 2);
    brine_put_int(&out->buf, handler);
}

void conn_request_restart(struct conn *c, struct outgoing *out, enum handler handler, int64_t seq,
                          uint64_t recipient)
{
    buffer_truncate(&out->buf, out->start);
    out->threads.recipient = recipient;
    put_request(c, out, handler, seq);
}

void conn_reply_begin(struct conn *c, struct outgoing *out, const struct message *request,
                      enum message_kind kind)
{
    pthread_mutex_lock(&c->lock);
    begin(c, out, kind, request->seq, request->sender);
    pthread_mutex_unlock(&c->lock);
}

void conn_reply_restart(struct conn *c, struct outgoing *out, const struct message *request,
                        enum message_kind kind)
{
    buffer_truncate(&out->buf, 0);
    out->start = message_begin(&out->buf, &c->env, kind, request->seq, &out->threads);
}

/* With the lock held: waits until nobody has the role of sending. A signal handler that runs in the
 * middle of a message of its own thread's would wait for itself. */
static int wait_to_send(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    while (c->sending && !c->closed) {
        if (pthread_equal(c->sender, pthread_self()))
            return error_set(err, RPYC_ETIMEOUT, "this thread is in the middle of a message");
        if (wait_for_change(c, deadline, err) < 0)
            return -1;
    }
    return c->closed ? conn_closed_error(c, err) : 0;
}

/* Takes the role of sending, once nobody has it. */
static int begin_sending(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    int result;

    pthread_mutex_lock(&c->lock);
    result = wait_to_send(c, deadline, err);
    if (result == 0) {
        c->sending = true;
        c->sender = pthread_self();
    }
    pthread_mutex_unlock(&c->lock);
    return result;
}

static void end_sending(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    c->sending = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Whether sending goes on after a stretch of waiting: nothing went wrong, it is not over, and the
 * host does not want it given up. */
static bool goes_on(struct conn *c, const struct rpyc_error *why, deadline_t deadline)
{
    bool waits = why->code == RPYC_EINTERRUPT ||
                 (why->code == RPYC_ETIMEOUT && !conn_deadline_passed(deadline));

    return waits && !conn_interrupted(c, true);
}

deadline_t conn_stalled_at(const struct conn *c, deadline_t deadline)
{
    deadline_t stalled = c->stall_ms > 0 ? deadline_in(c->stall_ms) : DEADLINE_NEVER;

    return stalled < deadline ? stalled : deadline;
}

/* How much of what is left from `at` on may be handed to the stream as one: with TLS no more than
 * to the end of its frame, which was up to `end` before. A stock peer polls its socket, and does
 * not see what came in one record with the frame before, for OpenSSL has taken that from the socket
 * already. */
static size_t end_of_stretch(const struct conn *c, const struct buffer *frames, size_t at,
                             size_t end)
{
    if (!c->stream.tls)
        return frames->len;
    return at == end ? at + frame_size(frames->data + at) : end;
}

/* Sends frames that are complete. The caller has the role. What goes wrong once a part is out is
 * the end of the connection. */
static int transmit(struct conn *c, const struct buffer *frames, deadline_t deadline,
                    struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    deadline_t last = conn_stalled_at(c, deadline);
    size_t sent = 0, end = 0;
    ssize_t n;

    while (sent < frames->len) {
        end = end_of_stretch(c, frames, sent, end);
        n = stream_send_some(&c->stream, frames->data + sent, end - sent,
                             conn_next_stretch(c, last, false), &why);
        if (n < 0 && !goes_on(c, &why, last)) {
            if (last < deadline && conn_deadline_passed(last))
                error_set(&why, RPYC_ETIMEOUT, "the peer does not read what it is sent");
            break;
        }
        if (n >= 0) {
            sent += (size_t)n;
            last = conn_stalled_at(c, deadline);
        }
    }
    if (sent == frames->len)
        return 0;
    if (sent > 0 || c->stream.tls || !is_passing(&why)) /* TLS may have sealed what was not sent */
        conn_close(c, &why);
    return error_set(err, why.code, "%s", why.text);
}

static int send_frame(struct conn *c, const struct buffer *frame, deadline_t deadline,
                      struct rpyc_error *err)
{
    int result;

    if (begin_sending(c, deadline, err) < 0)
        return -1;
    result = transmit(c, frame, deadline, err);
    end_sending(c);
    return result;
}

int conn_send(struct conn *c, struct outgoing *out, deadline_t deadline, struct rpyc_error *err)
{
    int result = frame_end(&out->buf, out->start, !c->stream.local, err);

    if (result == 0)
        result = send_frame(c, &out->buf, deadline, err);
    out->sent = result == 0;
    give_back(c, out);
    return result;
}

int conn_request_next(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq,
                      struct rpyc_error *err)
{
    if (frame_end(&out->buf, out->start, !c->stream.local, err) < 0)
        return -1;
    pthread_mutex_lock(&c->lock);
    *seq = c->next_seq++;
    pthread_mutex_unlock(&c->lock);
    put_request(c, out, handler, *seq);
    return 0;
}

void conn_abandon(struct conn *c, struct outgoing *out, deadline_t deadline)
{
    buffer_truncate(&out->buf, out->start);
    if (out->buf.len > 0)
        send_frame(c, &out->buf, deadline, NULL);
    give_back(c, out);
}

int conn_reply_exception(struct conn *c, const struct message *request, const char *module,
                         const char *name, const char *text, deadline_t deadline,
                         struct rpyc_error *err)
{
    struct outgoing out;

    conn_reply_begin(c, &out, request, MESSAGE_EXCEPTION);
    brine_put_tuple(&out.buf, 4);
    brine_put_tuple(&out.buf, 2);
    brine_put_str(&out.buf, module, strlen(module));
    brine_put_str(&out.buf, name, strlen(name));
    brine_put_tuple(&out.buf, 1);
    brine_put_str(&out.buf, text, strlen(text));
    brine_put_tuple(&out.buf, 1);
    brine_put_tuple(&out.buf, 2);
    brine_put_str(&out.buf, "_remote_version", strlen("_remote_version"));
    brine_put_str(&out.buf, "<version denied>", strlen("<version denied>"));
    brine_put_str(&out.buf, text, strlen(text)); /* in place of a traceback */
    return conn_send(c, &out, deadline, err);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* Hands a reply to whoever waits for it, and the role on. Where it was for nobody (a DEL's), or
 * others wait as well, there is more to come, and we may have nothing to send that would tell the
 * peer's kernel to go on. */
static void deliver(struct conn *c, struct message *m)
{
    struct completion done;

    pthread_mutex_lock(&c->lock);
    done = pending_complete(c, m);
    if (!done.claimed || c->pending)
        stream_acknowledge(&c->stream); /* no answer will do it: the reply to a DEL, mostly */
    c->reading = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (!done.claimed)
        pending_unclaimed(c, m);
    else if (done.notify)
        done.notify(done.arg);
}

static void pass_on_role(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    c->reading = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Sees to a request, once the role has been passed on. */
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
        result = serving_claim(c, m, handler, &s, err);
        ours = result > 0;
    }
    c->reading = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (!ours)
        return result;
    if (s)
        return serving_run(c, s, m, handler, err);
    message_free(m);
    return serving_refuse(c, m, err);
}

/* Reads one message and sees to it. The caller has the role, which is passed on in any case. -1
 * when the wait was given up (RPYC_ETIMEOUT, RPYC_EINTERRUPT); any other error closes the
 * connection, and shows there. */
static int read_and_handle(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct message m = {0};
    int result = conn_receive(c, &m, deadline, &why);

    if (result < 0 && is_passing(&why)) {
        pass_on_role(c);
        return error_set(err, why.code, "%s", why.text);
    }
    if (result == 0) {
        pthread_mutex_lock(&c->lock);
        result = message_parse(&m, &c->env, &why);
        pthread_mutex_unlock(&c->lock);
        brine_limit(&m.body, c->max_depth, c->max_items);
    }
    if (result == 0 && m.kind != MESSAGE_REQUEST) {
        deliver(c, &m);
        return 0;
    }
    if (result == 0)
        result = handle_request(c, &m, &why);
    else
        pass_on_role(c);
    message_free(&m);
    if (result < 0)
        conn_close(c, &why);
    return 0;
}

/* ---- Waiting for a reply -------------------------------------------------------------------- */

/* Reads one message. With the lock held before and after, but not meanwhile. */
static int take_turn(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    bool by_signal, stop;

    c->reading = true;
    pthread_mutex_unlock(&c->lock);
    read_and_handle(c, deadline, &why);
    by_signal = is_passing(&why);
    stop = conn_interrupted(c, by_signal);
    pthread_mutex_lock(&c->lock);
    if (stop)
        return error_set(err, RPYC_EINTERRUPT, "interrupted by a signal");
    if (why.code == RPYC_ETIMEOUT)
        return error_set(err, RPYC_ETIMEOUT, "no answer in time");
    return 0;
}

int conn_step(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    return c->reading ? wait_for_change(c, deadline, err) : take_turn(c, deadline, err);
}

bool conn_has_met(struct conn *c)
{
    bool known;

    pthread_mutex_lock(&c->lock);
    known = c->env.generation != RPYC_GENERATION_AUTO;
    pthread_mutex_unlock(&c->lock);
    return known;
}

bool conn_was_asked(struct conn *c)
{
    bool asked;

    pthread_mutex_lock(&c->lock);
    asked = c->was_asked;
    pthread_mutex_unlock(&c->lock);
    return asked;
}

int conn_meet(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    int result = 0;

    pthread_mutex_lock(&c->lock);
    while (result == 0 && !c->closed && c->env.generation == RPYC_GENERATION_AUTO)
        result = serving_within(c, true) ? 0 : conn_step(c, deadline, err);
    if (result == 0 && c->closed)
        result = conn_closed_error(c, err);
    pthread_mutex_unlock(&c->lock);
    return result;
}

int conn_serve_one(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    int result = 1;

    pthread_mutex_lock(&c->lock);
    if (c->closed || (!serving_within(c, true) && conn_step(c, deadline, err) < 0))
        result = -1;
    if (c->closed) {
        conn_closed_error(c, err);
        result = c->why.code == RPYC_OK || c->why.code == RPYC_ECLOSED ? 0 : -1;
    }
    pthread_mutex_unlock(&c->lock);
    return result;
}

int conn_serve(struct conn *c, struct rpyc_error *err)
{
    int result;

    while ((result = conn_serve_one(c, DEADLINE_NEVER, err)) == 1)
        ;
    return result;
}

void conn_goodbye(struct conn *c)
{
    struct outgoing out;
    int64_t seq;

    if (!conn_closed(c)) {
        conn_request_begin(c, &out, HANDLE_CLOSE, &seq);
        box_put(&out.buf, LABEL_VALUE);
        brine_put_tuple(&out.buf, 0);
        conn_send(c, &out, deadline_in(1000), NULL);
    }
    conn_close(c, NULL);
}
