/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One client, served by a native thread of its own: when it needs the GIL, and when it does not.
 *
 * The thread has one Python thread state, made when it first runs Python and kept until the client
 * goes. It holds the GIL while Python objects are touched and never while it reads, waits or
 * writes. It is no threading.Thread and shows up in no list of the debuggee's.
 */
#ifndef PS_SESSION_H
#define PS_SESSION_H

#include <pthread.h>
#include <stdatomic.h>

#include "drops.h"
#include "ext.h"
#include "objects.h"
#include "server.h"

struct ps_session {
    atomic_int refs; /* its thread, and every netref */
    struct ps_state *state;
    struct conn *conn;
    sigset_t request_mask; /* signals blocked while Python runs: as where run_server was called */
    unsigned fork_count;   /* of the process that it belongs to */
    pthread_t thread;

    /* The GIL guards the rest. */
    bool started;
    bool ended;                /* the client's objects have been let go; none comes in any more */
    struct ps_objects objects; /* ours that the client holds */
    PyObject *root;            /* the service */
    PyObject *classes;         /* of the client's objects: bytes that name a class -> netref type */
    void *netrefs;             /* tsearch tree: the client's objects that we hold */
    struct drops drops;        /* ... and those that are to be given back */
    LIST_ENTRY(ps_session) entry;
};

/* Serves a client to its end. For ps_server_start, with a ps_state as context; without the GIL. */
void ps_session_run(void *context, struct ps_client *client);

void ps_session_ref(struct ps_session *s);
void ps_session_unref(struct ps_session *s);

/* Whether requests to the client make sense: it is there, and this process is the one that it
 * connected to. Needs no GIL. */
bool ps_session_alive(struct ps_session *s);

/* Sends a request to the client, with a tuple of arguments, and waits for the reply, without the
 * GIL. The result is a new reference; NULL with what the client raised, EOFError when it is gone,
 * TimeoutError, or what a signal handler raised meanwhile. Callable by any thread that has the GIL.
 */
PyObject *ps_request(struct ps_session *s, enum handler handler, PyObject *args);

/* The same where the answer is a value; anything else ends the connection. */
PyObject *ps_request_value(struct ps_session *s, enum handler handler, PyObject *args);

/* The idents of all threads of ours that are in Python, as a frozenset: what a stack dump leaves
 * out. */
PyObject *ps_session_idents(struct ps_state *state);

#endif
