/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What all of the extension that touches Python shares: the module's state. Everything declared
 * here and in the headers that include this one needs the GIL unless its comment says otherwise.
 */
#ifndef PS_EXT_H
#define PS_EXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

/* Strings that are looked up often, made once. */
#define PS_NAMES(X)                                                                                \
    X(dunder_builtins, "__builtins__")                                                             \
    X(dunder_class, "__class__")                                                                   \
    X(dunder_doc, "__doc__")                                                                       \
    X(dunder_exit, "__exit__")                                                                     \
    X(dunder_module, "__module__")                                                                 \
    X(dunder_name, "__name__")                                                                     \
    X(dunder_slots, "__slots__")                                                                   \
    X(id_pack, "____id_pack__")                                                                    \
    X(conn, "____conn__")                                                                          \
    X(get_ident, "get_ident")                                                                      \
    X(rpyc_getattr, "_rpyc_getattr")                                                               \
    X(rpyc_setattr, "_rpyc_setattr")                                                               \
    X(rpyc_delattr, "_rpyc_delattr")

#define PS_NAME_FIELD(field, text) PyObject *field;

struct ps_session;
struct ps_thread;

struct ps_state {
    PyInterpreterState *interp;
    unsigned life; /* of Python in this process: see gil */
    PyTypeObject *server_type;
    PyTypeObject *netref_type;
    PyTypeObject *service_type;
    PyTypeObject *session_type;
    PyTypeObject *request_type;
    PyObject *connection_class; /* pystuck.connection.Connection, from run_server on; NULL: none */
    PyObject *collect;          /* pystuck._stacks.collect, from run_server on; NULL: none */
    PyObject *local_names;      /* a frozenset: attributes that a netref has of its own */
    PyObject *remote_classes;   /* of exceptions from clients: what each is derived from -> class */
    PyObject *compile;          /* builtins', */
    PyObject *eval, *exec;      /* ... and these */
    PyObject *import_module;    /* importlib's */
    PyObject *format_exception; /* traceback's */
    PyObject *frame_code;       /* see pyframe */
    PyObject *threading;        /* the module, */
    PyObject *threads;          /* ... and its _active: ident -> Thread */
    unsigned long main_thread;  /* the ident of the one that runs handlers of signals */
    struct {
        PS_NAMES(PS_NAME_FIELD)
    } names;
    LIST_HEAD(, ps_thread) own_threads; /* threads of ours that have run Python */
    atomic_int thread_count;            /* threads of ours that may do so; needs no GIL */
    bool is_main;                       /* of the main interpreter; else of a subinterpreter, */
    PyObject *handles;                  /* ... and this is a list of its servers; NULL: none */
};

/* The attribute of an object's type, without the type's metaclass and without running any code;
 * borrowed, NULL without an exception if there is none. */
static inline PyObject *ps_type_attribute(PyTypeObject *type, PyObject *name)
{
    return _PyType_Lookup(type, name);
}

#endif
