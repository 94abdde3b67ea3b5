/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sends requests to a server, with the public API of librpyc:
 *
 *     requests TARGET KIND [DIRECTORY]
 *
 * TARGET is a port of 127.0.0.1 or the path of a Unix socket. KIND is a name in the table below.
 * DIRECTORY: pystuck-keys has written it; the client uses TLS with its files.
 * See rounds.h for its input.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpyc.h>

#include "rounds.h"

enum { CONNECTIONS = 16, DEPTH = 32, HELD_MAX = 1 << 20 };

struct client {
    rpyc_conn *conn;
    rpyc_value *module;   /* the server's __main__ */
    rpyc_value *function; /* __main__.function */
};

struct bench {
    const char *target;
    const char *keys; /* the directory with the files for TLS; NULL: no TLS */
    struct client clients[CONNECTIONS];
    size_t connected;
    rpyc_value **held; /* objects of the server, for hold and give_back */
    size_t held_count;
};

static void check(int status, const char *what, const struct rpyc_error *err)
{
    if (status == 0)
        return;
    fprintf(stderr, "requests: %s: %s\n", what, err->text);
    exit(1);
}

static void connect_one(const struct bench *b, struct client *client)
{
    char ca[256], cert[256], key[256];
    struct rpyc_tls tls = {.size = sizeof(tls),
                           .ca_file = ca,
                           .cert_file = cert,
                           .key_file = key,
                           .server_name = "localhost"};
    /* With a fixed envelope librpyc never connects twice, also if the server is slow. */
    struct rpyc_options options = {.size = sizeof(options), .generation = RPYC_GENERATION_5};
    struct rpyc_error err = RPYC_ERROR_INIT;

    if (b->keys) {
        snprintf(ca, sizeof(ca), "%s/ca.pem", b->keys);
        snprintf(cert, sizeof(cert), "%s/client.pem", b->keys);
        snprintf(key, sizeof(key), "%s/client.key", b->keys);
        options.tls = &tls;
    }
    if (isdigit((unsigned char)b->target[0]))
        check(rpyc_connect_tcp(&client->conn, "127.0.0.1", b->target, &options, &err), "connect",
              &err);
    else
        check(rpyc_connect_unix(&client->conn, b->target, &options, &err), "connect", &err);
    check(rpyc_module(client->conn, "__main__", &client->module, &err), "__main__", &err);
    check(rpyc_getattr(client->module, "function", &client->function, &err), "function", &err);
}

static void disconnect(struct client *client)
{
    rpyc_unref(client->function);
    rpyc_unref(client->module);
    rpyc_close(client->conn);
}

static void get_attributes(struct bench *b, const char *name, size_t count)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *value;

    for (size_t i = 0; i < count; i++) {
        check(rpyc_getattr(b->clients[0].module, name, &value, &err), name, &err);
        rpyc_unref(value);
    }
}

/* ---- Kinds ----------------------------------------------------------------------------------- */

static void get_number(struct bench *b, size_t count)
{
    get_attributes(b, "number", count);
}

static void get_random(struct bench *b, size_t count)
{
    get_attributes(b, "random_bytes", count);
}

static void get_text(struct bench *b, size_t count)
{
    get_attributes(b, "text", count);
}

static void call(struct bench *b, size_t count)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *value;

    for (size_t i = 0; i < count; i++) {
        check(rpyc_call(b->clients[0].function, &value, &err, "i", 1), "call", &err);
        rpyc_unref(value);
    }
}

/* Sends DEPTH requests on each connection, then waits for their replies. */
static void pipeline_once(struct bench *b)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_pending *pending[CONNECTIONS][DEPTH];
    rpyc_value *value;

    for (size_t i = 0; i < b->connected; i++) {
        for (size_t j = 0; j < DEPTH; j++)
            check(rpyc_start_getattr(b->clients[i].module, "number", &pending[i][j], &err), "send",
                  &err);
    }
    for (size_t i = 0; i < b->connected; i++) {
        for (size_t j = 0; j < DEPTH; j++) {
            check(rpyc_pending_wait(pending[i][j], 0, &value, &err), "wait", &err);
            rpyc_unref(value);
            rpyc_pending_free(pending[i][j]);
        }
    }
}

static void pipeline(struct bench *b, size_t count)
{
    for (size_t sent = 0; sent < count; sent += b->connected * DEPTH)
        pipeline_once(b);
}

/* Makes objects in the server and keeps them there. */
static void hold(struct bench *b, size_t count)
{
    struct rpyc_error err = RPYC_ERROR_INIT;

    for (size_t i = 0; i < count && b->held_count < HELD_MAX; i++)
        check(rpyc_callattr(b->clients[0].module, "Held", &b->held[b->held_count++], &err, ""),
              "Held", &err);
}

/* Gives the objects of hold() back. The getattr makes the server answer after it has got them. */
static void give_back(struct bench *b, size_t count)
{
    while (count-- > 0 && b->held_count > 0)
        rpyc_unref(b->held[--b->held_count]);
    get_number(b, 1);
}

static void connect_and_ping(struct bench *b, size_t count)
{
    struct rpyc_error err = RPYC_ERROR_INIT;
    struct client client;

    for (size_t i = 0; i < count; i++) {
        connect_one(b, &client);
        check(rpyc_ping(client.conn, "ping", 4, &err), "ping", &err);
        disconnect(&client);
    }
}

static const struct kind {
    const char *name;
    void (*run)(struct bench *b, size_t count);
    void (*also)(struct bench *b, size_t count); /* runs after run; is timed alone. May be NULL */
    size_t connections;
} kinds[] = {
    {"getattr", get_number, NULL, 1},       {"call", call, NULL, 1},
    {"bytes", get_random, NULL, 1},         {"text", get_text, NULL, 1},
    {"pipeline", pipeline, NULL, 16},       {"hold", hold, give_back, 1},
    {"connect", connect_and_ping, NULL, 0},
};

/* ---- Rounds ---------------------------------------------------------------------------------- */

/* What the rounds do. */
struct task {
    const struct kind *kind;
    struct bench *bench;
};

static void run_kind(void *arg, size_t count)
{
    const struct task *t = arg;

    t->kind->run(t->bench, count);
}

static void run_also(void *arg, size_t count)
{
    const struct task *t = arg;

    t->kind->also(t->bench, count);
}

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct kind *kind = argc == 3 || argc == 4 ? find_kind(argv[2]) : NULL;
    struct bench b = {.target = argv[1], .keys = argc == 4 ? argv[3] : NULL};
    struct task task = {kind, &b};

    if (!kind) {
        fprintf(stderr, "usage: %s TARGET KIND [DIRECTORY]\n", argv[0]);
        return 2;
    }
    b.held = calloc(HELD_MAX, sizeof(*b.held));
    if (!b.held)
        return 1;
    for (; b.connected < kind->connections; b.connected++)
        connect_one(&b, &b.clients[b.connected]);
    answer_rounds(run_kind, kind->also ? run_also : NULL, &task);
    while (b.connected > 0)
        disconnect(&b.clients[--b.connected]);
    free(b.held);
    return 0;
}
