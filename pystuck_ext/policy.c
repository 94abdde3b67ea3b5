/* SPDX-License-Identifier: BSD-3-Clause */
#include "policy.h"

#include "gil.h"
#include "session_object.h"
#include "service.h"

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */

/* While the interpreter goes down, in ms: it flushes sys.stdout several times, and that may be a
 * client's that does not answer. */
#define LAST_REQUEST_TIMEOUT_MS 500

/* Takes a reference to what Python code made as the connection of this session. */
static int take_connection(struct ps_session *s, PyObject *connection)
{
    PyObject *config = PyObject_GetAttrString(connection, "_config");

    if (config && !PyDict_Check(config)) {
        PyErr_SetString(PyExc_TypeError, "the _config of a connection is a dict");
        Py_CLEAR(config);
    }
    if (config && !s->connection && !s->ended) { /* else another thread was faster, or it is late */
        s->connection = connection;
        s->config = config;
        return 0;
    }
    Py_DECREF(connection);
    Py_XDECREF(config);
    return config ? 0 : -1;
}

static PyObject *call_with_session(struct ps_session *s, PyObject *callable)
{
    PyObject *object = ps_session_object_new(s);
    PyObject *result = object ? PyObject_CallFunctionObjArgs(callable, object, NULL) : NULL;

    Py_XDECREF(object);
    return result;
}

/* Takes the root and the policy of a connection, and has it told of its client. */
static int begin_service(struct ps_session *s, PyObject *connection)
{
    PyObject *root, *done;

    root = PyObject_GetAttrString(connection, "_local_root");
    if (root == Py_None) {
        Py_SETREF(root, ps_service_new(s));
        Py_INCREF(Py_None);
        s->policy = Py_None;
    } else if (root) {
        s->policy = PyObject_GetAttrString(connection, "_check_attr");
    }
    s->root = root;
    if (!s->root || !s->policy)
        return -1;
    s->met = true;
    done = PyObject_CallMethod(connection, "_connected", NULL);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

int ps_connect_service(struct ps_session *s)
{
    PyObject *connection;
    int result;

    atomic_store(&s->started, true);
    connection = call_with_session(s, s->settings->connect);
    if (!connection)
        return -1;
    Py_INCREF(connection);
    result = take_connection(s, connection);
    if (result == 0)
        result = begin_service(s, connection);
    Py_DECREF(connection);
    return result;
}

void ps_disconnect(struct ps_session *s)
{
    PyObject *connection = s->connection, *done;

    if (!connection || (s->settings->connect && !s->met))
        return;
    Py_INCREF(connection);
    done = PyObject_CallMethod(connection, "_disconnected", NULL);
    Py_XDECREF(done);
    Py_DECREF(connection);
    PyErr_Clear();
}

int ps_connect_classic(struct ps_session *s)
{
    PyObject *root;

    if (s->settings->connect || s->root || s->ended)
        return 0;
    atomic_store(&s->started, true);
    root = ps_service_new(s);
    if (s->root || s->ended) /* so was another thread, while objects were made */
        Py_XDECREF(root);
    else
        s->root = root;
    return root ? 0 : -1;
}

PyObject *ps_session_connection(struct ps_session *s)
{
    PyObject *connection;

    if (!s->connection && !s->ended) {
        if (!s->state->connection_class) {
            PyErr_SetString(PyExc_ImportError, "pystuck.connection could not be imported");
            return NULL;
        }
        connection = call_with_session(s, s->state->connection_class);
        if (!connection || take_connection(s, connection) < 0)
            return NULL;
    }
    if (!s->connection) {
        PyErr_SetString(PyExc_EOFError, "the client is gone");
        return NULL;
    }
    Py_INCREF(s->connection);
    return s->connection;
}

bool ps_session_is_classic(const struct ps_session *s)
{
    return s->policy == Py_None || (!s->policy && !s->settings->connect && !s->ended);
}

bool ps_session_is_old(const struct ps_session *s)
{
    return conn_envelope(s->conn).generation == RPYC_GENERATION_5;
}

/* What the connection's _config has under a name: a new reference, or NULL. What it has may be
 * anything, and be gone at the end of the session. */
static PyObject *setting(const struct ps_session *s, const char *name)
{
    PyObject *config = s->config, *value;

    if (!config)
        return NULL;
    Py_INCREF(config);
    value = PyDict_GetItemString(config, name);
    Py_XINCREF(value);
    Py_DECREF(config);
    return value;
}

bool ps_session_allows(struct ps_session *s, const char *what)
{
    PyObject *value = setting(s, what);
    int allowed = value ? PyObject_IsTrue(value) : !s->settings->connect && !s->ended;

    PyErr_Clear();
    Py_XDECREF(value);
    return allowed > 0;
}

const char *ps_session_version(struct ps_session *s)
{
    PyObject *value = s->config ? PyDict_GetItemString(s->config, "include_local_version") : NULL;
    int told;

    Py_XINCREF(value);
    told = value ? PyObject_IsTrue(value) : 0;
    Py_XDECREF(value);
    PyErr_Clear();
    if (told <= 0)
        return "<version denied>";
    return ps_session_is_old(s) ? "5.3.1" : "6.0.2";
}

deadline_t ps_deadline_in(double seconds)
{
    if (!(seconds < 1e9))
        return DEADLINE_NEVER;
    return seconds <= 0 ? deadline_in(0) : deadline_in(0) + (deadline_t)(seconds * 1e9);
}

/* A sync_request_timeout as a deadline; NULL is none that makes one. */
static deadline_t deadline_of(PyObject *timeout)
{
    if (timeout == Py_None)
        return DEADLINE_NEVER;
    if (timeout && PyFloat_Check(timeout))
        return ps_deadline_in(PyFloat_AS_DOUBLE(timeout));
    if (timeout && PyLong_Check(timeout) && PyLong_AsDouble(timeout) >= 0)
        return ps_deadline_in(PyLong_AsDouble(timeout));
    PyErr_Clear();
    return deadline_in(REQUEST_TIMEOUT_MS);
}

deadline_t ps_session_deadline(struct ps_session *s)
{
    PyObject *timeout;
    deadline_t deadline;

    if (ps_gil_is_ending(s->state))
        return deadline_in(LAST_REQUEST_TIMEOUT_MS);
    timeout = setting(s, "sync_request_timeout");
    deadline = deadline_of(timeout);
    Py_XDECREF(timeout);
    return deadline;
}
