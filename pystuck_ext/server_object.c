/* SPDX-License-Identifier: BSD-3-Clause */
#include "server_object.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include "gil.h"
#include "gil_helper.h"
#include "log.h"
#include "thread.h"
#include "without_gil.h"

/* Intervals while a subinterpreter ends, in ms: between two checks whether pystuck's threads have
 * ended, and between two interruptions of the requests on these threads. */
#define END_STEP_MS      2
#define END_INTERRUPT_MS 200

struct server_object {
    PyObject_HEAD
    struct ps_server *server;     /* a reference, owned */
    bool is_open;                 /* ps_gil_helper_close has not been called for this server yet */
    struct ps_settings *settings; /* freed at the end of a subinterpreter; then NULL */
};

static struct ps_server *server_of(PyObject *self)
{
    return ((struct server_object *)self)->server;
}

PyDoc_STRVAR(close_doc, "close()\n--\n\n"
                        "Stop listening and hang up on every client. May be called twice.");

static PyObject *object_close(PyObject *self, PyObject *unused)
{
    struct ps_settings *settings = ((struct server_object *)self)->settings;
    PyThreadState *before;

    (void)unused;
    if (((struct server_object *)self)->is_open)
        ps_gil_helper_close(
            ((struct ps_state *)PyModule_GetState(PyType_GetModule(Py_TYPE(self)))));
    ((struct server_object *)self)->is_open = false;
    before = ps_gil_begin_wait();
    ps_server_close(server_of(self));
    if (settings)
        ps_log_counts(settings->log);
    ps_gil_end_wait(before);
    Py_RETURN_NONE;
}

static PyObject *object_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    Py_INCREF(self);
    return self;
}

static PyObject *object_exit(PyObject *self, PyObject *args)
{
    (void)args;
    return object_close(self, NULL);
}

/* Formats the IP address on which the server listens. False for a Unix socket. */
static bool numeric_host(PyObject *self, char *host, socklen_t size)
{
    struct sockaddr_storage address;
    socklen_t len = ps_server_address(server_of(self), &address);

    return address.ss_family != AF_UNIX &&
           getnameinfo((struct sockaddr *)&address, len, host, size, NULL, 0, NI_NUMERICHOST) == 0;
}

static PyObject *object_host(PyObject *self, void *unused)
{
    char host[NI_MAXHOST];

    (void)unused;
    if (!numeric_host(self, host, sizeof(host)))
        Py_RETURN_NONE;
    return PyUnicode_FromString(host);
}

static PyObject *object_port(PyObject *self, void *unused)
{
    struct sockaddr_storage address;

    (void)unused;
    ps_server_address(server_of(self), &address);
    if (address.ss_family == AF_INET)
        return PyLong_FromLong(ntohs(((struct sockaddr_in *)&address)->sin_port));
    if (address.ss_family == AF_INET6)
        return PyLong_FromLong(ntohs(((struct sockaddr_in6 *)&address)->sin6_port));
    Py_RETURN_NONE;
}

static PyObject *object_unix_socket(PyObject *self, void *unused)
{
    struct sockaddr_storage address;
    struct sockaddr_un *un = (struct sockaddr_un *)&address;
    socklen_t len = ps_server_address(server_of(self), &address);
    size_t n;

    (void)unused;
    if (address.ss_family != AF_UNIX)
        Py_RETURN_NONE;
    n = len - offsetof(struct sockaddr_un, sun_path);
    if (un->sun_path[0] == '\0')
        un->sun_path[0] = '@';
    else
        n = strnlen(un->sun_path, n);
    return PyUnicode_DecodeFSDefaultAndSize(un->sun_path, (Py_ssize_t)n);
}

static PyObject *object_clients(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(ps_server_clients(server_of(self)));
}

static PyObject *object_closed(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(ps_server_is_closed(server_of(self)));
}

static PyObject *object_repr(PyObject *self)
{
    ps_auto PyObject *path = object_unix_socket(self, NULL);
    ps_auto PyObject *port = NULL;
    char host[NI_MAXHOST];

    if (!path || path != Py_None)
        return path ? PyUnicode_FromFormat("<pystuck server on %U>", path) : NULL;
    if (!numeric_host(self, host, sizeof(host)))
        return PyErr_NoMemory();
    port = object_port(self, NULL);
    if (!port)
        return NULL;
    return PyUnicode_FromFormat(strchr(host, ':') ? "<pystuck server on [%s]:%S>"
                                                  : "<pystuck server on %s:%S>",
                                host, port);
}

/* Does not stop the server: programs call `pystuck.run_server()` and drop the result. */
static void object_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    if (server_of(self))
        ps_server_unref(server_of(self));
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef object_methods[] = {
    {"close", object_close, METH_NOARGS, close_doc},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", object_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef object_getset[] = {
    {"host", object_host, NULL,
     "The IP address on which the server listens; None for a Unix socket.", NULL},
    {"port", object_port, NULL, "The TCP port; None for a Unix socket.", NULL},
    {"unix_socket", object_unix_socket, NULL, "The Unix socket's name; None for TCP.", NULL},
    {"clients", object_clients, NULL, "The number of connected clients.", NULL},
    {"closed", object_closed, NULL, "True after close().", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot object_slots[] = {
    {Py_tp_doc, "A running server. It keeps running if this object is dropped."},
    {Py_tp_dealloc, object_dealloc},
    {Py_tp_repr, object_repr},
    {Py_tp_methods, object_methods},
    {Py_tp_getset, object_getset},
    {0, NULL},
};

static PyType_Spec object_spec = {
    .name = "_pystuck.Server",
    .basicsize = sizeof(struct server_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = object_slots,
};

PyTypeObject *ps_server_object_make_type(PyObject *module)
{
    return ps_make_type(module, &object_spec);
}

/* ---- The end of a subinterpreter ------------------------------------------------------------ */

/* True if a thread of pystuck may still run Python. */
static bool anyone_is_left(const struct ps_state *state)
{
    Py_ssize_t i;

    for (i = 0; i < PyList_GET_SIZE(state->handles); i++) {
        if (!ps_server_is_deserted(server_of(PyList_GET_ITEM(state->handles, i))))
            return true;
    }
    return atomic_load(&state->thread_count) > 0;
}

static void wait_for_threads(const struct ps_state *state)
{
    int waited = 0;

    while (anyone_is_left(state)) {
        if (waited % END_INTERRUPT_MS == 0)
            ps_thread_interrupt_all(state);
        Py_BEGIN_ALLOW_THREADS
        poll(NULL, 0, END_STEP_MS);
        Py_END_ALLOW_THREADS
        waited += END_STEP_MS;
    }
}

/* Called at the end of a subinterpreter. Closes the subinterpreter's servers and waits for their
 * threads, as the module threading waits for its own. Waits without a limit if a request cannot be
 * interrupted. Python would abort the process if the subinterpreter still had other threads. */
static PyObject *end(PyObject *module, PyObject *unused)
{
    struct ps_state *state = PyModule_GetState(module);
    struct ps_settings **settings;
    PyObject *handle;
    Py_ssize_t i;

    for (i = 0; i < PyList_GET_SIZE(state->handles); i++) {
        handle = PyList_GET_ITEM(state->handles, i);
        Py_INCREF(handle); /* needed, since other threads run meanwhile */
        Py_XDECREF(object_close(handle, unused));
        Py_DECREF(handle);
    }
    wait_for_threads(state);
    for (i = 0; i < PyList_GET_SIZE(state->handles); i++) {
        settings = &((struct server_object *)PyList_GET_ITEM(state->handles, i))->settings;
        ps_settings_free(*settings);
        *settings = NULL;
    }
    Py_CLEAR(state->handles);
    ps_without_gil_free(state);
    ps_gil_helper_free(state);
    Py_RETURN_NONE;
}

static PyMethodDef end_method = {"end", end, METH_NOARGS, NULL};

/* Registers end() to be called when the interpreter ends. */
static int register_end(PyObject *module)
{
    PyObject *function = PyCFunction_New(&end_method, module);
    PyObject *atexit = function ? PyImport_ImportModule("atexit") : NULL;
    PyObject *done = atexit ? PyObject_CallMethod(atexit, "register", "O", function) : NULL;

    Py_XDECREF(function);
    Py_XDECREF(atexit);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

int ps_server_object_watch_end(PyObject *module)
{
    struct ps_state *state = PyModule_GetState(module);

    if (state->handles)
        return 0;
    state->handles = PyList_New(0);
    if (state->handles && register_end(module) == 0)
        return 0;
    Py_CLEAR(state->handles);
    return -1;
}

/* Adds `handle`, the Server object of a subinterpreter, to the list of servers that end() closes.
 * Returns 0, or -1 with an exception. */
static int remember(PyObject *module, PyObject *handle)
{
    struct ps_state *state = PyModule_GetState(module);

    return ps_server_object_watch_end(module) < 0 ? -1 : PyList_Append(state->handles, handle);
}

/* ---- Making one ----------------------------------------------------------------------------- */

PyObject *ps_server_object_new(PyObject *module, struct ps_server *server,
                               struct ps_settings *settings)
{
    struct ps_state *state = PyModule_GetState(module);
    struct server_object *self =
        (struct server_object *)state->server_type->tp_alloc(state->server_type, 0);

    if (!self) {
        ps_gil_helper_close(state);
        ps_server_close(server);
        ps_server_unref(server);
        return NULL;
    }
    self->server = server;
    self->settings = settings;
    self->is_open = true;
    if (state->is_main) {
        Py_INCREF(module); /* never released: the server's threads use the module's state */
    } else if (remember(module, (PyObject *)self) < 0) {
        ps_gil_helper_close(state);
        ps_server_close(server);
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}
