/* SPDX-License-Identifier: BSD-3-Clause */
#include "native_settings.h"

#include <limits.h>
#include <stdlib.h>

#include "gil.h"
#include "log.h"
#include "tls.h"
#include "turns.h"

/* Reads the limits for the size of messages, for the objects of a client, and for waiting. */
static void read_limits(struct ps_settings *settings, struct ps_settings_dict *o)
{
    struct conn_config *conn = &settings->conn;

    conn->max_frame = (size_t)ps_setting_int(o, "max_frame", 1, UINT32_MAX);
    conn->max_inflated = (size_t)ps_setting_int(o, "max_decompressed", 1, PY_SSIZE_T_MAX);
    conn->max_depth = (unsigned)ps_setting_int(o, "max_depth", 1, UINT_MAX);
    conn->max_items = (size_t)ps_setting_int(o, "max_items", 1, PY_SSIZE_T_MAX);
    conn->stall_ms = ps_setting_ms(o, "send_timeout", 0);
    settings->max_objects = (size_t)ps_setting_int(o, "max_objects", 1, PY_SSIZE_T_MAX);
    settings->handshake_ms = ps_setting_ms(o, "handshake_timeout", -1);
}

/* Reads the ids of the users that are allowed besides root and the program's own. They are stored
 * in settings, which owns them; allowed->users points to them. */
static void read_users(struct ps_settings *settings, struct ps_settings_dict *o,
                       struct ps_allowed *allowed)
{
    PyObject *users = ps_setting_tuple(o, "allow_users");
    Py_ssize_t i, n = users ? PyTuple_GET_SIZE(users) : 0;

    if (n == 0)
        return;
    settings->users = calloc((size_t)n, sizeof(*settings->users));
    if (!settings->users) {
        PyErr_NoMemory();
        return;
    }
    for (i = 0; i < n; i++)
        settings->users[i] = (uid_t)PyLong_AsUnsignedLong(PyTuple_GET_ITEM(users, i));
    allowed->users = settings->users;
    allowed->count = (size_t)n;
}

static void read_group(struct ps_settings_dict *o, struct ps_server_options *server)
{
    PyObject *group = ps_setting_or_null(o, "unix_group");

    if (!group)
        return;
    server->allowed.group = (gid_t)PyLong_AsUnsignedLong(group);
    server->listening.unix_group = server->allowed.group;
    server->allowed.has_group = server->listening.has_unix_group = true;
}

static void read_listening(struct ps_settings_dict *o, struct ps_server_options *server)
{
    server->listening.backlog = (int)ps_setting_int(o, "backlog", INT_MIN, INT_MAX);
    server->listening.reuse = ps_setting_bool(o, "reuse_addr");
    server->listening.unix_mode = (mode_t)ps_setting_int(o, "unix_mode", 0, 0777);
    server->max_clients = (size_t)ps_setting_int(o, "max_clients", 1, PY_SSIZE_T_MAX);
    server->anyone = ps_setting_bool(o, "insecure");
}

/* Loads the TLS files without the GIL. On failure sets ValueError, which names the file, or
 * MemoryError. */
static void load_tls(struct ps_settings *settings, const struct tls_server_options *tls)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    PyThreadState *before = ps_gil_begin_wait();
    int result = tls_server_new(&settings->tls, tls, &err);

    ps_gil_end_wait(before);
    if (result < 0 && err.code == RPYC_ENOMEM)
        PyErr_NoMemory();
    else if (result < 0)
        PyErr_SetString(PyExc_ValueError, err.text);
}

static void read_tls(struct ps_settings *settings, struct ps_settings_dict *o,
                     struct ps_server_options *server)
{
    const char **subjects = ps_setting_texts(o, "allow_subjects");
    struct tls_server_options tls = {
        .cert_file = ps_setting_path(o, "certfile"),
        .key_file = ps_setting_path(o, "keyfile"),
        .ca_file = ps_setting_path(o, "ca_certs"),
        .crl_file = ps_setting_path(o, "crl"),
        .ciphers = ps_setting_text(o, "ciphers"),
        .client_cert = (enum tls_client_cert)ps_setting_int(
            o, "client_certificate", TLS_CLIENT_CERT_UNASKED, TLS_CLIENT_CERT_REQUIRED),
        .only_tls_1_2 = ps_setting_bool(o, "only_tls_1_2"),
        .subjects = subjects,
    };

    if (tls.cert_file && !PyErr_Occurred())
        load_tls(settings, &tls);
    if (tls.client_cert == TLS_CLIENT_CERT_REQUIRED)
        server->anyone = true;
    PyMem_Free(subjects);
}

/* Makes the members of settings that are Python objects or that all sessions share. */
static void make_shared(struct ps_settings *settings, struct ps_settings_dict *o)
{
    PyObject *log = ps_setting_or_null(o, "log");

    settings->connect = ps_setting_or_null(o, "connect");
    Py_XINCREF(settings->connect);
    if (PyErr_Occurred())
        return;
    settings->conn.turns = turns_new(settings->conn.max_frame);
    if (!settings->conn.turns)
        PyErr_NoMemory();
    else if (log)
        settings->log = ps_log_new(settings->state, log);
}

struct ps_settings *ps_settings_new(struct ps_state *state, struct ps_settings_dict *o,
                                    struct ps_server_options *server)
{
    struct ps_settings *settings = calloc(1, sizeof(*settings));

    if (!settings)
        return (struct ps_settings *)PyErr_NoMemory();
    settings->state = state;
    read_limits(settings, o);
    read_listening(o, server);
    read_users(settings, o, &server->allowed);
    read_group(o, server);
    read_tls(settings, o, server);
    make_shared(settings, o);
    if (!PyErr_Occurred())
        return settings;
    ps_settings_free(settings);
    return NULL;
}

void ps_settings_free(struct ps_settings *settings)
{
    if (!settings)
        return;
    tls_server_free(settings->tls);
    turns_unref(settings->conn.turns);
    ps_log_free(settings->log);
    Py_XDECREF(settings->connect);
    free(settings->users);
    free(settings);
}
