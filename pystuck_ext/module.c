/* SPDX-License-Identifier: BSD-3-Clause
 *
 * _pystuck: the extension module's face, and run_server().
 */
#include "ext.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "admission.h"
#include "classic_service.h"
#include "gil.h"
#include "handle.h"
#include "session_object.h"
#include "log.h"
#include "netref_type.h"
#include "pyframe.h"
#include "serve.h"
#include "session.h"
#include "thread.h"
#include "tls.h"

/* An attribute of a module, imported if need be. */
static PyObject *import_from(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name), *value;

    if (!module)
        return NULL;
    value = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return value;
}

/* ---- run_server ----------------------------------------------------------------------------- */

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* Raises OSError (or a subclass by errno) from a failure of the server. */
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

static void raise_gaierror(int code)
{
    PyObject *module = PyImport_ImportModule("_socket");
    PyObject *type = module ? PyObject_GetAttrString(module, "gaierror") : NULL;
    PyObject *args = type ? Py_BuildValue("(is)", code, gai_strerror(code)) : NULL;

    if (args)
        PyErr_SetObject(type, args);
    Py_XDECREF(args);
    Py_XDECREF(type);
    Py_XDECREF(module);
}

/* Looks a host up in one address family, without the GIL. The empty one is every address. */
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
    PyErr_Format(
        PyExc_ValueError,
        "%s is not a loopback address. A client can run any code in this process, so it is "
        "let in from this machine only: use 127.0.0.1, ::1 or unix_socket=..., and an SSH "
        "tunnel from elsewhere; or TLS with client certificates (certfile=..., ca_certs=...); or "
        "insecure=True, in a network where nobody else is",
        host[0] ? host : "the empty host (every address)");
    return -1;
}

/* The address of a host: a loopback one, unless anywhere. IPv4 first, where a name has both: it is
 * what clients try by default. */
static int tcp_address(const char *host, int port, bool ipv6, bool anywhere,
                       struct address *address)
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
        raise_gaierror(result);
        return -1;
    }
    memcpy(&address->storage, list->ai_addr, list->ai_addrlen);
    address->len = list->ai_addrlen;
    for (a = list; a; a = a->ai_next)
        local = local && ps_is_local_address(a->ai_addr);
    freeaddrinfo(list);
    return local || anywhere ? 0 : refuse_host(host);
}

static int unix_address(PyObject *path, struct address *address)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    const char *text = PyBytes_AS_STRING(path);

    if (text[0] == '\0') {
        PyErr_SetString(PyExc_ValueError, "unix_socket is empty");
        return -1;
    }
    if (stream_unix_address((struct sockaddr_un *)&address->storage, &address->len, text, &err) ==
        0)
        return 0;
    err.sys_errno = ENAMETOOLONG;
    raise_oserror(&err, path);
    return -1;
}

/* What run_server was asked for. */
struct wanted {
    const char *host;
    int port, ipv6;
    PyObject *unix_socket;
    PyObject *connect; /* NULL: the classic service */
    PyObject *log;     /* NULL: nobody is told */
    int backlog, reuse_addr;
    int insecure;           /* anyone is let in, from everywhere */
    PyObject *users;        /* a tuple of user ids */
    unsigned unix_mode;     /* 0: the usual one */
    PyObject *unix_group;   /* a group id, or None */
    struct tls_server *tls; /* NULL: none; owned until a server has taken it */
    bool certified;         /* ... and clients need a certificate that it accepts */
    struct ps_limits limits;
};

/* ---- TLS ------------------------------------------------------------------------------------ */

/* A converter of PyArg_Parse: a path as bytes, a new reference, or NULL for None. */
static int path_or_none(PyObject *path, void *result)
{
    *(PyObject **)result = NULL;
    return path == Py_None || PyUnicode_FSConverter(path, result);
}

static const char *path_text(PyObject *path)
{
    return path ? PyBytes_AS_STRING(path) : NULL;
}

/* How many files there may be. */
#define PATHS 4

/* A text as UTF-8, which is the str's; NULL with an exception, also where a NUL would cut it off.
 */
static const char *whole_text(PyObject *str)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(str, &len);

    if (!text || strlen(text) == (size_t)len)
        return text;
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return NULL;
}

/* The texts of a tuple, ended by NULL, in memory for PyMem_Free; they are the tuple's. *out is NULL
 * for None. */
static int texts_of(PyObject *tuple, const char ***out)
{
    Py_ssize_t i, n;

    *out = NULL;
    if (tuple == Py_None)
        return 0;
    n = PyTuple_Size(tuple);
    if (n < 0)
        return -1;
    *out = PyMem_Calloc((size_t)n + 1, sizeof(**out));
    if (!*out) {
        PyErr_NoMemory();
        return -1;
    }
    for (i = 0; i < n; i++) {
        (*out)[i] = whole_text(PyTuple_GET_ITEM(tuple, i));
        if (!(*out)[i])
            return -1;
    }
    return 0;
}

/* TLS as run_server's tls= describes it; the paths are bytes that the caller drops. */
static int parse_tls(PyObject *tls, struct tls_server_options *o, PyObject *paths[PATHS],
                     PyObject **subjects)
{
    int client_cert, only_tls_1_2;

    if (!PyArg_ParseTuple(tls, "O&O&O&zipO&O;tls is a tuple of eight", path_or_none, &paths[0],
                          path_or_none, &paths[1], path_or_none, &paths[2], &o->ciphers,
                          &client_cert, &only_tls_1_2, path_or_none, &paths[3], subjects))
        return -1;
    o->crl_file = path_text(paths[3]);
    o->cert_file = path_text(paths[0]);
    o->key_file = path_text(paths[1]);
    o->ca_file = path_text(paths[2]);
    o->client_cert = (enum tls_client_cert)client_cert;
    o->only_tls_1_2 = only_tls_1_2;
    return 0;
}

/* Reads the files. -1 with ValueError, which says what cannot be used. */
static int want_tls(struct wanted *w, PyObject *tls)
{
    PyObject *paths[PATHS] = {NULL}, *subjects = Py_None;
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct tls_server_options o = {0};
    const char **names = NULL;
    PyThreadState *before;
    int result = -1;
    size_t i;

    if (parse_tls(tls, &o, paths, &subjects) == 0 && texts_of(subjects, &names) == 0) {
        o.subjects = names;
        before = ps_gil_begin_wait();
        result = tls_server_new(&w->tls, &o, &err);
        ps_gil_end_wait(before);
        if (result < 0 && err.code == RPYC_ENOMEM)
            PyErr_NoMemory();
        else if (result < 0)
            PyErr_SetString(PyExc_ValueError, err.text);
    }
    w->certified = o.client_cert == TLS_CLIENT_CERT_REQUIRED;
    for (i = 0; i < PATHS; i++)
        Py_XDECREF(paths[i]);
    PyMem_Free(names);
    return result;
}

/* ---- Starting ------------------------------------------------------------------------------- */

/* What the server's sessions have in common, TLS taken from w; NULL with MemoryError. */
static struct ps_settings *settings_new(PyObject *module, struct wanted *w)
{
    struct ps_settings *settings = calloc(1, sizeof(*settings));

    if (!settings)
        return (struct ps_settings *)PyErr_NoMemory();
    settings->state = PyModule_GetState(module);
    settings->connect = w->connect;
    Py_XINCREF(settings->connect);
    settings->tls = w->tls;
    w->tls = NULL;
    settings->limits = w->limits;
    settings->turns = turns_new(w->limits.max_frame);
    if (!settings->turns) {
        ps_settings_free(settings);
        return (struct ps_settings *)PyErr_NoMemory();
    }
    if (w->log && !(settings->log = ps_log_new(settings->state, w->log))) {
        ps_settings_free(settings);
        return NULL;
    }
    return settings;
}

/* Who is let in beside root and ourselves: the numbers stay with settings. -1 with an exception. */
static int take_guests(struct ps_settings *settings, const struct wanted *w,
                       struct ps_server_options *options)
{
    Py_ssize_t i, n = PyTuple_Size(w->users);
    unsigned long number;

    if (n < 0)
        return -1;
    settings->users = calloc((size_t)n + 1, sizeof(*settings->users));
    if (!settings->users) {
        PyErr_NoMemory();
        return -1;
    }
    for (i = 0; i < n; i++) {
        number = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(w->users, i));
        if (PyErr_Occurred())
            return -1;
        settings->users[i] = (uid_t)number;
    }
    options->guests.users = settings->users;
    options->guests.count = (size_t)n;
    if (w->unix_group == Py_None)
        return 0;
    options->listening.unix_group = (gid_t)PyLong_AsUnsignedLong(w->unix_group);
    options->guests.group = options->listening.unix_group;
    options->guests.has_group = options->listening.has_unix_group = true;
    return PyErr_Occurred() ? -1 : 0;
}

/* Raises what became of listening. That it is the group which is in the way shows nowhere else. */
static void raise_not_listening(const struct wanted *w, const struct rpyc_error *err,
                                PyObject *where)
{
    PyObject *more = NULL;

    if (w->unix_group != Py_None && err->sys_errno == EPERM)
        more =
            PyUnicode_FromFormat("%S (unix_group has to be a group of this process's user)", where);
    if (!PyErr_Occurred())
        raise_oserror(err, more ? more : where);
    Py_XDECREF(more);
}

/* Starts a server and wraps it in a handle. where names the address in errors. */
static PyObject *start_server(PyObject *module, struct wanted *w, const struct address *address,
                              PyObject *where)
{
    struct ps_settings *settings = settings_new(module, w);
    struct ps_server_options options = {
        .serve = ps_serve_run,
        .hung_up = ps_session_hung_up,
        .tell = ps_serve_tell,
        .context = settings,
        .listening = {.backlog = w->backlog,
                      .reuse = w->reuse_addr,
                      .unix_mode = (mode_t)w->unix_mode},
        .anyone = w->certified || w->insecure,
        .max_clients = w->limits.max_clients,
    };
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct ps_server *server;
    PyThreadState *before;
    int result;

    if (!settings)
        return NULL;
    if (settings->state->is_main)
        ps_gil_at_exit();
    if (take_guests(settings, w, &options) < 0) {
        ps_settings_free(settings);
        return NULL;
    }
    before = ps_gil_begin_wait();
    result = ps_server_start(&server, (const struct sockaddr *)&address->storage, address->len,
                             &options, &err);
    ps_gil_end_wait(before);
    if (result == 0)
        return ps_handle_new(module, server, settings);
    raise_not_listening(w, &err, where);
    ps_settings_free(settings);
    return NULL;
}

/* Imports what a session may need: later the import lock may be what is stuck. A program that
 * cannot import any more (in a chroot, as another user) does without. */
static void import_connection(struct ps_state *state)
{
    if (!state->connection_class)
        state->connection_class = import_from("pystuck.connection", "Connection");
    if (!state->collect)
        state->collect = import_from("pystuck._stacks", "collect");
    PyErr_Clear();
}

static PyObject *run_unix(PyObject *module, struct wanted *w)
{
    struct address address = {0};
    PyObject *path, *result = NULL;

    if (!PyUnicode_FSConverter(w->unix_socket, &path))
        return NULL;
    if (unix_address(path, &address) == 0)
        result = start_server(module, w, &address, w->unix_socket);
    Py_DECREF(path);
    return result;
}

static PyObject *run_tcp(PyObject *module, struct wanted *w)
{
    struct address address = {0};
    PyObject *where, *result;

    if (w->port < 0 || w->port > 65535) {
        PyErr_SetString(PyExc_OverflowError, "port must be 0-65535");
        return NULL;
    }
    if (tcp_address(w->host, w->port, w->ipv6, w->certified || w->insecure, &address) < 0)
        return NULL;
    where = PyUnicode_FromFormat("%s port %d", w->host, w->port);
    if (!where)
        return NULL;
    result = start_server(module, w, &address, where);
    Py_DECREF(where);
    return result;
}

PyDoc_STRVAR(
    run_server_doc,
    "run_server(host='127.0.0.1', port=6666, unix_socket=None, *, connect=None,\n"
    "           backlog=128, reuse_addr=True, ipv6=False, log=None, tls=None,\n"
    "           allow_users=(), unix_mode=0, unix_group=None, insecure=False,\n"
    "           limits=...)\n--\n\n"
    "Serve clients from native threads until the process ends or the handle that is\n"
    "returned is closed. Returns once clients can connect.\n\n"
    "host: a loopback address or name; port: 0 lets the kernel choose.\n"
    "unix_socket: a path, or '@name' for an abstract one, in place of both.\n"
    "connect: gets a Link and returns a pystuck.connection.Connection over it, for each\n"
    "client; None: the classic service.\n"
    "backlog: clients that wait to be let in. reuse_addr: listen also while connections\n"
    "of a former server linger. ipv6: take host for an address or name of IPv6.\n"
    "log: gets a level of the module logging and a text, some time after clients come,\n"
    "go, or are refused; it may take its time.\n"
    "tls: speak TLS alone: a tuple of certificate, key or None, CA of the clients or\n"
    "None (files in PEM), ciphers or None, whether a client shows a certificate (0: it\n"
    "is not asked to, 1: it may, 2: it has to), whether 1.2 is the only version, a list\n"
    "of revoked certificates or None, and whose certificates are good, a tuple, or None.\n"
    "allow_users: ids of users who are let in beside root and this process's own.\n"
    "unix_mode, unix_group: the mode of a Unix socket's file (0: 0600), and the id of its\n"
    "group, whose members are let in. insecure: anyone is, on TCP, from everywhere.\n"
    "limits: a tuple of clients at a time (128); bytes of a message, and once it is\n"
    "decompressed, tuples in tuples in it, and values in it (0 of these three: as many as\n"
    "its bytes, and the library, allow); objects that a client holds (1,000,000); ms for\n"
    "TLS and the first message (10,000; -1: any), and in which it has to read something\n"
    "of what it is sent (120,000; 0: any).\n\n"
    "Raises ValueError for an address that others than this machine can reach, unless\n"
    "clients have to show a certificate, and for files that cannot be used; OSError\n"
    "with bind's errno where it cannot listen.");

static PyObject *run_wanted(PyObject *module, struct wanted *w, PyObject *tls)
{
    PyObject *result;

    if (w->connect == Py_None)
        w->connect = NULL;
    if (w->log == Py_None)
        w->log = NULL;
    if (tls != Py_None && want_tls(w, tls) < 0)
        return NULL;
    import_connection(PyModule_GetState(module));
    result = w->unix_socket != Py_None ? run_unix(module, w) : run_tcp(module, w);
    tls_server_free(w->tls);
    return result;
}

/* As run_server's limits= has them. -1 with an exception. */
static int parse_limits(PyObject *tuple, struct ps_limits *limits)
{
    Py_ssize_t clients, frame, decompressed, items, objects;

    if (!tuple)
        return 0;
    if (!PyArg_ParseTuple(tuple, "nnnInnii", &clients, &frame, &decompressed, &limits->max_depth,
                          &items, &objects, &limits->handshake_ms, &limits->send_ms))
        return -1;
    limits->max_clients = (size_t)clients;
    limits->max_frame = (size_t)frame;
    limits->max_decompressed = (size_t)decompressed;
    limits->max_items = (size_t)items;
    limits->max_objects = (size_t)objects;
    return 0;
}

static PyObject *run_server(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"host",       "port",       "unix_socket", "connect", "backlog",
                            "reuse_addr", "ipv6",       "log",         "tls",     "allow_users",
                            "unix_mode",  "unix_group", "insecure",    "limits",  NULL};
    struct wanted w = {
        .host = "127.0.0.1",
        .port = 6666,
        .unix_socket = Py_None,
        .connect = Py_None,
        .log = Py_None,
        .backlog = 128,
        .reuse_addr = 1,
        .unix_group = Py_None,
        .limits = {.max_clients = 128,
                   .max_frame = FRAME_MAX_DEFAULT,
                   .max_objects = 1000000,
                   .handshake_ms = 10000,
                   .send_ms = 120000},
    };
    PyObject *limits = NULL, *tls = Py_None, *no_users = PyTuple_New(0), *result = NULL;

    if (!no_users)
        return NULL;
    w.users = no_users;
    if (PyArg_ParseTupleAndKeywords(args, kwargs, "|siO$OippOOOIOpO:run_server", names, &w.host,
                                    &w.port, &w.unix_socket, &w.connect, &w.backlog, &w.reuse_addr,
                                    &w.ipv6, &w.log, &tls, &w.users, &w.unix_mode, &w.unix_group,
                                    &w.insecure, &limits) &&
        parse_limits(limits, &w.limits) == 0)
        result = run_wanted(module, &w, tls);
    Py_DECREF(no_users);
    return result;
}

PyDoc_STRVAR(own_threads_doc,
             "own_threads()\n--\n\n"
             "The idents of the threads that serve clients, as a frozenset: those\n"
             "that a list of the program's threads leaves out.");

static PyObject *own_threads(PyObject *module, PyObject *unused)
{
    (void)unused;
    return ps_thread_idents(PyModule_GetState(module));
}

PyDoc_STRVAR(is_secure_doc, "is_secure()\n--\n\n"
                            "Whether the kernel has given this process more rights when it was\n"
                            "executed than who executed it has: by a set-user-ID or set-group-ID\n"
                            "bit, file capabilities, or a security module (AT_SECURE).");

static PyObject *is_secure(PyObject *module, PyObject *unused)
{
    unsigned long value;

    (void)module;
    (void)unused;
    errno = 0;
    value = getauxval(AT_SECURE);
    return PyBool_FromLong(value != 0 || errno == ENOENT);
}

/* ---- The module ----------------------------------------------------------------------------- */

static PyMethodDef module_methods[] = {
    {"run_server", (PyCFunction)(void (*)(void))run_server, METH_VARARGS | METH_KEYWORDS,
     run_server_doc},
    {"own_threads", own_threads, METH_NOARGS, own_threads_doc},
    {"is_secure", is_secure, METH_NOARGS, is_secure_doc},
    {NULL, NULL, 0, NULL},
};

static int make_names(struct ps_state *state)
{
#define PS_MAKE_NAME(field, text)                                                                  \
    state->names.field = PyUnicode_InternFromString(text);                                         \
    if (!state->names.field)                                                                       \
        return -1;
    PS_NAMES(PS_MAKE_NAME)
    return 0;
}

/* Which thread runs handlers of signals. -1 with an exception. */
static int find_main_thread(struct ps_state *state)
{
    PyObject *thread = PyObject_CallMethod(state->threading, "main_thread", NULL);
    PyObject *ident = thread ? PyObject_GetAttrString(thread, "ident") : NULL;

    if (ident)
        state->main_thread = PyLong_AsUnsignedLong(ident);
    Py_XDECREF(thread);
    Py_XDECREF(ident);
    return PyErr_Occurred() ? -1 : 0;
}

static int module_exec(PyObject *module)
{
    struct ps_state *state = PyModule_GetState(module);

    state->interp = PyThreadState_GetInterpreter(PyThreadState_Get());
    state->life = ps_gil_life();
    state->is_main = state->interp == PyInterpreterState_Main();
    LIST_INIT(&state->own_threads);
    if (make_names(state) < 0)
        return -1;
    state->server_type = ps_handle_make_type(module);
    state->netref_type = ps_netref_make_type(module);
    state->service_type = ps_classic_service_make_type(module);
    state->session_type = ps_session_make_type(module);
    state->request_type = ps_request_make_type(module);
    state->local_names = ps_netref_local_names();
    state->remote_classes = PyDict_New();
    state->compile = import_from("builtins", "compile");
    state->eval = import_from("builtins", "eval");
    state->exec = import_from("builtins", "exec");
    state->import_module = import_from("importlib", "import_module");
    state->format_exception = import_from("traceback", "format_exception");
    state->frame_code = ps_pyframe_make_code();
    state->threading = PyImport_ImportModule("threading");
    state->threads = import_from("threading", "_active");
    if (!state->server_type || !state->netref_type || !state->service_type ||
        !state->session_type || !state->request_type || !state->local_names ||
        !state->remote_classes || !state->compile || !state->eval || !state->exec ||
        !state->import_module || !state->format_exception || !state->frame_code ||
        !state->threading || !state->threads)
        return -1;
    return find_main_thread(state);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_pystuck",
    .m_doc = "The server of pystuck: native threads that speak RPyC.",
    .m_size = sizeof(struct ps_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__pystuck(void)
{
    return PyModuleDef_Init(&module_def);
}
