/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One connection: sequence numbers, waiting, requests within requests. It knows no objects. Those
 * are the *host's*: a table of functions that serves the requests that come in.
 *
 * Reading is a role, not a thread. Whoever waits for a reply reads; serves what comes in; hands a
 * reply that is not its own to whoever waits for it; and passes the role on before it serves and
 * when it is done. So any number of threads may use one connection, a request may send requests of
 * its own, and one that waits for another thread which itself talks to the peer does not deadlock.
 *
 * Sending is one thread at a time. Everything here may be called by any thread.
 */
#ifndef RPYC_CONN_H
#define RPYC_CONN_H

#include "message.h"
#include "stream.h"

struct conn;

/* Who serves the requests that come in on a connection. */
struct conn_callbacks {
    /* Serves one request; conn_handler has been read off already. Called by whichever thread reads,
     * without any lock. Has to answer through conn_reply_begin and conn_send, once, but for
     * HANDLE_CLOSE, which conn itself takes care of. The message is conn's; a host that has read it
     * calls message_free, before it does anything that takes long. -1 gives up the connection. */
    int (*serve)(void *host, struct conn *conn, struct message *request, int64_t handler,
                 struct rpyc_error *err);

    /* Asked while a thread waits, after everything that it did: true gives the wait up, with
     * RPYC_EINTERRUPT. by_signal: a signal may have come. May be NULL: waits go on. */
    bool (*interrupted)(void *host, bool by_signal);

    /* Whether signals concern this thread: if not, it is not woken up to see to them. May be NULL:
     * as if it said yes. */
    bool (*hears_signals)(void *host);

    /* A reply that nobody waits for any more, maybe with references in it for which the peer keeps
     * objects. Without a lock; the message is conn's. May be NULL. */
    void (*unclaimed)(void *host, struct conn *conn, struct message *reply);
};

struct conn_config {
    size_t max_frame;                /* bytes of a message; 0: FRAME_MAX_DEFAULT */
    size_t max_inflated;             /* ... once it is decompressed; 0: as max_frame */
    unsigned max_depth;              /* of containers in one message; 0: BRINE_DEPTH_MAX */
    size_t max_items;                /* in one message; 0: as many as fit into it */
    enum rpyc_generation generation; /* AUTO: as the peer's first message tells */
    bool bound;                      /* bind-threads, with a generation given */
    struct turns *turns;             /* borrowed: long messages take turns; NULL: they do not */
    int stall_ms; /* how long a message that is being sent, or has begun to arrive, may get no
                   * further before the connection is given up; 0: for ever */
};

/* A connection over a stream, which it takes, also when it fails (RPYC_ENOMEM). One reference. */
int conn_new(struct conn **out, const struct stream *stream, const struct conn_callbacks *ops,
             void *host, const struct conn_config *config, struct rpyc_error *err);

struct conn *conn_ref(struct conn *c);
void conn_unref(struct conn *c);

/* No more: everyone who waits gets RPYC_ECLOSED, or the code and text of `why`, and so does every
 * later call. Does not wait. `why` may be NULL; the first one to close says it. */
void conn_close(struct conn *c, const struct rpyc_error *why);
bool conn_closed(struct conn *c);

/* Whether it was closed because the peer took too long. To everyone who waits that is RPYC_ECLOSED,
 * since RPYC_ETIMEOUT would have them wait again. */
bool conn_gave_up(struct conn *c);

/* Shuts the socket down, if it is still there: whoever reads sees the end and closes. Calls nobody
 * back. */
void conn_shutdown(struct conn *c);

/* Says that the peer has hung up, which a thread that waits for its turn to read a long message
 * does not see: it gives up. Does not wait. */
void conn_hung_up(struct conn *c);

/* Whether the message that is being received is a long one and waits for its turn. */
bool conn_awaits_turn(struct conn *c);

/* Counts n bytes that an answer takes as long as the peer has not read it. False where that is too
 * much for all connections that take turns together. */
bool conn_keep(struct conn *c, size_t n);
void conn_unkeep(struct conn *c, size_t n);

/* Whether somebody else has taken its fd while it was open: closed it, and perhaps opened something
 * else under that number. */
bool conn_lost_fd(struct conn *c);

/* Closes, and gives the fd back as soon as nobody is in a call on it, whoever still holds
 * references. Not from a request that is being served. */
void conn_release(struct conn *c);

/* Closes with stream_reset and without a message, for a connection that no other thread uses. */
void conn_reset(struct conn *c);

/* Says goodbye as the protocol has it (HANDLE_CLOSE), then closes. */
void conn_goodbye(struct conn *c);

/* After a fork, in the child, where the threads that had the locks are no more: makes the
 * connection a closed one and lets go of the fd; the connection goes on in the parent.
 * Async-signal-safe. */
void conn_forked(struct conn *c);

/* The fd, to be polled by the caller; -1 once it is closed. */
int conn_fd(struct conn *c);

/* How messages look on it, once that is known. */
struct envelope conn_envelope(struct conn *c);

/* Waits until the peer's first message has told how messages look, which a request of ours needs to
 * know, and serves what comes meanwhile. Errors as of conn_request. */
int conn_meet(struct conn *c, deadline_t deadline, struct rpyc_error *err);
bool conn_has_met(struct conn *c);

/* Whether the peer has sent a request yet. */
bool conn_was_asked(struct conn *c);

/* ---- Requests of ours ----------------------------------------------------------------------- */

/* An outgoing message that is being written: append to `buf`, then send it. */
struct outgoing {
    struct buffer buf;
    size_t start;
    struct thread_pair threads;
    bool sent; /* it went out; to be read also when it has been taken */
};

/* Starts a request: the caller appends the boxed tuple of arguments to out->buf, then calls
 * conn_request, conn_start or conn_abandon; or conn_send, where the reply does not matter. */
void conn_request_begin(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq);

/* The same for a request that is no part of what this thread is serving: with bind-threads it is
 * for whichever thread of the peer's reads it. The one that is served may have had its answer, and
 * not read again. */
void conn_request_begin_apart(struct conn *c, struct outgoing *out, enum handler handler,
                              int64_t *seq);

/* Begins the latest request of a message anew, for that thread of the peer's. */
void conn_request_restart(struct conn *c, struct outgoing *out, enum handler handler, int64_t seq,
                          uint64_t recipient);

/* Gives up the message that is being written; requests that were completed before it still go out.
 */
void conn_abandon(struct conn *c, struct outgoing *out, deadline_t deadline);

/* Completes the request in out and starts another one behind it: all of them go out with one send.
 * On failure (RPYC_ENOMEM, RPYC_ELIMIT) out is only to be sent, which fails, or abandoned. */
int conn_request_next(struct conn *c, struct outgoing *out, enum handler handler, int64_t *seq,
                      struct rpyc_error *err);

/* Sends the request and waits for its reply, serving what comes in meanwhile. On 0, *reply is it: a
 * MESSAGE_REPLY or MESSAGE_EXCEPTION, owned by the caller. Takes out. Errors: RPYC_ECLOSED,
 * RPYC_ETIMEOUT, RPYC_EINTERRUPT, RPYC_ENOMEM, ... */
int conn_request(struct conn *c, struct outgoing *out, int64_t seq, struct message *reply,
                 deadline_t deadline, struct rpyc_error *err);

/* The same in two halves: sends the request now, and waits for the reply later, any number of
 * requests at a time. *p is for the functions below, and for conn_forget in the end. */
struct pending;
int conn_start(struct conn *c, struct outgoing *out, int64_t seq, struct pending **p,
               deadline_t deadline, struct rpyc_error *err);

/* Waits for the reply and moves it to *reply, once; or leaves it there, for reply NULL. A wait that
 * failed with RPYC_ETIMEOUT or
 * RPYC_EINTERRUPT can be done again. RPYC_ECANCELED: by conn_cancel. */
int conn_wait(struct conn *c, struct pending *p, struct message *reply, deadline_t deadline,
              struct rpyc_error *err);

/* Whether conn_wait would return at once. */
bool conn_is_done(struct conn *c, const struct pending *p);

/* Has notify(arg) called, once, when conn_wait would return at once: now if it would, else by
 * whichever thread reads the reply or closes the connection, without a lock. */
typedef void (*conn_notify)(void *arg);
void conn_notify_done(struct conn *c, struct pending *p, conn_notify notify, void *arg);

/* Makes whoever waits give up, from another thread. The reply, when it comes, is dropped. */
void conn_cancel(struct conn *c, struct pending *p);

/* Gives up the request, done or not: its reply goes to the host as unclaimed. Frees p, which nobody
 * may be waiting for. */
void conn_forget(struct conn *c, struct pending *p);

/* ---- Requests of the peer ------------------------------------------------------------------- */

/* Starts the answer to a request: append the box (MESSAGE_REPLY) or vinegar (MESSAGE_EXCEPTION),
 * then conn_send. */
void conn_reply_begin(struct conn *c, struct outgoing *out, const struct message *request,
                      enum message_kind kind);
/* Gives up what was appended so far and starts over, as another kind. */
void conn_reply_restart(struct conn *c, struct outgoing *out, const struct message *request,
                        enum message_kind kind);

/* Sends what was begun. Takes out. Errors: RPYC_ECLOSED, RPYC_ETIMEOUT, RPYC_EINTERRUPT,
 * RPYC_ELIMIT, RPYC_ENOMEM, RPYC_ESYSTEM. */
int conn_send(struct conn *c, struct outgoing *out, deadline_t deadline, struct rpyc_error *err);

/* Answers with an exception whose arguments are one text. */
int conn_reply_exception(struct conn *c, const struct message *request, const char *module,
                         const char *name, const char *text, deadline_t deadline,
                         struct rpyc_error *err);

/* Serves until the connection ends: 0 if the peer said goodbye or hung up between two messages, -1
 * with the reason else. */
int conn_serve(struct conn *c, struct rpyc_error *err);

/* Reads and serves one message at most. 1: did so; 0: end; -1: error. */
int conn_serve_one(struct conn *c, deadline_t deadline, struct rpyc_error *err);

#endif
