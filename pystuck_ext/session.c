/* SPDX-License-Identifier: BSD-3-Clause */
#include "session.h"

#include <stdlib.h>
#include <unistd.h>

#include "box.h"
#include "dispatch.h"
#include "gil.h"
#include "service.h"
#include "vinegar.h"

#define REQUEST_TIMEOUT_MS 30000               /* rpyc's sync_request_timeout */
#define STACK_NEEDED       ((size_t)48 * 1024) /* bytes, for one request */

/* A KeyboardInterrupt that came while this thread of the debuggee, waiting for a client, served one
 * of its requests. It is the thread's own and is raised there, once the wait has been given up. */
static __thread PyObject *interrupt;

/* ---- Lifetime ------------------------------------------------------------------------------- */

void ps_session_ref(struct ps_session *s)
{
    atomic_fetch_add(&s->refs, 1);
}

void ps_session_unref(struct ps_session *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    conn_unref(s->conn);
    drops_free(&s->drops);
    free(s);
}

bool ps_session_alive(struct ps_session *s)
{
    return s->fork_count == ps_fork_count() && !conn_closed(s->conn);
}

/* ---- The GIL -------------------------------------------------------------------------------- */

static bool on_own_thread(const struct ps_session *s)
{
    return pthread_equal(s->thread, pthread_self());
}

static void leave(struct ps_session *s)
{
    if (on_own_thread(s))
        ps_block_signals(NULL);
    ps_gil_release();
}

/* With the GIL, for the first time: makes what needs Python. */
static bool start(struct ps_session *s)
{
    s->root = ps_service_new(s->state);
    s->classes = PyDict_New();
    if (!s->root || !s->classes) {
        PyErr_Clear();
        return false;
    }
    LIST_INSERT_HEAD(&s->state->sessions, s, entry);
    s->started = true;
    return true;
}

/* Takes the GIL to serve the client. False as with ps_gil_take. */
static bool enter(struct ps_session *s)
{
    if (!ps_gil_take(s->state->interp))
        return false;
    if (on_own_thread(s))
        pthread_sigmask(SIG_SETMASK, &s->request_mask, NULL);
    if (s->started || start(s))
        return true;
    leave(s);
    return false;
}

/* ---- Requests to the client ----------------------------------------------------------------- */

static PyObject *raise_error(const struct rpyc_error *err)
{
    if (interrupt) {
        PyErr_SetObject((PyObject *)Py_TYPE(interrupt), interrupt);
        Py_CLEAR(interrupt);
    }
    if (PyErr_Occurred())
        return NULL; /* what a signal handler raised */
    if (err->code == RPYC_ETIMEOUT)
        PyErr_SetString(PyExc_TimeoutError, "result expired");
    else if (err->code == RPYC_ENOMEM)
        PyErr_NoMemory();
    else
        PyErr_SetString(PyExc_EOFError, err->text);
    return NULL;
}

/* The result that a reply holds. A plain one is a value: what asks for it is itself the unboxing of
 * a reference, and another reference in the answer would go on for ever. */
static PyObject *unbox_reply(struct ps_session *s, struct brine_reader *r, bool plain)
{
    enum label label;

    if (!plain)
        return ps_unbox(s, r);
    if (box_next(r, &label) && label == LABEL_VALUE)
        return ps_load(r);
    brine_fail(r, "a reference where a value has to be");
    PyErr_SetString(PyExc_ValueError, "a reference where a value has to be");
    return NULL;
}

static PyObject *take_reply(struct ps_session *s, struct message *reply, bool plain)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    PyObject *result = NULL;

    if (reply->kind == MESSAGE_EXCEPTION)
        ps_vinegar_raise(&reply->body);
    else
        result = unbox_reply(s, &reply->body, plain);
    if (reply->body.failed != RPYC_OK) {
        brine_error(&reply->body, &why);
        conn_close(s->conn, &why);
    }
    message_free(reply);
    return result;
}

static PyObject *request(struct ps_session *s, enum handler handler, PyObject *args, bool plain)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    PyThreadState *before;
    struct outgoing out;
    struct ps_boxer boxer = {s, &out.buf, NULL};
    struct message reply;
    int64_t seq;
    int result = -1, boxed;
    PyObject *value;

    if (!ps_session_alive(s)) {
        PyErr_SetString(PyExc_EOFError, "the client is gone");
        return NULL;
    }
    drops_request_begin(s->conn, &s->drops, &out, handler, &seq);
    boxed = ps_box(&boxer, args);
    if (boxed < 0)
        ps_boxer_undo(&boxer);
    else
        ps_boxer_sent(&boxer);
    ps_session_ref(s); /* args may hold the last netref, and a signal handler may drop them */
    before = ps_gil_begin_wait();
    if (boxed < 0)
        conn_abandon(s->conn, &out, deadline_in(REQUEST_TIMEOUT_MS));
    else
        result = conn_request(s->conn, &out, seq, &reply, deadline_in(REQUEST_TIMEOUT_MS), &err);
    ps_gil_end_wait(before);
    value = result < 0 ? raise_error(&err) : take_reply(s, &reply, plain);
    ps_session_unref(s);
    return value;
}

PyObject *ps_request(struct ps_session *s, enum handler handler, PyObject *args)
{
    return request(s, handler, args, false);
}

PyObject *ps_request_value(struct ps_session *s, enum handler handler, PyObject *args)
{
    return request(s, handler, args, true);
}

/* ---- Requests of the client ----------------------------------------------------------------- */

/* Answers a PING of plain data, whose answer is the request's own bytes, without the GIL. 1: done.
 * 0: it has other arguments. */
static int serve_ping(struct conn *c, const struct message *request, struct rpyc_error *err)
{
    struct brine_reader r = request->body;
    struct outgoing out;
    const uint8_t *data;
    enum label label;
    size_t len;

    if (!box_next(&r, &label) || label != LABEL_VALUE || !brine_expect_tuple(&r, 1) ||
        !brine_skip(&r, &data, &len))
        return 0;
    conn_reply_begin(c, &out, request, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    buffer_put(&out.buf, data, len);
    return conn_send(c, &out, DEADLINE_NEVER, err) < 0 ? -1 : 1;
}

/* Takes a thread out of threading's list. */
static void forget_thread(const struct ps_state *state, PyObject *ident)
{
    if (ident && PyDict_Contains(state->threads, ident) > 0)
        PyDict_DelItem(state->threads, ident);
    PyErr_Clear();
}

/* A request that asked for the current thread, or logged, has put this thread into threading's
 * list, as a dummy. Takes it out again, without threading's lock, which may be what is stuck. Where
 * gevent has replaced get_ident, it is there under that name. */
static void leave_no_dummy(const struct ps_session *s)
{
    PyObject *get_ident, *ident;

    if (!on_own_thread(s) || !PyDict_Check(s->state->threads))
        return;
    ident = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    forget_thread(s->state, ident);
    Py_XDECREF(ident);
    get_ident = PyDict_GetItemString(PyModule_GetDict(s->state->threading), "get_ident");
    if (!get_ident || PyCFunction_CheckExact(get_ident))
        return;
    Py_INCREF(get_ident);
    ident = PyObject_CallObject(get_ident, NULL);
    forget_thread(s->state, ident);
    Py_XDECREF(ident);
    Py_DECREF(get_ident);
}

/* Whether this thread has stack left for a request and the Python that it runs. Threads of the
 * debuggee may have small ones. A stack that is not the thread's own (a coroutine library's) cannot
 * be measured. */
static bool has_stack(void)
{
    static __thread uintptr_t low, high;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    pthread_attr_t attr;
    size_t size;
    void *start;

    if (!high) {
        high = UINTPTR_MAX;
        if (pthread_getattr_np(pthread_self(), &attr) == 0) {
            if (pthread_attr_getstack(&attr, &start, &size) == 0) {
                low = (uintptr_t)start;
                high = low + size;
            }
            pthread_attr_destroy(&attr);
        }
    }
    return here < low || here > high || here - low > STACK_NEEDED;
}

/* A client may take its time to read an answer, but a thread of the debuggee's that serves it has
 * its own to do. */
static deadline_t reply_deadline(const struct ps_session *s)
{
    return on_own_thread(s) ? DEADLINE_NEVER : deadline_in(REQUEST_TIMEOUT_MS);
}

static int serve(void *host, struct conn *c, struct message *request, int64_t handler,
                 struct rpyc_error *err)
{
    struct ps_session *s = host;
    struct outgoing out;
    struct drops drops;
    int result;

    if (handler == HANDLE_PING && (result = serve_ping(c, request, err)) != 0)
        return result < 0 ? -1 : 0;
    if (!has_stack())
        return conn_reply_exception(c, request, "builtins", "RecursionError",
                                    "requests within requests have used up the stack", err);
    if (!enter(s))
        return conn_reply_exception(c, request, "builtins", "RuntimeError",
                                    "the interpreter is shutting down", err);
    result = ps_dispatch(s, request, handler, &out, on_own_thread(s) ? NULL : &interrupt, err);
    if (s->fork_count != ps_fork_count() && on_own_thread(s))
        _exit(0); /* the code of a request that forked is done, in the child; nothing here is its
                     own */
    leave_no_dummy(s);
    drops = drops_take(&s->drops);
    leave(s);
    if (result == 0)
        result = conn_send(c, &out, reply_deadline(s), err);
    drops_post(c, &drops, deadline_in(REQUEST_TIMEOUT_MS));
    return result;
}

/* A thread of the debuggee waits for the client. If a signal came, its handler is to run, as it
 * would in any other wait. */
static bool interrupted(void *host, bool by_signal)
{
    struct ps_session *s = host;

    if (on_own_thread(s) || !ps_gil_is_known())
        return false;
    if (interrupt || !by_signal)
        return interrupt != NULL;
    return ps_gil_signal_raised();
}

/* Objects of the client's that came in an answer that nobody waits for any more. */
static void unclaimed(void *host, struct conn *c, struct message *reply)
{
    struct drops drops = {NULL};

    (void)host;
    drops_add_box(&drops, &reply->body);
    drops_post(c, &drops, deadline_in(REQUEST_TIMEOUT_MS));
}

static const struct conn_host session_host = {
    .serve = serve,
    .interrupted = interrupted,
    .unclaimed = unclaimed,
};

/* ---- The thread ----------------------------------------------------------------------------- */

/* Lets go of everything that the client held, and of the thread state. */
static void let_go(struct ps_session *s)
{
    if (!ps_gil_is_known() || !enter(s))
        return;
    LIST_REMOVE(s, entry);
    s->ended = true;
    ps_objects_clear(&s->objects);
    Py_CLEAR(s->root);
    Py_CLEAR(s->classes);
    drops_free(&s->drops);
    leave_no_dummy(s);
    ps_gil_end_thread();
}

static struct ps_session *session_new(struct ps_state *state, struct ps_client *client)
{
    struct ps_session *s = calloc(1, sizeof(*s));

    if (!s) {
        stream_close(&client->stream);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->state = state;
    s->request_mask = *ps_server_caller_mask(client->server);
    s->fork_count = ps_fork_count();
    s->thread = pthread_self();
    if (conn_new(&s->conn, &client->stream, &session_host, s, NULL, NULL) < 0) {
        free(s);
        return NULL;
    }
    ps_client_set_conn(client, s->conn);
    return s;
}

void ps_session_run(void *context, struct ps_client *client)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct ps_session *s = session_new(context, client);

    if (s) {
        conn_serve(s->conn, &why);
        rpyc_error_clear(&why);
        conn_release(s->conn); /* the client sees the end before we wait for the GIL */
    }
    ps_client_done(client);
    if (s) {
        let_go(s);
        ps_session_unref(s);
    }
}

PyObject *ps_session_idents(struct ps_state *state)
{
    PyObject *list = PyList_New(0), *ident, *set;
    struct ps_session *s;

    LIST_FOREACH (s, &state->sessions, entry) {
        ident = list ? PyLong_FromUnsignedLong((unsigned long)s->thread) : NULL;
        if (!ident || PyList_Append(list, ident) < 0)
            Py_CLEAR(list);
        Py_XDECREF(ident);
    }
    set = list ? PyFrozenSet_New(list) : NULL;
    Py_XDECREF(list);
    return set;
}
