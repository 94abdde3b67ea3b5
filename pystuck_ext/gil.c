/* SPDX-License-Identifier: BSD-3-Clause */
#include "gil.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "server.h"
#include "stream.h"

#define SHARE_STEPS 16 /* before the clock is looked at again */
#define SHARE_MS    5  /* as sys.getswitchinterval() is unless somebody changes that */

/* The thread state of a thread that has released the GIL through us; NULL while it has it, or never
 * had one. */
static __thread PyThreadState *released;

/* ... and the life that it is of. */
static __thread unsigned released_life;

/* ---- Lives of Python ------------------------------------------------------------------------ */

/* Up to 3.13 Python ends threads that ask for the GIL when it is gone, which is waited for.
 * From 3.14 on they hang, and cannot be told from those that are about to ask: they get time for
 * that. */
#define TAKING_HANGS   (PY_VERSION_HEX >= 0x030e0000)
#define TAKING_WAIT_MS (TAKING_HANGS ? 50 : 1000)

static atomic_uint life;
static atomic_int taking; /* threads that ask for the GIL */
static bool at_exit; /* end_life is going to be called; the GIL of the main interpreter guards it */

unsigned ps_gil_life(void)
{
    return atomic_load(&life);
}

/* Called by Python when it has ended; its functions must not be used. A thread that has looked at
 * the life before it changed may be about to ask for the GIL with a thread state that is gone.
 * Python ends it, but only until it is started again. */
static void end_life(void)
{
    at_exit = false;
    atomic_fetch_add(&life, 1);
    ps_server_close_all();
    for (int waited = 0; atomic_load(&taking) > 0 && waited < TAKING_WAIT_MS; waited++)
        poll(NULL, 0, 1);
}

/* Those who asked are in the parent. */
static void after_fork_in_child(void)
{
    atomic_store(&taking, 0);
}

static void install_fork_handler(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

void ps_gil_at_exit(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install_fork_handler);
    if (!at_exit)
        at_exit = Py_AtExit(end_life) == 0;
}

/* The end of a thread that is in the middle of what Python runs, of a life that is over. As Python
 * does with threads that ask for the GIL while it ends. */
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

static void start_taking(void)
{
    atomic_fetch_add(&taking, 1);
}

static void stop_taking(void *unused)
{
    (void)unused;
    atomic_fetch_sub(&taking, 1);
}

/* Takes the GIL with the thread state that was released. False if its life is over. */
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

/* Makes a thread state where there is none. False: see ps_gil_take. */
static bool has_state(const struct ps_state *state)
{
    volatile bool result = false;

    start_taking();
    pthread_cleanup_push(stop_taking, NULL);
    if (!ps_gil_is_ending(state)) {
        if (!released) {
            released = new_state(state->interp);
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
