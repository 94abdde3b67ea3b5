/* SPDX-License-Identifier: BSD-3-Clause */
#include "aside.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gil.h"
#include "monotonic_cond.h"
#include "server.h"
#include "stream.h"
#include "thread.h"

#define MS_PER_SECOND 1000
#define WAIT_MAX_S    3600 /* the longest single wait: its time in ms must fit into an int */

/* A call of run_aside()'s function. The thread that makes the call and the thread that waits for
 * the call each have a reference to this struct. */
struct aside {
    atomic_int refs;
    struct ps_state *state;
    PyObject *function;  /* a reference, which the thread releases */
    unsigned fork_count; /* ps_fork_count() when the call was made */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool done; /* the function has returned, or could not be called */
};

static struct aside *aside_new(struct ps_state *state, PyObject *function)
{
    struct aside *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    atomic_init(&a->refs, 2);
    a->state = state;
    a->function = ps_new_ref(function);
    a->fork_count = ps_fork_count();
    pthread_mutex_init(&a->lock, NULL);
    monotonic_cond_init(&a->changed);
    return a;
}

/* Drops a reference to the call, and frees the call with its last reference. Needs no GIL, because
 * the thread of the call has already released a->function. If the thread of the call could not take
 * the GIL, a->function is never released. */
static void aside_unref(struct aside *a)
{
    if (atomic_fetch_sub(&a->refs, 1) > 1)
        return;
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static void set_done(struct aside *a)
{
    pthread_mutex_lock(&a->lock);
    a->done = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* Calls a->function. Needs the GIL. If a->function forks, the child process ends as soon as
 * a->function has returned in the child. If a client's request forks, the child also ends, when the
 * request's code has returned in the child. */
static void call(struct aside *a)
{
    PyObject *result;

    ps_thread_set_interruptible(true);
    ps_thread_stop_tracing();
    result = PyObject_CallObject(a->function, NULL);
    ps_thread_resume_tracing();
    ps_thread_set_interruptible(false);
    if (a->fork_count != ps_fork_count())
        _exit(0);
    Py_XDECREF(result);
    PyErr_Clear();
    Py_CLEAR(a->function);
    ps_thread_drop_late_exception();
}

/* The thread of a call. Keeps signals blocked while it runs Python, so that the program's threads
 * get the signals: this thread cannot handle signals if a->function blocks for ever. */
static void aside_main(void *arg)
{
    struct aside *a = arg;
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (ps_thread_enter(a->state, &blocked)) {
        call(a);
        ps_thread_leave_python(a->state);
    }
    set_done(a);
    aside_unref(a);
}

/* Waits without the GIL until the call is done, but not longer than `seconds`. Returns true if the
 * call is done. */
static bool wait_for(struct aside *a, double seconds)
{
    deadline_t until = deadline_in((int)(seconds * MS_PER_SECOND) + 1);
    struct timespec end = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    PyThreadState *before = ps_gil_begin_wait();
    int result = 0;
    bool done;

    pthread_mutex_lock(&a->lock);
    while (!a->done && result == 0)
        result = pthread_cond_timedwait(&a->changed, &a->lock, &end);
    done = a->done;
    pthread_mutex_unlock(&a->lock);
    ps_gil_end_wait(before);
    return done;
}

/* Waits until the call is done, or patience() returns a negative number. Returns 1 if the call is
 * done, 0 if the call is not done, -1 with an exception. */
static int wait_patiently(struct aside *a, PyObject *patience)
{
    ps_auto PyObject *answer = NULL;
    double seconds;

    while (true) {
        Py_XSETREF(answer, PyObject_CallObject(patience, NULL));
        seconds = answer ? PyFloat_AsDouble(answer) : -1;
        if (seconds < 0)
            return PyErr_Occurred() ? -1 : 0;
        if (wait_for(a, seconds < WAIT_MAX_S ? seconds : WAIT_MAX_S))
            return 1;
    }
}

const char ps_run_aside_doc[] =
    "run_aside(function, patience)\n--\n\n"
    "Call function() on a thread of pystuck, and wait until it has returned.\n\n"
    "Calls patience() again and again during the wait. It returns how many seconds to\n"
    "wait before the next call. If this number is negative, the wait ends and the thread\n"
    "is left behind. Returns True if function() has returned. Raises RuntimeError if no\n"
    "thread can be started.";

PyObject *ps_run_aside(PyObject *module, PyObject *args)
{
    struct ps_state *state = PyModule_GetState(module);
    PyObject *function, *patience;
    struct aside *a;
    int result;

    if (!PyArg_ParseTuple(args, "OO:run_aside", &function, &patience))
        return NULL;
    a = aside_new(state, function);
    if (!a)
        return PyErr_NoMemory();
    result = ps_thread_start(state, "pystuck-aside", aside_main, a);
    if (result != 0) {
        Py_CLEAR(a->function);
        aside_unref(a);
        aside_unref(a);
        return PyErr_Format(PyExc_RuntimeError, "cannot start a thread: %s", strerror(result));
    }
    result = wait_patiently(a, patience);
    aside_unref(a);
    return result < 0 ? NULL : PyBool_FromLong(result);
}
