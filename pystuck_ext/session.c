/* SPDX-License-Identifier: BSD-3-Clause */
#include "session.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "gil.h"
#include "thread.h"
#include "tls.h"

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */
#define THREADS_MAX        32    /* the maximum number of threads of one session */

/* How long dropped netrefs are collected before a DEL is sent for them, in ms. */
#define RELEASE_AFTER_MS 20

/* The time between two attempts to take the GIL when there is no memory, in ms. */
#define NO_MEMORY_WAIT_MS 200

static __thread struct ps_session_thread this_thread;

struct ps_session_thread *ps_session_this_thread(void)
{
    return &this_thread;
}

/* ---- References ------------------------------------------------------------------------------ */

void ps_session_ref(struct ps_session *s)
{
    atomic_fetch_add(&s->refs, 1);
}

void ps_session_unref(struct ps_session *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    conn_unref(s->conn);
    releases_free(&s->releases);
    free(s->certificate);
    free(s);
}

void ps_session_end_thread(struct ps_session *s)
{
    struct tls_server *tls = s->settings->tls;

    ps_session_unref(s);
    tls_thread_end(tls);
}

bool ps_session_alive(struct ps_session *s)
{
    return s->fork_count == ps_fork_count() && !conn_closed(s->conn);
}

/* ---- The GIL --------------------------------------------------------------------------------- */

bool ps_session_on_own_thread(const struct ps_session *s)
{
    return this_thread.session == s;
}

bool ps_session_enter(struct ps_session *s)
{
    return ps_session_on_own_thread(s) ? ps_thread_enter(s->state, &s->request_mask)
                                       : ps_gil_take(s->state);
}

bool ps_session_enter_for_cleanup(struct ps_session *s)
{
    while (!ps_thread_enter(s->state, &s->request_mask)) {
        if (ps_gil_is_ending(s->state))
            return false;
        poll(NULL, 0, NO_MEMORY_WAIT_MS);
    }
    return true;
}

void ps_session_leave(struct ps_session *s)
{
    const struct ps_session_thread *t = &this_thread;

    if (t->session == s && t->depth <= 1)
        ps_thread_leave(s->state);
    else
        ps_gil_release();
}

void ps_session_end_python(const struct ps_session *s, bool outermost)
{
    if (s->fork_count != ps_fork_count())
        _exit(0); /* this is a child that the request forked, and the request has ended */
    if (outermost) {
        ps_thread_set_interruptible(false);
        ps_thread_drop_late_exception();
    }
    ps_thread_leave_no_dummy(s->state);
}

void ps_session_leave_and_post(struct ps_session *s)
{
    struct releases releases = {0};

    if (ps_session_on_own_thread(s)) {
        ps_session_end_python(s, this_thread.depth == 1);
        releases = releases_take(&s->releases);
    }
    ps_session_leave(s);
    releases_post(s->conn, &releases, deadline_in(REQUEST_TIMEOUT_MS));
}

/* ---- Dropped netrefs ------------------------------------------------------------------------ */

/* Sends a DEL for all dropped netrefs, on a thread of its own. Waits first, since many netrefs are
 * often dropped at once. */
static void give_back(void *arg)
{
    struct ps_session *s = arg;
    struct releases releases;

    poll(NULL, 0, RELEASE_AFTER_MS);
    if (ps_session_enter_for_cleanup(s)) {
        releases = releases_take(&s->releases);
        s->releasing = false;
        ps_thread_leave_python(s->state);
        releases_post(s->conn, &releases, deadline_in(REQUEST_TIMEOUT_MS));
        releases_free(&releases);
    }
    ps_session_end_thread(s);
}

/* If the calling thread is serving a request of the client, does nothing: the thread sends the DEL
 * at the end of the request. Otherwise starts a thread that sends the DEL. The calling thread must
 * not send the DEL itself, because it may hold locks of the program, and sending may block if the
 * client does not read. */
void ps_session_release_soon(struct ps_session *s)
{
    if (s->releasing || s->ended || (ps_session_on_own_thread(s) && this_thread.depth > 0) ||
        !ps_session_alive(s))
        return;
    ps_session_ref(s);
    s->releasing = ps_thread_start(s->state, "pystuck-drop", give_back, s) == 0;
    if (!s->releasing)
        ps_session_unref(s);
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* Starts ops->reap, once, if the client has hung up and a request is running. The listener sets
 * hung_up and then calls this function; the session's thread increments busy and then calls it. So
 * at least one of the two calls finds both values set. */
static void reap_if_gone(struct ps_session *s)
{
    if (!atomic_load(&s->hung_up) || atomic_load(&s->busy) == 0 || ps_gil_is_ending(s->state) ||
        atomic_exchange(&s->reaping, true))
        return;
    ps_session_ref(s);
    if (ps_thread_start(s->state, "pystuck-reap", s->ops->reap, s) != 0)
        ps_session_unref(s);
}

void ps_session_hung_up(void *session)
{
    struct ps_session *s = session;

    atomic_store(&s->hung_up, true);
    conn_hung_up(s->conn);
    reap_if_gone(s);
}

static void start_worker(struct ps_session *s)
{
    if (atomic_fetch_add(&s->threads, 1) < THREADS_MAX) {
        ps_session_ref(s);
        atomic_fetch_add(&s->idle, 1);
        if (ps_thread_start(s->state, "pystuck-client", s->ops->work, s) == 0)
            return;
        atomic_fetch_sub(&s->idle, 1);
        ps_session_unref(s);
    }
    atomic_fetch_sub(&s->threads, 1);
}

void ps_session_begin_request(struct ps_session *s)
{
    struct ps_session_thread *t = &this_thread;

    if (t->session != s || t->depth++ > 0)
        return;
    atomic_fetch_add(&s->busy, 1);
    atomic_fetch_add(&s->served, 1);
    reap_if_gone(s);
    if (atomic_fetch_sub(&s->idle, 1) == 1 && conn_envelope(s->conn).bound)
        start_worker(s);
}

void ps_session_end_request(struct ps_session *s)
{
    struct ps_session_thread *t = &this_thread;

    if (t->session != s || --t->depth > 0)
        return;
    atomic_fetch_add(&s->idle, 1);
    atomic_fetch_add(&s->served, 1);
    atomic_fetch_sub(&s->busy, 1);
}

bool ps_session_begin_callback(struct ps_session *s)
{
    ps_session_begin_request(s);
    if (ps_session_enter(s))
        return true;
    ps_session_end_request(s);
    return false;
}

void ps_session_end_callback(struct ps_session *s, PyObject *obj)
{
    ps_session_ref(s);
    Py_DECREF(obj);
    ps_session_leave_and_post(s);
    ps_session_end_request(s);
    ps_session_unref(s);
}
