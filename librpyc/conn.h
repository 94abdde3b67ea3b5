/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One connection: sequence numbers, waiting for replies, requests within requests. It knows no
 * objects. Objects belong to the connection's *owner* (a struct rpyc_conn of librpyc, or a session
 * of the extension), which gives the connection a table of callbacks.
 *
 * Reading is a role and not a thread. A thread that waits for a reply takes the read role if it is
 * free. It reads one message and releases the role; then it serves the request that the message
 * contains, or hands over the reply to the thread that waits for it. So any number of threads may
 * use one connection, requests may be nested, and a request that waits for another thread does not
 * block that thread's own requests to the peer. Sending is also a role: one message at a time.
 *
 * Any thread may call any function here, except where stated.
 */
#ifndef RPYC_CONN_H
#define RPYC_CONN_H

#include "message.h"
#include "stream.h"

struct conn;

/* The functions of a connection's owner that the connection calls. No lock is held during the
 * calls, except for checks_signals. */
struct conn_callbacks {
    /* Serves a request; the handler's number was already read from the message. Must reply once,
     * with conn_reply_begin and conn_send. Not called for HANDLE_CLOSE. The connection owns the
     * message, but the owner calls message_free after reading it, before anything that may take
     * long. -1: close the connection with err. */
    int (*serve)(void *owner, struct conn *conn, struct message *request, int64_t handler,
                 struct rpyc_error *err);

    /* Called repeatedly while a thread waits. Returns true to end the wait with RPYC_EINTERRUPT.
     * by_signal: a signal may have arrived. NULL: no wait is ended. */
    bool (*interrupted)(void *owner, bool by_signal);

    /* True if this thread has to check for signals while it waits. False: it does not wake up for
     * such checks. NULL: every thread checks, if `interrupted` is set. The connection's lock may be
     * held. */
    bool (*checks_signals)(void *owner);

    /* Called with a reply that no request waits for. The reply may contain references, for which
     * the peer keeps objects. The connection owns the message. NULL: such replies are ignored. */
    void (*unclaimed)(void *owner, struct conn *conn, struct message *reply);
};

struct conn_config {
    size_t max_frame;                /* bytes of a message; 0: FRAME_MAX_DEFAULT */
    size_t max_inflated;             /* bytes of a message after decompression; 0: max_frame */
    unsigned max_depth;              /* nested containers in a message; 0: BRINE_DEPTH_MAX */
    size_t max_items;                /* items in a message; 0: no limit */
    enum rpyc_generation generation; /* AUTO: learned from the peer's first message */
    bool bound;                      /* bind-threads; needs a generation other than AUTO */
    struct turns *turns;             /* for long messages, borrowed; NULL: none are needed */
    int stall_ms; /* close the connection if an incomplete message makes no progress for this long,
                   * in either direction; 0: no limit */
};

/* Creates a connection with one reference. Takes the stream, also on failure (RPYC_ENOMEM). config
 * may be NULL. */
int conn_new(struct conn **out, const struct stream *stream, const struct conn_callbacks *callbacks,
             void *owner, const struct conn_config *config, struct rpyc_error *err);

struct conn *conn_ref(struct conn *c);
void conn_unref(struct conn *c);

/* ---- Closing -------------------------------------------------------------------------------- */

/* Closes the connection. Every waiting thread and every later call gets RPYC_ECLOSED with the text
 * of `why`, which may be NULL; or the code of `why` if it is fatal (rpyc_error_is_fatal). Only the
 * first call's `why` counts. Does not wait. */
void conn_close(struct conn *c, const struct rpyc_error *why);

/* Sends HANDLE_CLOSE, as the protocol demands, then closes the connection. */
void conn_goodbye(struct conn *c);

/* Closes the connection and waits until no thread reads or sends, then closes the fd. References
 * stay valid. Do not call while serving a request. */
void conn_release(struct conn *c);

/* Closes the connection, and its fd unless a thread reads or writes. Does not wait: for a peer that
 * has hung up while a request runs. Call conn_release() later. */
void conn_let_go(struct conn *c);

/* Shuts down the socket, if it is open: the reading thread sees the end and closes the connection.
 * Calls no callback. */
void conn_shutdown(struct conn *c);

/* Resets the TCP connection (see stream_reset) and closes it, without a message. Only for a
 * connection that no other thread uses. */
void conn_reset(struct conn *c);

/* Ends the wait of a thread for its turn to read a long message, because the peer has hung up. That
 * thread does not read meanwhile, so it does not notice the end itself. Does not wait. */
void conn_hung_up(struct conn *c);

/* For the child of a fork, where the threads that held locks do not exist: marks the connection as
 * closed and closes the fd. The parent's connection is not affected. Async-signal-safe. */
void conn_forked(struct conn *c);

/* ---- State ---------------------------------------------------------------------------------- */

bool conn_closed(struct conn *c);

/* True if this side closed the connection because it could not go on: the peer was too slow, or
 * memory ran out. Waiting threads get RPYC_ECLOSED then. */
bool conn_gave_up(struct conn *c);

/* True if other code of this process closed the fd, and perhaps opened something else under its
 * number. */
bool conn_lost_fd(struct conn *c);

/* The fd, for poll(2); -1 once it is closed. */
int conn_fd(struct conn *c);

/* How the messages of this connection are wrapped; zeros while that is unknown. */
struct envelope conn_envelope(struct conn *c);

/* conn_has_met: true if the generation of the peer's messages is known. A request can only be sent
 * if it is known. conn_meet waits for the first message, which shows the generation, and serves
 * requests meanwhile. Errors are those of conn_request. */
bool conn_has_met(struct conn *c);
int conn_meet(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* True if the peer has sent a request. */
bool conn_was_asked(struct conn *c);

/* True if a long message has begun to arrive and waits for its turn. */
bool conn_awaits_turn(struct conn *c);

/* Counts n bytes of an answer that are kept until the peer has read it. False, and not counted, if
 * all connections that share the turns would keep too many bytes. conn_unkeep subtracts them. */
bool conn_keep(struct conn *c, size_t n);
void conn_unkeep(struct conn *c, size_t n);

/* ---- Requests to the peer ------------------------------------------------------------------- */

/* A message that is being written: append to `buf`, then send it. */
struct outgoing {
    struct buffer buf;
    size_t start; /* of its last request, in buf */
    struct thread_pair threads;
    bool sent; /* the message was sent; may be read after conn_send has taken the other members */
};

/* Starts a request. Append the boxed tuple of arguments to out->buf. Then call conn_request,
 * conn_start or conn_abandon; or conn_send, if the reply does not matter. */
void conn_request_begin(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq);

/* Like conn_request_begin, for a request that does not belong to the request which this thread is
 * serving. With bind-threads, any thread of the peer may read it. Use it if the peer's thread may
 * have received its reply already and may not read again. */
void conn_request_begin_apart(struct conn *c, struct outgoing *out, enum handler handler,
                              int64_t *seq);

/* Completes the request in `out` and starts another one behind it; one call sends both. On error
 * (RPYC_ENOMEM, RPYC_ELIMIT) `out` can only be abandoned, or sent, which fails. */
int conn_request_next(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq,
                      struct rpyc_error *err);

/* Starts the last request in `out` again, for another thread of the peer. */
void conn_request_restart(struct conn *c, struct outgoing *out, enum handler handler, int64_t seq,
                          uint64_t recipient);

/* Drops the last request in `out`. Sends the requests before it, if there are any. */
void conn_abandon(struct conn *c, struct outgoing *out, deadline_t deadline);

/* Sends a request and waits for the reply; serves requests meanwhile. *reply is a MESSAGE_REPLY or
 * a MESSAGE_EXCEPTION, and the caller owns it. Takes `out`. Errors: RPYC_ECLOSED, RPYC_ETIMEOUT,
 * RPYC_EINTERRUPT, RPYC_ENOMEM, or the reason why the connection was closed. */
int conn_request(struct conn *c, struct outgoing *out, int64_t seq, struct message *reply,
                 deadline_t deadline, struct rpyc_error *err);

/* The two halves of conn_request, for any number of requests at a time. conn_start sends the
 * request. *p is for the functions below; free it with conn_forget. */
struct pending;
int conn_start(struct conn *c, struct outgoing *out, int64_t seq, struct pending **p,
               deadline_t deadline, struct rpyc_error *err);

/* For a request in `out` behind which another one is started: registers the wait for its reply.
 * Call before the message is sent. Returns what conn_start stores in *p, or NULL if there is no
 * memory.
 */
struct pending *conn_expect(struct conn *c, int64_t seq);

/* Waits for the reply and moves it to *reply; or leaves it in p if reply is NULL. It can be moved
 * once. After RPYC_ETIMEOUT or RPYC_EINTERRUPT, call again to go on waiting. RPYC_ECANCELED:
 * conn_cancel was called. */
int conn_wait(struct conn *c, struct pending *p, struct message *reply, deadline_t deadline,
              struct rpyc_error *err);

/* True if conn_wait would not block. */
bool conn_is_done(struct conn *c, const struct pending *p);

/* True if a reply has arrived that is not an exception, and it was not moved yet. */
bool conn_has_result(struct conn *c, const struct pending *p);

/* Calls notify(arg) once, when conn_wait would not block any more: now, or later on the thread that
 * reads the reply or closes the connection. No lock is held. */
void conn_notify_done(struct conn *c, struct pending *p, void (*notify)(void *arg), void *arg);

/* Ends the wait for p in another thread. */
void conn_cancel(struct conn *c, struct pending *p);

/* Frees p, which no thread may be waiting for. Its reply, if it has come or comes later, goes to
 * the `unclaimed` callback. */
void conn_forget(struct conn *c, struct pending *p);

/* ---- Requests of the peer ------------------------------------------------------------------- */

/* Starts the reply to a request. Append a box (MESSAGE_REPLY) or a vinegar tuple
 * (MESSAGE_EXCEPTION), then call conn_send. */
void conn_reply_begin(struct conn *c, struct outgoing *out, const struct message *request,
                      enum message_kind kind);

/* Drops what was appended to a reply and starts it again, perhaps as another kind. */
void conn_reply_restart(struct conn *c, struct outgoing *out, const struct message *request,
                        enum message_kind kind);

/* Sends a message. Takes `out`. Errors: RPYC_ECLOSED, RPYC_ETIMEOUT, RPYC_EINTERRUPT, RPYC_ELIMIT,
 * RPYC_ENOMEM, RPYC_ESYSTEM. */
int conn_send(struct conn *c, struct outgoing *out, deadline_t deadline, struct rpyc_error *err);

/* Replies with an exception that has one argument, a text. */
int conn_reply_exception(struct conn *c, const struct message *request, const char *module,
                         const char *name, const char *text, deadline_t deadline,
                         struct rpyc_error *err);

/* Serves requests until the connection ends. 0: the peer said goodbye, or hung up between two
 * messages. -1: any other reason, in err. */
int conn_serve(struct conn *c, struct rpyc_error *err);

/* For a thread that serves a request, not a nested one, and waits for something else than the peer,
 * before the request has begun to run: reads at most one message, so that a hang-up is noticed. A
 * request is queued; it will be served behind the present one, in order, on the same thread. Reads
 * nothing, and only waits, while many requests are queued. Returns at the deadline at the latest.
 * -1: the connection has ended. */
int conn_attend(struct conn *c, deadline_t deadline, struct rpyc_error *err);

/* Moves the first request to a handler that is queued for this thread to *request, which the caller
 * then owns. False: there is none. */
bool conn_take_queued(struct conn *c, int64_t handler, struct message *request);

/* Reads and handles at most one message. 1: one was handled. 0: the connection ended as above.
 * -1: an error. */
int conn_serve_one(struct conn *c, deadline_t deadline, struct rpyc_error *err);

#endif
