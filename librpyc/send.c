/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_internal.h"
#include "vinegar.h"

/* The time limit of conn_goodbye for sending, in ms. */
#define GOODBYE_MS 1000

/* ---- Writing a message ---------------------------------------------------------------------- */

/* Returns the peer's thread for which this thread is serving a request; 0: none. Call with c->lock
 * held. */
static uint64_t served_thread(const struct conn *c)
{
    const struct serving *s = serving_of_thread(&c->serving, pthread_self());

    return s ? s->peer_thread : 0;
}

/* Starts a message. Uses the memory of an earlier message if c->spare has some. Call with c->lock
 * held. */
static void begin(struct conn *c, struct outgoing *out, enum message_kind kind, int64_t seq,
                  uint64_t recipient)
{
    struct envelope env = conn_envelope(c);

    out->buf = c->spare;
    out->sent = false;
    c->spare = BUFFER_INIT;
    out->threads = (struct thread_pair){(uint64_t)pthread_self(), recipient};
    out->start = message_begin(&out->buf, &env, kind, seq, &out->threads);
}

/* Frees a message, or keeps its memory in c->spare for the next one. */
static void end(struct conn *c, struct outgoing *out)
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

/* Appends the part of a request that precedes the arguments. */
static void put_handler(struct outgoing *out, enum handler handler)
{
    brine_put_tuple(&out->buf, 2);
    brine_put_int(&out->buf, handler);
}

static void begin_request(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq,
                          bool apart)
{
    pthread_mutex_lock(&c->lock);
    *seq = c->next_seq++;
    begin(c, out, MESSAGE_REQUEST, *seq, apart ? 0 : served_thread(c));
    pthread_mutex_unlock(&c->lock);
    put_handler(out, handler);
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

/* Starts a request behind what `out` contains. */
static void begin_next(struct conn *c, struct outgoing *out, enum handler handler, int64_t seq)
{
    struct envelope env = conn_envelope(c);

    out->start = message_begin(&out->buf, &env, MESSAGE_REQUEST, seq, &out->threads);
    put_handler(out, handler);
}

int conn_request_next(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq,
                      struct rpyc_error *err)
{
    if (frame_end(&out->buf, out->start, !c->stream.local, err) < 0)
        return -1;
    pthread_mutex_lock(&c->lock);
    *seq = c->next_seq++;
    pthread_mutex_unlock(&c->lock);
    begin_next(c, out, handler, *seq);
    return 0;
}

void conn_request_restart(struct conn *c, struct outgoing *out, enum handler handler, int64_t seq,
                          uint64_t recipient)
{
    buffer_truncate(&out->buf, out->start);
    out->threads.recipient = recipient;
    begin_next(c, out, handler, seq);
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
    struct envelope env = conn_envelope(c);

    buffer_truncate(&out->buf, 0);
    out->start = message_begin(&out->buf, &env, kind, request->seq, &out->threads);
}

/* ---- The send role -------------------------------------------------------------------------- */

/* Waits until no thread has the send role. Fails if the calling thread itself has the send role,
 * because the thread would then wait for itself. This happens in a signal handler that runs while
 * the thread is sending. Call with c->lock held. */
static int wait_to_send(struct conn *c, deadline_t deadline, struct rpyc_error *err)
{
    while (c->sending && !c->closed) {
        if (pthread_equal(c->sender, pthread_self()))
            return error_set(err, RPYC_ETIMEOUT, "this thread is already sending a message");
        if (conn_wait_for_change(c, deadline, err) < 0)
            return -1;
    }
    return c->closed ? conn_closed_error(c, err) : 0;
}

static int take_role(struct conn *c, deadline_t deadline, struct rpyc_error *err)
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

static void release_role(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    c->sending = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* ---- Sending -------------------------------------------------------------------------------- */

/* True if sending must be tried again after the error `why`. This is so if only a signal or a check
 * for signals interrupted sending, if the deadline has not passed, and if the owner does not end
 * the wait. */
static bool goes_on(struct conn *c, const struct rpyc_error *why, deadline_t deadline)
{
    bool waits = why->code == RPYC_EINTERRUPT ||
                 (why->code == RPYC_ETIMEOUT && !conn_deadline_passed(deadline));

    return waits && !conn_interrupted(c, true);
}

/* Returns the position up to which one call may send, from the position `at`. end: the position
 * that this function returned last; 0 at the start. With TLS, one call does not send beyond the end
 * of a frame. If two frames were in one TLS record, the OpenSSL of a stock peer could read both
 * from the socket at once. The peer, which polls its socket, would not notice the second frame. */
static size_t end_of_send(const struct conn *c, const struct buffer *frames, size_t at, size_t end)
{
    if (!c->stream.tls)
        return frames->len;
    return at == end ? at + frame_size(frames->data + at) : end;
}

/* Sends complete frames. Call with the send role. After an error the connection is closed, except
 * if a timeout or a signal has ended the call before anything was sent. Over TLS the connection is
 * closed also in this case, because OpenSSL may have encrypted bytes that were not sent. */
static int transmit(struct conn *c, const struct buffer *frames, deadline_t deadline,
                    struct rpyc_error *err)
{
    deadline_t last = conn_stalled_at(c, deadline);
    struct rpyc_error why;
    size_t sent = 0, end = 0;
    ssize_t n;

    error_init(&why);
    while (sent < frames->len) {
        end = end_of_send(c, frames, sent, end);
        n = stream_send_some(&c->stream, frames->data + sent, end - sent,
                             conn_next_check(c, last, false), &why);
        if (n < 0 && !goes_on(c, &why, last)) {
            if (last < deadline && conn_deadline_passed(last))
                error_set(&why, RPYC_ETIMEOUT,
                          "the peer does not read the data that was sent to it");
            break;
        }
        if (n >= 0) {
            sent += (size_t)n;
            last = conn_stalled_at(c, deadline);
        }
    }
    if (sent == frames->len)
        return 0;
    if (sent == 0 && !c->stream.tls && conn_may_retry(&why))
        return error_copy(err, &why);
    conn_close(c, &why);
    return conn_lost_error(&why, err);
}

static int send_frames(struct conn *c, const struct buffer *frames, deadline_t deadline,
                       struct rpyc_error *err)
{
    int result;

    if (take_role(c, deadline, err) < 0)
        return -1;
    result = transmit(c, frames, deadline, err);
    release_role(c);
    return result;
}

int conn_send(struct conn *c, struct outgoing *out, deadline_t deadline, struct rpyc_error *err)
{
    int result = frame_end(&out->buf, out->start, !c->stream.local, err);

    if (result == 0)
        result = send_frames(c, &out->buf, deadline, err);
    out->sent = result == 0;
    end(c, out);
    return result;
}

void conn_abandon(struct conn *c, struct outgoing *out, deadline_t deadline)
{
    buffer_truncate(&out->buf, out->start);
    if (out->buf.len > 0)
        send_frames(c, &out->buf, deadline, NULL);
    end(c, out);
}

/* ---- Messages without objects --------------------------------------------------------------- */

int conn_reply_exception(struct conn *c, const struct message *request, const char *module,
                         const char *name, const char *text, deadline_t deadline,
                         struct rpyc_error *err)
{
    struct outgoing out;

    conn_reply_begin(c, &out, request, MESSAGE_EXCEPTION);
    vinegar_put_text(&out.buf, module, name, text);
    return conn_send(c, &out, deadline, err);
}

void conn_goodbye(struct conn *c)
{
    struct outgoing out;
    int64_t seq;

    if (!conn_closed(c)) {
        conn_request_begin(c, &out, HANDLE_CLOSE, &seq);
        box_put(&out.buf, LABEL_VALUE);
        brine_put_tuple(&out.buf, 0);
        conn_send(c, &out, deadline_in(GOODBYE_MS), NULL);
    }
    conn_close(c, NULL);
}
