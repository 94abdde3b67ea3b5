/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Variables that release their Python reference at the end of their scope:
 *
 *     ps_auto PyObject *name = PyObject_GetAttrString(obj, "name");
 *     ...
 *     return ps_steal(&name);
 *
 * The rule: the thread has the GIL wherever such a variable goes out of scope. So a function that
 * uses ps_auto is called with the GIL and returns with it. It may release the GIL for a wait in
 * between (ps_gil_begin_wait), since ps_gil_end_wait returns with the GIL or not at all.
 *
 * If ps_gil_end_wait does not return, the reference is not released. Up to Python 3.13, a thread
 * that asks for the GIL while the interpreter shuts down is ended by pthread_exit(), which unwinds
 * the stack. Compiled with -fexceptions, the function would then release the reference without the
 * GIL. So this header refuses to be compiled with -fexceptions.
 */
#ifndef PS_REFERENCE_H
#define PS_REFERENCE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>

#ifdef __EXCEPTIONS
#error "compile the extension with -fno-exceptions (at the end of CFLAGS): see reference.h"
#endif

/* Releases the reference in *variable, which may be NULL. */
static inline void ps_auto_release(PyObject **variable)
{
    Py_XDECREF(*variable);
}

/* The variable owns its reference. Initialize it: NULL, or a new reference. */
#define ps_auto __attribute__((cleanup(ps_auto_release)))

/* Returns the reference in a variable and sets the variable to NULL. The caller then owns the
 * reference. */
static inline PyObject *ps_steal(PyObject **variable)
{
    PyObject *obj = *variable;

    *variable = NULL;
    return obj;
}

/* Returns a new reference to obj, which may be NULL. */
static inline PyObject *ps_new_ref(PyObject *obj)
{
    Py_XINCREF(obj);
    return obj;
}

#endif
