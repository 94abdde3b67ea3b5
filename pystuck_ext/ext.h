/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The state of the module, which all files that use Python share. The functions and data that are
 * declared here, and in headers that include this one, need the GIL unless their comments say
 * otherwise.
 */
#ifndef PS_EXT_H
#define PS_EXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "queue.h"
#include "reference.h"

/* Names that are looked up often. The str objects of these names are made only once. */
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

struct ps_gil_helper;
struct ps_without_gil;
struct stackreader;

struct ps_state {
    PyInterpreterState *interp;
    unsigned life; /* ps_gil_life() when the module was imported */
    PyTypeObject *server_type;
    PyTypeObject *netref_type;
    PyTypeObject *service_type;
    PyTypeObject *session_type;
    PyTypeObject *request_type;
    PyObject *connection_class; /* pystuck.connection.Connection; NULL until run_server */
    PyObject *begin_stacks;     /* pystuck._stacks.begin; NULL until run_server */
    PyObject *finish_stacks;    /* pystuck._stacks.finish; NULL until run_server */
    PyObject *local_names;      /* names of a netref's own attributes, a frozenset */
    PyObject *remote_classes;   /* classes of exceptions from clients: a dict, see vinegar.c */
    PyObject *compile;          /* builtins.compile */
    PyObject *eval, *exec;      /* builtins.eval, builtins.exec */
    PyObject *import_module;    /* importlib.import_module */
    PyObject *format_exception; /* traceback.format_exception */
    PyObject *frame_code;       /* see ps_pyframe_make_code */
    PyObject *threading;        /* the module threading */
    PyObject *threads;          /* threading._active, a dict: ident -> Thread */
    unsigned long main_thread;  /* ident of the thread that runs handlers of signals */
    struct {
        PS_NAMES(PS_NAME_FIELD)
    } names;
    struct ps_gil_helper *helper; /* see gil_helper.h; NULL until run_server. Once set, it changes
                                     only in a forked child, which has no other thread of pystuck */
    struct stackreader *reader;   /* set like helper; NULL also if the stack reader is off */
    struct ps_without_gil *without_gil; /* set like helper: see without_gil.h */
    atomic_int thread_count; /* number of pystuck's threads that may run Python; needs no GIL */
    bool is_main;            /* the main interpreter, not a subinterpreter */
    PyObject *handles;       /* a subinterpreter's Server objects, a list; NULL: none */
};

/* Looks an attribute up in a type and its bases, but not in its metaclass, without running any
 * code. Returns a borrowed reference; NULL, without an exception, if there is no such attribute. */
static inline PyObject *ps_type_attribute(PyTypeObject *type, PyObject *name)
{
    return _PyType_Lookup(type, name);
}

/* Makes a type for the module. Only C code can create objects of this type. Returns NULL with an
 * exception on failure. */
static inline PyTypeObject *ps_make_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);

    if (type)
        type->tp_new = NULL;
    return type;
}

/* Imports a module and returns one of its attributes, a new reference; NULL with an exception on
 * failure. */
static inline PyObject *ps_import_from(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name), *value;

    if (!module)
        return NULL;
    value = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return value;
}

/* Makes a thread state for this thread. NULL: no memory. Needs no GIL. */
static inline PyThreadState *ps_new_thread_state(PyInterpreterState *interp)
{
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
    /* Does the same as PyThreadState_New of 3.11, but that function crashes if there is no memory.
     */
    extern void _PyThreadState_SetCurrent(PyThreadState * tstate);
    PyThreadState *tstate = _PyThreadState_Prealloc(interp);

    if (tstate)
        _PyThreadState_SetCurrent(tstate);
    return tstate;
#else
    return PyThreadState_New(interp);
#endif
}

#endif
