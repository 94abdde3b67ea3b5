/* SPDX-License-Identifier: BSD-3-Clause */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "gil.h"
#include "server.h"

/* A thread of ours that has run Python. In a forked child it is no more, and its ident may be that
 * of a new thread of the program's. */
struct ps_thread {
    unsigned long ident;
    PyObject *number;    /* the same as an int: a reference, or NULL */
    unsigned fork_count; /* of the process that it is in */
    bool interruptible;
    bool interrupted; /* for ps_thread_interrupt_all */
    LIST_ENTRY(ps_thread) entry;
};

static __thread struct ps_thread *own_thread;

/* ---- Starting and ending -------------------------------------------------------------------- */

void ps_thread_begin(struct ps_state *state)
{
    atomic_fetch_add(&state->thread_count, 1);
}

void ps_thread_end(struct ps_state *state)
{
    atomic_fetch_sub(&state->thread_count, 1); /* the state may be no more from here on */
}

struct start {
    struct ps_state *state;
    const char *name;
    void (*run)(void *);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    pthread_setname_np(pthread_self(), start.name);
    start.run(start.arg);
    ps_thread_end(start.state);
    return NULL;
}

int ps_thread_start(struct ps_state *state, const char *name, void (*run)(void *), void *arg)
{
    struct start *start = malloc(sizeof(*start));
    pthread_t thread;
    int result;

    if (!start)
        return ENOMEM;
    *start = (struct start){state, name, run, arg};
    ps_thread_begin(state);
    result = ps_start_thread(&thread, thread_main, start);
    if (result == 0) {
        pthread_detach(thread);
    } else {
        ps_thread_end(state);
        free(start);
    }
    return result;
}

/* ---- In Python and out ---------------------------------------------------------------------- */

/* With the GIL: enters this thread in the list of those that a stack dump leaves out. */
static void enter_in_list(struct ps_state *state)
{
    own_thread = malloc(sizeof(*own_thread));
    if (!own_thread)
        return;
    own_thread->ident = PyThread_get_thread_ident();
    own_thread->number = PyLong_FromUnsignedLong(own_thread->ident);
    PyErr_Clear(); /* no memory for it */
    own_thread->fork_count = ps_fork_count();
    own_thread->interruptible = own_thread->interrupted = false;
    LIST_INSERT_HEAD(&state->own_threads, own_thread, entry);
}

bool ps_thread_enter(struct ps_state *state, const sigset_t *mask)
{
    if (!ps_gil_take(state))
        return false;
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    if (!own_thread)
        enter_in_list(state);
    return true;
}

/* Takes a thread out of threading's list. */
static void forget_thread(const struct ps_state *state, PyObject *ident)
{
    if (ident && PyDict_Contains(state->threads, ident) > 0)
        PyDict_DelItem(state->threads, ident);
    PyErr_Clear();
}

/* Without threading's lock, which may be what is stuck. Where gevent has replaced get_ident, the
 * dummy is there under that name. */
void ps_thread_leave_no_dummy(const struct ps_state *state)
{
    PyObject *get_ident, *ident;

    if (!PyDict_Check(state->threads))
        return;
    if (own_thread)
        forget_thread(state, own_thread->number);
    get_ident = PyDict_GetItemWithError(PyModule_GetDict(state->threading), state->names.get_ident);
    if (!get_ident || PyCFunction_CheckExact(get_ident))
        return;
    Py_INCREF(get_ident);
    ident = PyObject_CallObject(get_ident, NULL);
    forget_thread(state, ident);
    Py_XDECREF(ident);
    Py_DECREF(get_ident);
}

void ps_thread_leave_python(struct ps_state *state)
{
    ps_thread_leave_no_dummy(state);
    if (own_thread) {
        LIST_REMOVE(own_thread, entry);
        Py_XDECREF(own_thread->number);
        free(own_thread);
        own_thread = NULL;
    }
    ps_block_signals(NULL);
    ps_gil_end_thread();
}

void ps_thread_leave(struct ps_state *state)
{
    if (!state->is_main) {
        ps_thread_leave_python(state);
        return;
    }
    ps_block_signals(NULL);
    ps_gil_release();
}

PyObject *ps_thread_idents(struct ps_state *state)
{
    PyObject *list = PyList_New(0), *ident, *set;
    struct ps_thread *t;

    LIST_FOREACH (t, &state->own_threads, entry) {
        if (t->fork_count != ps_fork_count())
            continue;
        ident = list ? PyLong_FromUnsignedLong(t->ident) : NULL;
        if (!ident || PyList_Append(list, ident) < 0)
            Py_CLEAR(list);
        Py_XDECREF(ident);
    }
    set = list ? PyFrozenSet_New(list) : NULL;
    Py_XDECREF(list);
    return set;
}

void ps_thread_set_interruptible(bool interruptible)
{
    if (own_thread)
        own_thread->interruptible = interruptible;
}

void ps_thread_drop_late_exception(void)
{
    if (PyThreadState_Get()->async_exc)
        PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), NULL);
}

static struct ps_thread *next_to_interrupt(const struct ps_state *state)
{
    struct ps_thread *t;

    LIST_FOREACH (t, &state->own_threads, entry) {
        if (t->interruptible && !t->interrupted)
            return t;
    }
    return NULL;
}

/* The exception that is replaced may be the last of its class, whose end may run any code: the list
 * is looked at from its start each time. */
void ps_thread_interrupt_all(const struct ps_state *state)
{
    struct ps_thread *t;

    LIST_FOREACH (t, &state->own_threads, entry)
        t->interrupted = false;
    while ((t = next_to_interrupt(state))) {
        t->interrupted = true;
        PyThreadState_SetAsyncExc(t->ident, PyExc_SystemExit);
    }
}
