/* SPDX-License-Identifier: BSD-3-Clause */
#include "service.h"

#include "classic_service.h"
#include "connection_object.h"

/* Takes the root and the policy of a connection, and has it told of its client. */
static int begin_service(struct ps_session *s, PyObject *connection)
{
    PyObject *root, *done;

    root = PyObject_GetAttrString(connection, "_local_root");
    if (root == Py_None) {
        Py_SETREF(root, ps_classic_service_new(s));
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

int ps_service_connect(struct ps_session *s)
{
    PyObject *connection;
    int result;

    atomic_store(&s->started, true);
    connection = ps_connection_make(s, s->settings->connect);
    if (!connection)
        return -1;
    Py_INCREF(connection);
    result = ps_connection_take(s, connection);
    if (result == 0)
        result = begin_service(s, connection);
    Py_DECREF(connection);
    return result;
}

void ps_service_disconnect(struct ps_session *s)
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

int ps_service_connect_classic(struct ps_session *s)
{
    PyObject *root;

    if (s->settings->connect || s->root || s->ended)
        return 0;
    atomic_store(&s->started, true);
    root = ps_classic_service_new(s);
    if (s->root || s->ended) /* so was another thread, while objects were made */
        Py_XDECREF(root);
    else
        s->root = root;
    return root ? 0 : -1;
}
