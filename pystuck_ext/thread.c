/* SPDX-License-Identifier: BSD-3-Clause */
#include "thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "gil.h"
#include "procfs/threads.h"
#include "report.h"
#include "server.h"

/* How long ps_thread_await_end waits for threads that use a CPU, and for threads that sleep, in ms.
 * A thread that waits for the GIL wakes up every 5 ms. */
#define RUNNING_WAIT_MS  1000
#define SLEEPING_WAIT_MS 50

/* A thread of pystuck that has run Python. The thread does not exist in a forked child, where a new
 * thread of the program may have the same ident. The struct is never freed, but used again for
 * another thread: so threads without the GIL can read the list. */
struct ps_thread {
    atomic_ulong ident;       /* 0: the struct is free */
    struct ps_thread *before; /* the next struct in the list; does not change */

    _Atomic(struct ps_state *) state;
    atomic_uint fork_count; /* ps_fork_count() of the process that the thread is in */
    atomic_int native_id;
    atomic_bool in_python; /* the thread has entered Python and has not left it */

    /* The GIL of the thread's interpreter guards the members below. */
    bool interruptible;
    bool interrupted; /* ps_thread_interrupt_all has already interrupted this thread */
    PyObject *number; /* the ident as a Python int: a reference, or NULL */
};

/* The list of the threads of all interpreters. It consists of the structs in first_threads, and of
 * structs that were allocated when all of first_threads were in use. */
#define FIRST_THREADS 64
static struct ps_thread first_threads[FIRST_THREADS];
static _Atomic(struct ps_thread *) own_threads;

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

/* ---- Entering and leaving Python ------------------------------------------------------------- */

static pthread_once_t listed = PTHREAD_ONCE_INIT;

static void list_first_threads(void)
{
    size_t i;

    for (i = 0; i + 1 < FIRST_THREADS; i++)
        first_threads[i].before = &first_threads[i + 1];
    atomic_store(&own_threads, first_threads);
}

/* Returns a free struct of the list, or adds one to the list, and sets its ident. NULL: no memory.
 */
static struct ps_thread *claim(unsigned long ident)
{
    struct ps_thread *t;
    unsigned long none;

    pthread_once(&listed, list_first_threads);
    for (t = atomic_load(&own_threads); t; t = t->before) {
        none = 0;
        if (atomic_load(&t->ident) == 0 && atomic_compare_exchange_strong(&t->ident, &none, ident))
            return t;
    }
    t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    atomic_store(&t->ident, ident);
    t->before = atomic_load(&own_threads);
    while (!atomic_compare_exchange_weak(&own_threads, &t->before, t))
        ;
    return t;
}

/* Adds this thread to the list of threads that stacks leave out. Needs no GIL. Called before the
 * thread takes the GIL: while the thread waits for the GIL, Python already has a thread state for
 * it. */
static void enter_in_list(struct ps_state *state)
{
    own_thread = claim(PyThread_get_thread_ident());
    if (!own_thread)
        return;
    own_thread->interruptible = own_thread->interrupted = false;
    atomic_store(&own_thread->fork_count, ps_fork_count());
    atomic_store(&own_thread->native_id, (int)PyThread_get_thread_native_id());
    atomic_store(&own_thread->state, state);
}

/* Removes this thread from the list. Needs no GIL, so it releases no Python object:
 * own_thread->number must be NULL already. */
static void leave_list(void)
{
    atomic_store(&own_thread->in_python, false);
    atomic_store(&own_thread->state, NULL);
    atomic_store(&own_thread->ident, 0);
    own_thread = NULL;
}

bool ps_thread_enter(struct ps_state *state, const sigset_t *mask)
{
    bool is_new = !own_thread;

    if (is_new)
        enter_in_list(state);
    if (!ps_gil_take(state)) {
        if (is_new && own_thread)
            leave_list();
        return false;
    }
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    if (own_thread)
        atomic_store(&own_thread->in_python, true);
    if (own_thread && !own_thread->number) {
        own_thread->number = PyLong_FromUnsignedLong(atomic_load(&own_thread->ident));
        PyErr_Clear(); /* after MemoryError the thread has no number */
    }
    return true;
}

/* Removes a thread from threading's list. */
static void forget_thread(const struct ps_state *state, PyObject *ident)
{
    if (ident && PyDict_Contains(state->threads, ident) > 0)
        PyDict_DelItem(state->threads, ident);
    PyErr_Clear();
}

/* Calls gevent's get_ident(). Removes the thread with the returned ident from threading's list.
 * Takes ownership of the reference get_ident. */
static void forget_replaced_ident(const struct ps_state *state, PyObject *get_ident)
{
    ps_auto PyObject *owned = get_ident, *ident = PyObject_CallObject(owned, NULL);

    forget_thread(state, ident);
}

/* Does not take threading's lock, since the program may be stuck while it holds that lock. If
 * gevent has replaced get_ident, the key of the dummy thread is the result of gevent's function. */
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
        Py_CLEAR(own_thread->number);
        leave_list();
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
    if (own_thread)
        atomic_store(&own_thread->in_python, false);
    ps_gil_release();
}

/* True if a struct of the list is in use for a thread of this process. */
static bool is_here(struct ps_thread *t)
{
    return atomic_load(&t->ident) != 0 && atomic_load(&t->fork_count) == ps_fork_count();
}

PyObject *ps_thread_idents(struct ps_state *state)
{
    ps_auto PyObject *list = PyList_New(0);
    struct ps_thread *t;

    for (t = atomic_load(&own_threads); t; t = t->before) {
        if (!is_here(t) || atomic_load(&t->state) != state)
            continue;
        ps_auto PyObject *ident = list ? PyLong_FromUnsignedLong(atomic_load(&t->ident)) : NULL;
        if (!ident || PyList_Append(list, ident) < 0)
            Py_CLEAR(list);
    }
    return list ? PyFrozenSet_New(list) : NULL;
}

/* Returns the state that the kernel shows of a thread that is in Python, an enum report_state; 0 if
 * there is no such thread any more. */
static int state_in_python(struct ps_thread *t)
{
    if (!is_here(t) || !atomic_load(&t->in_python))
        return 0;
    return procfs_thread_state("/proc/self", atomic_load(&t->native_id));
}

void ps_thread_await_end(void)
{
    int waited, asleep; /* asleep: for how many ms no thread has run */
    bool runs, is_there = true;
    struct ps_thread *t;

    for (waited = asleep = 0; is_there && asleep < SLEEPING_WAIT_MS && waited < RUNNING_WAIT_MS;
         waited++) {
        if (waited > 0)
            poll(NULL, 0, 1);
        runs = is_there = false;
        for (t = atomic_load(&own_threads); t; t = t->before) {
            int state = state_in_python(t);

            runs = runs || state == STATE_RUNNING;
            is_there = is_there || state != 0;
        }
        asleep = runs ? 0 : asleep + 1;
    }
}

size_t ps_thread_list(uint64_t *idents, size_t room)
{
    struct ps_thread *t;
    size_t count = 0;

    for (t = atomic_load(&own_threads); t && count < room; t = t->before) {
        if (is_here(t))
            idents[count++] = atomic_load(&t->ident);
    }
    return count;
}

void ps_thread_set_interruptible(bool interruptible)
{
    if (own_thread)
        own_thread->interruptible = interruptible;
}

static struct ps_thread *next_to_interrupt(const struct ps_state *state)
{
    struct ps_thread *t;

    for (t = atomic_load(&own_threads); t; t = t->before) {
        if (is_here(t) && atomic_load(&t->state) == state && t->interruptible && !t->interrupted)
            return t;
    }
    return NULL;
}

/* Replacing an exception that is still set may drop the last reference to its class, which may run
 * any code and change the list. So the search starts at the head of the list each time. */
void ps_thread_interrupt_all(const struct ps_state *state)
{
    struct ps_thread *t;

    for (t = atomic_load(&own_threads); t; t = t->before) {
        if (atomic_load(&t->state) == state)
            t->interrupted = false;
    }
    while ((t = next_to_interrupt(state))) {
        t->interrupted = true;
        PyThreadState_SetAsyncExc(atomic_load(&t->ident), PyExc_SystemExit);
    }
}
