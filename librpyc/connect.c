/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connecting, and finding out which rpyc the server speaks.
 *
 * A client sends first, so it has to guess: it asks for the root in the envelope of rpyc 6. A
 * server of that generation answers. Most others send CLOSE in their own envelope, which tells;
 * then we connect once more and use that. A ThreadPoolServer sends nothing in answer to the wrong
 * envelope, and neither does a busy program: after SILENCE_MS we ask in the next envelope on one
 * more connection, and go on waiting on all of them, since a busy program has one thread for one
 * client, or one connection, and answers late. See "Finding out which" in doc/protocol.md.
 */
#include "classic.h"
#include "handlers.h"
#include "tls.h"

#include <errno.h>

#define CONNECT_TIMEOUT_MS 10000

/* How long a server may be silent, on top of the time that connecting took, before it is asked in
 * another way. */
#define SILENCE_MS 300

/* Where to connect: either of two. */
struct target {
    const char *host, *port;
    const char *path;
};

/* Opens a stream. A deadline that passes here counts as connect(2)'s own: nobody answered at all.
 */
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

static bool has_passed(deadline_t deadline)
{
    return deadline_in(0) >= deadline;
}

static void forget(rpyc_conn *conn)
{
    conn_close(conn->conn, NULL);
    rpyc_close(conn);
}

/* Somebody accepted us and then did not talk as a server does: says so. Always -1. */
static int explain(const struct target *to, struct rpyc_error *err)
{
    struct rpyc_error why = *err;
    const char *what = "";

    if (err->code == RPYC_EREMOTE || (!to->path && !to->host))
        return -1;
    if (err->code == RPYC_ELIMIT) { /* the first bytes of another protocol, taken for a length */
        why.code = RPYC_EPROTOCOL;
        what = "it does not speak RPyC: ";
    }
    if (to->path)
        return error_set(err, why.code, "connected to %s, but %s%s", to->path, what, why.text);
    return error_set(err, why.code, "connected to %s port %s, but %s%s", to->host, to->port, what,
                     why.text);
}

/* Which envelopes there are, the likeliest first. */
static const struct envelope ways[] = {
    {RPYC_GENERATION_6, false},
    {RPYC_GENERATION_5, false},
    {RPYC_GENERATION_6, true},
    {RPYC_GENERATION_5, true},
};

#define WAYS (sizeof(ways) / sizeof(*ways))

_Static_assert(WAYS <= STREAM_WATCH_MAX, "all connections can be watched");

/* A connection on which the root was asked for. */
struct asked {
    struct envelope way; /* AUTO: as rpyc 6, and the first message tells what it should have been */
    rpyc_conn *conn;     /* NULL once it is over */
    struct pending *root; /* the request */
};

/* A connect under way. */
struct attempt {
    const struct target *to;
    const struct rpyc_options *options;
    deadline_t deadline;
    struct sockaddr_storage peer; /* TCP: the address that took the first connection */
    struct asked asked[WAYS];     /* in the order of asking */
    size_t count;
    deadline_t next;        /* when to ask in one more way; DEADLINE_NEVER: not any more */
    struct envelope learnt; /* what the server speaks, where the first guess was wrong */
};

/* Gives up a connection that has not been answered: see stream_reset. */
static void drop(struct asked *asked)
{
    if (!asked->conn)
        return;
    conn_forget(asked->conn->conn, asked->root);
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

/* Whether a guess has brought out that the server speaks otherwise. */
static bool learnt(const struct envelope *env)
{
    return env->generation == RPYC_GENERATION_5 ||
           (env->generation == RPYC_GENERATION_6 && env->bound);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Sends the request for the root over a stream, which it takes. */
static int ask_over(struct attempt *a, const struct stream *s, struct envelope way,
                    struct rpyc_error *err)
{
    const struct rpyc_options *options = a->options;
    int request_ms = timeout_or(options->request_timeout_ms, REQUEST_TIMEOUT_MS);
    struct conn_config config = {
        .max_frame = options->max_frame,
        .generation = way.generation,
        .bound = way.bound,
        .stall_ms = request_ms > 0 ? request_ms : 0,
    };
    bool guessing = way.generation == RPYC_GENERATION_AUTO;
    struct asked *asked = &a->asked[a->count];

    *asked = (struct asked){.way = way};
    if (rpyc_conn_new(&asked->conn, s, &handlers, &config, guessing, -1, err) < 0)
        return -1;
    asked->conn->deadline = a->deadline;
    if (classic_ask_root(asked->conn, &asked->root, err) < 0) {
        forget(asked->conn);
        asked->conn = NULL;
        return -1;
    }
    a->count++;
    return 0;
}

/* Connects for the first time, which gives the address for the others. */
static int open_first(struct stream *s, struct attempt *a, struct rpyc_error *err)
{
    socklen_t len = sizeof(a->peer);

    if (open_stream(s, a->to, a->deadline, err) < 0)
        return -1;
    if (!a->to->path && getpeername(s->fd, (struct sockaddr *)&a->peer, &len) < 0)
        a->peer.ss_family = AF_UNSPEC;
    return 0;
}

/* Connects, and has the caller look at the socket. */
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

/* Connects, and asks in one way. Where the server was asked before, an answer to that ends the
 * attempt: RPYC_ECANCELED. */
static int ask(struct attempt *a, struct envelope way, struct rpyc_error *err)
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
    if (ask_over(a, &s, way, err) < 0)
        return explain(a->to, err);
    if (a->next != DEADLINE_NEVER)
        a->next = deadline_in(SILENCE_MS) + (deadline_in(0) - start);
    return 0;
}

/* The connection on which the server was asked in a way; NULL: it was not. */
static const struct asked *asked_in(const struct attempt *a, struct envelope way)
{
    for (size_t i = 0; i < a->count; i++) {
        struct envelope one = a->asked[i].way;

        if (one.generation == RPYC_GENERATION_AUTO)
            one.generation = RPYC_GENERATION_6;
        if (one.generation == way.generation && one.bound == way.bound)
            return &a->asked[i];
    }
    return NULL;
}

static bool is_waiting(const struct attempt *a, struct envelope way)
{
    const struct asked *asked = asked_in(a, way);

    return asked && asked->conn;
}

/* Whether there is no point in asking a silent server otherwise: the caller knows what it speaks,
 * or its first message is being waited for no more. */
static bool is_certain(const struct attempt *a)
{
    const struct rpyc_options *o = a->options;
    const struct asked *first = &a->asked[0];

    if (first->way.generation == RPYC_GENERATION_AUTO && conn_has_met(first->conn->conn))
        return true;
    return a->count == 1 && o->is_certain && o->is_certain(o->is_certain_arg);
}

/* Asks a silent server in the next way, if there is one. A connection that cannot be opened now is
 * tried again later. */
static void ask_otherwise(struct attempt *a)
{
    struct rpyc_error unused = RPYC_ERROR_INIT;
    size_t i = 0;

    while (i < WAYS && asked_in(a, ways[i]))
        i++;
    if (i == WAYS || is_certain(a)) {
        a->next = DEADLINE_NEVER;
        return;
    }
    a->next = deadline_in(SILENCE_MS);
    ask(a, ways[i], &unused);
    rpyc_error_clear(&unused);
}

/* ---- Waiting for an answer ------------------------------------------------------------------- */

/* Takes what came in place of the root, or why the connection has ended; the connection is over
 * unless it was the root. */
static int take_root(struct asked *asked, struct rpyc_error *err)
{
    rpyc_conn *conn = asked->conn;

    if (classic_take_root(conn, asked->root, err) == 0)
        return 0;
    asked->conn = NULL;
    forget(conn);
    return -1;
}

/* Reads what has come on a connection. Whether that is all: the answer, or the end. */
static bool is_answered(const struct asked *asked, deadline_t deadline)
{
    struct conn *c = asked->conn->conn;

    while (!conn_is_done(c, asked->root)) {
        if (conn_serve_one(c, deadline_in(0), NULL) <= 0)
            break;
        if (has_passed(deadline))
            break;
    }
    return conn_is_done(c, asked->root);
}

/* Looks at all connections. 1: *out is the one that gave the root. 0: none has yet. -1: there is
 * nothing to wait for, and err says what became of the first one. */
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
        if (i == 0 && asked->way.generation == RPYC_GENERATION_AUTO)
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

/* Waits until something comes on a connection, or it is time to ask otherwise. */
static void wait_for_input(const struct attempt *a)
{
    struct stream_watch watch = watch_all(a);
    struct rpyc_error unused = RPYC_ERROR_INIT;

    stream_wait(-1, 0, &watch, a->next < a->deadline ? a->next : a->deadline, &unused);
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
        if (has_passed(a->next))
            ask_otherwise(a);
        wait_for_input(a);
    }
    drop_all(a);
    if (result < 0)
        return explain(a->to, err);
    rpyc_error_clear(err); /* of the first connection, where another one was answered */
    (*out)->deadline = DEADLINE_NEVER;
    (*out)->guessing = false;
    rpyc_set_timeout(*out, a->options->request_timeout_ms);
    return 0;
}

/* Connects, asks in one way, and in the others too if the server is silent. */
static int find(rpyc_conn **out, struct attempt *a, struct envelope way, bool others,
                struct rpyc_error *err)
{
    a->next = others ? 0 : DEADLINE_NEVER;
    a->learnt = (struct envelope){0};
    return ask(a, way, err) < 0 ? -1 : wait_for_root(out, a, err);
}

/* ---- Finding out ----------------------------------------------------------------------------- */

/* Says that the guess has used up the one connection that the server serves. Always -1. */
static int explain_one_shot(const struct attempt *a, struct rpyc_error *err)
{
    struct rpyc_error why = *err;

    return error_set(err, RPYC_EGENERATION,
                     "the server speaks rpyc %d%s and serves no second connection (%s): set the "
                     "generation, so that the first one is enough",
                     (int)a->learnt.generation, a->learnt.bound ? " with bind-threads" : "",
                     why.text);
}

/* Speaks as the server does, found out by a guess and, where that was wrong, once more. */
static int find_out(rpyc_conn **out, struct attempt *a, struct rpyc_error *err)
{
    struct envelope learnt_way;

    if (find(out, a, (struct envelope){0}, true, err) == 0)
        return 0;
    if (!learnt(&a->learnt))
        return -1;
    rpyc_error_clear(err);
    learnt_way = a->learnt;
    if (a->options->remembered)
        *a->options->remembered = (struct rpyc_envelope){learnt_way.generation, learnt_way.bound};
    if (find(out, a, learnt_way, false, err) == 0)
        return 0;
    a->learnt = learnt_way;
    if (err->code == RPYC_ESYSTEM || err->code == RPYC_ECLOSED || err->code == RPYC_ETIMEOUT)
        return explain_one_shot(a, err);
    return -1;
}

/* In the way that was remembered; if another server has taken its place since, finds out anew. */
static int find_remembered(rpyc_conn **out, struct attempt *a, struct rpyc_error *err)
{
    const struct rpyc_envelope *known = a->options->remembered;
    struct envelope way = {known->generation, known->bind_threads};

    if (find(out, a, way, true, err) == 0)
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

static int connect_to(rpyc_conn **out, const struct target *to, const struct rpyc_options *options,
                      struct rpyc_error *err)
{
    static const struct rpyc_options defaults = {0};
    struct rpyc_error unused = RPYC_ERROR_INIT;
    struct attempt a = {.to = to, .options = options ? options : &defaults};
    int result;

    a.deadline = deadline_in(timeout_or(a.options->connect_timeout_ms, CONNECT_TIMEOUT_MS));
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

    a.deadline = deadline_in(timeout_or(options->connect_timeout_ms, CONNECT_TIMEOUT_MS));
    if (options->tls && tls_connect(s, options->tls, NULL, a.deadline, err) < 0) {
        stream_close(s);
        return -1;
    }
    if (ask_over(&a, s, (struct envelope){options->generation, options->bind_threads}, err) < 0)
        return -1;
    return wait_for_root(out, &a, err);
}

int rpyc_connect_fd(rpyc_conn **out, int fd, const struct rpyc_options *options,
                    struct rpyc_error *err)
{
    struct rpyc_error unused = RPYC_ERROR_INIT;
    struct stream s;
    int result;

    stream_open(&s, fd);
    if (!options || options->generation == RPYC_GENERATION_AUTO) {
        stream_close(&s);
        return error_set(err, RPYC_EINVAL, "a socket that is connected already needs a generation");
    }
    result = connect_fd(out, &s, options, err ? err : &unused);
    rpyc_error_clear(&unused);
    return result;
}
