/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/explain.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect/connect.h"
#include "set_error.h"
#include "connect/find.h"
#include "connect/dial.h"
#include "connect/probe.h"
#include "connect/sockets.h"
#include "connect/state.h"
#include "connect/tls_files.h"
#include "user.h"

#define WHERE_SIZE 128
#define PLAIN_MS   2000

/* The advice to the user for an address that is wrong. */
#define SEE_LIST "run pystuck --list to see the servers of this machine"

/* The facts about a connection that failed. */
struct failure {
    const struct options *options;
    const struct address *address;
    const struct server
        *server; /* the pystuck server that listens at the address; NULL: none found */
    char where[WHERE_SIZE];
    struct rpyc_error *err;
};

static struct user_name me(void)
{
    return user_name(geteuid());
}

/* True if a server of this user does not admit the client's user. */
static bool is_stranger_to(uid_t user)
{
    return user != SOCKETS_NO_USER && geteuid() != 0 && geteuid() != user;
}

/* ---- No server answers ----------------------------------------------------------------------- */

/* Returns the user of the server. If the server is not known, returns the owner of the Unix
 * socket's file, or SOCKETS_NO_USER if this owner is not known either. */
static uid_t owner_of_file(const struct failure *c)
{
    struct stat st;

    if (c->server)
        return c->server->user;
    return stat(c->address->path, &st) == 0 ? st.st_uid : SOCKETS_NO_USER;
}

/* Explains that the user is not allowed to connect to the Unix socket. */
static void say_denied(struct failure *c)
{
    uid_t owner = owner_of_file(c);

    if (!is_stranger_to(owner))
        set_error(c->err, RPYC_ECLOSED, "%s: permission denied for %s", c->where, me().text);
    else
        set_error(c->err, RPYC_ECLOSED,
                  "%s: only the program's user (%s) and root may connect, and you are %s", c->where,
                  user_name(owner).text, me().text);
}

/* Explains that nothing listens on the Unix socket. */
static void say_not_listening(struct failure *c)
{
    struct stat st;

    if (c->address->path[0] == '@')
        set_error(c->err, RPYC_ESYSTEM, "nothing listens on %s: " SEE_LIST, c->where);
    else if (stat(c->address->path, &st) < 0 || S_ISSOCK(st.st_mode))
        set_error(c->err, RPYC_ESYSTEM,
                  "nothing listens on %s: the program that created this socket has ended",
                  c->where);
    else
        set_error(c->err, RPYC_ESYSTEM, "%s is not a socket", c->where);
}

/* Explains that the server's queue of waiting connections is full. */
static void say_full(struct failure *c)
{
    const struct server *s = c->server;
    char state[STATE_TEXT_SIZE] = "";

    if (s)
        state_describe(s, state);
    if (s)
        set_error(c->err, RPYC_ESYSTEM, "%s accepts no more connections: process %d (%.*s) %s",
                  c->where, (int)s->pid, find_brief(s->command), s->command, state);
    else
        set_error(
            c->err, RPYC_ESYSTEM,
            "%s accepts no more connections: the program does not accept those that are waiting",
            c->where);
}

/* True if a TCP socket of this machine listens at the address and its queue of waiting connections
 * is full. */
static bool is_full(const struct failure *c)
{
    struct state_queue queue;

    return state_queue_at(c->address, &queue) && queue.waiting > queue.most;
}

static enum explanation explain_unix(struct failure *c)
{
    switch (c->err->sys_errno) {
    case ENOENT:
    case ENOTDIR:
        set_error(c->err, RPYC_ESYSTEM, "there is no socket %s: " SEE_LIST, c->where);
        break;
    case ECONNREFUSED:
        say_not_listening(c);
        break;
    case EPROTOTYPE:
        set_error(c->err, RPYC_ESYSTEM, "%s is not a stream socket, so it is not a pystuck server",
                  c->where);
        break;
    case ETIMEDOUT:
        say_full(c);
        return EXPLAIN_REFUSED;
    case EACCES:
    case EPERM:
        say_denied(c);
        return EXPLAIN_REFUSED;
    default:
        break;
    }
    return EXPLAIN_USAGE;
}

/* Explains that nothing listens on the TCP port. */
static void say_port_unused(struct failure *c)
{
    const char *advice = ": run pystuck --list on that machine to see its servers";

    set_error(c->err, RPYC_ESYSTEM, "nothing listens on %s%s", c->where,
              c->options->somewhere ? advice : "");
}

static enum explanation explain_tcp(struct failure *c)
{
    int why = c->err->sys_errno;

    switch (why) {
    case ECONNREFUSED:
        say_port_unused(c);
        return c->options->somewhere ? EXPLAIN_USAGE : EXPLAIN_NO_SERVER;
    case ETIMEDOUT:
        if (c->server || is_full(c)) {
            say_full(c);
            return EXPLAIN_REFUSED;
        }
        set_error(c->err, RPYC_ESYSTEM,
                  "%s does not answer: the machine is off, or a firewall blocks the connection",
                  c->where);
        break;
    case EHOSTUNREACH:
    case ENETUNREACH:
        set_error(c->err, RPYC_ESYSTEM, "cannot reach %s: %s", c->where, strerror(why));
        break;
    default:
        break;
    }
    return EXPLAIN_USAGE;
}

/* ---- A server answers ------------------------------------------------------------------------ */

static void say_something_else(struct failure *c, const char *what)
{
    set_error(c->err, RPYC_EPROTOCOL, "%s is not a pystuck server: %s", c->where, what);
}

/* Returns the user of the socket that listens at the address. SOCKETS_NO_USER: not known. */
static uid_t owner_of(const struct failure *c)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *a;
    uid_t owner = SOCKETS_NO_USER;
    struct sockets sockets;

    if (c->address->path || c->server)
        return owner_of_file(c);
    if (getaddrinfo(c->address->host, c->address->port, &hints, &list) != 0)
        return SOCKETS_NO_USER;
    sockets_read_own(&sockets);
    for (a = list; a; a = a->ai_next)
        for (size_t i = 0; i < sockets.count && owner == SOCKETS_NO_USER; i++)
            if (sockets_is_at(&sockets.all[i].address, a->ai_addr))
                owner = sockets.all[i].user;
    sockets_free(&sockets);
    freeaddrinfo(list);
    return owner;
}

/* Explains why the server closed the connection before its first answer. */
static void say_closed(struct failure *c)
{
    const struct server *s = c->server;
    uid_t owner = owner_of(c);

    if (is_stranger_to(owner))
        set_error(
            c->err, RPYC_ECLOSED,
            "%s closed the connection: only the program's user (%s) and root may connect, and "
            "you are %s",
            c->where, user_name(owner).text, me().text);
    else if (s)
        set_error(
            c->err, RPYC_ECLOSED,
            "%s closed the connection: process %d (%.*s) has too many clients, or has groups or "
            "capabilities that you lack, or the server's authenticator refused you",
            c->where, (int)s->pid, find_brief(s->command), s->command);
    else
        set_error(c->err, RPYC_ECLOSED,
                  "%s closed the connection: it is not a pystuck server, or only root and the "
                  "server's user may connect",
                  c->where);
}

/* Explains that the server serves only one connection. The client used the first connection to find
 * out the server's version of rpyc. The server did not serve the second connection. */
static void say_one_shot(struct failure *c)
{
    const struct rpyc_envelope *found = c->options->found;
    const char *bound = found->bind_threads ? "-bound" : "";
    int generation = (int)found->generation;

    set_error(
        c->err, RPYC_EGENERATION,
        "%s speaks rpyc %d%s, but served only one connection: if it is a OneShotServer, start "
        "the server again and run pystuck with --rpyc %d%s",
        c->where, generation, found->bind_threads ? " with bind-threads" : "", generation, bound);
}

/* Explains that the server does not speak the version that --rpyc names. */
static void say_other_version(struct failure *c)
{
    set_error(c->err, c->err->code,
              "%s does not answer like rpyc %s: run pystuck without --rpyc to detect the version",
              c->where, c->options->version);
}

/* Explains that the server accepted the connection, but does not answer. */
static void say_silent(struct failure *c)
{
    const struct server *s = c->server;
    char state[STATE_TEXT_SIZE];

    /* The version is known, so the server answered an earlier connection. */
    if (!s && c->options->found->generation != RPYC_GENERATION_AUTO)
        set_error(c->err, RPYC_ETIMEOUT,
                  "no answer in time from %s: the server serves another client, or its program is "
                  "stopped",
                  c->where);
    else if (!s)
        set_error(
            c->err, RPYC_ETIMEOUT,
            "no answer in time from %s: it is not a pystuck server, or the program is stopped",
            c->where);
    else {
        state_describe(s, state);
        set_error(c->err, RPYC_ETIMEOUT, "no answer from %s: process %d (%.*s) %s", c->where,
                  (int)s->pid, find_brief(s->command), s->command, state);
    }
}

/* Explains why connecting to a server that speaks TLS failed. */
static void say_tls(struct failure *c)
{
    const struct options *o = c->options;

    if (!o->ssl)
        set_error(c->err, RPYC_EPROTOCOL,
                  "%s requires TLS: pass --ssl-ca FILE with the certificate of its CA, or --ssl if "
                  "this system trusts that CA",
                  c->where);
    else if (c->err->code == RPYC_ETIMEOUT)
        say_silent(c);
    else if (c->err->code != RPYC_ECLOSED)
        say_something_else(c, "it speaks TLS, but not RPyC");
    else if (o->tls.cert_file)
        set_error(
            c->err, RPYC_ECLOSED,
            "%s closed the connection: it does not accept the certificate %s, or has too many "
            "clients",
            c->where, o->tls.cert_file);
    else
        set_error(c->err, RPYC_ECLOSED,
                  "%s closed the connection: it requires a client certificate (pass --ssl-cert and "
                  "--ssl-key), or has too many clients",
                  c->where);
}

/* True if an RPyC server without TLS listens at the address. Connects once more to find out. */
static bool speaks_plainly(const struct failure *c)
{
    const struct rpyc_options how = {.connect_timeout_ms = PLAIN_MS};
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    bool result = dial_server(&conn, c->address, &how, &err) == 0;

    rpyc_close(conn);
    rpyc_error_clear(&err);
    return result;
}

static enum explanation explain_answer(struct failure *c)
{
    enum rpyc_errcode code = c->err->code;
    enum spoken spoken;

    if (code == RPYC_ETIMEOUT && c->server) { /* a pystuck server answers both with TLS and without
                                               * it, so TLS is not the cause */
        say_silent(c);
        return EXPLAIN_REFUSED;
    }
    spoken = probe(c->address);
    if (c->options->ssl && (spoken == SPOKEN_NOTHING || spoken == SPOKEN_CLOSED) &&
        speaks_plainly(c)) {
        set_error(c->err, RPYC_EPROTOCOL, "%s does not use TLS: run pystuck without --ssl",
                  c->where);
        return EXPLAIN_REFUSED;
    }
    switch (spoken) {
    case SPOKEN_TLS:
        say_tls(c);
        break;
    case SPOKEN_HTTP:
        say_something_else(c, "it is an HTTP server");
        break;
    case SPOKEN_SSH:
        say_something_else(c, "it is an SSH server");
        break;
    case SPOKEN_NOTHING:
    case SPOKEN_CLOSED:
        if (code == RPYC_ECLOSED)
            say_closed(c);
        else if (code == RPYC_ETIMEOUT)
            say_silent(c);
        else
            say_something_else(c, "it does not speak RPyC");
        break;
    case SPOKEN_OTHER:
        say_something_else(c, "it does not speak RPyC");
        break;
    }
    return EXPLAIN_REFUSED;
}

/* ---- The entry point ------------------------------------------------------------------------- */

static enum explanation explain(struct failure *c)
{
    address_describe(c->where, sizeof(c->where), c->address);
    if (c->err->code == RPYC_EGENERATION) {
        say_one_shot(c);
        return EXPLAIN_REFUSED;
    }
    if (c->options->version && c->options->found->generation == RPYC_GENERATION_AUTO &&
        (c->err->code == RPYC_EPROTOCOL || (c->err->code == RPYC_ETIMEOUT && !c->server))) {
        say_other_version(c);
        return EXPLAIN_REFUSED;
    }
    if (c->err->code == RPYC_ESYSTEM)
        return c->address->path ? explain_unix(c) : explain_tcp(c);
    if (c->err->code != RPYC_ETLS)
        return explain_answer(c);
    switch (tls_files_explain(c->options, c->where, c->err)) {
    case TLS_FILES_REFUSED:
        return EXPLAIN_REFUSED;
    case TLS_FILES_USAGE:
        return EXPLAIN_USAGE;
    case TLS_FILES_UNCLEAR:
        break;
    }
    return explain_answer(c);
}

/* Explains why no server of a process could be reached. If the process has several servers, *err is
 * the error of the last connection that was tried. */
static enum explanation explain_process(const struct options *options, struct rpyc_error *err)
{
    struct failure c = {.options = options, .err = err};
    enum explanation result = EXPLAIN_USAGE;
    struct address_text text;
    struct servers found;
    struct address address;

    if (find_of_process(&found, options->pid, err) == 0) {
        for (size_t i = 0; i < found.count; i++)
            if (found.all[i].has_address)
                c.server = &found.all[i];
        find_address(&address, &text, c.server);
        address.trust = &options->trust;
        c.address = &address;
        result = explain(&c);
    }
    find_free(&found);
    return result;
}

static enum explanation explain_address(const struct options *options, struct rpyc_error *err)
{
    struct address address = connect_address(options);
    struct failure c = {.options = options, .address = &address, .err = err};
    enum explanation result;
    struct servers found = {0};

    if (err->code != RPYC_ESYSTEM || err->sys_errno == ETIMEDOUT) /* it may be a pystuck server */
        find_likely(&found);
    c.server = find_at(&found, &address);
    result = explain(&c);
    find_free(&found);
    return result;
}

enum explanation explain_failure(const struct options *options, struct rpyc_error *err)
{
    switch (err->code) {
    case RPYC_EINVAL:
    case RPYC_ERESOLVE:
        return EXPLAIN_USAGE;
    case RPYC_ESYSTEM:
    case RPYC_ECLOSED:
    case RPYC_ETIMEOUT:
    case RPYC_EPROTOCOL:
    case RPYC_ETLS:
    case RPYC_EGENERATION:
        return options->pid ? explain_process(options, err) : explain_address(options, err);
    default:
        return EXPLAIN_OTHER;
    }
}
