/* SPDX-License-Identifier: BSD-3-Clause */
#include "gil.h"

#include "stream.h"

#define SHARE_STEPS 16 /* before the clock is looked at again */
#define SHARE_MS    5  /* as sys.getswitchinterval() is unless somebody changes that */

/* The thread state of a thread that has released the GIL through us; NULL while it has it, or never
 * had one. */
static __thread PyThreadState *released;

bool ps_gil_is_ending(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return !Py_IsInitialized() || Py_IsFinalizing();
#else
    return !Py_IsInitialized() || _Py_IsFinalizing();
#endif
}

/* A new thread state for this thread; NULL where there is no memory. */
static PyThreadState *new_state(PyInterpreterState *interp)
{
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
    /* What PyThreadState_New does in 3.11, but that one does not look whether there is a state. */
    extern void _PyThreadState_SetCurrent(PyThreadState * tstate);
    PyThreadState *tstate = _PyThreadState_Prealloc(interp);

    if (tstate)
        _PyThreadState_SetCurrent(tstate);
    return tstate;
#else
    return PyThreadState_New(interp);
#endif
}

bool ps_gil_take(PyInterpreterState *interp)
{
    PyThreadState *tstate = released;

    if (ps_gil_is_ending())
        return false;
    if (!tstate)
        tstate = new_state(interp);
    if (!tstate)
        return false;
    released = NULL;
    PyEval_RestoreThread(tstate);
    return true;
}

void ps_gil_release(void)
{
    released = PyEval_SaveThread();
}

PyThreadState *ps_gil_begin_wait(void)
{
    PyThreadState *before = released;

    released = PyEval_SaveThread();
    return before;
}

void ps_gil_end_wait(PyThreadState *before)
{
    PyEval_RestoreThread(released);
    released = before;
}

void ps_gil_share(void)
{
    static __thread unsigned steps;
    static __thread deadline_t due;

    if (++steps % SHARE_STEPS != 0 || deadline_in(0) < due)
        return;
    ps_gil_end_wait(ps_gil_begin_wait());
    due = deadline_in(SHARE_MS);
}

bool ps_gil_signal_raised(void)
{
    PyThreadState *tstate = released;
    int result;

    released = NULL;
    PyEval_RestoreThread(tstate);
    result = PyErr_CheckSignals();
    released = PyEval_SaveThread();
    return result < 0;
}

bool ps_gil_is_known(void)
{
    return released != NULL;
}

void ps_gil_end_thread(void)
{
    PyThreadState *tstate = PyThreadState_Get();

    PyThreadState_Clear(tstate);
    PyThreadState_DeleteCurrent();
}
