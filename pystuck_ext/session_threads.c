/* SPDX-License-Identifier: BSD-3-Clause */
#include "session_threads.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "gil.h"
#include "log.h"
#include "netclass.h"
#include "pyframe.h"
#include "reserve.h"
#include "run_request.h"
#include "service.h"
#include "thread.h"
#include "tls.h"

#define REQUEST_TIMEOUT_MS 30000               /* rpyc's sync_request_timeout */
#define STACK_NEEDED       ((size_t)48 * 1024) /* bytes that one request needs */

/* Replies to a long PING. If long replies that clients have not read yet take too much memory
 * (conn_keep), replies with MemoryError. */
static int echo_long(struct conn *c, struct message *request, const uint8_t *data, size_t len,
                     deadline_t deadline, struct rpyc_error *err)
{
    struct outgoing out;
    int result;

    if (!conn_keep(c, len)) {
        message_free(request);
        return conn_reply_exception(c, request, "builtins", "MemoryError",
                                    "too many long replies wait to be read by clients", deadline,
                                    err);
    }
    conn_reply_begin(c, &out, request, MESSAGE_REPLY);
    box_put(&out.buf, LABEL_VALUE);
    buffer_put(&out.buf, data, len);
    message_free(request);
    result = conn_send(c, &out, deadline, err);
    conn_unkeep(c, len);
    return result;
}

/* Replies to a PING without the GIL if the argument of the PING is a value. The reply is a copy of
 * the argument. Returns 1 if it has replied, 0 if the argument is not a value, -1 with err. */
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

/* True if this thread has enough stack left for a request and its Python code. Threads of the
 * program may have small stacks. True also on a stack other than the thread's own, such as that of
 * a coroutine, because its size is not known. */
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

/* Logs the current exception, which is the reason for refusing a client, and clears it. */
static void tell_refusal(const struct ps_session *s)
{
    ps_auto PyObject *type = NULL, *exc = NULL, *tb = NULL, *text = NULL;
    const char *words;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    text = exc ? PyObject_Str(exc) : NULL;
    words = text ? PyUnicode_AsUTF8(text) : NULL;
    ps_log_client(s->settings->log, PS_LOG_ERROR, &s->source, "client %llu was refused: %s: %s",
                  s->id, type ? ((PyTypeObject *)type)->tp_name : "no reason", words ? words : "?");
    PyErr_Clear();
}

/* The argument of connect_service. */
struct introduction {
    struct ps_session *s;
    int result; /* 1: not called yet; 0: connected; -1: refused, and logged */
};

static void connect_service(void *arg)
{
    struct introduction *i = arg;

    i->result = ps_service_connect(i->s);
    if (i->result < 0)
        tell_refusal(i->s);
}

/* Connects the service that run_server was given, before the client's first request. Does nothing
 * for the classic service, which is made at the first request. Returns 0, or -1 if the service
 * refused the client, the client hung up, or the GIL cannot be taken.
 *
 * This does not count as a request. So if the client hangs up during on_connect, reap() is not
 * started, and this thread ends the service after on_connect. Requests that are served during
 * on_connect are nested in it. */
static int introduce(struct ps_session *s)
{
    struct introduction i = {s, 1};

    if (!s->settings->connect)
        return 0;
    if (!ps_await_gil(s))
        return -1;
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

static int serve(void *host, struct conn *c, struct message *request, int64_t handler,
                 struct rpyc_error *err)
{
    struct ps_session *s = host;
    int result;

    if (handler == HANDLE_PING && (result = serve_ping(c, request, ps_reply_deadline(s), err)) != 0)
        return result < 0 ? -1 : 0;
    if (!has_stack()) {
        message_free(request);
        return conn_reply_exception(c, request, "builtins", "RecursionError",
                                    "too many nested requests: this thread has no stack left",
                                    ps_reply_deadline(s), err);
    }
    ps_session_begin_request(s);
    result = ps_run_request(s, c, request, handler, err);
    ps_session_end_request(s);
    return result;
}

static bool checks_signals(void *host)
{
    return on_main_thread(host) && !ps_waiter()->defer_signals;
}

/* True if this thread of the program must give up its wait for the client. If a signal has arrived
 * (by_signal), runs its handler, as all waits of Python do. */
static bool interrupted(void *host, bool by_signal)
{
    struct ps_session *s = host;

    if (ps_session_on_own_thread(s) || !ps_gil_is_known())
        return false;
    if (ps_waiter()->interrupt)
        return true;
    return by_signal && checks_signals(s) && ps_gil_signal_raised();
}

/* Releases the client's objects in a reply that no thread waits for. */
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
        _exit(0); /* on_disconnect forked: see ps_session_end_python */
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

/* Call with the GIL. Ends the service and releases all objects of the session, if this was not done
 * before. Never runs while the service is being connected: see introduce(). */
static void release_all(struct ps_session *s)
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

/* The main function of a thread that is started if the client of a session hangs up while a request
 * runs. If a request runs for longer than PS_SESSION_REAP_AFTER_MS, releases the objects of the
 * session, unless the session has ended by itself. Closes the socket if the reserve needs
 * descriptors. */
static void reap(void *arg)
{
    struct ps_session *s = ps_session_this_thread()->session = arg;
    unsigned before;

    do {
        before = atomic_load(&s->served);
        poll(NULL, 0, PS_SESSION_REAP_AFTER_MS);
    } while (atomic_load(&s->threads) > 0 && atomic_load(&s->served) != before);
    if (!ps_reserve_take_back()) {
        /* The client's socket may use a descriptor of the reserve, so it is closed. In other cases
         * it stays open, because a client that has only ended its own side still reads the reply.
         */
        conn_let_go(s->conn);
        ps_reserve_take_back();
    }
    if (atomic_load(&s->threads) > 0 && ps_session_enter_for_cleanup(s)) {
        release_all(s);
        ps_thread_leave_python(s->state);
    }
    ps_session_end_thread(s);
}

/* Logs why a connection was closed, unless the client closed it. */
static void tell_end(const struct ps_session *s, const struct rpyc_error *why)
{
    bool client_closed = why->code == RPYC_ECLOSED || why->code == RPYC_ESYSTEM;

    if (conn_gave_up(s->conn) || !client_closed)
        ps_log_client(s->settings->log, PS_LOG_WARNING, &s->source,
                      "client %llu was disconnected: %s", s->id, why->text);
}

/* Serves requests until the connection ends. */
static void serve_to_end(struct ps_session *s)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    if (conn_serve(s->conn, &why) < 0)
        tell_end(s, &why);
    rpyc_error_clear(&why);
}

/* Waits for the client's first request and serves it. Returns at once if a request was served
 * before, during on_connect. Ignores replies that belong to no request. Closes the connection at
 * the deadline. */
static void hear_first(struct ps_session *s, deadline_t deadline)
{
    struct rpyc_error why = RPYC_ERROR_INIT, silent = RPYC_ERROR_INIT;
    bool waited;
    int result = 1;

    while (result == 1 && !conn_was_asked(s->conn))
        result = conn_serve_one(s->conn, deadline, &why);
    if (result < 0 && why.code == RPYC_ETIMEOUT) {
        waited = conn_awaits_turn(s->conn);
        error_set(
            &silent, RPYC_ETIMEOUT,
            waited ? "the client waited too long to send a message over 1 MB, while other clients "
                     "sent long messages (handshake_timeout)"
                   : "the client sent no request in time (handshake_timeout)");
        conn_close(s->conn, &silent);
    }
    rpyc_error_clear(&why);
}

/* The main function of each further thread of a session: see ps_session_ops. The objects of the
 * session are released by its first thread. */
static void work(void *arg)
{
    struct ps_session *s = ps_session_this_thread()->session = arg;

    serve_to_end(s);
    atomic_fetch_sub(&s->threads, 1);
    if (ps_gil_is_known() && ps_session_enter(s))
        ps_thread_leave_python(s->state);
    ps_session_end_thread(s);
}

/* Reads the files of TLS again if they have changed: a program may run longer than a certificate or
 * a list of revoked certificates is valid. */
static void renew_tls(const struct ps_settings *settings)
{
    const struct ps_source any = {0}; /* the limit for log lines counts all clients together */
    struct rpyc_error why = RPYC_ERROR_INIT;
    int result = tls_server_renew(settings->tls, &why);

    if (result > 0)
        ps_log(settings->log, PS_LOG_INFO, "the TLS files have changed and were read again");
    if (result < 0)
        ps_log_client(
            settings->log, PS_LOG_WARNING, &any,
            "cannot use the changed TLS files, so the server keeps using the old ones: %s",
            why.text);
}

/* Opens the stream of a client, over TLS if the server uses it. On failure logs the reason and
 * returns -1. */
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
        error_set(&why, RPYC_ETIMEOUT, "the TLS handshake took longer than handshake_timeout");
    ps_log_client(settings->log, PS_LOG_WARNING, &client->source, "client %llu was refused: %s", id,
                  why.text);
    return -1;
}

/* Disconnects a client for whose session there is no memory. Shuts the socket down, because closing
 * it would not end the connection while the listener polls it. Returns NULL. */
static struct ps_session *hang_up(struct ps_client *client, struct stream *stream)
{
    ps_client_turn_away(client);
    stream->fd = -1; /* ps_client_turn_away has closed it */
    stream_close(stream);
    return NULL;
}

static const struct ps_session_ops session_ops = {ps_netref_resolve, work, reap};

/* Makes a session over a stream, and takes the stream. If there is no memory, disconnects the
 * client and returns NULL. */
static struct ps_session *session_new(const struct ps_settings *settings, struct ps_client *client,
                                      struct stream *stream)
{
    struct ps_session *s = calloc(1, sizeof(*s));

    if (!s)
        return hang_up(client, stream);
    atomic_init(&s->refs, 1);
    atomic_init(&s->idle, 1);
    atomic_init(&s->threads, 1);
    s->ops = &session_ops;
    s->thread = pthread_self();
    s->state = settings->state;
    s->settings = settings;
    s->request_mask = *ps_server_caller_mask(client->server);
    s->fork_count = ps_fork_count();
    s->id = client->id;
    s->source = client->source;
    atomic_init(&s->is_classic, !settings->connect);
    s->objects.max = settings->max_objects;
    if (tls_peer_cert(stream, &s->certificate, &s->certificate_len) < 0) {
        free(s);
        return hang_up(client, stream);
    }
    if (conn_new(&s->conn, stream, &session_callbacks, s, &settings->conn, NULL) <
        0) { /* conn_new has closed the stream */
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

/* Serves a client that the listener has admitted, until the connection ends. Returns a reference to
 * the session, or NULL if the client was refused. */
static struct ps_session *serve_client(const struct ps_settings *settings, struct ps_client *client)
{
    deadline_t deadline = deadline_in(settings->handshake_ms);
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
        if (settings->connect) /* on_connect may have taken long */
            deadline = deadline_in(settings->handshake_ms);
        hear_first(s, deadline);
        serve_to_end(s);
    }
    ps_log_client(settings->log, PS_LOG_INFO, &s->source, "client %llu: gone", id);
    conn_release(s->conn); /* disconnect the client before this thread waits for the GIL */
    return s;
}

static void end_session(struct ps_session *s)
{
    atomic_fetch_sub(&s->threads, 1);
    if (atomic_load(&s->started) && ps_session_enter_for_cleanup(s)) {
        release_all(s);
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
    ps_session_this_thread()->session = NULL; /* the thread may serve another client */
    ps_client_done(client);
    tls_thread_end(settings->tls);
    ps_thread_end(settings->state);
}
