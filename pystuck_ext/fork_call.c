/* SPDX-License-Identifier: BSD-3-Clause */
#include "fork_call.h"

#include <pthread.h>
#include <stdatomic.h>

#include "gil.h"
#include "server.h"

const char ps_call_in_children_doc[] =
    "call_in_children(function, /)\n--\n\n"
    "Call the function in each forked child, also if C code has forked without\n"
    "Python's fork hooks: on the main thread, before it runs more Python code.\n"
    "Children whose fork the main thread has not made do not call it. Replaces the\n"
    "function of an earlier call. Only for the main interpreter.";

const char ps_fork_count_doc[] = "fork_count()\n--\n\n"
                                 "Return the number of forks between the process that has called\n"
                                 "call_in_children and this process.";

/* The function and `forks` are guarded by the GIL of the main interpreter. */
static PyObject *to_call;
static unsigned forks;     /* ps_fork_count() of the process for which to_call need not be called */
static atomic_uint life;   /* ps_gil_life() of to_call */
static atomic_bool queued; /* run_in_child is among Python's pending calls */

/* A pending call: Python calls it on the main thread, between two instructions. Runs in the parent,
 * too, where it does nothing. */
static int run_in_child(void *unused)
{
    PyObject *result;

    (void)unused;
    atomic_store(&queued, false);
    if (forks == ps_fork_count() || atomic_load(&life) != ps_gil_life() ||
        PyThreadState_GetInterpreter(PyThreadState_Get()) != PyInterpreterState_Main())
        return 0;
    forks = ps_fork_count();
    result = PyObject_CallObject(to_call, NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Adds the pending call before the fork, in the parent: in the child, a thread that does not exist
 * there may hold the lock of Python's pending calls, and a child that runs no Python, such as one
 * that calls exec at once, needs no lock this way. At most one call is pending, so the list does
 * not fill up in a parent that runs no Python between its forks. Needs no GIL. */
static void before_fork(void)
{
    if (atomic_load(&life) != ps_gil_life() || !Py_IsInitialized() ||
        atomic_exchange(&queued, true))
        return;
    if (Py_AddPendingCall(run_in_child, NULL) != 0) /* the list is full */
        atomic_store(&queued, false);
}

static void install_fork_handler(void)
{
    pthread_atfork(before_fork, NULL, NULL);
}

PyObject *ps_call_in_children(PyObject *module, PyObject *function)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ps_state *state = PyModule_GetState(module);

    if (!state->is_main)
        Py_RETURN_NONE;
    ps_fork_watch();
    Py_INCREF(function);
    if (to_call && atomic_load(&life) == ps_gil_life())
        Py_DECREF(to_call);
    to_call = function;
    forks = ps_fork_count();
    atomic_store(&queued, false);
    atomic_store(&life, ps_gil_life());
    pthread_once(&once, install_fork_handler);
    Py_RETURN_NONE;
}

PyObject *ps_get_fork_count(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromUnsignedLong(ps_fork_count());
}
