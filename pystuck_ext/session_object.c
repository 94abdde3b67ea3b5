/* SPDX-License-Identifier: BSD-3-Clause */
#include "session_object.h"

#include <poll.h>

#include "call.h"
#include "policy.h"
#include "gil.h"
#include "pyframe.h"

struct session_object {
    PyObject_HEAD
    struct ps_session *session; /* a reference */
};

/* A request under way. */
struct request {
    PyObject_HEAD
    struct ps_session *session; /* a reference */
    struct pending *pending;
    enum { WAITING, SETTLING, SETTLED } state;
    PyObject *value, *error; /* once it is settled, one of the two */
    PyObject *callable;      /* to be called once it is done, or NULL */
};

static struct ps_session *session_of(PyObject *self)
{
    return ((struct session_object *)self)->session;
}

/* Seconds, or None for ever, as a deadline. 0, or -1 with an exception. */
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

/* Keeps what a reply that has arrived comes to. While that is read the GIL may be released, and
 * another thread may come for it. */
static void settle(struct request *r)
{
    PyObject *type, *exc, *tb, *value;

    r->state = SETTLING;
    value = ps_request_take(r->session, r->pending);
    if (!value && !PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "error return without exception set");
    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (tb && exc)
        PyException_SetTraceback(exc, tb);
    r->value = value;
    r->error = exc;
    r->state = SETTLED;
    Py_XDECREF(type);
    Py_XDECREF(tb);
}

/* Waits for the thread that settles it. */
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
             "Wait until the result is there. timeout: seconds, or None.\n"
             "Raises TimeoutError, EOFError, or what a signal handler raised meanwhile.");

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
    PyObject *result = PyObject_CallObject(r->callable, NULL);

    Py_XDECREF(result);
    PyErr_Clear(); /* there is nobody to tell */
    Py_CLEAR(r->callable);
}

/* By whichever thread has read the reply, or closed the connection, without the GIL. */
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
             "Have callable() called, once, when wait would return at once: now, or by whichever\n"
             "thread sees the reply. What it raises is dropped. At most once for a request.");

static PyObject *request_notify(PyObject *self, PyObject *callable)
{
    struct request *r = (struct request *)self;
    PyThreadState *before;

    if (r->callable) {
        PyErr_SetString(PyExc_RuntimeError, "somebody is to be notified already");
        return NULL;
    }
    Py_INCREF(callable);
    r->callable = callable;
    Py_INCREF(self); /* until then */
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
        PyErr_SetString(PyExc_RuntimeError, "the result has not been waited for");
    Py_XINCREF(r->value);
    return r->value;
}

static PyObject *request_error(PyObject *self, void *unused)
{
    PyObject *error = ((struct request *)self)->error;

    (void)unused;
    if (!error)
        Py_RETURN_NONE;
    Py_INCREF(error);
    return error;
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
    {"is_done", request_is_done, METH_NOARGS, "Whether wait would return at once."},
    {"notify", request_notify, METH_O, request_notify_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef request_getset[] = {
    {"value", request_value, NULL, "The result, once it has been waited for, or raises it.", NULL},
    {"error", request_error, NULL, "The exception that is the result, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot request_slots[] = {
    {Py_tp_doc, "A request to the client that is under way."},
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
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &request_spec, NULL);

    if (type)
        type->tp_new = NULL;
    return type;
}

/* ---- The session ---------------------------------------------------------------------------- */

PyDoc_STRVAR(session_request_doc,
             "request(handler, args)\n--\n\n"
             "Send a request to the client and wait for its result.\n\n"
             "handler: its number; args: a tuple. Raises what the client raised, TimeoutError\n"
             "after the connection's sync_request_timeout, EOFError when the client is gone.");

static PyObject *session_request(PyObject *self, PyObject *args)
{
    PyObject *arguments;
    int handler;

    if (!PyArg_ParseTuple(args, "iO!:request", &handler, &PyTuple_Type, &arguments))
        return NULL;
    return ps_request(session_of(self), (enum handler)handler, arguments);
}

PyDoc_STRVAR(session_start_doc, "start(handler, args)\n--\n\n"
                                "Send a request to the client and return it, to be waited for.");

static PyObject *session_start(PyObject *self, PyObject *args)
{
    struct ps_session *s = session_of(self);
    PyTypeObject *type = s->state->request_type;
    struct request *r;
    PyObject *arguments;
    int handler;

    if (!PyArg_ParseTuple(args, "iO!:start", &handler, &PyTuple_Type, &arguments))
        return NULL;
    r = (struct request *)type->tp_alloc(type, 0);
    if (!r)
        return NULL;
    ps_session_ref(s);
    r->session = s;
    if (ps_request_start(s, (enum handler)handler, arguments, &r->pending) == 0)
        return (PyObject *)r;
    r->pending = NULL;
    Py_DECREF(r);
    return NULL;
}

PyDoc_STRVAR(session_serve_doc,
             "serve(timeout)\n--\n\n"
             "See to one message of the client's, waiting for it at most timeout seconds, or,\n"
             "with None, as long as it takes. Whether there was one. Raises EOFError at the end.");

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
    {"close", session_close, METH_NOARGS, "Say goodbye to the client and hang up."},
    {"fileno", session_fileno, METH_NOARGS,
     "The socket's number; -1 once the connection is closed."},
    {NULL, NULL, 0, NULL},
};

static PyObject *session_last_traceback(PyObject *self, void *unused)
{
    PyObject *tb = session_of(self)->last_traceback;

    (void)unused;
    if (!tb)
        Py_RETURN_NONE;
    Py_INCREF(tb);
    return tb;
}

static PyGetSetDef session_getset[] = {
    {"last_traceback", session_last_traceback, NULL,
     "The traceback of the latest exception that went to the client, or None.", NULL},
    {"closed", session_closed, NULL, "Whether the connection has ended.", NULL},
    {"certificate", session_certificate, NULL,
     "The certificate that the client showed, verified, as DER; None without one.", NULL},
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
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &session_spec, NULL);

    if (type)
        type->tp_new = NULL;
    return type;
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
