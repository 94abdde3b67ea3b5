/* SPDX-License-Identifier: BSD-3-Clause */
#include "run_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

#include "admission.h"
#include "collect.h"
#include "gil.h"
#include "gil_helper.h"
#include "server_object.h"
#include "session_threads.h"
#include "thread.h"
#include "without_gil.h"

/* ---- The address ---------------------------------------------------------------------------- */

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
    PyObject *text; /* for error messages; a reference */
};

/* Sets OSError, or the subclass that belongs to the errno. */
static void raise_oserror(const struct rpyc_error *err, PyObject *where)
{
    PyObject *args, *text;

    if (err->code == RPYC_ENOMEM) {
        PyErr_NoMemory();
        return;
    }
    text = PyUnicode_FromFormat("%s: %S", strerror(err->sys_errno), where);
    args = text ? Py_BuildValue("(iN)", err->sys_errno, text) : NULL;
    if (args)
        PyErr_SetObject(PyExc_OSError, args);
    Py_XDECREF(args);
}

/* Sets socket.gaierror, as Python's own look-ups do. */
static void raise_gaierror(int code, const char *host)
{
    PyObject *type = ps_import_from("_socket", "gaierror");
    PyObject *text = type ? PyUnicode_FromFormat("%s: %s", gai_strerror(code), host) : NULL;
    PyObject *args = text ? Py_BuildValue("(iN)", code, text) : NULL;

    if (args)
        PyErr_SetObject(type, args);
    Py_XDECREF(args);
    Py_XDECREF(type);
}

/* Looks a host up in one address family, without the GIL. An empty host stands for every address.
 * Returns 0 or an error code of getaddrinfo(). */
static int look_up(const char *host, const char *port, int family, struct addrinfo **list)
{
    struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    PyThreadState *before;
    int result;

    before = ps_gil_begin_wait();
    result = getaddrinfo(host[0] ? host : NULL, port, &hints, list);
    ps_gil_end_wait(before);
    return result;
}

static int refuse_host(const char *host)
{
    PyErr_Format(PyExc_ValueError,
                 "%s is not a loopback address. A client can run any code in this process. "
                 "Listen on 127.0.0.1, ::1 or unix_socket=..., and use an SSH tunnel from other "
                 "machines; or require client certificates (certfile=..., ca_certs=...); or pass "
                 "insecure=True in a network where all users are trusted",
                 host[0] ? host : "the empty host (every address)");
    return -1;
}

/* Finds the TCP address of a host. If a name has IPv4 and IPv6 addresses, takes IPv4, which clients
 * try by default. If `anyone` is false, refuses addresses that other machines can reach. Returns 0,
 * or -1 with an exception. */
static int tcp_address(struct address *address, const char *host, int port, bool ipv6, bool anyone)
{
    struct addrinfo *list = NULL, *a;
    char service[16];
    bool local = host[0] != '\0';
    int result;

    snprintf(service, sizeof(service), "%d", port);
    result = ipv6 ? EAI_NONAME : look_up(host, service, AF_INET, &list);
    if (result != 0 && result != EAI_MEMORY)
        result = look_up(host, service, AF_INET6, &list);
    if (result == EAI_MEMORY) {
        PyErr_NoMemory();
        return -1;
    }
    if (result != 0) {
        raise_gaierror(result, host);
        return -1;
    }
    memcpy(&address->storage, list->ai_addr, list->ai_addrlen);
    address->len = list->ai_addrlen;
    for (a = list; a; a = a->ai_next)
        local = local && ps_is_local_address(a->ai_addr);
    freeaddrinfo(list);
    if (!local && !anyone)
        return refuse_host(host);
    address->text = PyUnicode_FromFormat(strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    return address->text ? 0 : -1;
}

static int unix_address(struct address *address, const char *path)
{
    struct rpyc_error err = RPYC_ERROR_INIT;

    address->text = PyUnicode_DecodeFSDefault(path);
    if (!address->text)
        return -1;
    if (stream_unix_address((struct sockaddr_un *)&address->storage, &address->len, path, &err) ==
        0)
        return 0;
    err.sys_errno = ENAMETOOLONG;
    raise_oserror(&err, address->text);
    return -1;
}

/* Reads the address from the options. Returns 0, or -1 with an exception. */
static int find_address(struct address *address, struct ps_settings_dict *o, bool anyone)
{
    const char *path = ps_setting_path(o, "unix_socket");
    const char *host = ps_setting_text(o, "host");
    int port = (int)ps_setting_int(o, "port", 0, UINT16_MAX);
    bool ipv6 = ps_setting_bool(o, "ipv6");

    if (ps_settings_dict_end(o) < 0)
        return -1;
    return path ? unix_address(address, path) : tcp_address(address, host, port, ipv6, anyone);
}

/* ---- Starting ------------------------------------------------------------------------------- */

/* Imports the modules that sessions need. When a session needs them, another thread may be stuck
 * and hold the import lock, so they are imported now. A program that cannot import them any more
 * (in a chroot, as another user) still gets its server, without what these modules do. */
static void import_connection(struct ps_state *state)
{
    if (!state->connection_class)
        state->connection_class = ps_import_from("pystuck.connection", "Connection");
    ps_collect_prepare(state);
    PyErr_Clear();
}

/* Sets the exception for a server that cannot listen. If chown() was refused, adds the reason,
 * which the errno does not show. */
static void raise_cannot_listen(const struct rpyc_error *err, PyObject *where, bool has_group)
{
    PyObject *more = NULL;

    if (has_group && err->sys_errno == EPERM)
        more = PyUnicode_FromFormat(
            "%S (the program's user must be root or a member of unix_group)", where);
    if (!PyErr_Occurred())
        raise_oserror(err, more ? more : where);
    Py_XDECREF(more);
}

/* Called when Python has ended. */
static void end_threads(void)
{
    ps_gil_helper_end_life();
    ps_thread_await_end();
}

/* Starts the server. Takes ownership of settings. Returns a Server object, or NULL with an
 * exception. */
static PyObject *start(PyObject *module, struct ps_settings *settings,
                       const struct ps_server_options *options, const struct address *address)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct ps_server *server;
    PyThreadState *before;
    int result;

    import_connection(settings->state);
    if (settings->state->is_main) {
        ps_gil_at_exit(end_threads);
    } else if (ps_server_object_watch_end(module) < 0) {
        ps_settings_free(settings);
        return NULL;
    }
    ps_without_gil_prepare(settings->state, settings->log);
    ps_gil_helper_open(settings->state); /* on failure, sessions wait for the GIL without it */
    before = ps_gil_begin_wait();
    result = ps_server_start(&server, (const struct sockaddr *)&address->storage, address->len,
                             options, &err);
    ps_gil_end_wait(before);
    if (result == 0)
        return ps_server_object_new(module, server, settings);
    ps_gil_helper_close(settings->state);
    raise_cannot_listen(&err, address->text, options->allowed.has_group);
    ps_settings_free(settings);
    return NULL;
}

/* Does what ps_run_server() does, with the opened settings o. */
static PyObject *run(PyObject *module, struct ps_settings_dict *o)
{
    struct ps_server_options options = {
        .serve = ps_serve_run,
        .hung_up = ps_session_hung_up,
        .tell = ps_serve_tell,
    };
    struct ps_settings *settings = ps_settings_new(PyModule_GetState(module), o, &options);
    struct address address = {0};
    PyObject *server = NULL;

    if (!settings)
        return NULL;
    options.context = settings;
    if (find_address(&address, o, options.anyone) == 0)
        server = start(module, settings, &options, &address);
    else
        ps_settings_free(settings);
    Py_XDECREF(address.text);
    return server;
}

const char ps_run_server_doc[] =
    "run_server(settings)\n--\n\n"
    "Start a server and return it as a Server. Returns once clients can connect.\n\n"
    "settings: a dict of all settings by name, as pystuck._run.native_settings() makes\n"
    "it from the options of pystuck.run_server(). Raises the same errors as\n"
    "pystuck.run_server().";

PyObject *ps_run_server(PyObject *module, PyObject *settings)
{
    struct ps_settings_dict o;
    PyObject *server = NULL;

    if (ps_settings_dict_begin(&o, settings) == 0)
        server = run(module, &o);
    ps_settings_dict_free(&o);
    return server;
}
