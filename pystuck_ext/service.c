/* SPDX-License-Identifier: BSD-3-Clause */
#include "service.h"

#include "classic_service.h"
#include "connection_object.h"

/* Stores the root and the policy of a connection, and calls its _connected(), which calls the
 * service's on_connect. */
static int begin_service(struct ps_session *s, PyObject *connection)
{
    PyObject *root = PyObject_GetAttrString(connection, "_local_root");
    ps_auto PyObject *done = NULL;

    if (root == Py_None) {
        Py_SETREF(root, ps_classic_service_new(s));
        s->policy = ps_new_ref(Py_None);
        atomic_store(&s->is_classic, true);
    } else if (root) {
        s->policy = PyObject_GetAttrString(connection, "_check_attr");
    }
    s->root = root;
    if (!s->root || !s->policy)
        return -1;
    s->met = true;
    done = PyObject_CallMethod(connection, "_connected", NULL);
    return done ? 0 : -1;
}

int ps_service_connect(struct ps_session *s)
{
    ps_auto PyObject *connection = NULL;

    atomic_store(&s->started, true);
    connection = ps_connection_make(s, s->settings->connect);
    if (!connection || ps_connection_take(s, ps_new_ref(connection)) < 0)
        return -1;
    return begin_service(s, connection);
}

void ps_service_disconnect(struct ps_session *s)
{
    ps_auto PyObject *connection = ps_new_ref(s->connection), *done = NULL;

    if (!connection || (s->settings->connect && !s->met))
        return;
    done = PyObject_CallMethod(connection, "_disconnected", NULL);
    if (!done)
        PyErr_Clear();
}

int ps_service_connect_classic(struct ps_session *s)
{
    ps_auto PyObject *root = NULL;

    if (s->settings->connect || s->root || s->ended)
        return 0;
    atomic_store(&s->started, true);
    root = ps_classic_service_new(s);
    if (!root)
        return -1;
    if (!s->root && !s->ended) /* another thread may have run while the service was made */
        s->root = ps_steal(&root);
    return 0;
}
