/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One client, served by native threads of its own: when they need the GIL, and when they do not.
 *
 * There is one thread, and more only where the client binds threads (bind-threads) and several of
 * its threads want something at a time. Each has one Python thread state, made when it first runs
 * Python and kept until the client goes. It holds the GIL while Python objects are touched and
 * never while it reads, waits or writes. It is no threading.Thread and shows up in no list of the
 * debuggee's.
 */
#ifndef PS_SESSION_H
#define PS_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "releases.h"
#include "ext.h"
#include "objects.h"
#include "server.h"

/* What a client may ask of us, or keep us waiting for. */
struct ps_limits {
    size_t max_clients;      /* at a time */
    size_t max_frame;        /* bytes of a message */
    size_t max_decompressed; /* ... once it is decompressed */
    unsigned max_depth;      /* of tuples in tuples in a message, */
    size_t max_items;        /* and of values in it, tuples among them */
    size_t max_objects;      /* of ours that one client holds */
    int handshake_ms;        /* for TLS and the first message; -1: for ever */
    int send_ms;             /* without reading anything while it is being sent to; 0: for ever */
};

/* What the sessions of one server have in common. For good: a server may outlive its handle. */
struct ps_settings {
    struct ps_state *state;
    struct ps_log *log; /* or NULL */
    PyObject *connect;  /* makes a client's connection from its session object; NULL: the classic
                           service */
    struct tls_server *tls; /* or NULL: clients are talked to without TLS */
    struct turns *turns;    /* of long messages */
    uid_t *users;           /* who is let in beside root and ourselves */
    struct ps_limits limits;
};

struct ps_session {
    atomic_int refs; /* its threads, and every netref */
    struct ps_state *state;
    const struct ps_settings *settings;
    unsigned long long id;   /* the client's number, for the log, */
    struct ps_source source; /* ... and who it is */
    struct conn *conn;
    sigset_t request_mask; /* signals blocked while Python runs: as where run_server was called */
    unsigned fork_count;   /* of the process that it belongs to */
    uint8_t *certificate;  /* the client's, as DER, or NULL */
    size_t certificate_len;
    atomic_int threads;  /* of its own: all of them, */
    atomic_int idle;     /* ... those that wait for a request, */
    atomic_int busy;     /* ... and those that serve one */
    atomic_uint served;  /* how often a request was begun or done */
    atomic_bool hung_up; /* the client has gone, which whoever serves it may not know yet */
    atomic_bool reaping; /* ... and somebody sees to that */
    atomic_bool started; /* there are objects to let go */

    /* The GIL guards the rest. */
    bool met;                  /* the service's on_connect was begun: on_disconnect is due */
    bool ended;                /* the client's objects have been let go; none comes in any more */
    struct ps_objects objects; /* ours that the client holds */
    PyObject *namespace;       /* see ps_session_namespace; NULL: not made yet */
    SLIST_HEAD(, ps_pyframe) pyframes; /* see pyframe */
    PyObject *root;                    /* the service */
    PyObject *connection;              /* see ps_session_connection; NULL: not made yet */
    PyObject *config;                  /* its _config, a dict, or NULL */
    PyObject *policy; /* says which attributes it may use; None: all. NULL: nobody made one */
    PyObject *last_traceback; /* of the latest exception that went to the client, or NULL */
    PyObject *classes;        /* of the client's objects: bytes that name a class -> netref type */
    void *netrefs;            /* tsearch tree: the client's objects that we hold */
    struct releases releases; /* ... and those that are to be given back, */
    bool dropping;            /* ... which a thread sees to */
};

/* Serves a client to its end. For ps_server_start, with a ps_settings as context; without the GIL.
 */
void ps_session_run(void *context, struct ps_client *client);

/* Passes what the server says on to its log, without waiting. */
void ps_session_tell(void *context, bool is_error, const struct ps_source *source,
                     const char *text);

/* Told by the listener, which must not wait, that a client has hung up. If it is being served in
 * Python, nobody else would notice before that is done: its objects are let go. */
void ps_session_hung_up(void *session);

void ps_session_ref(struct ps_session *s);
void ps_session_unref(struct ps_session *s);

/* Around Python that a thread which sees to the client runs for it, one of ours or of the
 * debuggee's in a wait: takes the GIL, false where there is no taking it, and releases it, having
 * dropped a reference to obj. */
bool ps_session_enter(struct ps_session *s);
void ps_session_leave(struct ps_session *s, PyObject *obj);

/* With the GIL: has the client's objects that are in `releases` given back soon, also where nothing
 * else is going to be sent. */
void ps_session_drop_soon(struct ps_session *s);

/* Whether requests to the client make sense: it is there, and this process is the one that it
 * connected to. Needs no GIL. */
bool ps_session_alive(struct ps_session *s);

#endif
