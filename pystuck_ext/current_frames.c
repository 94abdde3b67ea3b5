/* SPDX-License-Identifier: BSD-3-Clause */
#include "current_frames.h"

#include "memory.h"
#include "own_offsets.h"

#if PY_VERSION_HEX >= 0x030c0000

#define INTERPRETERS_MAX 1000

extern char _PyRuntime[];

/* Reads the list of interpreters from memory like the stack reader, because an interpreter with
 * another GIL may end while the list is read. */
bool ps_has_other_gil(void)
{
    const struct offsets *o = &ps_own_offsets;
    const struct memory memory = memory_self();
    uint64_t own = (uint64_t)(uintptr_t)PyInterpreterState_Get(), own_gil, gil, interpreter;
    int i;

    if (o->minor == 0)
        return PyInterpreterState_Next(PyInterpreterState_Head()) != NULL;
    if (!memory_pointer(&memory, own + (uint64_t)o->interpreter.gil, &own_gil) ||
        !memory_pointer(&memory,
                        (uint64_t)(uintptr_t)_PyRuntime + (uint64_t)o->runtime.interpreters,
                        &interpreter))
        return true;
    for (i = 0; interpreter && i < INTERPRETERS_MAX; i++) {
        if (!memory_pointer(&memory, interpreter + (uint64_t)o->interpreter.gil, &gil) ||
            gil != own_gil ||
            !memory_pointer(&memory, interpreter + (uint64_t)o->interpreter.next, &interpreter))
            return true;
    }
    return interpreter != 0;
}

/* Returns the frames of the threads of the calling interpreter. Needs no lock for the list of
 * threads: while this thread has the GIL, no thread state of the interpreter is deleted, and new
 * thread states are inserted at the head of the list. The GIL is kept during the whole function,
 * because no Python code runs in it. In particular, no finalizer runs: from 3.12 on, an allocation
 * does not run the garbage collector. */
static PyObject *own_frames(void)
{
    ps_auto PyObject *frames = PyDict_New();
    PyThreadState *t = PyInterpreterState_ThreadHead(PyInterpreterState_Get());

    for (; t && frames; t = PyThreadState_Next(t)) {
        ps_auto PyObject *frame = (PyObject *)PyThreadState_GetFrame(t);
        ps_auto PyObject *ident = frame ? PyLong_FromUnsignedLong(t->thread_id) : NULL;

        if (frame && (!ident || PyDict_SetItem(frames, ident, frame) < 0))
            Py_CLEAR(frames);
    }
    return ps_steal(&frames);
}

#else

bool ps_has_other_gil(void)
{
    return false;
}

static PyObject *own_frames(void)
{
    return NULL;
}

#endif

PyObject *ps_current_frames(void)
{
    PyObject *function;

    if (ps_has_other_gil())
        return own_frames();
    function = PySys_GetObject("_current_frames");
    if (function)
        return PyObject_CallObject(function, NULL);
    PyErr_SetString(PyExc_RuntimeError, "sys has no _current_frames");
    return NULL;
}
