/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A session: the server's side of one connection. This file has what all code for sessions uses:
 * references, taking and releasing the GIL, the threads of a session. What these threads do is in
 * session_threads.
 *
 * A session has one native thread. If the client binds threads (bind-threads), and several of its
 * threads send requests at the same time, the session gets more threads. Each thread of the session
 * has one Python thread state, which it makes when it first runs Python and keeps until the session
 * ends. The thread holds the GIL while it uses Python objects, and never while it reads, waits or
 * writes. None of these threads is a threading.Thread.
 */
#ifndef PS_SESSION_H
#define PS_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "releases.h"
#include "ext.h"
#include "native_settings.h"
#include "objects.h"
#include "reserve.h"

struct ps_session;

#define PS_STACKS_VERSION     2 /* the version of the reply to STACKS: see report/codec.h */
#define PS_STACKS_NOT_CLASSIC "STACKS needs the classic service"

/* Functions that are called through a pointer, because the files that define them include this
 * file. Each session has a pointer to them. */
struct ps_session_ops {
    /* Returns the netref for a reference in a message: see ps_netref_resolve. */
    PyObject *(*resolve)(struct ps_session *s, const struct id_pack *pack);

    /* The main function of each further thread of a session whose client binds threads. Before it
     * returns, gives back a reference to the session. */
    void (*work)(void *session);

    /* Runs on a thread of its own, which is started when the client has hung up while a request
     * runs. Releases the objects of the session if the request does not end soon. Before it
     * returns, gives back a reference to the session. */
    void (*reap)(void *session);
};

/* How long a request may run after the client has hung up, before the session's objects are
 * released, in ms. A request that is shorter finishes as if the client were still connected. */
#define PS_SESSION_REAP_AFTER_MS 1000

struct ps_session {
    atomic_int refs; /* of threads, netrefs and other objects that use the session */
    const struct ps_session_ops *ops;
    struct ps_state *state;
    const struct ps_settings *settings;
    unsigned long long id;   /* the client's number in the log */
    struct ps_source source; /* the client's user or address, for the log */
    struct conn *conn;
    sigset_t request_mask; /* signals blocked while Python runs: the mask of run_server's caller */
    unsigned fork_count;   /* ps_fork_count() of the process that the session belongs to */
    uint8_t *certificate;  /* the client's, as DER, or NULL */
    size_t certificate_len;
    atomic_int threads;     /* the number of the session's threads */
    atomic_int idle;        /* how many of these threads wait for a request */
    atomic_int busy;        /* how many of these threads serve a request */
    atomic_uint served;     /* counts each start and each end of a request */
    atomic_bool hung_up;    /* the client has hung up; the thread that serves it may not know yet */
    atomic_bool reaping;    /* ops->reap was started */
    atomic_bool attended;   /* another thread reads in place of `thread`: see run_request.h */
    pthread_t thread;       /* the session's first thread */
    struct ps_timer late;   /* runs while `thread` serves a request */
    atomic_bool is_classic; /* the client may do everything, so it may get the stacks */
    atomic_bool started;    /* Python objects may exist, which must be released at the end */

    /* The GIL guards the members below. */
    bool met;   /* the service's on_connect was called: on_disconnect must be called, too */
    bool ended; /* the session's objects have been released, and no new one is stored */
    struct ps_objects objects;         /* objects of this process that the client holds */
    PyObject *namespace;               /* see ps_session_namespace; NULL: not made yet */
    SLIST_HEAD(, ps_pyframe) pyframes; /* the structs of pyframe.c that no request uses */
    PyObject *root;                    /* the service */
    PyObject *connection;              /* see ps_connection_get; NULL: not made yet */
    PyObject *config;                  /* the connection's _config, a dict, or NULL */
    PyObject *policy;         /* checks uses of attributes, or None: see ps_session_is_classic */
    PyObject *last_traceback; /* of the latest exception that was sent to the client, or NULL */
    PyObject *classes;        /* classes of netrefs: a dict with keys from netclass.c, or NULL */
    void *netrefs;            /* tsearch tree of the netrefs */
    struct releases releases; /* id packs of dropped netrefs, to be sent in a DEL */
    bool releasing;           /* a thread has been started to send `releases` */
};

/* ---- References ------------------------------------------------------------------------------ */

/* Take and drop a reference. The last ps_session_unref frees the session. Need no GIL. */
void ps_session_ref(struct ps_session *s);
void ps_session_unref(struct ps_session *s);

/* True if a request can be sent to the client: the connection is open, and this process is not a
 * forked child of the process that the client is connected to. Needs no GIL. */
bool ps_session_alive(struct ps_session *s);

/* ---- The GIL --------------------------------------------------------------------------------- */

/* What a thread does for a session. ps_session_this_thread() returns the struct of the calling
 * thread. */
struct ps_session_thread {
    struct ps_session *session; /* NULL: the thread does not belong to a session */
    unsigned depth;             /* how many nested requests the thread serves */
    bool attends;               /* this thread reads in place of session->thread */
};
struct ps_session_thread *ps_session_this_thread(void);

/* True if the calling thread belongs to this session. False on a thread of the program, which may
 * serve requests while it waits for the client. */
bool ps_session_on_own_thread(const struct ps_session *s);

/* Takes the GIL to serve the client. May be called on any thread. Returns false, and does not hold
 * the GIL, if the interpreter is shutting down or there is no memory. */
bool ps_session_enter(struct ps_session *s);

/* Takes the GIL for cleanup that must run. Call on a thread of pystuck. If there is no memory,
 * tries again until there is. Returns false, and does not hold the GIL, if the interpreter is
 * shutting down. */
bool ps_session_enter_for_cleanup(struct ps_session *s);

/* Releases the GIL after ps_session_enter. If the thread is also serving an outer request, keeps
 * the thread state and the signal mask, which that request uses. */
void ps_session_leave(struct ps_session *s);

/* Call with the GIL, on a thread of the session, after Python code has run for the client.
 * outermost: the code was not called within another request. Removes this thread from
 * threading's list, to which the code may have added the thread as a dummy thread. If outermost,
 * also drops an exception that was set too late for the request. If the code has forked and this
 * process is the child, ends the process. */
void ps_session_end_python(const struct ps_session *s, bool outermost);

/* Call with the GIL, after Python code that is not a request has run for the client, such as a
 * callback. Releases the GIL; then sends a DEL for the netrefs that the code has dropped. */
void ps_session_leave_and_post(struct ps_session *s);

/* ---- Threads --------------------------------------------------------------------------------- */

/* Call without the GIL, at the end of a thread that has a reference to the session. Releases the
 * reference, and frees OpenSSL's data of the thread. */
void ps_session_end_thread(struct ps_session *s);

/* Call before and after a request, without the GIL. With bind-threads, ps_session_begin_request
 * starts a thread if no thread is left to read the next request. */
void ps_session_begin_request(struct ps_session *s);
void ps_session_end_request(struct ps_session *s);

/* Call these in a callback that runs when a reply has arrived, on any thread, without the GIL.
 * ps_session_begin_callback takes the GIL, and returns false if it cannot. ps_session_end_callback
 * drops a reference to obj and releases the GIL. */
bool ps_session_begin_callback(struct ps_session *s);
void ps_session_end_callback(struct ps_session *s, PyObject *obj);

/* Called when the client has hung up. Does not wait. If a request is running, starts ops->reap,
 * since no other thread would notice the hang-up. */
void ps_session_hung_up(void *session);

/* Call with the GIL. Sends a DEL for the netrefs in `releases` soon, even if nothing else is sent
 * to the client. */
void ps_session_release_soon(struct ps_session *s);

#endif
