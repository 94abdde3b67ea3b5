/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The module _pystuck: its state, its types and its functions.
 */
#include "ext.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "aside.h"
#include "classic_service.h"
#include "current_frames.h"
#include "fork_call.h"
#include "frame_objects.h"
#include "gil.h"
#include "server_object.h"
#include "netref_type.h"
#include "pyframe.h"
#include "run_server.h"
#include "session_object.h"
#include "thread.h"
#include "why.h"

PyDoc_STRVAR(own_threads_doc,
             "own_threads()\n--\n\n"
             "Return a frozenset of the idents of pystuck's own threads, which serve\n"
             "clients and are in no list of the program's threads.");

static PyObject *own_threads(PyObject *module, PyObject *unused)
{
    (void)unused;
    return ps_thread_idents(PyModule_GetState(module));
}

PyDoc_STRVAR(current_frames_doc,
             "current_frames()\n--\n\n"
             "Return what sys._current_frames() returns. If any interpreter of the process\n"
             "has a GIL of its own, return only the threads of the calling interpreter:\n"
             "the frames of other interpreters cannot be used then.");

static PyObject *current_frames(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return ps_current_frames();
}

PyDoc_STRVAR(is_secure_doc, "is_secure()\n--\n\n"
                            "Return True if execve() has given this process more rights than its\n"
                            "caller has (AT_SECURE): by a set-user-ID or set-group-ID bit, file\n"
                            "capabilities, or a security module.");

static PyObject *is_secure(PyObject *module, PyObject *unused)
{
    unsigned long value;

    (void)module;
    (void)unused;
    errno = 0;
    value = getauxval(AT_SECURE);
    return PyBool_FromLong(value != 0 || errno == ENOENT);
}

PyDoc_STRVAR(is_main_interpreter_doc,
             "is_main_interpreter()\n--\n\n"
             "Return True if the calling interpreter is the main interpreter of the process.");

static PyObject *is_main_interpreter(PyObject *module, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct ps_state *)PyModule_GetState(module))->is_main);
}

/* ---- The module ----------------------------------------------------------------------------- */

static PyMethodDef module_methods[] = {
    {"run_server", ps_run_server, METH_O, ps_run_server_doc},
    {"run_aside", ps_run_aside, METH_VARARGS, ps_run_aside_doc},
    {"own_threads", own_threads, METH_NOARGS, own_threads_doc},
    {"current_frames", current_frames, METH_NOARGS, current_frames_doc},
    {"frame_objects", ps_frame_objects, METH_O, ps_frame_objects_doc},
    {"instances", ps_instances, METH_O, ps_instances_doc},
    {"referents", ps_referents, METH_O, ps_referents_doc},
    {"call_in_children", ps_call_in_children, METH_O, ps_call_in_children_doc},
    {"fork_count", ps_get_fork_count, METH_NOARGS, ps_fork_count_doc},
    {"why", (PyCFunction)(void (*)(void))ps_why, METH_VARARGS | METH_KEYWORDS, ps_why_doc},
    {"is_secure", is_secure, METH_NOARGS, is_secure_doc},
    {"is_main_interpreter", is_main_interpreter, METH_NOARGS, is_main_interpreter_doc},
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

/* True if gevent has replaced threading.get_ident. In this case, the idents of threading.Thread
 * objects are not the idents of native threads. */
static bool idents_are_replaced(const struct ps_state *state)
{
    PyObject *get_ident = PyObject_GetAttr(state->threading, state->names.get_ident);
    bool result = get_ident && !PyCFunction_CheckExact(get_ident);

    PyErr_Clear();
    Py_XDECREF(get_ident);
    return result;
}

/* Sets state->main_thread to the ident of the thread that runs signal handlers. Returns 0, or -1
 * with an exception. */
static int find_main_thread(struct ps_state *state)
{
    PyObject *thread, *ident;

    if (idents_are_replaced(state) && syscall(SYS_gettid) == getpid()) {
        state->main_thread = PyThread_get_thread_ident();
        return 0;
    }
    thread = PyObject_CallMethod(state->threading, "main_thread", NULL);
    ident = thread ? PyObject_GetAttrString(thread, "ident") : NULL;
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
    if (make_names(state) < 0)
        return -1;
    state->server_type = ps_server_object_make_type(module);
    state->netref_type = ps_netref_make_type(module);
    state->service_type = ps_classic_service_make_type(module);
    state->session_type = ps_session_make_type(module);
    state->request_type = ps_request_make_type(module);
    state->local_names = ps_netref_local_names();
    state->remote_classes = PyDict_New();
    state->compile = ps_import_from("builtins", "compile");
    state->eval = ps_import_from("builtins", "eval");
    state->exec = ps_import_from("builtins", "exec");
    state->import_module = ps_import_from("importlib", "import_module");
    state->format_exception = ps_import_from("traceback", "format_exception");
    state->frame_code = ps_pyframe_make_code();
    state->threading = PyImport_ImportModule("threading");
    state->threads = ps_import_from("threading", "_active");
    if (!state->server_type || !state->netref_type || !state->service_type ||
        !state->session_type || !state->request_type || !state->local_names ||
        !state->remote_classes || !state->compile || !state->eval || !state->exec ||
        !state->import_module || !state->format_exception || !state->frame_code ||
        !state->threading || !state->threads ||
        PyModule_AddStringConstant(module, "__version__", PACKAGE_VERSION) < 0)
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
