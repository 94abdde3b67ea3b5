/* SPDX-License-Identifier: BSD-3-Clause */
#include "run_request.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "dispatch.h"
#include "gil.h"
#include "gil_held.h"
#include "service.h"
#include "thread.h"
#include "without_gil.h"

/* Times in ms. */
#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */
#define WAITER_REPLY_MS    2000  /* the shortest deadline of a reply from a thread of the program */
#define STALL_MS           100   /* after this time without the GIL, the session's thread reads */
#define STEP_MS            20    /* the time between two looks at the GIL */
#define LONG_STEP_MS       100   /* the same, after LONG_WAIT_MS */
#define LONG_WAIT_MS       5000
#define BUDGET_MAX_MS      10000 /* the longest budget of STACKS */

deadline_t ps_reply_deadline(const struct ps_session *s)
{
    deadline_t least, most, wait = ps_waiter()->deadline;

    if (ps_session_on_own_thread(s))
        return DEADLINE_NEVER;
    least = deadline_in(WAITER_REPLY_MS);
    most = deadline_in(REQUEST_TIMEOUT_MS);
    if (wait < least)
        return least;
    return wait < most ? wait : most;
}

/* ---- With the GIL ---------------------------------------------------------------------------- */

/* Returns where to store a KeyboardInterrupt that a request raises. On the main thread, which runs
 * the handlers of signals, the exception may come from Ctrl-C, so this thread must raise it later.
 * Returns NULL on other threads, where the exception concerns only the client. */
static PyObject **kept_interrupt(const struct ps_session *s)
{
    return PyThread_get_thread_ident() == s->state->main_thread ? &ps_waiter()->interrupt : NULL;
}

/* Clears an exception that a signal handler or another thread has raised after the reply was
 * written. A thread of the program keeps the exception, and raises it after its wait for the
 * client. A thread of the session drops the exception. */
static void keep_late_exception(const struct ps_session *s)
{
    PyObject **interrupt = &ps_waiter()->interrupt;
    ps_auto PyObject *type = NULL, *exc = NULL, *tb = NULL;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (exc && !ps_session_on_own_thread(s) && !*interrupt)
        *interrupt = ps_steal(&exc);
}

/* Runs the handler of a request and writes the reply to *out. Fills *releases, which the caller
 * must post behind the reply. Needs the GIL. Returns 0, or -1 with err if the connection must be
 * closed; then there is no reply. */
static int run(struct ps_session *s, struct message *request, int64_t handler, struct outgoing *out,
               struct releases *releases, struct rpyc_error *err)
{
    const struct ps_session_thread *t = ps_session_this_thread();
    bool is_own = t->session == s, is_outermost = is_own && t->depth == 1;
    int result;

    if (ps_service_connect_classic(s) < 0) {
        PyErr_Clear();
        return error_nomem(err);
    }
    if (is_outermost)
        ps_thread_drop_late_exception(); /* an exception that was set between two requests */
    ps_thread_set_interruptible(true);
    if (handler == HANDLE_STACKS)
        ps_thread_stop_tracing();
    result = ps_dispatch(s, request, handler, out, kept_interrupt(s), err);
    if (handler == HANDLE_STACKS)
        ps_thread_resume_tracing();
    if (PyErr_Occurred())
        keep_late_exception(s);
    if (is_own)
        ps_session_end_python(s, is_outermost);
    *releases = releases_take(&s->releases);
    return result;
}

/* Replies to a request that cannot run Python code: the interpreter is shutting down, or there is
 * no memory. */
static int refuse_python(const struct ps_session *s, struct conn *c, struct message *request,
                         struct rpyc_error *err)
{
    message_free(request);
    if (ps_gil_is_ending(s->state))
        return conn_reply_exception(c, request, "builtins", "RuntimeError",
                                    "the interpreter is shutting down", ps_reply_deadline(s), err);
    return conn_reply_exception(c, request, "builtins", "MemoryError",
                                "no memory for a Python thread state", ps_reply_deadline(s), err);
}

/* Serves a request on this thread. */
static int run_here(struct ps_session *s, struct conn *c, struct message *request, int64_t handler,
                    struct rpyc_error *err)
{
    struct releases releases = {0};
    struct outgoing out;
    int result;

    if (!ps_session_enter(s))
        return refuse_python(s, c, request, err);
    result = run(s, request, handler, &out, &releases, err);
    ps_session_leave(s);
    if (result == 0)
        result = conn_send(c, &out, ps_reply_deadline(s), err);
    releases_post(c, &releases, deadline_in(REQUEST_TIMEOUT_MS));
    return result;
}

/* ---- Without the GIL ------------------------------------------------------------------------- */

/* Reads the arguments of STACKS: (version, flags, budget). Returns false if they have another form
 * or an unsupported version. Such a request needs Python, which answers it with an error. */
static bool read_arguments(const struct message *request, int64_t *budget_ms)
{
    struct brine_reader r = request->body;
    int64_t version, flags;
    enum label label;
    int i;

    if (!box_next(&r, &label) || (label != LABEL_VALUE && label != LABEL_TUPLE) ||
        !brine_expect_tuple(&r, 3))
        return false;
    for (i = 0; i < 3; i++) {
        enum label each;

        if (label == LABEL_TUPLE && (!box_next(&r, &each) || each != LABEL_VALUE))
            return false;
        if (!brine_expect_int(&r, i == 0 ? &version : i == 1 ? &flags : budget_ms))
            return false;
    }
    if (*budget_ms < 0)
        *budget_ms = 0;
    if (*budget_ms > BUDGET_MAX_MS)
        *budget_ms = BUDGET_MAX_MS;
    return version >= PS_STACKS_VERSION;
}

/* Answers STACKS without Python. Returns 1 if the request was answered, 0 if it cannot be answered
 * without Python, -1 with err if the connection must be closed. */
static int answer_stacks(const struct ps_session *s, struct conn *c, const struct message *request,
                         struct rpyc_error *err)
{
    struct outgoing out;

    if (!atomic_load(&s->is_classic))
        return conn_reply_exception(c, request, "builtins", "ValueError", PS_STACKS_NOT_CLASSIC,
                                    ps_reply_deadline(s), err) < 0
                   ? -1
                   : 1;
    conn_reply_begin(c, &out, request, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    if (!ps_without_gil_answer(s->state, &out.buf)) {
        conn_abandon(c, &out, ps_reply_deadline(s));
        return 0;
    }
    return conn_send(c, &out, ps_reply_deadline(s), err) < 0 ? -1 : 1;
}

/* Replies to STACKS if neither the helper nor the stack reader can answer it. */
static int refuse_stacks(const struct ps_session *s, struct conn *c, const struct message *request,
                         struct rpyc_error *err)
{
    return conn_reply_exception(c, request, "builtins", "ValueError",
                                "STACKS cannot be answered while the GIL is held",
                                ps_reply_deadline(s), err);
}

/* Returns the thread for which the calling thread reads messages. A thread that runs attend() reads
 * for the session's thread. Every other thread reads for itself. */
static pthread_t reads_for(const struct ps_session *s)
{
    return ps_session_this_thread()->attends ? s->thread : pthread_self();
}

/* Answers the requests STACKS that are queued behind the present request. Returns 0, or -1 with
 * err. */
static int answer_queued(const struct ps_session *s, struct conn *c, struct rpyc_error *err)
{
    struct message request;
    int64_t budget_ms;
    int result = 0;

    while (result == 0 && conn_take_queued(c, reads_for(s), HANDLE_STACKS, &request)) {
        result = read_arguments(&request, &budget_ms) ? answer_stacks(s, c, &request, err) : 0;
        if (result == 0)
            result = refuse_stacks(s, c, &request, err);
        message_free(&request);
        result = result < 0 ? -1 : 0;
    }
    return result;
}

/* ---- On the helper --------------------------------------------------------------------------- */

/* A request that waits for the helper. */
struct waiting {
    struct ps_gil_job job; /* must be the first member */
    struct ps_session *s;  /* s and c are references */
    struct conn *c;
    struct message request;
    int64_t handler;
    deadline_t since;
    int64_t budget_ms;   /* the budget of STACKS; -1: the stack reader cannot answer this request */
    struct outgoing out; /* the reply, if result is 0 */
    struct releases releases;
    struct rpyc_error err; /* if result is -1 */
    int result;
};

static void waiting_free(struct waiting *w)
{
    message_free(&w->request);
    releases_free(&w->releases);
    rpyc_error_clear(&w->err);
    conn_unref(w->c);
    ps_session_unref(w->s);
    free(w);
}

/* Runs the request with the GIL. */
static void run_waiting(struct ps_gil_job *job)
{
    struct waiting *w = (struct waiting *)job;
    struct ps_session_thread *t = ps_session_this_thread();

    *t = (struct ps_session_thread){w->s, 1, false};
    pthread_sigmask(SIG_SETMASK, &w->s->request_mask, NULL);
    w->result = run(w->s, &w->request, w->handler, &w->out, &w->releases, &w->err);
    *t = (struct ps_session_thread){NULL, 0, false};
}

/* Frees a request that was withdrawn while it ran, and the reply to it. The request was answered
 * without the GIL, or the client has gone. */
static void drop_waiting(struct ps_gil_job *job)
{
    struct waiting *w = (struct waiting *)job;

    if (w->result == 0)
        conn_abandon(w->c, &w->out, 0);
    releases_post(w->c, &w->releases, deadline_in(WAITER_REPLY_MS));
    waiting_free(w);
}

/* Makes a job for the helper, and moves the request, which may be NULL, into the job. runs: true if
 * the helper must run the request, false if it must only take the GIL. If there is no memory, does
 * not move the request and returns NULL. */
static struct waiting *waiting_new(struct ps_session *s, struct conn *c, struct message *request,
                                   int64_t handler, bool runs)
{
    struct waiting *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->job.run = runs ? run_waiting : NULL;
    w->job.drop = drop_waiting;
    w->job.may_block = handler == HANDLE_STACKS;
    ps_session_ref(s);
    w->s = s;
    w->c = conn_ref(c);
    w->handler = handler;
    w->since = deadline_in(0);
    w->budget_ms = -1;
    error_init(&w->err);
    if (request) {
        if (handler == HANDLE_STACKS && !read_arguments(request, &w->budget_ms))
            w->budget_ms = -1;
        w->request = *request;
        request->frame = FRAME_INIT;
        request->turn = NULL;
    }
    return w;
}

/* How the wait for a job has ended. */
enum outcome {
    OUTCOME_DONE,    /* the job is DONE or REFUSED */
    OUTCOME_REPLIED, /* STACKS was answered without the GIL */
    OUTCOME_CLOSED,  /* the connection has ended; err is filled */
    OUTCOME_ENDING,  /* the interpreter is shutting down */
};

/* Does nothing while the wait for the job is shorter than STALL_MS. After that, reads from the
 * client for a moment. If this thread cannot read now, waits for a moment. Returns 0, or -1 with
 * err if the connection has ended. */
static int step(struct waiting *w, struct rpyc_error *err)
{
    int64_t waited = (deadline_in(0) - w->since) / 1000000;
    deadline_t end = deadline_in(waited < LONG_WAIT_MS ? STEP_MS : LONG_STEP_MS);

    if (waited < STALL_MS)
        return 0;
    if (!ps_session_this_thread()->attends)
        return conn_attend(w->c, end, err);
    if (!conn_attend_for(w->c, w->s->thread, end)) /* this thread cannot wait there */
        ps_gil_helper_wait(w->s->state->helper, &w->job, end);
    return conn_closed(w->c) ? error_set(err, RPYC_ECLOSED, "the connection is closed") : 0;
}

/* Does nothing if it is not yet time to answer without the GIL. If this request is STACKS, answers
 * it. If this request is not STACKS, or cannot be answered, answers the queued requests STACKS.
 * Returns 1 if this request was answered, 0 if not, -1 with err if the connection must be closed.
 */
static int answer_without(const struct waiting *w, bool running, struct rpyc_error *err)
{
    struct ps_gil_helper *helper = w->s->state->helper;
    struct ps_gil_look look;
    int result = 0;

    ps_gil_helper_look(helper, &look);
    if (!ps_gil_is_held_too_long(&look, w->since, w->budget_ms, running))
        return 0;
    if (!running)
        ps_gil_helper_set_stalled(helper);
    if (w->budget_ms >= 0)
        result = answer_stacks(w->s, w->c, &w->request, err);
    return result == 0 ? answer_queued(w->s, w->c, err) : result;
}

static enum outcome await(struct waiting *w, struct rpyc_error *err)
{
    struct ps_gil_helper *helper = w->s->state->helper;
    deadline_t first = w->since + STEP_MS * INT64_C(1000000);
    enum ps_gil_job_state state;
    int result;

    while ((state = ps_gil_helper_wait(helper, &w->job, first)) < PS_JOB_DONE) {
        if (ps_gil_is_ending(w->s->state))
            return OUTCOME_ENDING;
        /* While no request is being served, step() does not read. Then only hung_up shows that the
         * client has gone. */
        if (step(w, err) < 0 || (!w->request.kind && atomic_load(&w->s->hung_up)))
            return OUTCOME_CLOSED;
        result = answer_without(w, state == PS_JOB_RUNNING, err);
        if (result != 0)
            return result < 0 ? OUTCOME_CLOSED : OUTCOME_REPLIED;
        first = deadline_in(deadline_in(0) - w->since < STALL_MS * INT64_C(1000000) ? STEP_MS : 0);
    }
    return OUTCOME_DONE;
}

/* Called on the session's own thread, for a request other than STACKS, if the interpreter is
 * shutting down. Reads the requests that the client has sent behind this request, and answers those
 * that are STACKS. pystuck(1) sends GETROOT and STACKS together, and gives up if the first reply is
 * an exception for GETROOT. Returns 0, or -1 with err if the connection must be closed. */
static int answer_behind(const struct ps_session *s, struct conn *c, struct rpyc_error *err)
{
    if (s->state->life != ps_gil_life() || ps_session_this_thread()->attends)
        return 0;
    return conn_attend(c, deadline_in(STEP_MS), err) < 0 ? -1 : answer_queued(s, c, err);
}

/* Serves a request that cannot run Python. Until Python has ended, answers STACKS from the stack
 * reader, because code that runs while Python shuts down may be stuck. Returns a negative number
 * with err if the connection must be closed. */
static int serve_without_python(struct waiting *w, struct rpyc_error *err)
{
    int result;

    if (w->budget_ms < 0)
        result = answer_behind(w->s, w->c, err);
    else
        result =
            w->s->state->life == ps_gil_life() ? answer_stacks(w->s, w->c, &w->request, err) : 0;
    return result == 0 ? refuse_python(w->s, w->c, &w->request, err) : result;
}

/* Sends the reply of a request that the helper has run or refused. */
static int reply(struct waiting *w, struct rpyc_error *err)
{
    int result = w->result;

    if (w->job.state == PS_JOB_REFUSED)
        return serve_without_python(w, err);
    if (result == 0)
        result = conn_send(w->c, &w->out, ps_reply_deadline(w->s), err);
    else
        error_set(err, w->err.code, "%s", w->err.text);
    releases_post(w->c, &w->releases, deadline_in(REQUEST_TIMEOUT_MS));
    return result;
}

/* Frees a job that the helper did not accept. problem: why, an errno. If the job's request is
 * STACKS, and the helper is blocked in an earlier collection of stacks (EBUSY) or the interpreter
 * is shutting down, answers the request without Python. Returns 1 if the request was answered, -1
 * with err if the connection must be closed. Otherwise moves the request from the job to *request
 * and returns 0: the caller must serve it. */
static int take_back(struct waiting *w, struct message *request, int problem,
                     struct rpyc_error *err)
{
    int result = 0;

    if (w->budget_ms >= 0 && ps_gil_is_ending(w->s->state))
        result = serve_without_python(w, err) < 0 ? -1 : 1;
    else if (w->budget_ms >= 0 && problem == EBUSY)
        result = answer_stacks(w->s, w->c, &w->request, err);
    if (result == 0) {
        *request = w->request;
        w->request = (struct message){0};
    }
    waiting_free(w);
    return result;
}

/* Makes the helper run a request. Returns 1 if it was served, 0 if the helper does not accept it
 * and the caller must serve it, -1 with err if the connection must be closed. */
static int run_on_helper(struct ps_session *s, struct conn *c, struct message *request,
                         int64_t handler, struct rpyc_error *err)
{
    struct waiting *w = waiting_new(s, c, request, handler, true);
    enum outcome outcome;
    int result = 0, problem;

    if (!w)
        return 0;
    problem = ps_gil_helper_submit(s->state->helper, &w->job);
    if (problem != 0)
        return take_back(w, request, problem, err);
    outcome = await(w, err);
    if (outcome == OUTCOME_ENDING)
        result = serve_without_python(w, err);
    else if (outcome == OUTCOME_CLOSED)
        result = -1;
    if (ps_gil_helper_withdraw(s->state->helper, &w->job)) {
        if (outcome == OUTCOME_DONE)
            result = reply(w, err);
        waiting_free(w);
    }
    return result < 0 ? -1 : 1;
}

/* Waits until the helper can take the GIL. Returns false if the client has hung up, or if the
 * connection must be closed; err is filled only in the second case. Returns true also if this
 * thread cannot wait, or if the interpreter is shutting down. */
static bool wait_for_grant(struct ps_session *s, struct rpyc_error *err)
{
    struct waiting *w = waiting_new(s, s->conn, NULL, 0, false);
    enum outcome outcome;

    if (!w)
        return true;
    outcome = OUTCOME_DONE;
    if (ps_gil_helper_submit(s->state->helper, &w->job) == 0) {
        outcome = await(w, err);
        ps_gil_helper_withdraw(s->state->helper, &w->job);
    }
    waiting_free(w);
    return outcome != OUTCOME_CLOSED;
}

bool ps_await_gil(struct ps_session *s)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    bool result = !s->state->helper || wait_for_grant(s, &why);

    rpyc_error_clear(&why);
    return result;
}

/* ---- For a thread that is busy --------------------------------------------------------------- */

/* Answers the requests STACKS that are queued for the session's thread. Returns 0, or -1 with err
 * if the connection must be closed. */
static int serve_queued(struct ps_session *s, struct rpyc_error *err)
{
    struct message request;
    int result = 0;

    while (result >= 0 && conn_take_queued(s->conn, s->thread, HANDLE_STACKS, &request)) {
        result = run_on_helper(s, s->conn, &request, HANDLE_STACKS, err);
        if (result == 0)
            result = refuse_stacks(s, s->conn, &request, err);
        message_free(&request);
    }
    return result < 0 ? -1 : 0;
}

/* The main function of a thread that reads for the session's thread, as long as that thread serves
 * a request: answers STACKS, and queues other requests. Takes a reference to the session. */
static void attend(void *session)
{
    struct ps_session_thread *t = ps_session_this_thread();
    struct ps_session *s = session;
    struct rpyc_error why = RPYC_ERROR_INIT;

    *t = (struct ps_session_thread){s, 0, true};
    while (s->state->helper && !ps_gil_is_ending(s->state) &&
           conn_attend_for(s->conn, s->thread, deadline_in(LONG_STEP_MS))) {
        if (serve_queued(s, &why) < 0)
            conn_close(s->conn, &why);
    }
    rpyc_error_clear(&why);
    atomic_store(&s->attended, false);
    if (ps_gil_is_known() && ps_session_enter(s)) /* a reply has called a function of the program */
        ps_thread_leave_python(s->state);
    ps_session_end_thread(s);
}

/* Starts a thread that runs attend(). The timer calls this function if a request has run for
 * PS_TIMER_MS. This function must not wait. */
static void start_attending(struct ps_timer *late)
{
    struct ps_session *s = (struct ps_session *)((char *)late - offsetof(struct ps_session, late));

    if (atomic_exchange(&s->attended, true))
        return;
    ps_session_ref(s);
    if (ps_thread_start(s->state, "pystuck-attend", attend, s) == 0)
        return;
    ps_session_unref(s);
    atomic_store(&s->attended, false);
}

/* Serves a request on the session's own thread. If it takes longer than PS_TIMER_MS, another thread
 * reads meanwhile. With bind-threads, other threads of the session read anyway. */
static int run_watched(struct ps_session *s, struct conn *c, struct message *request,
                       int64_t handler, struct rpyc_error *err)
{
    int result;

    if (!s->state->helper || conn_envelope(c).bound)
        return run_here(s, c, request, handler, err);
    s->late.run = start_attending;
    ps_timer_start(&s->late);
    result = run_here(s, c, request, handler, err);
    ps_timer_stop(&s->late);
    return result;
}

/* ---- Requests -------------------------------------------------------------------------------- */

int ps_run_request(struct ps_session *s, struct conn *c, struct message *request, int64_t handler,
                   struct rpyc_error *err)
{
    const struct ps_session_thread *t = ps_session_this_thread();
    struct ps_gil_helper *helper = s->state->helper;
    bool is_outermost = t->session == s && t->depth == 1;
    int result;

    if (helper && (handler == HANDLE_STACKS || (handler == HANDLE_GETROOT && is_outermost))) {
        result = run_on_helper(s, c, request, handler, err);
        if (result != 0)
            return result < 0 ? -1 : 0;
        if (handler == HANDLE_GETROOT && ps_gil_is_ending(s->state) && answer_behind(s, c, err) < 0)
            return -1;
    } else if (helper && is_outermost && ps_gil_helper_is_stalled(helper) &&
               !wait_for_grant(s, err)) {
        return -1;
    }
    return is_outermost ? run_watched(s, c, request, handler, err)
                        : run_here(s, c, request, handler, err);
}
