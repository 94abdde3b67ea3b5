/* SPDX-License-Identifier: BSD-3-Clause */
#include "gil.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "server.h"
#include "stream.h"

#define SHARE_STEPS 16 /* ps_gil_share reads the clock in every 16th call */
#define SHARE_MS    5  /* the default of sys.getswitchinterval() */

/* The calling thread's Python thread state, while the thread has released the GIL by a function of
 * this file. NULL while the thread has the GIL, and before the thread takes the GIL for the first
 * time. */
static __thread PyThreadState *released;

/* The life of Python (see ps_gil_life) in which the thread state `released` was made. */
static __thread unsigned released_life;

/* ---- Lives of Python ------------------------------------------------------------------------ */

/* When Python has ended, end_life() waits at most TAKING_WAIT_MS for threads that are taking the
 * GIL. Up to Python 3.13, Python ends these threads, so the wait is over when the last of them has
 * ended. From 3.14 on, these threads hang. end_life() cannot distinguish threads that hang from
 * threads that are about to take the GIL, so it waits for a shorter time. */
#define TAKING_HANGS   (PY_VERSION_HEX >= 0x030e0000)
#define TAKING_WAIT_MS (TAKING_HANGS ? 50 : 1000)

static atomic_uint life;
static atomic_int taking; /* number of threads that are taking the GIL */
static bool at_exit;      /* end_life is registered; guarded by the GIL of the main interpreter */
static void (*at_end)(void); /* the argument of ps_gil_at_exit */

unsigned ps_gil_life(void)
{
    return atomic_load(&life);
}

/* Python calls this function after its own end, so the function must not call Python. Changes
 * `life` and closes all servers. If a thread has compared `life` with the life of its thread state
 * just before the change, it may be about to take the GIL with a thread state that was freed. As
 * long as Python is not started again, Python ends such a thread, or from 3.14 on makes it hang.
 * After a new start, the thread would use the freed thread state. So this function waits until no
 * thread is taking the GIL, for TAKING_WAIT_MS at most. */
static void end_life(void)
{
    at_exit = false;
    atomic_fetch_add(&life, 1);
    ps_server_close_all();
    at_end();
    for (int waited = 0; atomic_load(&taking) > 0 && waited < TAKING_WAIT_MS; waited++)
        poll(NULL, 0, 1);
}

/* The parent's threads that were taking the GIL do not exist in the child. */
static void after_fork_in_child(void)
{
    atomic_store(&taking, 0);
}

static void install_fork_handler(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* Loads the library that glibc's pthread_exit needs. Without this call, glibc would load the
 * library at the first call of pthread_exit, and would end the process if loading failed, for
 * example after chroot(2), or if no descriptor is free. Python calls pthread_exit on threads that
 * take the GIL while Python shuts down. */
static void load_unwinder(void)
{
    dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
}

void ps_gil_at_exit(void (*ended)(void))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT, loaded = PTHREAD_ONCE_INIT;

    pthread_once(&once, install_fork_handler);
    pthread_once(&loaded, load_unwinder);
    at_end = ended;
    if (!at_exit)
        at_exit = Py_AtExit(end_life) == 0;
}

/* Call on a thread that cannot return to its Python code, because the life of Python in which this
 * code ran is over. Treats the thread as Python treats threads that take the GIL while Python shuts
 * down: up to 3.13 ends the thread, from 3.14 on makes the thread wait forever. */
static void __attribute__((noreturn)) end_stranded(void)
{
    if (!TAKING_HANGS)
        pthread_exit(NULL);
    ps_block_signals(NULL);
    while (true)
        pause();
}

/* ---- Taking and releasing ------------------------------------------------------------------- */

static bool interpreter_is_ending(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return !Py_IsInitialized() || Py_IsFinalizing();
#else
    return !Py_IsInitialized() || _Py_IsFinalizing();
#endif
}

bool ps_gil_is_ending(const struct ps_state *state)
{
    return state->life != ps_gil_life() || interpreter_is_ending();
}

static void start_taking(void)
{
    atomic_fetch_add(&taking, 1);
}

static void stop_taking(void *unused)
{
    (void)unused;
    atomic_fetch_sub(&taking, 1);
}

/* Takes the GIL with the thread state `released`. Returns false if the life of Python to which this
 * thread state belongs is over.
 */
static bool take_again(void)
{
    PyThreadState *tstate = released;
    volatile bool is_alive = false;

    start_taking();
    pthread_cleanup_push(stop_taking, NULL); /* Python may end this thread */
    if (released_life == ps_gil_life()) {
        is_alive = true;
        released = NULL;
        PyEval_RestoreThread(tstate);
    }
    pthread_cleanup_pop(1);
    return is_alive;
}

/* Makes a thread state for this thread if the thread has none. Returns false if the interpreter is
 * shutting down or there is no memory. */
static bool has_state(const struct ps_state *state)
{
    volatile bool result = false;

    start_taking();
    pthread_cleanup_push(stop_taking, NULL);
    if (!ps_gil_is_ending(state)) {
        if (!released) {
            released = ps_new_thread_state(state->interp);
            released_life = state->life;
        }
        result = released != NULL;
    }
    pthread_cleanup_pop(1);
    return result;
}

bool ps_gil_take(const struct ps_state *state)
{
    return has_state(state) && take_again();
}

void ps_gil_release(void)
{
    released_life = ps_gil_life();
    released = PyEval_SaveThread();
}

struct ps_waiter *ps_waiter(void)
{
    static __thread struct ps_waiter waiter;

    return &waiter;
}

PyThreadState *ps_gil_begin_wait(void)
{
    PyThreadState *before = released;

    ps_gil_release();
    return before;
}

void ps_gil_end_wait(PyThreadState *before)
{
    if (!take_again())
        end_stranded();
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
    int result;

    if (!take_again())
        return false;
    result = PyErr_CheckSignals();
    ps_gil_release();
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
