/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <sys/un.h>

static void note(struct played *p, const char *text)
{
    size_t len = strlen(p->heard);

    snprintf(p->heard + len, sizeof(p->heard) - len, "%s", text);
}

void step(struct server *s)
{
    atomic_fetch_add(&s->steps, 1);
}

static void wait_for_steps(struct server *s, int steps)
{
    while (atomic_load(&s->steps) < steps)
        usleep(1000);
}

static bool read_all(int fd, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&ready, 1, 10000) == 1 ? read(fd, bytes, len) : -1;

        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool hear(struct played *p)
{
    int fd = p->fd;
    uint8_t frame[256];
    char byte[3];
    size_t i;

    if (!read_all(fd, frame, 5) || load_u32(frame) > 200)
        return false;
    i = load_u32(frame);
    if (!read_all(fd, frame, i + 1))
        return false;
    for (size_t k = 0; k < i; k++) {
        snprintf(byte, sizeof(byte), "%02x", frame[k]);
        note(p, byte);
    }
    note(p, " ");
    return true;
}

static void put_frame(struct buffer *out, const char *hex, size_t digits)
{
    char text[512];

    snprintf(text, sizeof(text), "%.*s", (int)digits, hex);
    AUTO_BYTES payload = from_hex(text);
    buffer_put_u32(out, (uint32_t)payload.len);
    buffer_put_u8(out, 0);
    buffer_put(out, payload.data, payload.len);
    buffer_put_u8(out, '\n');
}

/* Sends an answer. It is not an error if the client has closed. */
static void answer(int fd, const char *script)
{
    AUTO_BUFFER out = BUFFER_INIT;

    if (script[0] == '!') {
        AUTO_BYTES raw = from_hex(script + 1);

        buffer_put(&out, raw.data, raw.len);
    } else {
        while (*script) {
            size_t digits = strcspn(script, "/");

            put_frame(&out, script, digits);
            script += digits + (script[digits] == '/');
        }
    }
    if (send(fd, out.data, out.len, MSG_NOSIGNAL) < 0)
        return;
}

static void play(void *arg)
{
    struct played *p = arg;
    const struct act *act = p->act;
    bool heard = false;
    size_t i;

    note(p, "[");
    if (act->greeting)
        answer(p->fd, act->greeting);
    for (i = 0; i < ANSWERS_MAX && act->answers[i] && hear(p); i++) {
        if (i == 0) {
            heard = true;
            step(p->server);
            wait_for_steps(p->server, act->after);
        }
        answer(p->fd, act->answers[i]);
    }
    while (!act->hangs_up && hear(p))
        if (!heard) {
            heard = true;
            step(p->server);
        }
    note(p, act->hangs_up ? "]" : "end]");
    close(p->fd);
    step(p->server);
}

static bool has_client(struct server *s)
{
    struct pollfd ready = {.fd = s->listener, .events = POLLIN};

    return poll(&ready, 1, 20000) == 1;
}

void run_server(void *arg)
{
    struct server *s = arg;
    size_t i, begun = 0;

    for (i = 0; i < s->count && has_client(s); i++, begun++) {
        s->played[i] = (struct played){.server = s, .act = &s->acts[i]};
        s->played[i].fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        if (s->stops_listening && i + 1 == s->count)
            shutdown(s->listener, SHUT_RDWR);
        thread_start(&s->played[i].thread, play, &s->played[i]);
    }
    for (i = 0; i < begun; i++) {
        thread_join(&s->played[i].thread);
        strncat(s->heard, s->played[i].heard, sizeof(s->heard) - strlen(s->heard) - 1);
    }
}

void server_listen_unix(struct server *s)
{
    static int count;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(s->name, sizeof(s->name), "@pystuck-test-%d-%d", (int)getpid(), count++);
    memcpy(address.sun_path + 1, s->name + 1, strlen(s->name + 1));
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(s->name))),
                     0);
    assert_int_equal(listen(s->listener, 8), 0);
}

void server_listen_tcp(struct server *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
    snprintf(s->port, sizeof(s->port), "%u", ntohs(in.sin_port));
}

void server_start(struct server *s, const struct act *acts, size_t count)
{
    *s = (struct server){.acts = acts, .count = count};
    server_listen_unix(s);
    thread_start(&s->thread, run_server, s);
}

/* A * in a pattern matches the rest of a payload: ids differ each time. */
static bool matches(const char *pattern, const char *text)
{
    if (*pattern == '*')
        return matches(pattern + 1, text) ||
               (isxdigit((unsigned char)*text) && matches(pattern, text + 1));
    return *pattern == *text && (*pattern == '\0' || matches(pattern + 1, text + 1));
}

void server_end(struct server *s, const char *heard)
{
    thread_join(&s->thread);
    close(s->listener);
    if (!matches(heard, s->heard))
        fail_msg("wanted %s\nheard  %s", heard, s->heard);
}

void assert_connected(rpyc_conn *conn, enum rpyc_generation generation)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *root = NULL;

    assert_int_equal(rpyc_conn_generation(conn), generation);
    assert_ok(rpyc_root(conn, &root, &err), &err);
    assert_string_equal(rpyc_class_name(root), "a.Root");
    rpyc_unref(root);
    rpyc_close(conn);
}

/* Starts a server with these acts, and connects to it. */
static rpyc_conn *connect_to(struct server *s, const struct act *acts, size_t count,
                             const struct rpyc_options *options)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    server_start(s, acts, count);
    assert_ok(rpyc_connect_unix(&conn, s->name, options, &err), &err);
    assert_int_equal(err.code, RPYC_OK);
    return conn;
}

void assert_connects(const struct act *acts, size_t count, enum rpyc_generation given,
                     enum rpyc_generation found, const char *heard)
{
    const struct rpyc_options options = {.generation = given};
    struct server s;

    assert_connected(connect_to(&s, acts, count, &options), found);
    server_end(&s, heard);
}

void assert_remembers(struct rpyc_envelope *remembered, const struct act *acts, size_t count,
                      enum rpyc_generation found, const char *heard)
{
    const struct rpyc_options options = {.remembered = remembered};
    struct server s;
    rpyc_conn *conn = connect_to(&s, acts, count, &options);

    assert_int_equal(rpyc_conn_envelope(conn).generation, remembered->generation);
    assert_int_equal(rpyc_conn_envelope(conn).bind_threads, remembered->bind_threads);
    assert_connected(conn, found);
    server_end(&s, heard);
}

/* Checks that connecting fails. The error's text contains "connected to @name, but" and a text. */
static void assert_fails(const struct act *acts, size_t count, const struct rpyc_options *options,
                         enum rpyc_errcode code, const char *text, const char *heard)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;
    char whole[256];

    server_start(&s, acts, count);
    assert_int_equal(rpyc_connect_unix(&conn, s.name, options, &err), -1);
    snprintf(whole, sizeof(whole), "connected to %s, but %s", s.name, text);
    assert_error(&err, code, whole);
    assert_null(conn);
    server_end(&s, heard);
}

void assert_connects_not(const struct act *acts, size_t count, int timeout_ms,
                         enum rpyc_generation given, enum rpyc_errcode code, const char *text,
                         const char *heard)
{
    const struct rpyc_options options = {.generation = given, .connect_timeout_ms = timeout_ms};

    assert_fails(acts, count, &options, code, text, heard);
}

void assert_no_answer(const struct act *acts, size_t count, const struct rpyc_options *options,
                      const char *heard)
{
    assert_fails(acts, count, options, RPYC_ETIMEOUT, "no answer in time", heard);
}
