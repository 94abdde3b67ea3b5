/* SPDX-License-Identifier: BSD-3-Clause */
#include "policy.h"

#include "gil.h"
#include "service.h"

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */

/* While the interpreter goes down, in ms: it flushes sys.stdout several times, and that may be a
 * client's that does not answer. */
#define LAST_REQUEST_TIMEOUT_MS 500

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
