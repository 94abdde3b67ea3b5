/* SPDX-License-Identifier: BSD-3-Clause */
#include "session_object.h"

#include <poll.h>

#include "call.h"
#include "connection_config.h"
#include "gil.h"
#include "pyframe.h"

struct session_object {
    PyObject_HEAD
    struct ps_session *session; /* a reference */
};

/* A request that was sent. */
struct request {
    PyObject_HEAD
    struct ps_session *session; /* a reference */
    struct pending *pending;
    enum { WAITING, SETTLING, SETTLED } state;
    PyObject *value, *error; /* SETTLED: one of the two is set */
    PyObject *callable;      /* called when the reply has arrived (request_notify), or NULL */
};

static struct ps_session *session_of(PyObject *self)
{
    return ((struct session_object *)self)->session;
}

/* Converts seconds, or None for no limit, to a deadline. Returns 0, or -1 with an exception. */
static int parse_timeout(PyObject *timeout, deadline_t *deadline)
{
    double seconds;

    *deadline = DEADLINE_NEVER;
    if (timeout == Py_None)
        return 0;
    seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1 && PyErr_Occurred())
        return -1;
    *deadline = ps_deadline_in(seconds);
    return 0;
}

/* ---- Requests ------------------------------------------------------------------------------- */

/* Reads a reply that has arrived, and stores its value or exception. Reading may release the GIL. A
 * thread that asks for the result meanwhile waits in wait_for_other(). */
static void settle(struct request *r)
{
    ps_auto PyObject *type = NULL, *exc = NULL, *tb = NULL;
    PyObject *value;

    r->state = SETTLING;
    value = ps_request_take(r->session, r->pending);
    if (!value && !PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "error return without exception set");
    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (tb && exc)
        PyException_SetTraceback(exc, tb);
    r->value = value;
    r->error = ps_steal(&exc);
    r->state = SETTLED;
}

/* Waits until the thread that is in settle() has stored the result. */
static void wait_for_other(const struct request *r)
{
    PyThreadState *before;

    while (r->state == SETTLING) {
        before = ps_gil_begin_wait();
        poll(NULL, 0, 1);
        ps_gil_end_wait(before);
    }
}

PyDoc_STRVAR(request_wait_doc,
             "wait(timeout)\n--\n\n"
             "Wait until the reply has arrived. timeout: seconds, or None for no limit.\n"
             "Raises TimeoutError, EOFError, or what a signal handler raised.");

static PyObject *request_wait(PyObject *self, PyObject *timeout)
{
    struct request *r = (struct request *)self;
    deadline_t deadline;

    if (parse_timeout(timeout, &deadline) < 0)
        return NULL;
    if (r->state == WAITING && ps_request_wait(r->session, r->pending, deadline) < 0)
        return NULL;
    if (r->state == WAITING)
        settle(r);
    wait_for_other(r);
    Py_RETURN_NONE;
}

static PyObject *request_is_done(PyObject *self, PyObject *unused)
{
    struct request *r = (struct request *)self;

    (void)unused;
    return PyBool_FromLong(r->state != WAITING || conn_is_done(r->session->conn, r->pending));
}

static void call_back(void *arg)
{
    struct request *r = arg;
    ps_auto PyObject *result = PyObject_CallObject(r->callable, NULL);

    (void)result;
    PyErr_Clear(); /* no caller could handle an exception */
    Py_CLEAR(r->callable);
}

/* Called without the GIL by the thread that has read the reply or closed the connection. Takes a
 * reference to arg. */
static void notify(void *arg)
{
    struct request *r = arg;

    if (!ps_session_begin_callback(r->session))
        return;
    if (ps_pyframe_run(r->session, call_back, r) < 0)
        PyErr_Clear();
    ps_session_end_callback(r->session, (PyObject *)r);
}

PyDoc_STRVAR(request_notify_doc,
             "notify(callable)\n--\n\n"
             "Call callable() once the reply has arrived or the connection has ended. If this has\n"
             "happened already, callable() is called at once, otherwise on the thread that reads\n"
             "the reply. An exception of callable is ignored. Allowed once for each request.");

static PyObject *request_notify(PyObject *self, PyObject *callable)
{
    struct request *r = (struct request *)self;
    PyThreadState *before;

    if (r->callable) {
        PyErr_SetString(PyExc_RuntimeError, "notify() has been called already for this request");
        return NULL;
    }
    r->callable = ps_new_ref(callable);
    Py_INCREF(self); /* this reference belongs to notify() */
    before = ps_gil_begin_wait();
    conn_notify_done(r->session->conn, r->pending, notify, r);
    ps_gil_end_wait(before);
    Py_RETURN_NONE;
}

static PyObject *request_value(PyObject *self, void *unused)
{
    struct request *r = (struct request *)self;

    (void)unused;
    if (r->error)
        PyErr_SetObject((PyObject *)Py_TYPE(r->error), r->error);
    else if (!r->value)
        PyErr_SetString(PyExc_RuntimeError, "the result is not known yet: call wait() first");
    return ps_new_ref(r->value);
}

static PyObject *request_error(PyObject *self, void *unused)
{
    PyObject *error = ((struct request *)self)->error;

    (void)unused;
    return ps_new_ref(error ? error : Py_None);
}

static void request_dealloc(PyObject *self)
{
    struct request *r = (struct request *)self;
    PyTypeObject *type = Py_TYPE(self);

    if (r->pending)
        ps_request_forget(r->session, r->pending);
    if (r->session)
        ps_session_unref(r->session);
    Py_CLEAR(r->callable);
    Py_CLEAR(r->value);
    Py_CLEAR(r->error);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef request_methods[] = {
    {"wait", request_wait, METH_O, request_wait_doc},
    {"is_done", request_is_done, METH_NOARGS, "Return True if wait() would return at once."},
    {"notify", request_notify, METH_O, request_notify_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef request_getset[] = {
    {"value", request_value, NULL,
     "The result, once wait() has returned. If the result is an exception, raises the exception.",
     NULL},
    {"error", request_error, NULL, "The result if it is an exception, otherwise None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot request_slots[] = {
    {Py_tp_doc, "A request that was sent to the client."},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_methods, request_methods},
    {Py_tp_getset, request_getset},
    {0, NULL},
};

static PyType_Spec request_spec = {
    .name = "_pystuck.Request",
    .basicsize = sizeof(struct request),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = request_slots,
};

PyTypeObject *ps_request_make_type(PyObject *module)
{
    return ps_make_type(module, &request_spec);
}

/* ---- The session ---------------------------------------------------------------------------- */

PyDoc_STRVAR(session_request_doc,
             "request(handler, args)\n--\n\n"
             "Send a request to the client and wait for its result.\n\n"
             "handler: a number; args: a tuple. Raises the exception that the client raised,\n"
             "TimeoutError after the connection's sync_request_timeout, EOFError if the\n"
             "connection has ended.");

static PyObject *session_request(PyObject *self, PyObject *args)
{
    PyObject *arguments;
    int handler;

    if (!PyArg_ParseTuple(args, "iO!:request", &handler, &PyTuple_Type, &arguments))
        return NULL;
    return ps_request(session_of(self), (enum handler)handler, arguments);
}

PyDoc_STRVAR(session_start_doc,
             "start(handler, args)\n--\n\n"
             "Send a request to the client and return a Request, whose wait() waits for\n"
             "the reply.");

static PyObject *session_start(PyObject *self, PyObject *args)
{
    struct ps_session *s = session_of(self);
    PyTypeObject *type = s->state->request_type;
    ps_auto PyObject *self_request = NULL;
    struct request *r;
    PyObject *arguments;
    int handler;

    if (!PyArg_ParseTuple(args, "iO!:start", &handler, &PyTuple_Type, &arguments))
        return NULL;
    self_request = type->tp_alloc(type, 0);
    r = (struct request *)self_request;
    if (!r)
        return NULL;
    ps_session_ref(s);
    r->session = s;
    if (ps_request_start(s, (enum handler)handler, arguments, &r->pending) == 0)
        return ps_steal(&self_request);
    r->pending = NULL;
    return NULL;
}

PyDoc_STRVAR(session_serve_doc,
             "serve(timeout)\n--\n\n"
             "Wait for one message of the client and serve it. timeout: seconds, or None for no\n"
             "limit. Return True if a message was served. Raises EOFError if the connection has\n"
             "ended.");

static PyObject *session_serve(PyObject *self, PyObject *timeout)
{
    deadline_t deadline;
    int result;

    if (parse_timeout(timeout, &deadline) < 0)
        return NULL;
    result = ps_serve_one(session_of(self), deadline);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *session_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ps_session_alive(session_of(self)))
        ps_goodbye(session_of(self));
    Py_RETURN_NONE;
}

static PyObject *session_fileno(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(ps_session_alive(session_of(self)) ? conn_fd(session_of(self)->conn)
                                                              : -1);
}

static PyObject *session_certificate(PyObject *self, void *unused)
{
    struct ps_session *s = session_of(self);

    (void)unused;
    if (!s->certificate)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)s->certificate, (Py_ssize_t)s->certificate_len);
}

static PyObject *session_closed(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(!ps_session_alive(session_of(self)));
}

static void session_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    ps_session_unref(session_of(self));
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef session_methods[] = {
    {"request", session_request, METH_VARARGS, session_request_doc},
    {"start", session_start, METH_VARARGS, session_start_doc},
    {"serve", session_serve, METH_O, session_serve_doc},
    {"close", session_close, METH_NOARGS, "Send CLOSE to the client and close the connection."},
    {"fileno", session_fileno, METH_NOARGS,
     "Return the descriptor of the socket; -1 if the connection is closed."},
    {NULL, NULL, 0, NULL},
};

static PyObject *session_last_traceback(PyObject *self, void *unused)
{
    PyObject *tb = session_of(self)->last_traceback;

    (void)unused;
    return ps_new_ref(tb ? tb : Py_None);
}

static PyGetSetDef session_getset[] = {
    {"last_traceback", session_last_traceback, NULL,
     "The traceback of the latest exception that was sent to the client, or None.", NULL},
    {"closed", session_closed, NULL, "True if the connection has ended.", NULL},
    {"certificate", session_certificate, NULL, "The client's verified certificate as DER, or None.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_doc, "The connection to one client."},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_methods, session_methods},
    {Py_tp_getset, session_getset},
    {0, NULL},
};

static PyType_Spec session_spec = {
    .name = "_pystuck.Session",
    .basicsize = sizeof(struct session_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = session_slots,
};

PyTypeObject *ps_session_make_type(PyObject *module)
{
    return ps_make_type(module, &session_spec);
}

PyObject *ps_session_object_new(struct ps_session *s)
{
    PyTypeObject *type = s->state->session_type;
    struct session_object *self = (struct session_object *)type->tp_alloc(type, 0);

    if (!self)
        return NULL;
    ps_session_ref(s);
    self->session = s;
    return (PyObject *)self;
}
