/* SPDX-License-Identifier: BSD-3-Clause */
#include "ask.h"

#include "box.h"
#include "gil.h"
#include "vinegar.h"

PyObject **ps_interrupt(void)
{
    static __thread PyObject *interrupt;

    return &interrupt;
}

static int raise_error(const struct rpyc_error *err)
{
    PyObject **interrupt = ps_interrupt();

    if (*interrupt) {
        PyErr_SetObject((PyObject *)Py_TYPE(*interrupt), *interrupt);
        Py_CLEAR(*interrupt);
    }
    if (PyErr_Occurred())
        return -1; /* what a signal handler raised */
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
    bool boxed; /* else it is to be abandoned, and an exception is set */
};

/* A client that has not spoken yet, as a service may meet it in on_connect: how it wants to be
 * spoken to is told by its first message. */
static int meet_client(struct ps_session *s, deadline_t deadline)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    PyThreadState *before;
    int result;

    before = ps_gil_begin_wait();
    result = conn_meet(s->conn, deadline, &err);
    ps_gil_end_wait(before);
    return result == 0 ? 0 : raise_error(&err);
}

static int write_request(struct ps_session *s, enum handler handler, PyObject *args,
                         deadline_t deadline, struct written *w)
{
    struct ps_boxer boxer = {s, &w->out.buf, NULL};

    if (!ps_session_alive(s)) {
        PyErr_SetString(PyExc_EOFError, "the client is gone");
        return -1;
    }
    if (!conn_has_met(s->conn) && meet_client(s, deadline) < 0)
        return -1;
    drops_request_begin(s->conn, &s->drops, &w->out, handler, &w->seq);
    w->boxed = ps_box(&boxer, args) == 0;
    if (w->boxed)
        ps_boxer_sent(&boxer);
    else
        ps_boxer_undo(&boxer);
    return 0;
}

/* ---- Results -------------------------------------------------------------------------------- */

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
    struct ps_vinegar_policy policy = {
        .import = ps_session_allows(s, "import_custom_exceptions"),
        .instantiate = ps_session_allows(s, "instantiate_custom_exceptions"),
    };
    struct rpyc_error why = RPYC_ERROR_INIT;
    PyObject *result = NULL;

    if (reply->kind == MESSAGE_EXCEPTION)
        ps_vinegar_raise(s->state, &reply->body, &policy);
    else
        result = unbox_reply(s, &reply->body, plain);
    if (reply->body.failed != RPYC_OK) {
        brine_error(&reply->body, &why);
        conn_close(s->conn, &why);
    }
    message_free(reply);
    return result;
}

/* ---- Requests ------------------------------------------------------------------------------- */

static PyObject *request(struct ps_session *s, enum handler handler, PyObject *args, bool plain)
{
    deadline_t deadline = ps_session_deadline(s);
    struct rpyc_error err = RPYC_ERROR_INIT;
    PyThreadState *before;
    struct message reply;
    struct written w;
    int result = -1;
    PyObject *value = NULL;

    if (write_request(s, handler, args, deadline, &w) < 0)
        return NULL;
    ps_session_ref(s); /* args may hold the last netref, and a signal handler may drop them */
    before = ps_gil_begin_wait();
    if (w.boxed)
        result = conn_request(s->conn, &w.out, w.seq, &reply, deadline, &err);
    else
        conn_abandon(s->conn, &w.out, deadline);
    ps_gil_end_wait(before);
    if (result == 0)
        value = take_reply(s, &reply, plain);
    else
        raise_error(&err);
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

int ps_start(struct ps_session *s, enum handler handler, PyObject *args, struct pending **p)
{
    deadline_t deadline = ps_session_deadline(s);
    struct rpyc_error err = RPYC_ERROR_INIT;
    PyThreadState *before;
    struct written w;
    int result = -1;

    if (write_request(s, handler, args, deadline, &w) < 0)
        return -1;
    before = ps_gil_begin_wait();
    if (w.boxed)
        result = conn_start(s->conn, &w.out, w.seq, p, deadline, &err);
    else
        conn_abandon(s->conn, &w.out, deadline);
    ps_gil_end_wait(before);
    return result == 0 ? 0 : raise_error(&err);
}

PyObject *ps_wait(struct ps_session *s, struct pending *p, deadline_t deadline)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct message reply;
    PyThreadState *before;
    int result;

    before = ps_gil_begin_wait();
    result = conn_wait(s->conn, p, &reply, deadline, &err);
    ps_gil_end_wait(before);
    if (result == 0 && reply.frame.data)
        return take_reply(s, &reply, false);
    if (result == 0)
        PyErr_SetString(PyExc_RuntimeError, "the result has been fetched already");
    else
        raise_error(&err);
    return NULL;
}

void ps_forget(struct ps_session *s, struct pending *p)
{
    PyThreadState *before = ps_gil_begin_wait();

    conn_forget(s->conn, p);
    ps_gil_end_wait(before);
}

int ps_serve_one(struct ps_session *s, deadline_t deadline)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    PyThreadState *before;
    int result;

    before = ps_gil_begin_wait();
    result = conn_serve_one(s->conn, deadline, &err);
    ps_gil_end_wait(before);
    if (result == 1)
        return 1;
    if (result < 0 && err.code == RPYC_ETIMEOUT && !*ps_interrupt() && !PyErr_Occurred())
        return 0;
    return raise_error(&err);
}
