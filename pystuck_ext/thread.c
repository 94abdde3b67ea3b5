/* SPDX-License-Identifier: BSD-3-Clause */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "gil.h"
#include "server.h"

/* A thread of pystuck that has run Python. It does not exist in a forked child, where a new thread
 * of the program may have its ident. */
struct ps_thread {
    unsigned long ident;
    PyObject *number;    /* the ident as a Python int: a reference, or NULL */
    unsigned fork_count; /* ps_fork_count() of the process that the thread is in */
    bool interruptible;
    bool interrupted; /* ps_thread_interrupt_all has done this thread */
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
    atomic_fetch_sub(&state->thread_count, 1); /* the state may be freed from here on */
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

/* ---- Entering and leaving Python
 * ---------------------------------------------------------------------- */

/* With the GIL: adds this thread to the list of threads that stacks leave out. */
static void enter_in_list(struct ps_state *state)
{
    own_thread = malloc(sizeof(*own_thread));
    if (!own_thread)
        return;
    own_thread->ident = PyThread_get_thread_ident();
    own_thread->number = PyLong_FromUnsignedLong(own_thread->ident);
    PyErr_Clear(); /* MemoryError: the thread has no number */
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

/* Removes a thread from threading's list. */
static void forget_thread(const struct ps_state *state, PyObject *ident)
{
    if (ident && PyDict_Contains(state->threads, ident) > 0)
        PyDict_DelItem(state->threads, ident);
    PyErr_Clear();
}

/* Removes the thread that a get_ident of gevent names. Takes get_ident. */
static void forget_replaced_ident(const struct ps_state *state, PyObject *get_ident)
{
    ps_auto PyObject *owned = get_ident, *ident = PyObject_CallObject(owned, NULL);

    forget_thread(state, ident);
}

/* Does not take threading's lock, since the program may be stuck in it. If gevent has replaced
 * get_ident, its result is the key of the dummy thread. */
void ps_thread_leave_no_dummy(const struct ps_state *state)
{
    PyObject *get_ident;

    if (!PyDict_Check(state->threads))
        return;
    if (own_thread)
        forget_thread(state, own_thread->number);
    get_ident = PyDict_GetItemWithError(PyModule_GetDict(state->threading), state->names.get_ident);
    if (get_ident && !PyCFunction_CheckExact(get_ident))
        forget_replaced_ident(state, ps_new_ref(get_ident));
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
    ps_auto PyObject *list = PyList_New(0);
    struct ps_thread *t;

    LIST_FOREACH (t, &state->own_threads, entry) {
        if (t->fork_count != ps_fork_count())
            continue;
        ps_auto PyObject *ident = list ? PyLong_FromUnsignedLong(t->ident) : NULL;
        if (!ident || PyList_Append(list, ident) < 0)
            Py_CLEAR(list);
    }
    return list ? PyFrozenSet_New(list) : NULL;
}

void ps_thread_set_interruptible(bool interruptible)
{
    if (own_thread)
        own_thread->interruptible = interruptible;
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

/* Replacing an exception that is still set may run any code, since it may drop the last reference
 * to that exception's class. So the search starts at the head of the list each time. */
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
