/* SPDX-License-Identifier: BSD-3-Clause */
#include "call.h"

#include "box.h"
#include "connection_config.h"
#include "gil.h"
#include "vinegar.h"

/* What begin_wait() saves and end_wait() restores for a thread. Between these two calls, the thread
 * waits for the client without the GIL. */
struct wait {
    PyThreadState *before;
    deadline_t outer_deadline;
    bool deferred_signals;
};

static struct wait begin_wait(deadline_t deadline)
{
    struct wait w = {.outer_deadline = ps_waiter()->deadline,
                     .deferred_signals = ps_waiter()->defer_signals};

    ps_waiter()->deadline = deadline;
    w.before = ps_gil_begin_wait();
    return w;
}

static void end_wait(const struct wait *w)
{
    ps_gil_end_wait(w->before);
    ps_waiter()->deadline = w->outer_deadline;
    ps_waiter()->defer_signals = w->deferred_signals;
}

/* Like begin_wait, with a deadline that has passed already. No signal handler runs before end_wait,
 * because the caller could not report an exception of a handler. */
static struct wait begin_deferring_wait(void)
{
    struct wait w = begin_wait(deadline_in(0));

    ps_waiter()->defer_signals = true;
    return w;
}

/* Sets the exception that was raised during the wait. If no exception was raised, sets an exception
 * for err. Returns -1. */
static int raise_error(const struct rpyc_error *err)
{
    ps_auto PyObject *interrupt = ps_steal(&ps_waiter()->interrupt);

    if (interrupt)
        PyErr_SetObject((PyObject *)Py_TYPE(interrupt), interrupt);
    if (PyErr_Occurred())
        return -1; /* raised by a signal handler, or set from `interrupt` */
    if (err->code == RPYC_ETIMEOUT)
        PyErr_SetString(PyExc_TimeoutError, "result expired");
    else if (err->code == RPYC_ENOMEM)
        PyErr_NoMemory();
    else
        PyErr_SetString(PyExc_EOFError, err->text);
    return -1;
}

/* ---- Sending -------------------------------------------------------------------------------- */

/* A request that has been written. */
struct written {
    struct outgoing out;
    int64_t seq;
    struct ps_boxer boxer; /* lists the references in the request, for settle_references() */
    bool boxed;            /* false: boxing failed with an exception; abandon the request */
};

/* Waits for the client's first message, which shows which envelopes the client uses. When a service
 * sends a request in on_connect, the first message has perhaps not arrived yet. Returns 0, or -1
 * with an exception. */
static int meet_client(struct ps_session *s, deadline_t deadline)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct wait wait = begin_wait(deadline);
    int result = conn_meet(s->conn, deadline, &err);

    end_wait(&wait);
    return result == 0 ? 0 : raise_error(&err);
}

static int write_request(struct ps_session *s, enum handler handler, PyObject *args,
                         deadline_t deadline, struct written *w)
{
    if (!ps_session_alive(s)) {
        PyErr_SetString(PyExc_EOFError, "the connection to the client has ended");
        return -1;
    }
    if (!conn_has_met(s->conn) && meet_client(s, deadline) < 0)
        return -1;
    w->boxer = (struct ps_boxer){.session = s, .out = &w->out.buf};
    releases_request_begin(s->conn, &s->releases, &w->out, handler, &w->seq);
    w->boxed = ps_box(&w->boxer, args) == 0;
    return 0;
}

/* Call with the GIL after a request was sent or abandoned. If the request was abandoned, subtracts
 * the references in the request from the references that the client holds. */
static void settle_references(struct written *w)
{
    if (w->boxed && w->out.sent)
        ps_boxer_sent(&w->boxer);
    else
        ps_boxer_undo(&w->boxer);
}

/* ---- Results -------------------------------------------------------------------------------- */

/* Reads the result in a reply. plain: the result must be a value. Requests with a plain result are
 * sent while a reference is unboxed. If such a result contained a reference, another such request
 * would be sent, and so on without end. */
static PyObject *unbox_reply(struct ps_session *s, struct brine_reader *r, bool plain)
{
    enum label label;

    if (!plain)
        return ps_unbox(s, r);
    if (box_next(r, &label) && label == LABEL_VALUE)
        return ps_load(r);
    brine_fail(r, "a reference in place of a value");
    PyErr_SetString(PyExc_ValueError, "the reply has a reference in place of a value");
    return NULL;
}

/* Handles a reply that could not be read. If the reply exceeds a limit, sets an exception that says
 * so. Otherwise the reply is not valid, and the connection is closed. */
static void refuse_reply(struct ps_session *s, const struct brine_reader *r)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    PyThreadState *before;

    if (r->failed == RPYC_ELIMIT) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "the client's reply was refused: %s (%zu)", r->problem,
                     r->limit);
        return;
    }
    brine_error(r, &why);
    before = ps_gil_begin_wait(); /* closing calls functions that take the GIL */
    conn_close(s->conn, &why);
    ps_gil_end_wait(before);
}

static PyObject *take_reply(struct ps_session *s, struct message *reply, bool plain)
{
    struct ps_vinegar_policy policy = {
        .import = ps_session_allows(s, "import_custom_exceptions"),
        .instantiate = ps_session_allows(s, "instantiate_custom_exceptions"),
    };
    PyObject *result = NULL;

    if (reply->kind == MESSAGE_EXCEPTION)
        ps_vinegar_raise(s->state, &reply->body, &policy);
    else
        result = unbox_reply(s, &reply->body, plain);
    if (reply->body.failed != RPYC_OK)
        refuse_reply(s, &reply->body);
    message_free(reply);
    return result;
}

/* ---- Requests ------------------------------------------------------------------------------- */

static PyObject *request(struct ps_session *s, enum handler handler, PyObject *args,
                         deadline_t deadline, bool plain)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct message reply;
    struct written w;
    struct wait wait;
    int result = -1;
    PyObject *value = NULL;

    if (write_request(s, handler, args, deadline, &w) < 0)
        return NULL;
    /* Holds a reference to s, because a signal handler may drop args, and with args the last netref
     * that refers to s. */
    ps_session_ref(s);
    wait = begin_wait(deadline);
    if (w.boxed)
        result = conn_request(s->conn, &w.out, w.seq, &reply, deadline, &err);
    else
        conn_abandon(s->conn, &w.out, deadline);
    end_wait(&wait);
    settle_references(&w);
    if (result == 0)
        value = take_reply(s, &reply, plain);
    else
        raise_error(&err);
    ps_session_unref(s);
    return value;
}

PyObject *ps_request(struct ps_session *s, enum handler handler, PyObject *args)
{
    return request(s, handler, args, ps_session_deadline(s), false);
}

PyObject *ps_request_until(struct ps_session *s, enum handler handler, PyObject *args,
                           deadline_t deadline)
{
    return request(s, handler, args, deadline, false);
}

PyObject *ps_request_value(struct ps_session *s, enum handler handler, PyObject *args)
{
    return request(s, handler, args, ps_session_deadline(s), true);
}

int ps_request_start(struct ps_session *s, enum handler handler, PyObject *args, struct pending **p)
{
    deadline_t deadline = ps_session_deadline(s);
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct written w;
    struct wait wait;
    int result = -1;

    if (write_request(s, handler, args, deadline, &w) < 0)
        return -1;
    wait = begin_wait(deadline);
    if (w.boxed)
        result = conn_start(s->conn, &w.out, w.seq, p, deadline, &err);
    else
        conn_abandon(s->conn, &w.out, deadline);
    end_wait(&wait);
    settle_references(&w);
    return result == 0 ? 0 : raise_error(&err);
}

int ps_request_wait(struct ps_session *s, struct pending *p, deadline_t deadline)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct wait wait = begin_wait(deadline);
    int result = conn_wait(s->conn, p, NULL, deadline, &err);

    end_wait(&wait);
    return result == 0 ? 0 : raise_error(&err);
}

PyObject *ps_request_take(struct ps_session *s, struct pending *p)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct message reply;

    if (conn_wait(s->conn, p, &reply, deadline_in(0), &err) == 0 && reply.frame.data)
        return take_reply(s, &reply, false);
    if (err.code == RPYC_OK)
        PyErr_SetString(PyExc_RuntimeError, "the result of this request has been fetched already");
    else
        raise_error(&err);
    return NULL;
}

void ps_request_forget(struct ps_session *s, struct pending *p)
{
    struct wait wait = begin_deferring_wait();

    conn_forget(s->conn, p);
    end_wait(&wait);
}

void ps_goodbye(struct ps_session *s)
{
    struct wait wait = begin_deferring_wait();

    conn_goodbye(s->conn);
    end_wait(&wait);
}

int ps_serve_one(struct ps_session *s, deadline_t deadline)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct wait wait = begin_wait(deadline);
    int result = conn_serve_one(s->conn, deadline, &err);

    end_wait(&wait);
    if (result == 1)
        return 1;
    if (result < 0 && err.code == RPYC_ETIMEOUT && !ps_waiter()->interrupt && !PyErr_Occurred())
        return 0;
    return raise_error(&err);
}
