/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One connection: numbers the requests to the peer, sends them, waits for replies, and serves the
 * peer's requests, also while it waits. Objects belong to the connection's *owner* (a struct
 * rpyc_conn of librpyc, or a session of the extension), which gives the connection a table of
 * callbacks.
 *
 * No thread is reserved for reading. Instead, a thread that waits for a reply takes the read role
 * if no other thread has it. The thread reads one message and releases the role. Then it serves the
 * request in the message, or hands over the reply to the thread that waits for the reply. So any
 * number of threads may use one connection, and requests may be nested: a thread that is serving a
 * request of the peer can send requests to the peer. Sending is also a role: the thread that has it
 * sends one message.
 *
 * Any thread may call any function here, except where stated.
 */
#ifndef RPYC_CONN_H
#define RPYC_CONN_H

#include "message.h"
#include "stream.h"

struct conn;

/* The functions of the owner that the connection calls. The connection's lock is not held during
 * the calls, except for checks_signals. */
struct conn_callbacks {
    /* Serves a request whose handler's number was already read from the message. Must reply once,
     * with conn_reply_begin and conn_send. The connection frees the message after the call; if
     * serving may take long, call message_free as soon as the arguments have been read. Returns 0,
     * or -1 with err filled to close the connection. Not called for HANDLE_CLOSE. */
    int (*serve)(void *owner, struct conn *conn, struct message *request, int64_t handler,
                 struct rpyc_error *err);

    /* Called repeatedly while a thread waits. Returns true to end the wait with RPYC_EINTERRUPT.
     * by_signal: a signal may have arrived. NULL: waits are not interrupted. */
    bool (*interrupted)(void *owner, bool by_signal);

    /* Returns true if the calling thread has to wake up regularly while it waits, to call
     * `interrupted`. This is necessary because a signal does not always end the wait. NULL: every
     * thread wakes up regularly if `interrupted` is set. The connection's lock may be held during
     * the call. */
    bool (*checks_signals)(void *owner);

    /* Called with a reply that no thread will take. If the reply refers to objects of the peer, the
     * peer keeps them until the owner releases them. The connection frees the message after the
     * call. NULL: such replies are ignored. */
    void (*unclaimed)(void *owner, struct conn *conn, struct message *reply);
};

struct conn_config {
    size_t max_frame;    /* the most bytes of a message; 0: FRAME_MAX_DEFAULT */
    size_t max_inflated; /* the same after decompression; 0: max_frame */
    unsigned max_depth;  /* the most levels of nested containers in it; 0: BRINE_DEPTH_MAX */
    size_t max_items;    /* the most items in it; 0: no limit */
    enum rpyc_generation generation; /* AUTO: learned from the peer's first message */
    bool bound;          /* bind-threads is in use; needs a generation other than AUTO */
    struct turns *turns; /* see turns.h; borrowed; NULL: long messages do not wait */
    int stall_ms; /* close the connection if an incomplete message makes no progress for this long,
                   * in either direction; 0: no limit */
};

/* Creates a connection with one reference. Takes ownership of the stream, even if the function
 * fails with RPYC_ENOMEM. A NULL config means the same as one whose members are all zero. */
int conn_new(struct conn **out, const struct stream *stream, const struct conn_callbacks *callbacks,
             void *owner, const struct conn_config *config, struct rpyc_error *err);

struct conn *conn_ref(struct conn *c);
void conn_unref(struct conn *c);

/* ---- Closing -------------------------------------------------------------------------------- */

/* Closes the connection, but not its fd. Every waiting thread and every later call fails with the
 * text of `why`. Their error code is that of `why` if rpyc_error_is_fatal(why) is true, else
 * RPYC_ECLOSED. why may be NULL. If the connection is closed already, `why` is ignored. Does not
 * wait. */
void conn_close(struct conn *c, const struct rpyc_error *why);

/* Sends HANDLE_CLOSE, which the protocol requires, then closes the connection like conn_close. */
void conn_goodbye(struct conn *c);

/* Closes the connection, waits until no thread has the read role or the send role, then closes the
 * fd. Drops no reference to c. Do not call while serving a request. */
void conn_release(struct conn *c);

/* Closes the connection. Also closes its fd, if no thread has the read role or the send role. Does
 * not wait. Use this function if the peer has hung up while one of its requests runs, and call
 * conn_release() later. */
void conn_let_go(struct conn *c);

/* Shuts down the socket if the connection is open. The thread that reads then sees the end of the
 * stream and closes the connection. Calls no callback. */
void conn_shutdown(struct conn *c);

/* Closes the connection by a reset (see stream_reset), without sending HANDLE_CLOSE. Only for a
 * connection that no other thread uses. */
void conn_reset(struct conn *c);

/* Call when the peer has hung up. If a thread waits for its turn to read a long message, ends this
 * wait: the thread does not read while it waits, so it cannot notice that the peer has hung up.
 * This function does not wait. */
void conn_hung_up(struct conn *c);

/* Call in the child of a fork. Marks the connection as closed, closes the fd, and initializes the
 * locks again, since the threads that held them do not exist in the child. The parent's connection
 * is not affected. Async-signal-safe. */
void conn_forked(struct conn *c);

/* ---- State ---------------------------------------------------------------------------------- */

bool conn_closed(struct conn *c);

/* True if this side closed the connection because the peer was too slow or memory ran out. Later
 * calls do not return this reason as a code: they fail with RPYC_ECLOSED. */
bool conn_gave_up(struct conn *c);

/* True if the connection is not closed, but other code of this process has closed its fd. The fd's
 * number may by now belong to another file. */
bool conn_lost_fd(struct conn *c);

/* Returns the fd, for poll(2); -1 if it was closed. */
int conn_fd(struct conn *c);

/* Returns the envelope of the messages on this connection; all zeros if it is not known yet. */
struct envelope conn_envelope(const struct conn *c);

/* conn_has_met returns true if the generation of the peer's messages is known. Before that, a
 * request is written in the envelope of rpyc 6. conn_meet waits for the peer's first message, which
 * shows the generation, and serves requests meanwhile. Errors are those of conn_request. */
bool conn_has_met(const struct conn *c);
int conn_meet(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* True if the peer has sent a request. */
bool conn_was_asked(struct conn *c);

/* True if a long message has begun to arrive, and now waits for its turn (see turns.h). */
bool conn_awaits_turn(struct conn *c);

/* conn_keep counts n bytes of a reply, which stay in memory until the peer has read them.
 * conn_unkeep subtracts them again. If these n bytes would put the total of all connections that
 * share the turns above the limit, conn_keep counts nothing and returns false. */
bool conn_keep(struct conn *c, size_t n);
void conn_unkeep(struct conn *c, size_t n);

/* ---- Requests to the peer ------------------------------------------------------------------- */

/* A message that is being written: append to `buf`, then send it. */
struct outgoing {
    struct buffer buf;
    size_t start; /* where the frame of the last request or reply starts in buf */
    struct thread_pair threads;
    bool sent; /* set by conn_send, which takes the other members; true: all of the message was
                * sent */
};

/* Begins to write a request. *seq: its sequence number. Append the boxed tuple of arguments to
 * out->buf. Then call conn_request, conn_start or conn_abandon; or conn_send, if the reply does not
 * matter. */
void conn_request_begin(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq);

/* Like conn_request_begin, but any thread of the peer may read the request. The two functions
 * differ only with bind-threads, and only if the calling thread is serving a request. Then
 * conn_request_begin addresses the new request to the peer's thread that sent the served request.
 * After that thread has received the reply to the served request, it perhaps reads no further
 * message. So use conn_request_begin_apart if that reply may have been sent already. */
void conn_request_begin_apart(struct conn *c, struct outgoing *out, enum handler handler,
                              int64_t *seq);

/* Completes the request in `out` and begins another one behind it. Both are sent in one message.
 * After an error (RPYC_ENOMEM, RPYC_ELIMIT), still call conn_abandon or a function that sends
 * `out`. After such an error, each function that sends `out` fails. */
int conn_request_next(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq,
                      struct rpyc_error *err);

/* Discards what was written of the last request in `out`, and begins this request again, for the
 * peer's thread `recipient` (bind-threads). seq: the request's number. */
void conn_request_restart(struct conn *c, struct outgoing *out, enum handler handler, int64_t seq,
                          uint64_t recipient);

/* Discards the last request or reply in `out`. Sends the complete requests before it, if there are
 * any. Takes `out`. */
void conn_abandon(struct conn *c, struct outgoing *out, deadline_t deadline);

/* Sends a request and waits for its reply. Serves requests of the peer meanwhile. *reply is a
 * MESSAGE_REPLY or a MESSAGE_EXCEPTION, and the caller owns it. Takes `out`. Errors: RPYC_ECLOSED,
 * RPYC_ETIMEOUT, RPYC_EINTERRUPT, RPYC_ENOMEM, or the reason why the connection was closed. */
int conn_request(struct conn *c, struct outgoing *out, int64_t seq, struct message *reply,
                 deadline_t deadline, struct rpyc_error *err);

/* conn_start and conn_wait together do what conn_request does, so that a thread can have several
 * requests under way. conn_start sends the request. *p is for the functions below; free it with
 * conn_forget. *p is NULL after an error. */
struct pending;
int conn_start(struct conn *c, struct outgoing *out, int64_t seq, struct pending **p,
               deadline_t deadline, struct rpyc_error *err);

/* Registers a request that is not the last one in `out`, so that a thread can wait for its reply.
 * seq: the request's number. Call before the message is sent. Returns a pointer like the *p of
 * conn_start; NULL if there is no memory. */
struct pending *conn_expect(struct conn *c, int64_t seq);

/* Waits for the reply to p and moves it to *reply. A second call gets an empty message: its
 * frame.data is NULL. reply may be NULL: the reply then stays in p. After RPYC_ETIMEOUT or
 * RPYC_EINTERRUPT, call again to wait longer. RPYC_ECANCELED: conn_cancel was called. Other errors:
 * as in conn_request. */
int conn_wait(struct conn *c, struct pending *p, struct message *reply, deadline_t deadline,
              struct rpyc_error *err);

/* True if conn_wait would not block. */
bool conn_is_done(struct conn *c, const struct pending *p);

/* True if the reply to p has arrived, is not an exception, and was not moved by conn_wait yet. */
bool conn_has_result(struct conn *c, const struct pending *p);

/* Calls notify(arg) once. If conn_wait would not block, calls notify now. Otherwise, the thread
 * that reads the reply or closes the connection calls notify, without holding a lock. */
void conn_notify_done(struct conn *c, struct pending *p, void (*notify)(void *arg), void *arg);

/* Makes conn_wait fail with RPYC_ECANCELED if the reply to p has not arrived. Also ends the wait of
 * another thread that is in conn_wait. */
void conn_cancel(struct conn *c, struct pending *p);

/* Frees p. Do not call while a thread waits for the reply to p. If the reply has arrived and was
 * not moved, or if it arrives later, the reply goes to the `unclaimed` callback. */
void conn_forget(struct conn *c, struct pending *p);

/* ---- Requests of the peer ------------------------------------------------------------------- */

/* Begins to write the reply to a request. Append to out->buf a box if kind is MESSAGE_REPLY, or a
 * vinegar tuple if kind is MESSAGE_EXCEPTION. Then call conn_send. */
void conn_reply_begin(struct conn *c, struct outgoing *out, const struct message *request,
                      enum message_kind kind);

/* Discards what was appended to a reply, and begins the reply again. kind may differ from the kind
 * that was passed to conn_reply_begin. */
void conn_reply_restart(struct conn *c, struct outgoing *out, const struct message *request,
                        enum message_kind kind);

/* Sends the message in `out`. Takes `out`. Errors: RPYC_ECLOSED, RPYC_ETIMEOUT, RPYC_EINTERRUPT,
 * RPYC_ELIMIT, RPYC_ENOMEM, RPYC_ESYSTEM. */
int conn_send(struct conn *c, struct outgoing *out, deadline_t deadline, struct rpyc_error *err);

/* Replies with an exception of the class `name` in `module`, with `text` as its one argument. */
int conn_reply_exception(struct conn *c, const struct message *request, const char *module,
                         const char *name, const char *text, deadline_t deadline,
                         struct rpyc_error *err);

/* Serves requests until the connection ends. Returns 0 if the peer sent HANDLE_CLOSE, if the peer
 * hung up between two messages, or if this side closed the connection without a reason. Returns -1
 * in all other cases, with the reason in err. */
int conn_serve(struct conn *c, struct rpyc_error *err);

/* Call this in a thread that is serving a request (not a nested one), but must wait for something
 * else before it can run the request. Reads at most one message, so that a hang-up of the peer is
 * noticed. If the message is a request, queues it: this thread serves it after the present request,
 * in order. While the queued requests take more than 1 MiB, reads nothing and only waits. Returns
 * at the deadline at the latest. Returns -1 with err filled if the connection has ended, else 0. */
int conn_attend(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* Like conn_attend, but reads on behalf of `thread`, another thread. `thread` is serving a request
 * and does not read, because it runs the request, or because it waits for something that may never
 * come. Queues each request for `thread`. `thread` can start to read at any time, because this
 * function does not keep the read role while it waits. Does not close the connection at the end of
 * the peer's stream, since the peer may still read the reply. Only for connections without
 * bind-threads. Returns false if `thread` serves no request, or if nothing more can be read. */
bool conn_attend_for(struct conn *c, pthread_t thread, deadline_t deadline);

/* Finds the first request to `handler` that is queued for `thread`. Removes the request from the
 * queue and moves it to *request, which the caller then owns. Returns false if there is no such
 * request. */
bool conn_take_queued(struct conn *c, pthread_t thread, int64_t handler, struct message *request);

/* Reads and handles at most one message. If another thread has the read role, only waits until a
 * reply has arrived, a role has become free or the connection is closed. Returns 1 if there was no
 * error and the connection is still open. If the connection has ended, returns 0 or -1 like
 * conn_serve. Returns -1 also after RPYC_ETIMEOUT and RPYC_EINTERRUPT. */
int conn_serve_one(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* Like conn_serve_one. *handled: whether this thread has handled a message. If it is false and the
 * result is 1, a signal ended the wait, or another thread had the read role. */
int conn_process(struct conn *c, deadline_t deadline, bool *handled, struct rpyc_error *err);

#endif
