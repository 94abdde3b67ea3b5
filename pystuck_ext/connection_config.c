/* SPDX-License-Identifier: BSD-3-Clause */
#include "connection_config.h"

#include "gil.h"
#include "service.h"

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */

/* The timeout of requests while the interpreter shuts down, in ms. During shutdown, Python flushes
 * sys.stdout several times, and sys.stdout may be an object of a client that does not reply. */
#define LAST_REQUEST_TIMEOUT_MS 500

bool ps_session_is_classic(const struct ps_session *s)
{
    return s->policy == Py_None || (!s->policy && !s->settings->connect && !s->ended);
}

bool ps_session_is_old(const struct ps_session *s)
{
    return conn_envelope(s->conn).generation == RPYC_GENERATION_5;
}

/* Returns an item of the connection's _config: a new reference, or NULL. The item may be any
 * object. Holds a reference to the _config, because the look-up may run code that ends the session
 * and drops the _config. */
static PyObject *setting(const struct ps_session *s, const char *name)
{
    ps_auto PyObject *config = ps_new_ref(s->config);

    return config ? ps_new_ref(PyDict_GetItemString(config, name)) : NULL;
}

bool ps_session_allows(struct ps_session *s, const char *what)
{
    ps_auto PyObject *value = setting(s, what);
    int allowed = value ? PyObject_IsTrue(value) : !s->settings->connect && !s->ended;

    PyErr_Clear();
    return allowed > 0;
}

const char *ps_session_version(struct ps_session *s)
{
    ps_auto PyObject *value = setting(s, "include_local_version");
    int told = value ? PyObject_IsTrue(value) : 0;

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

/* Converts a sync_request_timeout to a deadline. None becomes DEADLINE_NEVER. NULL, a negative int,
 * and anything that is not a number become the default. */
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
    ps_auto PyObject *timeout = NULL;

    if (ps_gil_is_ending(s->state))
        return deadline_in(LAST_REQUEST_TIMEOUT_MS);
    timeout = setting(s, "sync_request_timeout");
    return deadline_of(timeout);
}
