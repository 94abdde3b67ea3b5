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
#include "process.h"
#include "connect/sockets.h"
#include "connect/tls_files.h"
#include "user.h"

#define WHERE_SIZE 128
#define PLAIN_MS   2000

/* Of what is known while a sentence is made. */
struct case_of {
    const struct options *options;
    const struct address *address;
    const struct server *server; /* ours that listens there; NULL: none that could be found */
    char where[WHERE_SIZE];
    struct rpyc_error *err;
};

static struct user_name me(void)
{
    return user_name(geteuid());
}

/* Whether a server that belongs to that user lets others in than us. */
static bool is_stranger_to(uid_t user)
{
    return user != SOCKETS_NO_USER && geteuid() != 0 && geteuid() != user;
}

/* ---- Nobody answers -------------------------------------------------------------------------- */

/* Whose a Unix socket is; SOCKETS_NO_USER: not known. */
static uid_t owner_of_file(const struct case_of *c)
{
    struct stat st;

    if (c->server)
        return c->server->user;
    return stat(c->address->path, &st) == 0 ? st.st_uid : SOCKETS_NO_USER;
}

/* A Unix socket that we may not connect to. */
static void say_denied(struct case_of *c)
{
    uid_t owner = owner_of_file(c);

    if (!is_stranger_to(owner))
        set_error(c->err, RPYC_ECLOSED, "%s: permission denied to you, %s", c->where, me().text);
    else
        set_error(c->err, RPYC_ECLOSED,
                  "%s: only the program's own user (%s) or root may connect, and you are %s",
                  c->where, user_name(owner).text, me().text);
}

/* Nobody has a Unix socket of that name open. */
static enum explanation say_deserted(struct case_of *c)
{
    struct stat st;

    if (c->address->path[0] == '@')
        set_error(c->err, RPYC_ESYSTEM, "nothing listens on %s", c->where);
    else if (stat(c->address->path, &st) < 0 || S_ISSOCK(st.st_mode))
        set_error(c->err, RPYC_ESYSTEM,
                  "nothing listens on %s any more: the program that made it has ended", c->where);
    else {
        set_error(c->err, RPYC_ESYSTEM, "%s is not a socket", c->where);
        return EXPLAIN_MISTAKEN;
    }
    return EXPLAIN_NOBODY;
}

static enum explanation explain_unix(struct case_of *c)
{
    switch (c->err->sys_errno) {
    case ENOENT:
    case ENOTDIR:
        set_error(c->err, RPYC_ESYSTEM, "there is no socket %s", c->where);
        break;
    case ECONNREFUSED:
        return say_deserted(c);
    case EPROTOTYPE:
        set_error(c->err, RPYC_ESYSTEM, "%s is a socket for something else: not a stream",
                  c->where);
        return EXPLAIN_MISTAKEN;
    case ETIMEDOUT:
        set_error(c->err, RPYC_ESYSTEM,
                  "%s takes no more connections: the program is stopped, or has too many",
                  c->where);
        return EXPLAIN_SOMEBODY;
    case EACCES:
    case EPERM:
        say_denied(c);
        return EXPLAIN_SOMEBODY;
    default:
        break;
    }
    return EXPLAIN_NOBODY;
}

static enum explanation explain_tcp(struct case_of *c)
{
    int why = c->err->sys_errno;

    switch (why) {
    case ECONNREFUSED:
        set_error(c->err, RPYC_ESYSTEM, "nothing listens on %s", c->where);
        return EXPLAIN_NOBODY;
    case ETIMEDOUT:
        set_error(c->err, RPYC_ESYSTEM,
                  "%s does not answer: the machine is off, or a firewall is in between", c->where);
        break;
    case EHOSTUNREACH:
    case ENETUNREACH:
        set_error(c->err, RPYC_ESYSTEM, "%s cannot be reached from here: %s", c->where,
                  strerror(why));
        break;
    default:
        break;
    }
    return EXPLAIN_MISTAKEN;
}

/* ---- Somebody is there ----------------------------------------------------------------------- */

static void say_something_else(struct case_of *c, const char *what)
{
    set_error(c->err, RPYC_EPROTOCOL, "something else listens on %s: %s, not a pystuck server",
              c->where, what);
}

/* Who owns the socket that is listened on there; SOCKETS_NO_USER: not known. */
static uid_t owner_of(const struct case_of *c)
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

/* It hangs up before the first answer. */
static void say_hung_up(struct case_of *c)
{
    const struct server *s = c->server;
    uid_t owner = owner_of(c);

    if (is_stranger_to(owner))
        set_error(c->err, RPYC_ECLOSED,
                  "%s hung up: only the program's own user (%s) or root may connect, and you are "
                  "%s",
                  c->where, user_name(owner).text, me().text);
    else if (s)
        set_error(c->err, RPYC_ECLOSED,
                  "%s hung up: process %d (%.*s) has too many clients, groups or capabilities that "
                  "you lack, or an authenticator that refuses you",
                  c->where, (int)s->pid, find_brief(s->command), s->command);
    else
        set_error(c->err, RPYC_ECLOSED,
                  "%s hung up: something else listens there, or it lets nobody in but its own "
                  "user and root",
                  c->where);
}

/* It said which rpyc it speaks, by closing the first connection, and did not serve a second one. */
static void say_one_shot(struct case_of *c)
{
    const struct rpyc_dialect *found = c->options->found;
    const char *bound = found->bind_threads ? "-bound" : "";
    int generation = (int)found->generation;

    set_error(c->err, RPYC_EGENERATION,
              "%s speaks rpyc %d%s, closed the connection and serves no second one: if it is a "
              "one-shot server, start it again and use --rpyc %d%s",
              c->where, generation, found->bind_threads ? " with bind-threads" : "", generation,
              bound);
}

/* It does not answer as --rpyc says. */
static void say_other_version(struct case_of *c)
{
    set_error(c->err, c->err->code,
              "%s does not answer as rpyc %s: leave out --rpyc, and pystuck finds out the version",
              c->where, c->options->version);
}

/* It accepts, and that is all. */
static void say_silent(struct case_of *c)
{
    const struct server *s = c->server;

    if (!s && c->options->found->generation != RPYC_GENERATION_AUTO) /* it has answered before */
        set_error(c->err, RPYC_ETIMEOUT,
                  "no answer in time from %s: it serves one client at a time, or the program is "
                  "stopped",
                  c->where);
    else if (!s)
        set_error(c->err, RPYC_ETIMEOUT,
                  "no answer in time from %s: something else listens there, or the program is "
                  "stopped",
                  c->where);
    else if (process_is_stopped(s->pid))
        set_error(c->err, RPYC_ETIMEOUT,
                  "no answer from %s: process %d (%.*s) is stopped, and 'kill -CONT %d' lets it "
                  "go on",
                  c->where, (int)s->pid, find_brief(s->command), s->command, (int)s->pid);
    else
        set_error(c->err, RPYC_ETIMEOUT,
                  "no answer in time from %s: process %d (%.*s) is very busy, or runs C code that "
                  "keeps Python's global lock (GIL)",
                  c->where, (int)s->pid, find_brief(s->command), s->command);
}

/* A TLS server, and we are not through with it. */
static void say_more_of_tls(struct case_of *c)
{
    const struct options *o = c->options;

    if (!o->ssl)
        set_error(c->err, RPYC_EPROTOCOL,
                  "%s wants TLS: give --ssl-ca FILE, with the CA of its certificate, or --ssl "
                  "where this system knows that",
                  c->where);
    else if (c->err->code == RPYC_ETIMEOUT)
        say_silent(c);
    else if (c->err->code != RPYC_ECLOSED)
        say_something_else(c, "it speaks TLS, but not RPyC");
    else if (o->tls.cert_file)
        set_error(c->err, RPYC_ECLOSED,
                  "%s hung up: it does not let in who shows the certificate %s, or has too many "
                  "clients",
                  c->where, o->tls.cert_file);
    else
        set_error(c->err, RPYC_ECLOSED,
                  "%s hung up: it does not let in who shows no certificate (--ssl-cert), or has "
                  "too many clients",
                  c->where);
}

/* Whether an RPyC server without TLS is there. */
static bool speaks_plainly(const struct case_of *c)
{
    const struct rpyc_options how = {.connect_timeout_ms = PLAIN_MS};
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    bool result = dial_server(&conn, c->address, &how, &err) == 0;

    rpyc_close(conn);
    rpyc_error_clear(&err);
    return result;
}

static enum explanation explain_somebody(struct case_of *c)
{
    enum rpyc_errcode code = c->err->code;
    enum spoken spoken;

    if (code == RPYC_ETIMEOUT &&
        c->server) { /* ours is not silent for the lack of TLS, or for TLS */
        say_silent(c);
        return EXPLAIN_SOMEBODY;
    }
    spoken = probe(c->address);
    if (c->options->ssl && (spoken == SPOKEN_NOTHING || spoken == SPOKEN_GOODBYE) &&
        speaks_plainly(c)) {
        set_error(c->err, RPYC_EPROTOCOL, "%s does not speak TLS: it is for pystuck without --ssl",
                  c->where);
        return EXPLAIN_SOMEBODY;
    }
    switch (spoken) {
    case SPOKEN_TLS:
        say_more_of_tls(c);
        break;
    case SPOKEN_HTTP:
        say_something_else(c, "an HTTP server");
        break;
    case SPOKEN_SSH:
        say_something_else(c, "an SSH server");
        break;
    case SPOKEN_NOTHING:
    case SPOKEN_GOODBYE:
        if (code == RPYC_ECLOSED)
            say_hung_up(c);
        else if (code == RPYC_ETIMEOUT)
            say_silent(c);
        else
            say_something_else(c, "it does not speak RPyC");
        break;
    case SPOKEN_ELSE:
        say_something_else(c, "it does not speak RPyC");
        break;
    }
    return EXPLAIN_SOMEBODY;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static enum explanation explain(struct case_of *c)
{
    address_describe(c->where, sizeof(c->where), c->address);
    if (c->err->code == RPYC_EGENERATION) {
        say_one_shot(c);
        return EXPLAIN_SOMEBODY;
    }
    if (c->options->version && c->options->found->generation == RPYC_GENERATION_AUTO &&
        (c->err->code == RPYC_EPROTOCOL || (c->err->code == RPYC_ETIMEOUT && !c->server))) {
        say_other_version(c);
        return EXPLAIN_SOMEBODY;
    }
    if (c->err->code == RPYC_ESYSTEM)
        return c->address->path ? explain_unix(c) : explain_tcp(c);
    if (c->err->code != RPYC_ETLS)
        return explain_somebody(c);
    switch (tls_files_explain(c->options, c->where, c->err)) {
    case TLS_FILES_REFUSED:
        return EXPLAIN_SOMEBODY;
    case TLS_FILES_MISTAKEN:
        return EXPLAIN_MISTAKEN;
    case TLS_FILES_UNCLEAR:
        break;
    }
    return explain_somebody(c);
}

/* Of a process with several servers, what is wrong with the last one: that is the error we have. */
static enum explanation explain_process(const struct options *options, struct rpyc_error *err)
{
    struct case_of c = {.options = options, .err = err};
    enum explanation diagnosis = EXPLAIN_MISTAKEN;
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
        diagnosis = explain(&c);
    }
    find_free(&found);
    return diagnosis;
}

static enum explanation explain_address(const struct options *options, struct rpyc_error *err)
{
    struct address address = connect_address(options);
    struct case_of c = {.options = options, .address = &address, .err = err};
    enum explanation diagnosis;
    struct servers found = {0};

    if (err->code != RPYC_ESYSTEM) /* somebody is there: it may be one of ours */
        find_likely(&found);
    c.server = find_at(&found, &address);
    diagnosis = explain(&c);
    find_free(&found);
    return diagnosis;
}

enum explanation explain_failure(const struct options *options, struct rpyc_error *err)
{
    switch (err->code) {
    case RPYC_EINVAL:
    case RPYC_ERESOLVE:
        return EXPLAIN_MISTAKEN;
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
