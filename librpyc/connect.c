/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connects to a server, and finds out the envelope of its messages.
 *
 * A client sends first, so it has to guess: it requests the root in the envelope of rpyc 6. A
 * server of that generation replies. Most other servers send CLOSE in their own envelope: the
 * client then connects again and uses that envelope. A ThreadPoolServer sends nothing after a
 * request in the wrong envelope, and a busy program sends nothing for a while. So after SILENCE_MS
 * without data, the client opens one more connection and requests the root in the next envelope.
 * The client keeps waiting on all connections, for two reasons: a busy program replies late, and a
 * program with one thread for all clients replies only on the first connection. See "Detecting the
 * generation" in doc/protocol.md.
 */
#include "classic.h"
#include "handlers.h"
#include "tls.h"
#include "version.h"

#include <errno.h>

#define CONNECT_TIMEOUT_MS 10000

/* How long a server may send nothing before the client tries another envelope, in ms. The time that
 * it took to connect is added. */
#define SILENCE_MS 300

/* Where to connect: host and port, or path. All NULL: the caller gave a connected socket. */
struct target {
    const char *host, *port;
    const char *path;
};

/* Connects s to the target. If the deadline passes, the error is the one of connect(2):
 * RPYC_ESYSTEM with ETIMEDOUT. */
static int open_stream(struct stream *s, const struct target *to, deadline_t deadline,
                       struct rpyc_error *err)
{
    int result;

    if (to->path)
        result = stream_connect_unix(s, to->path, deadline, err);
    else
        result = stream_connect_tcp(s, to->host, to->port, deadline, err);
    if (result < 0 && err->code == RPYC_ETIMEOUT) {
        err->code = RPYC_ESYSTEM;
        err->sys_errno = ETIMEDOUT;
    }
    return result;
}

static int timeout_or(int given_ms, int default_ms)
{
    return given_ms == 0 ? default_ms : given_ms;
}

static deadline_t silence_of(const struct rpyc_options *options)
{
    return options->on_silence ? deadline_in(options->silence_ms) : DEADLINE_NEVER;
}

static bool has_passed(deadline_t deadline)
{
    return deadline_in(0) >= deadline;
}

static deadline_t earlier(deadline_t a, deadline_t b)
{
    return a < b ? a : b;
}

static void forget(rpyc_conn *conn)
{
    conn_close(conn->conn, NULL);
    rpyc_close(conn);
}

/* Prepends "connected to TARGET, but" to the text of err, for an error after the connection was
 * accepted. Does not change an RPYC_EREMOTE error. Returns -1. */
static int explain(const struct target *to, struct rpyc_error *err)
{
    struct rpyc_error why = *err;
    char where[STREAM_WHERE_SIZE];

    if (err->code == RPYC_EREMOTE || (!to->path && !to->host))
        return -1;
    if (to->path)
        snprintf(where, sizeof(where), "%s", to->path);
    else
        stream_describe_tcp(where, sizeof(where), to->host, to->port);
    error_set(err, why.code, "connected to %s, but %s", where, why.text);
    err->tls = why.tls;
    return -1;
}

/* All envelopes, the most probable first. */
static const struct envelope envelopes[] = {
    {RPYC_GENERATION_6, false},
    {RPYC_GENERATION_5, false},
    {RPYC_GENERATION_6, true},
    {RPYC_GENERATION_5, true},
};

#define ENVELOPES (sizeof(envelopes) / sizeof(*envelopes))

_Static_assert(ENVELOPES <= STREAM_WATCH_MAX, "all connections can be watched");

/* A connection on which the client has requested the root. */
struct asked {
    struct envelope env; /* envelope of the request. AUTO: that of rpyc 6, as a guess; the server's
                            first message corrects the guess */
    rpyc_conn *conn;     /* NULL after it has ended */
};

/* The state of one call of rpyc_connect_tcp, rpyc_connect_unix or rpyc_connect_fd. */
struct attempt {
    const struct target *to;
    const struct rpyc_options *options;
    deadline_t deadline;
    struct sockaddr_storage peer;  /* TCP: the server's address, from the first connection */
    struct asked asked[ENVELOPES]; /* in the order of the requests */
    size_t count;
    deadline_t next;        /* when to try the next envelope; DEADLINE_NEVER: try no others */
    deadline_t silence;     /* when to call options->on_silence; DEADLINE_NEVER: do not call it */
    struct envelope learnt; /* the server's envelope, if the first connection was a guess and got an
                               answer; else zeros */
    bool refused;           /* options->check has failed, other than with RPYC_ECLOSED */
};

/* Closes a connection with stream_reset and frees it, without waiting for a reply. Does nothing if
 * the connection has ended. */
static void drop(struct asked *asked)
{
    if (!asked->conn)
        return;
    conn_reset(asked->conn->conn);
    rpyc_close(asked->conn);
    asked->conn = NULL;
}

static void drop_all(struct attempt *a)
{
    for (size_t i = 0; i < a->count; i++)
        drop(&a->asked[i]);
    a->count = 0;
}

/* True if the server has shown the envelope env, and env differs from the client's first guess. The
 * first guess is rpyc 6 without bind-threads. */
static bool learnt(const struct envelope *env)
{
    return env->generation == RPYC_GENERATION_5 ||
           (env->generation == RPYC_GENERATION_6 && env->bound);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Creates a connection over the stream s, requests the root on it in the envelope env, and adds it
 * to a->asked. Takes s. */
static int ask_over(struct attempt *a, const struct stream *s, struct envelope env,
                    struct rpyc_error *err)
{
    const struct rpyc_options *options = a->options;
    int request_ms = timeout_or(options->request_timeout_ms, REQUEST_TIMEOUT_MS);
    struct conn_config config = {
        .max_frame = options->max_frame,
        .generation = env.generation,
        .bound = env.bound,
        .stall_ms = request_ms > 0 ? request_ms : 0,
    };
    bool guessing = env.generation == RPYC_GENERATION_AUTO;
    struct asked *asked = &a->asked[a->count];

    *asked = (struct asked){.env = env};
    if (rpyc_conn_new(&asked->conn, s, &handlers, &config, guessing, -1, err) < 0)
        return -1;
    asked->conn->deadline = a->deadline;
    if (classic_ask_root(asked->conn, options, err) < 0) {
        forget(asked->conn);
        asked->conn = NULL;
        return -1;
    }
    a->count++;
    return 0;
}

/* Calls options->on_silence if the time a->silence has passed. If it returns false, the deadline is
 * now. Also sets a->silence to DEADLINE_NEVER, so that on_silence is called only once. */
static void report_silence(struct attempt *a)
{
    if (!has_passed(a->silence))
        return;
    a->silence = DEADLINE_NEVER;
    if (!a->options->on_silence(a->options->on_silence_arg))
        a->deadline = deadline_in(0);
}

/* Connects s to the target. If s is not connected at the time a->silence, calls options->on_silence
 * and connects again with a new socket. */
static int open_patiently(struct stream *s, struct attempt *a, struct rpyc_error *err)
{
    if (open_stream(s, a->to, earlier(a->silence, a->deadline), err) == 0)
        return 0;
    if (err->sys_errno != ETIMEDOUT || !has_passed(a->silence) || has_passed(a->deadline))
        return -1;
    report_silence(a);
    if (has_passed(a->deadline))
        return -1;
    rpyc_error_clear(err);
    return open_stream(s, a->to, a->deadline, err);
}

/* Opens the first connection. Over TCP, stores the server's address in a->peer for further
 * connections. */
static int open_first(struct stream *s, struct attempt *a, struct rpyc_error *err)
{
    socklen_t len = sizeof(a->peer);

    if (open_patiently(s, a, err) < 0)
        return -1;
    if (!a->to->path && getpeername(s->fd, (struct sockaddr *)&a->peer, &len) < 0)
        a->peer.ss_family = AF_UNSPEC;
    return 0;
}

/* Opens a connection and calls options->check for it. Fails with RPYC_ECANCELED if data arrives on
 * a watched connection meanwhile. */
static int open_checked(struct stream *s, struct attempt *a, const struct stream_watch *watch,
                        struct rpyc_error *err)
{
    int result;

    if (a->count == 0)
        result = open_first(s, a, err);
    else
        result = stream_connect_again(s, watch, &a->peer, a->to->path, a->deadline, err);
    if (result < 0)
        return -1;
    if (!a->options->check || a->options->check(s->fd, a->options->check_data, err) == 0)
        return 0;
    a->refused = err->code != RPYC_ECLOSED;
    stream_close(s);
    return -1;
}

static struct stream_watch watch_all(const struct attempt *a)
{
    struct stream_watch watch = {.count = 0};

    for (size_t i = 0; i < a->count; i++)
        if (a->asked[i].conn)
            watch.fds[watch.count++] = conn_fd(a->asked[i].conn->conn);
    return watch;
}

/* Opens a connection and requests the root on it in the envelope env. Fails with RPYC_ECANCELED if
 * data arrives on one of the earlier connections meanwhile. */
static int ask(struct attempt *a, struct envelope env, struct rpyc_error *err)
{
    struct stream_watch watch = watch_all(a);
    deadline_t start = deadline_in(0);
    struct stream s;

    if (open_checked(&s, a, &watch, err) < 0)
        return -1;
    s.watch = &watch;
    if (a->options->tls && tls_connect(&s, a->options->tls, a->to->host, a->deadline, err) < 0) {
        stream_reset(&s);
        return explain(a->to, err);
    }
    s.watch = NULL;
    if (ask_over(a, &s, env, err) < 0)
        return explain(a->to, err);
    if (a->next != DEADLINE_NEVER)
        a->next = deadline_in(SILENCE_MS) + (deadline_in(0) - start);
    return 0;
}

/* Returns the connection on which the root was requested in the envelope env; NULL: there was
 * none. */
static const struct asked *asked_in(const struct attempt *a, struct envelope env)
{
    for (size_t i = 0; i < a->count; i++) {
        struct envelope one = a->asked[i].env;

        if (one.generation == RPYC_GENERATION_AUTO)
            one.generation = RPYC_GENERATION_6;
        if (one.generation == env.generation && one.bound == env.bound)
            return &a->asked[i];
    }
    return NULL;
}

static bool is_waiting(const struct attempt *a, struct envelope env)
{
    const struct asked *asked = asked_in(a, env);

    return asked && asked->conn;
}

/* Called when a server has sent nothing for a while. True if there is no need to try other
 * envelopes: an earlier message has shown the server's envelope, or options->is_certain returns
 * true. */
static bool is_certain(const struct attempt *a)
{
    const struct rpyc_options *o = a->options;
    const struct asked *first = &a->asked[0];

    if (first->env.generation == RPYC_GENERATION_AUTO && conn_has_met(first->conn->conn))
        return true;
    return a->count == 1 && o->is_certain && o->is_certain(o->is_certain_arg);
}

/* Opens one more connection and requests the root in the next envelope, if one is left to try.
 * Returns -1 with err filled if options->check refuses the connection. After any other error
 * returns 0, and wait_for_root calls this function again later. */
static int ask_otherwise(struct attempt *a, struct rpyc_error *err)
{
    struct rpyc_error why = RPYC_ERROR_INIT;
    size_t i = 0;

    while (i < ENVELOPES && asked_in(a, envelopes[i]))
        i++;
    if (i == ENVELOPES || is_certain(a)) {
        a->next = DEADLINE_NEVER;
        return 0;
    }
    a->next = deadline_in(SILENCE_MS);
    if (ask(a, envelopes[i], &why) < 0 && a->refused) {
        rpyc_error_clear(err);
        *err = why;
        return -1;
    }
    rpyc_error_clear(&why);
    return 0;
}

/* ---- Waiting for an answer ------------------------------------------------------------------- */

static bool has_root_reply(const rpyc_conn *conn)
{
    return conn_is_done(conn->conn, conn->root_request);
}

/* True if the early request has a result, and the request for the root has no result. The request
 * for the root then has no reply yet, or its reply is an exception, which rpyc_await_root() will
 * report. */
static bool has_early_result_only(const rpyc_conn *conn)
{
    return conn->early && conn_has_result(conn->conn, conn->early) &&
           !conn_has_result(conn->conn, conn->root_request);
}

/* Called when is_answered() has returned true. Returns 0 if the early request has a result, or if
 * there is a root, which this function stores in the connection. Otherwise frees the connection and
 * returns -1 with err filled: the connection has ended, or the reply is an exception or is
 * invalid. */
static int take_root(struct asked *asked, struct rpyc_error *err)
{
    rpyc_conn *conn = asked->conn;

    if (has_early_result_only(conn))
        return 0;
    if (classic_take_root(conn, rpyc_conn_deadline(conn), err) == 0)
        return 0;
    asked->conn = NULL;
    forget(conn);
    return -1;
}

/* Handles the messages that have arrived. Returns true if the request for the root has a reply, the
 * early request has a result, or the connection has ended. */
static bool is_answered(const struct asked *asked, deadline_t deadline)
{
    const rpyc_conn *conn = asked->conn;

    while (!has_root_reply(conn)) {
        if (conn_serve_one(conn->conn, deadline_in(0), NULL) <= 0)
            break;
        if (has_passed(deadline))
            break;
    }
    return has_root_reply(conn) || (conn->early && conn_has_result(conn->conn, conn->early));
}

/* Handles the messages that have arrived on all connections. Returns 1, with the connection in
 * *out, if a connection has received the root or the result of the early request. Returns 0 if a
 * connection may still receive one of them. Otherwise returns -1; err is then the error of the
 * first connection, or an exception from the server (RPYC_EREMOTE). */
static int look(rpyc_conn **out, struct attempt *a, struct rpyc_error *err)
{
    size_t waiting = 0;

    for (size_t i = 0; i < a->count; i++) {
        struct asked *asked = &a->asked[i];
        struct rpyc_error why = RPYC_ERROR_INIT;

        if (!asked->conn)
            continue;
        if (!is_answered(asked, a->deadline)) {
            waiting++;
            continue;
        }
        if (i == 0 && asked->env.generation == RPYC_GENERATION_AUTO)
            a->learnt = conn_envelope(asked->conn->conn);
        if (take_root(asked, &why) == 0) {
            *out = asked->conn;
            asked->conn = NULL;
            return 1;
        }
        if (i == 0 || why.code == RPYC_EREMOTE) {
            rpyc_error_clear(err);
            *err = why;
            a->next = DEADLINE_NEVER;
        } else {
            rpyc_error_clear(&why);
        }
        if (err->code == RPYC_EREMOTE || (learnt(&a->learnt) && !is_waiting(a, a->learnt)))
            return -1;
    }
    return waiting > 0 ? 0 : -1;
}

/* Waits until data arrives on a connection, or until it is time to try another envelope, to call
 * options->on_silence or to give up. */
static void wait_for_input(const struct attempt *a)
{
    struct stream_watch watch = watch_all(a);
    struct rpyc_error unused = RPYC_ERROR_INIT;

    stream_wait(-1, 0, &watch, earlier(a->silence, earlier(a->next, a->deadline)), &unused);
}

static int wait_for_root(rpyc_conn **out, struct attempt *a, struct rpyc_error *err)
{
    int result;

    while ((result = look(out, a, err)) == 0) {
        if (has_passed(a->deadline)) {
            rpyc_error_clear(err);
            error_set(err, RPYC_ETIMEOUT, "no answer in time");
            result = -1;
            break;
        }
        if (has_passed(a->next) && ask_otherwise(a, err) < 0) {
            result = -1;
            break;
        }
        report_silence(a);
        wait_for_input(a);
    }
    drop_all(a);
    if (result < 0)
        return a->refused ? -1 : explain(a->to, err);
    rpyc_error_clear(err); /* err may have the error of a connection that failed */
    (*out)->deadline = DEADLINE_NEVER;
    (*out)->guessing = false;
    rpyc_set_timeout(*out, a->options->request_timeout_ms);
    return 0;
}

/* Connects and requests the root in the envelope env. others: whether to try the other envelopes
 * too if the server sends nothing. */
static int find(rpyc_conn **out, struct attempt *a, struct envelope env, bool others,
                struct rpyc_error *err)
{
    a->next = others ? 0 : DEADLINE_NEVER;
    a->learnt = (struct envelope){0};
    return ask(a, env, err) < 0 ? -1 : wait_for_root(out, a, err);
}

/* ---- Finding out ----------------------------------------------------------------------------- */

/* Fills err for a server that accepts only one connection, after the client has used that
 * connection with the wrong envelope. Returns -1. */
static int explain_one_shot(const struct attempt *a, struct rpyc_error *err)
{
    struct rpyc_error why = *err;

    return error_set(err, RPYC_EGENERATION,
                     "the server speaks rpyc %d%s and accepts no second connection (%s): set "
                     "options.generation, so that one connection is enough",
                     (int)a->learnt.generation, a->learnt.bound ? " with bind-threads" : "",
                     why.text);
}

/* Connects and guesses the envelope. If the guess is wrong, connects again, with the envelope that
 * the server has shown. */
static int find_out(rpyc_conn **out, struct attempt *a, struct rpyc_error *err)
{
    struct envelope learnt_env;

    if (find(out, a, (struct envelope){0}, true, err) == 0)
        return 0;
    if (!learnt(&a->learnt))
        return -1;
    rpyc_error_clear(err);
    learnt_env = a->learnt;
    if (a->options->remembered)
        *a->options->remembered = (struct rpyc_envelope){learnt_env.generation, learnt_env.bound};
    if (find(out, a, learnt_env, false, err) == 0)
        return 0;
    a->learnt = learnt_env;
    if (!a->refused &&
        (err->code == RPYC_ESYSTEM || err->code == RPYC_ECLOSED || err->code == RPYC_ETIMEOUT))
        return explain_one_shot(a, err);
    return -1;
}

/* Connects with the remembered envelope. If this envelope is wrong, another server must be using
 * the address now. In this case, connects again and finds out the envelope of that server. */
static int find_remembered(rpyc_conn **out, struct attempt *a, struct rpyc_error *err)
{
    const struct rpyc_envelope *known = a->options->remembered;
    struct envelope env = {known->generation, known->bind_threads};

    if (find(out, a, env, true, err) == 0)
        return 0;
    if (err->code != RPYC_ECLOSED && err->code != RPYC_EPROTOCOL)
        return -1;
    rpyc_error_clear(err);
    return find_out(out, a, err);
}

static int try_all(rpyc_conn **out, struct attempt *a, struct rpyc_error *err)
{
    struct rpyc_envelope *remembered = a->options->remembered;
    struct envelope given = {a->options->generation, a->options->bind_threads};
    int result;

    if (given.generation != RPYC_GENERATION_AUTO)
        return find(out, a, given, false, err);
    if (remembered && remembered->generation != RPYC_GENERATION_AUTO)
        result = find_remembered(out, a, err);
    else
        result = find_out(out, a, err);
    if (result == 0 && remembered)
        *remembered = rpyc_conn_envelope(*out);
    return result;
}

/* Copies the caller's options, which may be NULL. tls: room for the options of TLS. */
static int read_options(struct rpyc_options *out, struct rpyc_tls *tls,
                        const struct rpyc_options *given, struct rpyc_error *err)
{
    if (version_options(out, given, err) < 0 || version_tls(tls, out->tls, err) < 0)
        return -1;
    if (out->tls)
        out->tls = tls;
    return 0;
}

static int connect_to(rpyc_conn **out, const struct target *to, const struct rpyc_options *given,
                      struct rpyc_error *err)
{
    struct rpyc_error unused = RPYC_ERROR_INIT;
    struct rpyc_options options;
    struct rpyc_tls tls;
    struct attempt a = {.to = to, .options = &options};
    int result;

    if (read_options(&options, &tls, given, err) < 0)
        return -1;
    a.deadline = deadline_in(timeout_or(options.connect_timeout_ms, CONNECT_TIMEOUT_MS));
    a.silence = silence_of(&options);
    result = try_all(out, &a, err ? err : &unused);
    rpyc_error_clear(&unused);
    return result;
}

int rpyc_connect_tcp(rpyc_conn **out, const char *host, const char *port,
                     const struct rpyc_options *options, struct rpyc_error *err)
{
    return connect_to(out, &(struct target){.host = host, .port = port}, options, err);
}

int rpyc_connect_unix(rpyc_conn **out, const char *path, const struct rpyc_options *options,
                      struct rpyc_error *err)
{
    return connect_to(out, &(struct target){.path = path}, options, err);
}

static int connect_fd(rpyc_conn **out, struct stream *s, const struct rpyc_options *options,
                      struct rpyc_error *err)
{
    const struct target to = {0};
    struct attempt a = {.to = &to, .options = options, .next = DEADLINE_NEVER};

    a.silence = silence_of(options);
    a.deadline = deadline_in(timeout_or(options->connect_timeout_ms, CONNECT_TIMEOUT_MS));
    if (options->tls && tls_connect(s, options->tls, NULL, a.deadline, err) < 0) {
        stream_close(s);
        return -1;
    }
    if (ask_over(&a, s, (struct envelope){options->generation, options->bind_threads}, err) < 0)
        return -1;
    return wait_for_root(out, &a, err);
}

int rpyc_connect_fd(rpyc_conn **out, int fd, const struct rpyc_options *given,
                    struct rpyc_error *err)
{
    struct rpyc_error unused = RPYC_ERROR_INIT;
    struct rpyc_options options;
    struct rpyc_tls tls;
    struct stream s;
    int result;

    stream_open(&s, fd);
    if (read_options(&options, &tls, given, err) < 0) {
        stream_close(&s);
        return -1;
    }
    if (options.generation == RPYC_GENERATION_AUTO) {
        stream_close(&s);
        return error_set(
            err, RPYC_EINVAL,
            "cannot find out which rpyc the peer of an open socket has: set options.generation");
    }
    result = connect_fd(out, &s, &options, err ? err : &unused);
    rpyc_error_clear(&unused);
    return result;
}
