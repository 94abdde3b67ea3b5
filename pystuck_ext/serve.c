/* SPDX-License-Identifier: BSD-3-Clause */
#include "serve.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "dispatch.h"
#include "gil.h"
#include "log.h"
#include "netclass.h"
#include "pyframe.h"
#include "service.h"
#include "thread.h"
#include "tls.h"

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */
#define WAITER_REPLY_MS    2000  /* for a client to read what a thread of the debuggee answers */
#define STACK_NEEDED       ((size_t)48 * 1024) /* bytes, for one request */

/* How long a request may go on after the client has hung up, before its objects are let go, in ms:
 * what it had asked for shortly before is done all the same. */
#define REAP_AFTER_MS 1000

/* Answers a long PING: what clients have not read of such answers does not add up without limit. */
static int echo_long(struct conn *c, struct message *request, const uint8_t *data, size_t len,
                     deadline_t deadline, struct rpyc_error *err)
{
    struct outgoing out;
    int result;

    if (!conn_keep(c, len)) {
        message_free(request);
        return conn_reply_exception(c, request, "builtins", "MemoryError",
                                    "too many long answers have not been read", deadline, err);
    }
    conn_reply_begin(c, &out, request, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    buffer_put(&out.buf, data, len);
    message_free(request);
    result = conn_send(c, &out, deadline, err);
    conn_unkeep(c, len);
    return result;
}

/* Answers a PING of plain data, whose answer is the request's own bytes, without the GIL. 1: done.
 * 0: it has other arguments. */
static int serve_ping(struct conn *c, struct message *request, deadline_t deadline,
                      struct rpyc_error *err)
{
    struct brine_reader r = request->body;
    struct outgoing out;
    const uint8_t *data;
    enum label label;
    size_t len;

    if (!box_next(&r, &label) || label != LABEL_VALUE || !brine_expect_tuple(&r, 1) ||
        !brine_skip(&r, &data, &len))
        return 0;
    if (len > FRAME_LONG)
        return echo_long(c, request, data, len, deadline, err) < 0 ? -1 : 1;
    conn_reply_begin(c, &out, request, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    buffer_put(&out.buf, data, len);
    return conn_send(c, &out, deadline, err) < 0 ? -1 : 1;
}

/* Whether this thread has stack left for a request and the Python that it runs. Threads of the
 * debuggee may have small ones. A stack that is not the thread's own (a coroutine library's) cannot
 * be measured. */
static bool has_stack(void)
{
    static __thread uintptr_t low, high;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    pthread_attr_t attr;
    size_t size;
    void *start;

    if (!high) {
        high = UINTPTR_MAX;
        if (pthread_getattr_np(pthread_self(), &attr) == 0) {
            if (pthread_attr_getstack(&attr, &start, &size) == 0) {
                low = (uintptr_t)start;
                high = low + size;
            }
            pthread_attr_destroy(&attr);
        }
    }
    return here < low || here > high || here - low > STACK_NEEDED;
}

/* A client may take its time to read an answer, but a thread of the debuggee's that serves it while
 * it waits has its own to do. */
static deadline_t reply_deadline(const struct ps_session *s)
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

/* Says in the log why a client is not served: the exception that is set, which is cleared. */
static void tell_refusal(const struct ps_session *s)
{
    PyObject *type, *exc, *tb, *text;
    const char *words;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    text = exc ? PyObject_Str(exc) : NULL;
    words = text ? PyUnicode_AsUTF8(text) : NULL;
    ps_log_client(s->settings->log, PS_LOG_ERROR, &s->source, "client %llu was refused: %s: %s",
                  s->id, type ? ((PyTypeObject *)type)->tp_name : "no reason", words ? words : "?");
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(exc);
    Py_XDECREF(tb);
}

/* A service that is to be made, and told of its client. */
struct introduction {
    struct ps_session *s;
    int result; /* 1: not tried yet; 0; -1: refused, which is in the log */
};

static void connect_service(void *arg)
{
    struct introduction *i = arg;

    i->result = ps_service_connect(i->s);
    if (i->result < 0)
        tell_refusal(i->s);
}

/* A service that run_server was given hears of its client before that says anything: with the
 * classic one there is nothing to do that cannot wait for a request.
 *
 * This is not a request: if the client hangs up meanwhile, reap() does not start, and this thread
 * ends the service once on_connect has returned. Requests served meanwhile are nested in it. */
static int introduce(struct ps_session *s)
{
    struct introduction i = {s, 1};

    if (!s->settings->connect)
        return 0;
    ps_session_this_thread()->depth++;
    if (ps_session_enter(s)) {
        ps_thread_set_interruptible(true);
        if (ps_pyframe_run(s, connect_service, &i) < 0 && i.result > 0)
            tell_refusal(s);
        PyErr_Clear();
        ps_session_leave_and_post(s);
    }
    ps_session_this_thread()->depth--;
    return i.result == 0 ? 0 : -1;
}

static bool on_main_thread(const struct ps_session *s)
{
    return PyThread_get_thread_ident() == s->state->main_thread;
}

/* Where a KeyboardInterrupt in a request is kept for the program as well: it may have come from a
 * signal, whose handlers the main thread runs and no other. NULL: it is the client's alone. */
static PyObject **kept_interrupt(const struct ps_session *s)
{
    return on_main_thread(s) ? &ps_waiter()->interrupt : NULL;
}

/* After a request: what a signal's handler raised, or another thread set on this one, when it was
 * done. A thread of the program's gets that once its wait is over; one of ours has no use for it.
 */
static void keep_late_exception(const struct ps_session *s)
{
    PyObject **interrupt = &ps_waiter()->interrupt, *type, *exc, *tb;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    if (exc && !ps_session_on_own_thread(s) && !*interrupt) {
        Py_INCREF(exc);
        *interrupt = exc;
    }
    Py_XDECREF(type);
    Py_XDECREF(exc);
    Py_XDECREF(tb);
}

/* Answers a request for which there is no Python: not any more, or for lack of memory. */
static int refuse_python(const struct ps_session *s, struct conn *c, struct message *request,
                         struct rpyc_error *err)
{
    message_free(request);
    if (ps_gil_is_ending(s->state))
        return conn_reply_exception(c, request, "builtins", "RuntimeError",
                                    "the interpreter is shutting down", reply_deadline(s), err);
    return conn_reply_exception(c, request, "builtins", "MemoryError", "no thread state",
                                reply_deadline(s), err);
}

/* Serves a request in Python: -1 if the connection has to end. */
static int serve_in_python(struct ps_session *s, struct conn *c, struct message *request,
                           int64_t handler, struct rpyc_error *err)
{
    bool outermost = ps_session_on_own_thread(s) && ps_session_this_thread()->depth == 1;
    struct outgoing out;
    struct releases releases;
    int result;

    if (!ps_session_enter(s))
        return refuse_python(s, c, request, err);
    if (ps_service_connect_classic(s) < 0) {
        PyErr_Clear();
        ps_session_leave(s);
        return error_nomem(err);
    }
    if (outermost)
        ps_thread_drop_late_exception(); /* it came between two requests */
    ps_thread_set_interruptible(true);
    result = ps_dispatch(s, request, handler, &out, kept_interrupt(s), err);
    if (PyErr_Occurred())
        keep_late_exception(s);
    if (ps_session_on_own_thread(s))
        ps_session_end_python(s, outermost);
    releases = releases_take(&s->releases);
    ps_session_leave(s);
    if (result == 0)
        result = conn_send(c, &out, reply_deadline(s), err);
    releases_post(c, &releases, deadline_in(REQUEST_TIMEOUT_MS));
    return result;
}

static int serve(void *host, struct conn *c, struct message *request, int64_t handler,
                 struct rpyc_error *err)
{
    struct ps_session *s = host;
    int result;

    if (handler == HANDLE_PING && (result = serve_ping(c, request, reply_deadline(s), err)) != 0)
        return result < 0 ? -1 : 0;
    if (!has_stack()) {
        message_free(request);
        return conn_reply_exception(c, request, "builtins", "RecursionError",
                                    "requests within requests have used up the stack",
                                    reply_deadline(s), err);
    }
    ps_session_begin_request(s);
    result = serve_in_python(s, c, request, handler, err);
    ps_session_end_request(s);
    return result;
}

static bool checks_signals(void *host)
{
    return on_main_thread(host) && !ps_waiter()->defer_signals;
}

/* A thread of the debuggee waits for the client. If a signal came, its handler is to run, as it
 * would in any other wait. */
static bool interrupted(void *host, bool by_signal)
{
    struct ps_session *s = host;

    if (ps_session_on_own_thread(s) || !ps_gil_is_known())
        return false;
    if (ps_waiter()->interrupt)
        return true;
    return by_signal && checks_signals(s) && ps_gil_signal_raised();
}

/* Objects of the client's that came in an answer that nobody waits for any more. */
static void unclaimed(void *host, struct conn *c, struct message *reply)
{
    struct releases releases = {0};

    (void)host;
    releases_add_box(&releases, &reply->body);
    releases_post(c, &releases, deadline_in(REQUEST_TIMEOUT_MS));
}

static const struct conn_callbacks session_callbacks = {
    .serve = serve,
    .interrupted = interrupted,
    .checks_signals = checks_signals,
    .unclaimed = unclaimed,
};

static void drop_objects(void *session)
{
    struct ps_session *s = session;

    ps_service_disconnect(s);
    if (s->fork_count != ps_fork_count())
        _exit(0); /* as in end_python */
    ps_objects_clear(&s->objects);
    Py_CLEAR(s->root);
    Py_CLEAR(s->policy);
    Py_CLEAR(s->config);
    Py_CLEAR(s->connection);
    Py_CLEAR(s->last_traceback);
    Py_CLEAR(s->classes);
    releases_free(&s->releases);
    PyErr_Clear();
}

/* With the GIL: lets go of everything that the client held. Once, and never while the service is
 * being connected: see introduce. */
static void let_go(struct ps_session *s)
{
    if (s->ended)
        return;
    s->ended = true;
    ps_thread_drop_late_exception();
    if (ps_pyframe_run(s, drop_objects, s) < 0) {
        PyErr_Clear();
        drop_objects(s);
    }
    ps_pyframe_clear(s);
}

/* Lets go of what a client held that has hung up, once a request of its has gone on for too long.
 */
static void reap(void *arg)
{
    struct ps_session *s = ps_session_this_thread()->session = arg;
    unsigned before;

    do {
        before = atomic_load(&s->served);
        poll(NULL, 0, REAP_AFTER_MS);
    } while (atomic_load(&s->threads) > 0 && atomic_load(&s->served) != before);
    if (atomic_load(&s->threads) > 0 && ps_session_enter_for_cleanup(s)) {
        let_go(s);
        ps_thread_leave_python(s->state);
    }
    ps_session_end_thread(s);
}

/* Says in the log that a client has lost its connection by what it did. */
static void tell_end(const struct ps_session *s, const struct rpyc_error *why)
{
    bool is_its_own = why->code == RPYC_ECLOSED || why->code == RPYC_ESYSTEM; /* it hung up */

    if (conn_gave_up(s->conn) || !is_its_own)
        ps_log_client(s->settings->log, PS_LOG_WARNING, &s->source,
                      "client %llu was hung up on: %s", s->id, why->text);
}

/* Serves as long as there is a client. */
static void serve_to_end(struct ps_session *s)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    if (conn_serve(s->conn, &why) < 0)
        tell_end(s, &why);
    rpyc_error_clear(&why);
}

/* Waits for the client's first request and serves it; it may have come while the program asked the
 * client something. Answers that it was not asked for do not count. Hangs up on a client that has
 * not sent a request by the deadline. */
static void hear_first(struct ps_session *s, deadline_t deadline)
{
    struct rpyc_error why = RPYC_ERROR_INIT, silent = RPYC_ERROR_INIT;
    bool waited;
    int result = 1;

    while (result == 1 && !conn_was_asked(s->conn))
        result = conn_serve_one(s->conn, deadline, &why);
    if (result < 0 && why.code == RPYC_ETIMEOUT) {
        waited = conn_awaits_turn(s->conn);
        error_set(&silent, RPYC_ETIMEOUT, "it has not %s in time (handshake_timeout)",
                  waited ? "had its turn to send a message of over 1 MB" : "asked for anything");
        conn_close(s->conn, &silent);
    }
    rpyc_error_clear(&why);
}

/* One more thread for a client. The objects are let go by the first. */
static void work(void *arg)
{
    struct ps_session *s = ps_session_this_thread()->session = arg;

    serve_to_end(s);
    atomic_fetch_sub(&s->threads, 1);
    if (ps_gil_is_known() && ps_session_enter(s))
        ps_thread_leave_python(s->state);
    ps_session_end_thread(s);
}

/* Has the files of TLS read again if they have changed. A program lives longer than certificates,
 * and than lists of those that were revoked. */
static void renew_tls(const struct ps_settings *settings)
{
    const struct ps_source any = {0}; /* every client may cause this */
    struct rpyc_error why = RPYC_ERROR_INIT;
    int result = tls_server_renew(settings->tls, &why);

    if (result > 0)
        ps_log(settings->log, PS_LOG_INFO, "the files of TLS have changed, and were read again");
    if (result < 0)
        ps_log_client(settings->log, PS_LOG_WARNING, &any, "what was read before is still used: %s",
                      why.text);
}

/* The stream of a client, over TLS where that is spoken. -1, with why in the log. */
static int open_stream(const struct ps_settings *settings, const struct ps_client *client,
                       struct stream *stream, deadline_t deadline)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    unsigned long long id = client->id;

    *stream = client->stream;
    if (!settings->tls)
        return 0;
    renew_tls(settings);
    if (tls_accept(stream, settings->tls, deadline, &why) == 0)
        return 0;
    if (why.code == RPYC_ETIMEOUT)
        error_set(&why, RPYC_ETIMEOUT, "no TLS handshake in time (handshake_timeout)");
    ps_log_client(settings->log, PS_LOG_WARNING, &client->source, "client %llu was refused: %s", id,
                  why.text);
    return -1;
}

/* Hangs up on a client that there is no memory for. The listener waits on the socket too, so that
 * the client would not hear of it if it were just closed. */
static struct ps_session *hang_up(struct ps_client *client, struct stream *stream)
{
    ps_client_turn_away(client);
    stream->fd = -1; /* the client's, which is closed */
    stream_close(stream);
    return NULL;
}

static const struct ps_session_ops session_ops = {ps_netref_resolve, work, reap};

/* A session over a stream, which it takes. NULL: the client has been hung up on. */
static struct ps_session *session_new(const struct ps_settings *settings, struct ps_client *client,
                                      struct stream *stream)
{
    struct ps_session *s = calloc(1, sizeof(*s));
    const struct ps_limits *limits = &settings->limits;
    struct conn_config config = {.max_frame = limits->max_frame,
                                 .max_inflated = limits->max_decompressed,
                                 .max_depth = limits->max_depth,
                                 .max_items = limits->max_items,
                                 .turns = settings->turns,
                                 .stall_ms = limits->send_ms};

    if (!s)
        return hang_up(client, stream);
    atomic_init(&s->refs, 1);
    atomic_init(&s->idle, 1);
    atomic_init(&s->threads, 1);
    s->ops = &session_ops;
    s->state = settings->state;
    s->settings = settings;
    s->request_mask = *ps_server_caller_mask(client->server);
    s->fork_count = ps_fork_count();
    s->id = client->id;
    s->source = client->source;
    s->objects.max = limits->max_objects;
    if (tls_peer_cert(stream, &s->certificate, &s->certificate_len) < 0) {
        free(s);
        return hang_up(client, stream);
    }
    if (conn_new(&s->conn, stream, &session_callbacks, s, &config, NULL) <
        0) { /* which has hung up */
        free(s->certificate);
        free(s);
        return NULL;
    }
    ps_client_set_conn(client, s->conn, s);
    return s;
}

void ps_serve_tell(void *context, bool is_error, const struct ps_source *source, const char *text)
{
    enum ps_log_level level = is_error ? PS_LOG_ERROR : PS_LOG_WARNING;
    const struct ps_settings *settings = context;

    if (source)
        ps_log_client(settings->log, level, source, "%s", text);
    else
        ps_log(settings->log, level, "%s", text);
}

/* Serves a client that has been let in as far as its socket goes. NULL: it was not served. */
static struct ps_session *serve_client(const struct ps_settings *settings, struct ps_client *client)
{
    deadline_t deadline = deadline_in(settings->limits.handshake_ms);
    unsigned long long id = client->id;
    struct ps_session *s;
    struct stream stream;

    if (open_stream(settings, client, &stream, deadline) < 0) {
        ps_client_turn_away(client);
        return NULL;
    }
    s = ps_session_this_thread()->session = session_new(settings, client, &stream);
    if (!s)
        return NULL;
    ps_log_client(settings->log, PS_LOG_INFO, &s->source, "client %llu: connected", id);
    if (introduce(s) == 0) {
        if (settings->connect) /* the client may have been kept waiting */
            deadline = deadline_in(settings->limits.handshake_ms);
        hear_first(s, deadline);
        serve_to_end(s);
    }
    ps_log_client(settings->log, PS_LOG_INFO, &s->source, "client %llu: gone", id);
    conn_release(s->conn); /* the client sees the end before we wait for the GIL */
    return s;
}

static void end_session(struct ps_session *s)
{
    atomic_fetch_sub(&s->threads, 1);
    if (atomic_load(&s->started) && ps_session_enter_for_cleanup(s)) {
        let_go(s);
        ps_thread_leave_python(s->state);
    }
    ps_session_unref(s);
}

void ps_serve_run(void *context, struct ps_client *client)
{
    const struct ps_settings *settings = context;
    struct ps_session *s;

    ps_thread_begin(settings->state);
    s = serve_client(settings, client);
    ps_client_left(client);
    if (s)
        end_session(s);
    ps_client_done(client);
    tls_thread_end(settings->tls);
    ps_thread_end(settings->state);
}
