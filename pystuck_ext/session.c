/* SPDX-License-Identifier: BSD-3-Clause */
#include "session.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "ask.h"
#include "dispatch.h"
#include "gil.h"
#include "link.h"
#include "log.h"
#include "service.h"
#include "thread.h"
#include "tls.h"

#define REQUEST_TIMEOUT_MS   30000 /* rpyc's sync_request_timeout */
#define GUEST_REPLY_MS       2000  /* for a client to read what a thread of the debuggee answers */
#define HANDSHAKE_TIMEOUT_MS 10000 /* of TLS */
#define STACK_NEEDED         ((size_t)48 * 1024) /* bytes, for one request */
#define THREADS_MAX          32                  /* of one client that binds threads */

/* How long a request may go on after the client has hung up, before its objects are let go, in ms:
 * what it had asked for shortly before is done all the same. */
#define REAP_AFTER_MS 1000

/* The session that a thread of ours belongs to; NULL on a thread of the debuggee's. */
static __thread struct ps_session *own_session;

/* ... and how many requests, one within the other, it is serving. */
static __thread unsigned own_depth;

/* ---- Lifetime ------------------------------------------------------------------------------- */

void ps_session_ref(struct ps_session *s)
{
    atomic_fetch_add(&s->refs, 1);
}

void ps_session_unref(struct ps_session *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    conn_unref(s->conn);
    drops_free(&s->drops);
    free(s->certificate);
    free(s);
}

bool ps_session_alive(struct ps_session *s)
{
    return s->fork_count == ps_fork_count() && !conn_closed(s->conn);
}

/* ---- The GIL -------------------------------------------------------------------------------- */

static bool on_own_thread(const struct ps_session *s)
{
    return own_session == s;
}

/* Takes the GIL to serve the client. False as with ps_gil_take. */
static bool enter(struct ps_session *s)
{
    return on_own_thread(s) ? ps_thread_enter(s->state, &s->request_mask)
                            : ps_gil_take(s->state->interp);
}

/* Within another request of this thread's, that goes on: its thread state and its signal mask stay.
 */
static void leave(struct ps_session *s)
{
    if (on_own_thread(s) && own_depth <= 1)
        ps_thread_leave(s->state);
    else
        ps_gil_release();
}

/* ---- The service ---------------------------------------------------------------------------- */

/* Takes what Python code made as the connection of this session. */
static int take_connection(struct ps_session *s, PyObject *connection)
{
    s->connection = connection;
    s->config = PyObject_GetAttrString(connection, "_config");
    if (s->config && !PyDict_Check(s->config))
        PyErr_SetString(PyExc_TypeError, "the _config of a connection is a dict");
    return s->config && !PyErr_Occurred() ? 0 : -1;
}

static PyObject *call_with_link(struct ps_session *s, PyObject *callable)
{
    PyObject *link = ps_link_new(s);
    PyObject *result = link ? PyObject_CallFunctionObjArgs(callable, link, NULL) : NULL;

    Py_XDECREF(link);
    return result;
}

/* The service that run_server was given: its connection, its root, its policy; then it is told. */
static int connect_service(struct ps_session *s)
{
    PyObject *connection = call_with_link(s, s->serving->connect), *root, *done;

    if (!connection || take_connection(s, connection) < 0)
        return -1;
    root = PyObject_GetAttrString(connection, "_local_root");
    if (root == Py_None) {
        Py_SETREF(root, ps_service_new(s));
        Py_INCREF(Py_None);
        s->policy = Py_None;
    } else if (root) {
        s->policy = PyObject_GetAttrString(connection, "_check_attr");
    }
    s->root = root;
    if (!s->root || !s->policy)
        return -1;
    done = PyObject_CallMethod(connection, "_connected", NULL);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* With the GIL, before the first request, of which with bind-threads several threads may have one:
 * makes the classic service. -1 with an exception. */
static int start_classic(struct ps_session *s)
{
    PyObject *root;

    if (s->serving->connect || s->root || s->ended)
        return 0;
    atomic_store(&s->started, true);
    root = ps_service_new(s);
    if (s->root || s->ended) /* so was another thread, while objects were made */
        Py_XDECREF(root);
    else
        s->root = root;
    return root ? 0 : -1;
}

PyObject *ps_session_connection(struct ps_session *s)
{
    PyObject *connection;

    if (!s->connection && !s->ended) {
        if (!s->state->connection_class) {
            PyErr_SetString(PyExc_ImportError, "pystuck.connection could not be imported");
            return NULL;
        }
        connection = call_with_link(s, s->state->connection_class);
        if (!connection)
            return NULL;
        if (s->connection || s->ended) /* made by another thread meanwhile, or too late */
            Py_DECREF(connection);
        else if (take_connection(s, connection) < 0)
            return NULL;
    }
    if (!s->connection) {
        PyErr_SetString(PyExc_EOFError, "the client is gone");
        return NULL;
    }
    Py_INCREF(s->connection);
    return s->connection;
}

bool ps_session_is_old(const struct ps_session *s)
{
    return conn_envelope(s->conn)->generation == RPYC_GENERATION_5;
}

bool ps_session_allows(struct ps_session *s, const char *what)
{
    PyObject *value = s->config ? PyDict_GetItemString(s->config, what) : NULL;
    int allowed = value ? PyObject_IsTrue(value) : !s->serving->connect && !s->ended;

    PyErr_Clear();
    return allowed > 0;
}

deadline_t ps_deadline_in(double seconds)
{
    if (!(seconds < 1e9))
        return DEADLINE_NEVER;
    return seconds <= 0 ? deadline_in(0) : deadline_in(0) + (deadline_t)(seconds * 1e9);
}

deadline_t ps_session_deadline(struct ps_session *s)
{
    PyObject *timeout = s->config ? PyDict_GetItemString(s->config, "sync_request_timeout") : NULL;

    if (timeout == Py_None)
        return DEADLINE_NEVER;
    if (timeout && PyFloat_Check(timeout))
        return ps_deadline_in(PyFloat_AS_DOUBLE(timeout));
    if (timeout && PyLong_Check(timeout) && PyLong_AsDouble(timeout) >= 0)
        return ps_deadline_in(PyLong_AsDouble(timeout));
    PyErr_Clear();
    return deadline_in(REQUEST_TIMEOUT_MS);
}

/* ---- Requests of the client ----------------------------------------------------------------- */

static void begin_request(struct ps_session *s);
static void end_request(struct ps_session *s);

/* Answers a PING of plain data, whose answer is the request's own bytes, without the GIL. 1: done.
 * 0: it has other arguments. */
static int serve_ping(struct conn *c, const struct message *request, deadline_t deadline,
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
    deadline_t least = deadline_in(GUEST_REPLY_MS), most = deadline_in(REQUEST_TIMEOUT_MS);
    deadline_t wait = ps_guest()->deadline;

    if (on_own_thread(s))
        return DEADLINE_NEVER;
    if (wait < least)
        return least;
    return wait < most ? wait : most;
}

/* An exception that another thread set on this one (PyThreadState_SetAsyncExc) and that came too
 * late for the request that it was meant for must not hit the next one. */
static void drop_late_exception(void)
{
    if (PyThreadState_Get()->async_exc)
        PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), NULL);
}

/* On a thread of ours, after what it ran in Python, outermost: for the client and not within
 * another request. */
static void end_python(const struct ps_session *s, bool outermost)
{
    if (s->fork_count != ps_fork_count())
        _exit(0); /* that forked, and its code is done, in the child; nothing here is its own */
    if (outermost) {
        ps_thread_set_interruptible(false);
        drop_late_exception();
    }
    ps_thread_leave_no_dummy(s->state);
}

/* Says in the log why a client is not served: the exception that is set, which is cleared. */
static void tell_refusal(const struct ps_session *s, unsigned long long id)
{
    PyObject *type, *exc, *tb, *text;
    const char *words;

    PyErr_Fetch(&type, &exc, &tb);
    PyErr_NormalizeException(&type, &exc, &tb);
    text = exc ? PyObject_Str(exc) : NULL;
    words = text ? PyUnicode_AsUTF8(text) : NULL;
    ps_log(s->serving->log, PS_LOG_ERROR, "client %llu was refused: %s: %s", id,
           type ? ((PyTypeObject *)type)->tp_name : "no reason", words ? words : "?");
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(exc);
    Py_XDECREF(tb);
}

/* A service that run_server was given hears of its client before that says anything: with the
 * classic one there is nothing to do that cannot wait for a request. */
static int introduce(struct ps_session *s, unsigned long long id)
{
    int result = -1;

    if (!s->serving->connect)
        return 0;
    begin_request(s);
    if (enter(s)) {
        ps_thread_set_interruptible(true);
        atomic_store(&s->started, true);
        result = connect_service(s);
        if (result < 0)
            tell_refusal(s, id);
        end_python(s, true);
        leave(s);
    }
    end_request(s);
    return result;
}

/* Serves a request in Python: -1 if the connection has to end. */
static int serve_in_python(struct ps_session *s, struct conn *c, struct message *request,
                           int64_t handler, struct rpyc_error *err)
{
    struct outgoing out;
    struct drops drops;
    int result;

    if (!enter(s))
        return conn_reply_exception(c, request, "builtins", "RuntimeError",
                                    "the interpreter is shutting down", reply_deadline(s), err);
    if (start_classic(s) < 0) {
        PyErr_Clear();
        leave(s);
        return error_nomem(err);
    }
    ps_thread_set_interruptible(true);
    result = ps_dispatch(s, request, handler, &out,
                         on_own_thread(s) ? NULL : &ps_guest()->interrupt, err);
    if (on_own_thread(s))
        end_python(s, own_depth == 1);
    drops = drops_take(&s->drops);
    leave(s);
    if (result == 0)
        result = conn_send(c, &out, reply_deadline(s), err);
    drops_post(c, &drops, deadline_in(REQUEST_TIMEOUT_MS));
    return result;
}

static int serve(void *host, struct conn *c, struct message *request, int64_t handler,
                 struct rpyc_error *err)
{
    struct ps_session *s = host;
    int result;

    if (handler == HANDLE_PING && (result = serve_ping(c, request, reply_deadline(s), err)) != 0)
        return result < 0 ? -1 : 0;
    if (!has_stack())
        return conn_reply_exception(c, request, "builtins", "RecursionError",
                                    "requests within requests have used up the stack",
                                    reply_deadline(s), err);
    begin_request(s);
    result = serve_in_python(s, c, request, handler, err);
    end_request(s);
    return result;
}

/* Python runs handlers of signals on its main thread alone. */
static bool hears_signals(void *host)
{
    const struct ps_session *s = host;

    return PyThread_get_thread_ident() == s->state->main_thread && !ps_guest()->deaf;
}

/* A thread of the debuggee waits for the client. If a signal came, its handler is to run, as it
 * would in any other wait. */
static bool interrupted(void *host, bool by_signal)
{
    struct ps_session *s = host;

    if (on_own_thread(s) || !ps_gil_is_known())
        return false;
    if (ps_guest()->interrupt)
        return true;
    return by_signal && hears_signals(s) && ps_gil_signal_raised();
}

/* Objects of the client's that came in an answer that nobody waits for any more. */
static void unclaimed(void *host, struct conn *c, struct message *reply)
{
    struct drops drops = {NULL};

    (void)host;
    drops_add_box(&drops, &reply->body);
    drops_post(c, &drops, deadline_in(REQUEST_TIMEOUT_MS));
}

static const struct conn_host session_host = {
    .serve = serve,
    .interrupted = interrupted,
    .hears_signals = hears_signals,
    .unclaimed = unclaimed,
};

/* ---- The end -------------------------------------------------------------------------------- */

/* Tells the service that its client is gone. */
static void disconnect(struct ps_session *s)
{
    PyObject *done;

    if (!s->connection)
        return;
    done = PyObject_CallMethod(s->connection, "_disconnected", NULL);
    Py_XDECREF(done);
    PyErr_Clear();
}

/* With the GIL: lets go of everything that the client held. Once. */
static void let_go(struct ps_session *s)
{
    if (s->ended)
        return;
    s->ended = true;
    disconnect(s);
    ps_objects_clear(&s->objects);
    Py_CLEAR(s->root);
    Py_CLEAR(s->policy);
    Py_CLEAR(s->config);
    Py_CLEAR(s->connection);
    Py_CLEAR(s->last_traceback);
    Py_CLEAR(s->classes);
    drops_free(&s->drops);
}

/* Lets go of what a client held that has hung up, once a request of its has gone on for too long.
 */
static void reap(void *arg)
{
    struct ps_session *s = own_session = arg;
    unsigned before;

    do {
        before = atomic_load(&s->served);
        poll(NULL, 0, REAP_AFTER_MS);
    } while (atomic_load(&s->threads) > 0 && atomic_load(&s->served) != before);
    if (atomic_load(&s->threads) > 0 && enter(s)) {
        let_go(s);
        ps_thread_leave_python(s->state);
    }
    ps_session_unref(s);
}

/* Starts that once, if the client has hung up and is being served. The flags are set by two
 * threads, each before it looks at the other's, so that one of them sees both. */
static void reap_if_gone(struct ps_session *s)
{
    if (!atomic_load(&s->hung_up) || atomic_load(&s->busy) == 0 ||
        atomic_exchange(&s->reaping, true))
        return;
    ps_session_ref(s);
    if (ps_thread_start(s->state, "pystuck-reap", reap, s) != 0)
        ps_session_unref(s);
}

void ps_session_hung_up(void *session)
{
    struct ps_session *s = session;

    atomic_store(&s->hung_up, true);
    reap_if_gone(s);
}

/* ---- Threads -------------------------------------------------------------------------------- */

/* Serves as long as there is a client. */
static void serve_to_end(struct ps_session *s)
{
    struct rpyc_error why = RPYC_ERROR_INIT;

    conn_serve(s->conn, &why);
    rpyc_error_clear(&why);
}

/* One more thread for a client. The objects are let go by the first. */
static void work(void *arg)
{
    struct ps_session *s = own_session = arg;

    serve_to_end(s);
    atomic_fetch_sub(&s->threads, 1);
    if (ps_gil_is_known() && enter(s))
        ps_thread_leave_python(s->state);
    ps_session_unref(s);
}

static void start_worker(struct ps_session *s)
{
    if (atomic_fetch_add(&s->threads, 1) < THREADS_MAX) {
        ps_session_ref(s);
        atomic_fetch_add(&s->idle, 1);
        if (ps_thread_start(s->state, "pystuck-client", work, s) == 0)
            return;
        atomic_fetch_sub(&s->idle, 1);
        ps_session_unref(s);
    }
    atomic_fetch_sub(&s->threads, 1);
}

/* Around each request. One that has nothing to do with another (with bind-threads the client's
 * threads are known) does not wait for it: there is always a thread left to read. */
static void begin_request(struct ps_session *s)
{
    if (!on_own_thread(s) || own_depth++ > 0)
        return;
    atomic_fetch_add(&s->busy, 1);
    atomic_fetch_add(&s->served, 1);
    reap_if_gone(s);
    if (atomic_fetch_sub(&s->idle, 1) == 1 && conn_envelope(s->conn)->bound)
        start_worker(s);
}

static void end_request(struct ps_session *s)
{
    if (!on_own_thread(s) || --own_depth > 0)
        return;
    atomic_fetch_add(&s->idle, 1);
    atomic_fetch_add(&s->served, 1);
    atomic_fetch_sub(&s->busy, 1);
}

/* The stream of a client, over TLS where that is spoken. -1, with why in the log. */
static int open_stream(const struct ps_serving *serving, const struct ps_client *client,
                       struct stream *stream)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    unsigned long long id = client->id;

    *stream = client->stream;
    if (!serving->tls ||
        tls_accept(stream, serving->tls, deadline_in(HANDSHAKE_TIMEOUT_MS), &why) == 0)
        return 0;
    ps_log(serving->log, PS_LOG_WARNING, "client %llu was refused: %s", id, why.text);
    return -1;
}

/* A session over a stream, which it takes. */
static struct ps_session *session_new(const struct ps_serving *serving, struct ps_client *client,
                                      struct stream *stream)
{
    struct ps_session *s = calloc(1, sizeof(*s));

    if (!s) {
        stream_close(stream);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    atomic_init(&s->idle, 1);
    atomic_init(&s->threads, 1);
    s->state = serving->state;
    s->serving = serving;
    s->request_mask = *ps_server_caller_mask(client->server);
    s->fork_count = ps_fork_count();
    if (tls_peer_cert(stream, &s->certificate, &s->certificate_len) < 0 ||
        conn_new(&s->conn, stream, &session_host, s, NULL, NULL) < 0) {
        stream_close(stream);
        free(s->certificate);
        free(s);
        return NULL;
    }
    ps_client_set_conn(client, s->conn, s);
    return s;
}

void ps_session_tell(void *context, bool is_error, const char *text)
{
    const struct ps_serving *serving = context;

    ps_log(serving->log, is_error ? PS_LOG_ERROR : PS_LOG_WARNING, "%s", text);
}

/* Serves a client that has been let in as far as its socket goes. NULL: it was not served. */
static struct ps_session *serve_client(const struct ps_serving *serving, struct ps_client *client)
{
    unsigned long long id = client->id;
    struct ps_session *s;
    struct stream stream;

    if (open_stream(serving, client, &stream) < 0) {
        stream = ps_client_take_stream(client);
        stream_shutdown(&stream);
        stream_close(&stream);
        return NULL;
    }
    s = own_session = session_new(serving, client, &stream);
    if (!s)
        return NULL;
    ps_log(serving->log, PS_LOG_INFO, "client %llu: connected", id);
    if (introduce(s, id) == 0)
        serve_to_end(s);
    ps_log(serving->log, PS_LOG_INFO, "client %llu: gone", id);
    conn_release(s->conn); /* the client sees the end before we wait for the GIL */
    return s;
}

static void end_session(struct ps_session *s)
{
    atomic_fetch_sub(&s->threads, 1);
    if (atomic_load(&s->started) && enter(s)) {
        let_go(s);
        ps_thread_leave_python(s->state);
    }
    ps_session_unref(s);
}

void ps_session_run(void *context, struct ps_client *client)
{
    struct ps_state *state = ((const struct ps_serving *)context)->state;
    struct ps_session *s;

    ps_thread_begin(state);
    s = serve_client(context, client);
    ps_client_done(client);
    if (s)
        end_session(s);
    ps_thread_end(state);
}
