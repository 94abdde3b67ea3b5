/* SPDX-License-Identifier: BSD-3-Clause */
#include "connection_object.h"

#include "session_object.h"

int ps_connection_take(struct ps_session *s, PyObject *connection)
{
    ps_auto PyObject *owned = connection, *config = PyObject_GetAttrString(connection, "_config");

    if (config && !PyDict_Check(config)) {
        PyErr_SetString(PyExc_TypeError, "the _config of a connection must be a dict");
        Py_CLEAR(config);
    }
    /* The session is checked only now, because reading _config may have run code that changed the
     * session. */
    if (config && !s->connection && !s->ended) {
        s->connection = ps_steal(&owned);
        s->config = ps_new_ref(config);
    }
    return config ? 0 : -1;
}

PyObject *ps_connection_make(struct ps_session *s, PyObject *callable)
{
    ps_auto PyObject *object = ps_session_object_new(s);

    return object ? PyObject_CallFunctionObjArgs(callable, object, NULL) : NULL;
}

PyObject *ps_connection_get(struct ps_session *s)
{
    PyObject *connection;

    if (!s->connection && !s->ended) {
        if (!s->state->connection_class) {
            PyErr_SetString(PyExc_ImportError,
                            "pystuck.connection could not be imported when run_server was called");
            return NULL;
        }
        connection = ps_connection_make(s, s->state->connection_class);
        if (!connection || ps_connection_take(s, connection) < 0)
            return NULL;
    }
    if (!s->connection) {
        PyErr_SetString(PyExc_EOFError, "the connection to the client has ended");
        return NULL;
    }
    return ps_new_ref(s->connection);
}
