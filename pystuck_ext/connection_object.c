/* SPDX-License-Identifier: BSD-3-Clause */
#include "connection_object.h"

#include "session_object.h"

int ps_connection_take(struct ps_session *s, PyObject *connection)
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

PyObject *ps_connection_make(struct ps_session *s, PyObject *callable)
{
    PyObject *object = ps_session_object_new(s);
    PyObject *result = object ? PyObject_CallFunctionObjArgs(callable, object, NULL) : NULL;

    Py_XDECREF(object);
    return result;
}

PyObject *ps_connection_get(struct ps_session *s)
{
    PyObject *connection;

    if (!s->connection && !s->ended) {
        if (!s->state->connection_class) {
            PyErr_SetString(PyExc_ImportError, "pystuck.connection could not be imported");
            return NULL;
        }
        connection = ps_connection_make(s, s->state->connection_class);
        if (!connection || ps_connection_take(s, connection) < 0)
            return NULL;
    }
    if (!s->connection) {
        PyErr_SetString(PyExc_EOFError, "the client is gone");
        return NULL;
    }
    Py_INCREF(s->connection);
    return s->connection;
}
