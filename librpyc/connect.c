/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connecting, and finding out which rpyc is on the other side.
 *
 * A client speaks first, so it has to guess: it asks for the root in the envelope of rpyc 6. A
 * server of that generation answers. Any other says goodbye in its own envelope, and that tells;
 * then we connect once more and speak as it does. See "Finding out which" in doc/protocol.md.
 */
#include "classic.h"
#include "host.h"
#include "tls.h"

#include <errno.h>

#define CONNECT_TIMEOUT_MS 10000

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

    if (err->code == RPYC_EREMOTE)
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

/* Asks for the root over a stream, which it takes, in one way. With generation AUTO it is a guess;
 * where that was wrong, *env says what the other side speaks. */
static int speak(rpyc_conn **out, const struct stream *s, struct envelope *env,
                 const struct rpyc_options *options, deadline_t deadline, struct rpyc_error *err)
{
    int request_ms = timeout_or(options->request_timeout_ms, REQUEST_TIMEOUT_MS);
    struct conn_config config = {
        .max_frame = options->max_frame,
        .generation = env->generation,
        .bound = env->bound,
        .stall_ms = request_ms > 0 ? request_ms : 0,
    };
    bool guessing = env->generation == RPYC_GENERATION_AUTO;
    rpyc_conn *conn;

    if (rpyc_conn_new(&conn, s, &config, guessing, -1, err) < 0)
        return -1;
    conn->deadline = deadline;
    if (classic_fetch_root(conn, err) < 0) {
        *env = conn_envelope(conn->conn);
        forget(conn);
        return -1;
    }
    conn->deadline = DEADLINE_NEVER;
    conn->guessing = false;
    rpyc_set_timeout(conn, options->request_timeout_ms);
    *out = conn;
    return 0;
}

/* A connect under way: what is wanted, and by when. */
struct attempt {
    const struct target *to;
    const struct rpyc_options *options;
    deadline_t deadline;
};

/* Opens a stream, and has the caller look at it. */
static int open_checked(struct stream *s, const struct attempt *a, struct rpyc_error *err)
{
    if (open_stream(s, a->to, a->deadline, err) < 0)
        return -1;
    if (!a->options->check || a->options->check(s->fd, a->options->check_data, err) == 0)
        return 0;
    stream_close(s);
    return -1;
}

/* Connects, and speaks in one way. */
static int try_as(rpyc_conn **out, const struct attempt *a, struct envelope *env,
                  struct rpyc_error *err)
{
    struct stream s;

    if (open_checked(&s, a, err) < 0)
        return -1;
    if (a->options->tls && tls_connect(&s, a->options->tls, a->to->host, a->deadline, err) < 0) {
        stream_close(&s);
        return explain(a->to, err);
    }
    if (speak(out, &s, env, a->options, a->deadline, err) < 0)
        return explain(a->to, err);
    return 0;
}

/* Whether a guess has brought out that the other side speaks otherwise. */
static bool learnt(const struct envelope *env)
{
    return env->generation == RPYC_GENERATION_5 ||
           (env->generation == RPYC_GENERATION_6 && env->bound);
}

/* Speaks as the other side does, found out by a guess and, where that was wrong, once more. */
static int find_out(rpyc_conn **out, const struct attempt *a, struct rpyc_error *err)
{
    struct envelope env = {0};

    if (try_as(out, a, &env, err) == 0)
        return 0;
    if (!learnt(&env))
        return -1;
    rpyc_error_clear(err);
    return try_as(out, a, &env, err);
}

/* As it was remembered; where another server has taken its place since, as is found out. */
static int try_remembered(rpyc_conn **out, const struct attempt *a, struct rpyc_error *err)
{
    const struct rpyc_dialect *known = a->options->remembered;
    struct envelope env = {known->generation, known->bind_threads};

    if (try_as(out, a, &env, err) == 0)
        return 0;
    if (err->code != RPYC_ECLOSED && err->code != RPYC_EPROTOCOL)
        return -1;
    rpyc_error_clear(err);
    return find_out(out, a, err);
}

static int try_all(rpyc_conn **out, const struct attempt *a, struct rpyc_error *err)
{
    struct rpyc_dialect *remembered = a->options->remembered;
    struct envelope env = {a->options->generation, a->options->bind_threads};
    int result;

    if (env.generation != RPYC_GENERATION_AUTO)
        return try_as(out, a, &env, err);
    if (remembered && remembered->generation != RPYC_GENERATION_AUTO)
        result = try_remembered(out, a, err);
    else
        result = find_out(out, a, err);
    if (result == 0 && remembered)
        *remembered = rpyc_conn_dialect(*out);
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

int rpyc_connect_fd(rpyc_conn **out, int fd, const struct rpyc_options *options,
                    struct rpyc_error *err)
{
    struct envelope env;
    deadline_t deadline;
    struct stream s;

    stream_open(&s, fd);
    if (!options || options->generation == RPYC_GENERATION_AUTO) {
        stream_close(&s);
        return error_set(err, RPYC_EINVAL, "a socket that is connected already needs a generation");
    }
    deadline = deadline_in(timeout_or(options->connect_timeout_ms, CONNECT_TIMEOUT_MS));
    if (options->tls && tls_connect(&s, options->tls, NULL, deadline, err) < 0) {
        stream_close(&s);
        return -1;
    }
    env = (struct envelope){options->generation, options->bind_threads};
    return speak(out, &s, &env, options, deadline, err);
}
