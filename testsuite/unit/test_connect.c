/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connecting, and finding out the envelope, with servers that play scripts. doc/protocol.md,
 * "Finding out which", has what servers of each kind send.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "rpyc.h"

/* ---- A server by script ---------------------------------------------------------------------- */

#define ANSWERS_MAX 4
#define ACTS_MAX    4

/* What the server does on one connection. It sends frames: the hex of their payloads, with "/"
 * between them; or raw bytes, with "!" before the hex. */
struct act {
    const char *greeting;             /* sent first, or NULL */
    const char *answers[ANSWERS_MAX]; /* the n-th is sent after the n-th frame was received */
    bool hangs_up;                    /* closes at the end; else waits until the client closes */
    int after; /* the first answer waits for this number of steps: see step() */
};

/* One connection, which has its own thread. */
struct played {
    struct server *server;
    struct thread thread;
    const struct act *act;
    int fd;
    char heard[512]; /* in brackets: the payloads in hex, and "end" if the client closed */
};

struct server {
    struct thread thread;
    const struct act *acts;
    size_t count;
    struct played played[ACTS_MAX];
    atomic_int steps;
    int listener;
    bool stops_listening; /* closes the listening socket after all acts have started */
    char name[64];
    char port[8];
    char heard[2048]; /* what all connections received */
};

static void note(struct played *p, const char *text)
{
    size_t len = strlen(p->heard);

    snprintf(p->heard + len, sizeof(p->heard) - len, "%s", text);
}

/* Counts a connection that has received its first frame, or has ended. */
static void step(struct server *s)
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

static void run_server(void *arg)
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

static void server_listen_unix(struct server *s)
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

static void server_listen_tcp(struct server *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
    snprintf(s->port, sizeof(s->port), "%u", ntohs(in.sin_port));
}

static void server_start(struct server *s, const struct act *acts, size_t count)
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

/* Waits for the end of the script, and checks what the server received. */
static void server_end(struct server *s, const char *heard)
{
    thread_join(&s->thread);
    close(s->listener);
    if (!matches(heard, s->heard))
        fail_msg("wanted %s\nheard  %s", heard, s->heard);
}

#define ACTS(acts) acts, sizeof(acts) / sizeof(*(acts))

/* Payloads in hex, without spaces, as in struct played. */
#define GETROOT_6 "0111501153115102"
#define GETROOT_5 "1251501153115102"
#define CLOSE_6   "0111511152115102" /* the second request */
#define CLOSE_5   "1251511152115102"
#define ROOT_REF  "115412080e06612e526f6f745357"                /* ("a.Root", 3, 7) */
#define SERVICE   "115412080e0f6275696c74696e732e6f626a656374*" /* ("builtins.object", ...) */
#define THREADS   "00007f9b828ff6c00000000000000000"
#define ANSWER_6  "021150" ROOT_REF
#define ANSWER_5  "125250" ROOT_REF
#define GOODBYE_5 "1251501152115102" /* the first of the server's */
#define GOODBYE_6 "0111501152115102"

/* Checks that the connection works, and its generation. Then closes it. */
static void assert_connected(rpyc_conn *conn, enum rpyc_generation generation)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *root = NULL;

    assert_int_equal(rpyc_conn_generation(conn), generation);
    assert_ok(rpyc_root(conn, &root, &err), &err);
    assert_string_equal(rpyc_class_name(root), "a.Root");
    rpyc_unref(root);
    rpyc_close(conn);
}

/* Connects to a server that plays these acts. */
static void assert_connects(const struct act *acts, size_t count, enum rpyc_generation given,
                            enum rpyc_generation found, const char *heard)
{
    const struct rpyc_options options = {.generation = given};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, acts, count);
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_int_equal(err.code, RPYC_OK);
    assert_connected(conn, found);
    server_end(&s, heard);
}

/* Checks that connecting to a server that plays these acts fails. The error's text is "connected to
 * @name, but" and a text. */
static void assert_connects_not(const struct act *acts, size_t count, int timeout_ms,
                                enum rpyc_generation given, enum rpyc_errcode code,
                                const char *text, const char *heard)
{
    const struct rpyc_options options = {.generation = given, .connect_timeout_ms = timeout_ms};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;
    char whole[256];

    server_start(&s, acts, count);
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    snprintf(whole, sizeof(whole), "connected to %s, but %s", s.name, text);
    assert_error(&err, code, whole);
    assert_null(conn);
    server_end(&s, heard);
}

/* ---- Which generation ------------------------------------------------------------------------ */

TEST(a_server_of_generation_6_is_found_with_one_connection)
{
    const struct act acts[] = {{.answers = {ANSWER_6}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end]");
}

TEST(a_server_of_generation_5_is_found_with_a_second_connection)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}, .hangs_up = true}, {.answers = {ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]");
}

/* The first byte decides, without waiting for the end of file. */
TEST(a_server_that_says_goodbye_and_stays_is_hung_up_on)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}}, {.answers = {ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " end][" GETROOT_5 " " CLOSE_5 " end]");
}

TEST(a_server_with_bind_threads_is_found_with_a_second_connection)
{
    const struct {
        struct act acts[2];
        enum rpyc_generation generation;
        const char *getroot, *close;
    } cases[] = {
        {{{.answers = {THREADS GOODBYE_5}, .hangs_up = true}, {.answers = {THREADS ANSWER_5}}},
         RPYC_GENERATION_5,
         GETROOT_5,
         CLOSE_5},
        {{{.answers = {THREADS GOODBYE_6}}, {.answers = {THREADS ANSWER_6}}},
         RPYC_GENERATION_6,
         GETROOT_6,
         CLOSE_6},
    };
    char heard[512], threads[33];
    size_t i;

    snprintf(threads, sizeof(threads), "%016lx%016x", (unsigned long)pthread_self(), 0);
    for (i = 0; i < 2; i++) {
        snprintf(heard, sizeof(heard), "[%s%s][%s%s %s%s end]", GETROOT_6 " ",
                 cases[i].acts[0].hangs_up ? "" : "end", threads, cases[i].getroot, threads,
                 cases[i].close);
        assert_connects(cases[i].acts, 2, RPYC_GENERATION_AUTO, cases[i].generation, heard);
    }
}

TEST(a_symmetric_server_of_generation_6_asks_first)
{
    const struct act acts[] = {{.greeting = GETROOT_6, .answers = {"", ANSWER_6}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " 021150" SERVICE " " CLOSE_6 " end]");
}

TEST(a_symmetric_server_of_generation_5_asks_first)
{
    const struct act acts[] = {{.greeting = GETROOT_5, .answers = {""}, .hangs_up = true},
                               {.greeting = GETROOT_5, .answers = {"", ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " ][" GETROOT_5 " 125250" SERVICE " " CLOSE_5 " end]");
}

/* The server's first request shows its envelope. It gets no reply in another one. */
TEST(a_symmetric_server_of_another_kind_is_hung_up_on)
{
    const struct act five[] = {{.greeting = GETROOT_5}, {.answers = {ANSWER_5}}};
    const struct act bound[] = {{.greeting = THREADS GETROOT_6}, {.answers = {THREADS ANSWER_6}}};
    char heard[512], threads[33];

    assert_connects(ACTS(five), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " end][" GETROOT_5 " " CLOSE_5 " end]");
    snprintf(threads, sizeof(threads), "%016lx%016x", (unsigned long)pthread_self(), 0);
    snprintf(heard, sizeof(heard), "[%s end][%s%s %s%s end]", GETROOT_6, threads, GETROOT_6,
             threads, CLOSE_6);
    assert_connects(ACTS(bound), RPYC_GENERATION_AUTO, RPYC_GENERATION_6, heard);
}

TEST(a_symmetric_server_of_a_given_generation_is_answered)
{
    const struct act acts[] = {{.greeting = GETROOT_5, .answers = {"", ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_5, RPYC_GENERATION_5,
                    "[" GETROOT_5 " 125250" SERVICE " " CLOSE_5 " end]");
}

TEST(a_generation_that_is_given_is_not_guessed)
{
    const struct act five[] = {{.answers = {ANSWER_5}}};
    const struct act six[] = {{.answers = {ANSWER_6}}};

    assert_connects(ACTS(five), RPYC_GENERATION_5, RPYC_GENERATION_5,
                    "[" GETROOT_5 " " CLOSE_5 " end]");
    assert_connects(ACTS(six), RPYC_GENERATION_6, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end]");
}

TEST(a_generation_that_is_given_wrongly_is_an_error)
{
    const struct act five[] = {{.answers = {GOODBYE_5}, .hangs_up = true}};
    const struct act six[] = {{.answers = {GOODBYE_6}}};

    assert_connects_not(ACTS(five), 0, RPYC_GENERATION_6, RPYC_EPROTOCOL,
                        "the peer uses the protocol of rpyc 5, expected rpyc 6",
                        "[" GETROOT_6 " ]");
    assert_connects_not(ACTS(six), 0, RPYC_GENERATION_5, RPYC_EPROTOCOL,
                        "the peer uses the protocol of rpyc 6, expected rpyc 5",
                        "[" GETROOT_5 " end]");
}

/* ---- How a server was found to speak, remembered --------------------------------------------- */

/* Connects with a remembered envelope to a server that plays these acts. */
static void assert_remembers(struct rpyc_envelope *remembered, const struct act *acts, size_t count,
                             enum rpyc_generation found, const char *heard)
{
    const struct rpyc_options options = {.remembered = remembered};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, acts, count);
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_int_equal(err.code, RPYC_OK);
    assert_int_equal(rpyc_conn_envelope(conn).generation, remembered->generation);
    assert_int_equal(rpyc_conn_envelope(conn).bind_threads, remembered->bind_threads);
    assert_connected(conn, found);
    server_end(&s, heard);
}

TEST(what_was_found_is_remembered_and_tried_first)
{
    const struct act found[] = {{.answers = {GOODBYE_5}, .hangs_up = true},
                                {.answers = {ANSWER_5}}};
    const struct act known[] = {{.answers = {ANSWER_5}}};
    struct rpyc_envelope remembered = {0};

    assert_remembers(&remembered, ACTS(found), RPYC_GENERATION_5,
                     "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
    assert_false(remembered.bind_threads);
    assert_remembers(&remembered, ACTS(known), RPYC_GENERATION_5,
                     "[" GETROOT_5 " " CLOSE_5 " end]");
}

TEST(bind_threads_is_remembered_too)
{
    const struct act found[] = {{.answers = {THREADS GOODBYE_6}}, {.answers = {THREADS ANSWER_6}}};
    const struct act known[] = {{.answers = {THREADS ANSWER_6}}};
    struct rpyc_envelope remembered = {0};
    char heard[512], bound[256];

    snprintf(bound, sizeof(bound), "[%016lx%016x" GETROOT_6 " %016lx%016x" CLOSE_6 " end]",
             (unsigned long)pthread_self(), 0, (unsigned long)pthread_self(), 0);
    snprintf(heard, sizeof(heard), "[" GETROOT_6 " end]%s", bound);
    assert_remembers(&remembered, ACTS(found), RPYC_GENERATION_6, heard);
    assert_true(remembered.bind_threads);
    assert_remembers(&remembered, ACTS(known), RPYC_GENERATION_6, bound);
}

TEST(bind_threads_is_an_option_with_a_generation)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_5, .bind_threads = true};
    const struct act acts[] = {{.answers = {THREADS ANSWER_5}}};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;
    char heard[256];

    server_start(&s, ACTS(acts));
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_true(rpyc_conn_envelope(conn).bind_threads);
    assert_connected(conn, RPYC_GENERATION_5);
    snprintf(heard, sizeof(heard), "[%016lx%016x" GETROOT_5 " %016lx%016x" CLOSE_5 " end]",
             (unsigned long)pthread_self(), 0, (unsigned long)pthread_self(), 0);
    server_end(&s, heard);
}

TEST(another_server_in_the_place_of_the_remembered_one_is_found_out)
{
    const struct act acts[] = {{.answers = {GOODBYE_6}}, {.answers = {ANSWER_6}}};
    const struct act hangs_up[] = {{.answers = {""}, .hangs_up = true}, {.answers = {ANSWER_6}}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};

    assert_remembers(&remembered, ACTS(acts), RPYC_GENERATION_6,
                     "[" GETROOT_5 " end][" GETROOT_6 " " CLOSE_6 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_6);
    remembered.generation = RPYC_GENERATION_5;
    assert_remembers(&remembered, ACTS(hangs_up), RPYC_GENERATION_6,
                     "[" GETROOT_5 " ][" GETROOT_6 " " CLOSE_6 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_6);
}

TEST(what_is_remembered_stays_where_no_answer_comes)
{
    const struct act silent[] = {{0}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};
    const struct rpyc_options options = {.remembered = &remembered, .connect_timeout_ms = 40};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(silent));
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_5 " end]");
}

TEST(what_is_remembered_is_not_asked_where_a_generation_is_given)
{
    const struct act acts[] = {{.answers = {ANSWER_6}}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6,
                                         .remembered = &remembered};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(acts));
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_connected(conn, RPYC_GENERATION_6);
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_6 " " CLOSE_6 " end]");
}

/* ---- A request behind the one for the root --------------------------------------------------- */

#define EARLY_6             "01115111c011511052" /* handler 112 with the argument 2 */
#define EARLY_5             "12515111c011511052"
#define EARLY_ANSWER_6      "021151115157" /* 7 */
#define EARLY_ERROR_6       "0311511311080e086275696c74696e73080e084b65794572726f7202020801"
#define CLOSE_LATER_6       "0111521152115102"
#define THIRD_6             "01115211c011511052"
#define CLOSE_AFTER_THIRD_6 "0111531152115102"
#define CLOSE_LATER_5       "1251521152115102"

/* Connects with an early request. has_root: whether the root comes before connecting ends. */
static rpyc_conn *connect_early(struct server *s, const struct act *acts, size_t count,
                                bool has_root)
{
    struct rpyc_options options = {.early_handler = 112};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    assert_ok(rpyc_build(&options.early_args, &err, "(i)", 2), &err);
    server_start(s, acts, count);
    assert_ok(rpyc_connect_unix(&conn, s->name, &options, &err), &err);
    rpyc_unref(options.early_args);
    assert_int_equal(rpyc_has_root(conn), has_root);
    return conn;
}

static void assert_early_result(rpyc_conn *conn)
{
    rpyc_pending *early = rpyc_take_early(conn);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *result = NULL;
    int64_t number;

    assert_non_null(early);
    assert_null(rpyc_take_early(conn));
    assert_ok(rpyc_pending_wait(early, 0, &result, &err), &err);
    assert_ok(rpyc_int64(result, &number, &err), &err);
    assert_int_equal(number, 7);
    rpyc_unref(result);
    rpyc_pending_free(early);
}

/* Also: the client does not wait for the root before it sends the early request. */
TEST(an_early_request_is_sent_behind_the_one_for_the_root)
{
    const struct act acts[] = {{.answers = {"", ANSWER_6 "/" EARLY_ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), true);

    assert_early_result(conn);
    assert_connected(conn, RPYC_GENERATION_6);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " CLOSE_LATER_6 " end]");
}

TEST(an_early_request_may_be_answered_alone_and_the_root_later)
{
    const struct act acts[] = {{.answers = {"", EARLY_ANSWER_6, ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_pending *third = NULL;

    assert_early_result(conn);
    assert_int_equal(rpyc_await_root(conn, 1, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    rpyc_error_clear(&err);
    rpyc_set_timeout(conn, 1);
    assert_int_equal(rpyc_execute(conn, "pass", &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    rpyc_error_clear(&err);
    assert_ok(rpyc_start_request(conn, 112, &third, &err, "i", 2), &err);
    assert_ok(rpyc_await_root(conn, -1, &err), &err);
    assert_true(rpyc_has_root(conn));
    rpyc_pending_free(third);
    assert_connected(conn, RPYC_GENERATION_6);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " THIRD_6 " " CLOSE_AFTER_THIRD_6 " end]");
}

TEST(an_early_request_that_was_not_taken_ends_with_the_connection)
{
    const struct act acts[] = {{.answers = {"", EARLY_ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), false);

    rpyc_close(conn);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " CLOSE_LATER_6 " end]");
}

/* An exception alone says nothing: a server may refuse the request and still give its root. */
TEST(an_exception_for_an_early_request_is_not_the_end_of_connecting)
{
    const struct act acts[] = {{.answers = {"", EARLY_ERROR_6 "/" ANSWER_6}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), true);
    rpyc_pending *early = rpyc_take_early(conn);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_pending_wait(early, 0, NULL, &err), -1);
    assert_true(rpyc_error_is(&err, "KeyError"));
    rpyc_pending_free(early);
    assert_connected(conn, RPYC_GENERATION_6);
    server_end(&s, "[" GETROOT_6 " " EARLY_6 " " CLOSE_LATER_6 " end]");
}

/* The server may close before it has read the second request. */
TEST(an_early_request_is_sent_again_in_the_right_envelope)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}, .hangs_up = true},
                               {.answers = {"", ANSWER_5 "/12525111511557"}}};
    struct server s;
    rpyc_conn *conn = connect_early(&s, ACTS(acts), true);

    assert_connected(conn, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_6 " ][" GETROOT_5 " " EARLY_5 " " CLOSE_LATER_5 " end]");
}

TEST(connecting_fails_without_the_root_and_an_early_result)
{
    const struct act acts[] = {{.answers = {"", ""}}};
    const struct rpyc_options options = {.early_handler = 112, .connect_timeout_ms = 40};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(acts));
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    server_end(&s, "[" GETROOT_6 " 01115111c0115102 end]");
}

/* ---- Servers that are silent ----------------------------------------------------------------- */

TEST(a_silent_server_is_asked_in_the_other_envelope_on_a_second_connection)
{
    const struct act acts[] = {{0}, {.answers = {ANSWER_5}}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_5,
                    "[" GETROOT_6 " end][" GETROOT_5 " " CLOSE_5 " end]");
}

TEST(a_silent_server_is_asked_with_bind_threads_in_the_end)
{
    const struct act six[] = {{0}, {0}, {.answers = {THREADS ANSWER_6}}};
    const struct act five[] = {{0}, {0}, {0}, {.answers = {THREADS ANSWER_5}}};
    char heard[1024], threads[33];

    snprintf(threads, sizeof(threads), "%016lx%016x", (unsigned long)pthread_self(), 0);
    snprintf(heard, sizeof(heard),
             "[" GETROOT_6 " end][" GETROOT_5 " end][%s" GETROOT_6 " %s" CLOSE_6 " end]", threads,
             threads);
    assert_connects(ACTS(six), RPYC_GENERATION_AUTO, RPYC_GENERATION_6, heard);
    snprintf(heard, sizeof(heard),
             "[" GETROOT_6 " end][" GETROOT_5 " end][%s" GETROOT_6 " end][%s" GETROOT_5
             " %s" CLOSE_5 " end]",
             threads, threads, threads);
    assert_connects(ACTS(five), RPYC_GENERATION_AUTO, RPYC_GENERATION_5, heard);
}

TEST(a_busy_server_may_answer_on_the_first_connection_after_the_second_was_opened)
{
    const struct act acts[] = {{.answers = {ANSWER_6}, .after = 2}, {0}};

    assert_connects(ACTS(acts), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end][" GETROOT_5 " end]");
}

TEST(a_second_connection_that_ends_leaves_the_first_one)
{
    const struct act closes[] = {{.answers = {ANSWER_6}, .after = 3}, {.answers = {GOODBYE_6}}};
    const struct act ends[] = {{.answers = {ANSWER_6}, .after = 3},
                               {.answers = {""}, .hangs_up = true}};
    const char *stays = "[" GETROOT_6 " " CLOSE_6 " end][" GETROOT_5 " end]";

    assert_connects(ACTS(closes), RPYC_GENERATION_AUTO, RPYC_GENERATION_6, stays);
    assert_connects(ACTS(ends), RPYC_GENERATION_AUTO, RPYC_GENERATION_6,
                    "[" GETROOT_6 " " CLOSE_6 " end][" GETROOT_5 " ]");
}

/* The second envelope may be the right one. */
TEST(a_second_connection_outlives_the_first)
{
    const struct act ends[] = {{.answers = {""}, .after = 2, .hangs_up = true},
                               {.answers = {ANSWER_5}, .after = 3}};
    const struct act closes[] = {{.answers = {GOODBYE_5}, .after = 2, .hangs_up = true},
                                 {.answers = {ANSWER_5}, .after = 3}};
    const char *heard = "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]";

    assert_connects(ACTS(ends), RPYC_GENERATION_AUTO, RPYC_GENERATION_5, heard);
    assert_connects(ACTS(closes), RPYC_GENERATION_AUTO, RPYC_GENERATION_5, heard);
}

TEST(what_became_of_the_first_connection_is_the_error)
{
    const struct act acts[] = {{.answers = {""}, .after = 2, .hangs_up = true},
                               {.answers = {GOODBYE_6}, .after = 3, .hangs_up = true}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_ECLOSED, "the peer hung up",
                        "[" GETROOT_6 " ][" GETROOT_5 " ]");
}

/* An is_certain callback that is a step, for which the server's answer waits. */
struct hook {
    struct server *server;
    bool is_certain;
    int calls;
};

static bool call_hook(void *arg)
{
    struct hook *hook = arg;

    hook->calls++;
    step(hook->server);
    return hook->is_certain;
}

/* Connects to a server that answers after is_certain was called. Checks that it is called once. */
static void assert_asks_whether_it_is_certain(bool is_certain, bool stops_listening)
{
    const struct act acts[] = {{.answers = {ANSWER_6}, .after = 2}};
    struct server s = {.acts = acts, .count = 1, .stops_listening = stops_listening};
    struct hook hook = {.server = &s, .is_certain = is_certain};
    const struct rpyc_options options = {.is_certain = call_hook, .is_certain_arg = &hook};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    server_listen_unix(&s);
    thread_start(&s.thread, run_server, &s);
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_connected(conn, RPYC_GENERATION_6);
    assert_int_equal(hook.calls, 1);
    server_end(&s, "[" GETROOT_6 " " CLOSE_6 " end]");
}

TEST(a_second_connection_that_is_refused_leaves_the_first_one)
{
    assert_asks_whether_it_is_certain(false, true);
}

TEST(a_server_that_is_known_for_certain_is_waited_for_on_one_connection)
{
    assert_asks_whether_it_is_certain(true, false);
}

TEST(a_remembered_way_that_meets_silence_is_followed_by_the_others)
{
    const struct act acts[] = {{0}, {.answers = {ANSWER_6}}};
    struct rpyc_envelope remembered = {.generation = RPYC_GENERATION_5};

    assert_remembers(&remembered, ACTS(acts), RPYC_GENERATION_6,
                     "[" GETROOT_5 " end][" GETROOT_6 " " CLOSE_6 " end]");
    assert_int_equal(remembered.generation, RPYC_GENERATION_6);
}

TEST(a_server_that_is_silent_in_every_way_is_waited_for_until_the_deadline)
{
    const struct act acts[] = {{0}, {0}};
    struct rpyc_options options = {.connect_timeout_ms = 1000};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(acts));
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    assert_null(conn);
    server_end(&s, "[" GETROOT_6 " end][" GETROOT_5 " end]");
}

/* The server accepts one connection, and the guess is wrong. */
TEST(a_server_that_tells_its_generation_and_serves_no_more_is_an_error)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}, .hangs_up = true}};
    struct server s = {.acts = acts, .count = 1, .stops_listening = true};
    struct rpyc_envelope remembered = {0};
    const struct rpyc_options options = {.remembered = &remembered};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    server_listen_unix(&s);
    thread_start(&s.thread, run_server, &s);
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    assert_error(&err, RPYC_EGENERATION,
                 "the server speaks rpyc 5 and accepts no second connection (");
    assert_error(&err, RPYC_EGENERATION, "Connection refused): set the generation");
    assert_int_equal(remembered.generation, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_6 " ]");
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

TEST(a_server_that_hangs_up_is_an_error)
{
    const struct act acts[] = {{.hangs_up = true, .answers = {""}}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_ECLOSED, "the peer hung up",
                        "[" GETROOT_6 " ]");
}

TEST(a_server_that_hangs_up_in_the_middle_is_an_error)
{
    const struct act acts[] = {{.hangs_up = true, .answers = {"!0000000f000211"}}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL,
                        "the peer hung up in the middle of a message", "[" GETROOT_6 " ]");
}

TEST(a_server_that_hangs_up_the_second_time_is_an_error)
{
    const struct act acts[] = {{.hangs_up = true, .answers = {GOODBYE_5}},
                               {.hangs_up = true, .answers = {""}}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_EGENERATION,
                        "the peer hung up): set the generation",
                        "[" GETROOT_6 " ][" GETROOT_5 " ]");
}

TEST(a_server_that_says_goodbye_in_our_own_envelope_is_an_error)
{
    const struct act acts[] = {{.answers = {GOODBYE_6}}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_ECLOSED,
                        "the peer closed the connection", "[" GETROOT_6 " end]");
}

TEST(a_server_that_does_not_speak_rpyc_is_an_error)
{
    const struct act http[] = {{.greeting = "!485454502f312e3120343030204261640d0a"}};
    const struct act ssh[] = {{.greeting = "!5353482d322e302d4f70656e5353480d0a"}};
    const struct act frames[] = {{.greeting = "616263"}};
    const struct act flag[] = {{.greeting = "!0000000162630a"}};

    assert_connects_not(ACTS(http), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL,
                        "it does not speak RPyC: ", "[" GETROOT_6 " end]");
    assert_connects_not(ACTS(ssh), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL,
                        "it does not speak RPyC: ", "[" GETROOT_6 " end]");
    assert_connects_not(ACTS(frames), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL,
                        "the peer does not use the RPyC protocol", "[" GETROOT_6 " end]");
    assert_connects_not(ACTS(flag), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL, "not an RPyC frame",
                        "[" GETROOT_6 " end]");
}

TEST(a_server_that_says_nothing_is_waited_for_until_the_deadline)
{
    const struct act silent[] = {{0}};
    const struct act silent_later[] = {{.answers = {GOODBYE_5}}, {0}};
    int64_t start = clock_ms();

    assert_connects_not(ACTS(silent), 40, RPYC_GENERATION_AUTO, RPYC_ETIMEOUT, "no answer in time",
                        "[" GETROOT_6 " end]");
    assert_true(clock_ms() - start >= 39);
    assert_connects_not(ACTS(silent_later), 40, RPYC_GENERATION_AUTO, RPYC_EGENERATION,
                        "no answer in time", "[" GETROOT_6 " end][" GETROOT_5 " end]");
    assert_true(clock_ms() - start < 5000);
}

TEST(a_root_that_is_not_an_object_is_an_error)
{
    const struct act acts[] = {{.answers = {"021150115151"}}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL,
                        "the server's root is not an object", "[" GETROOT_6 " end]");
}

TEST(an_exception_instead_of_the_root_is_that_exception)
{
    const struct act acts[] = {
        {.answers = {"0311501311080e086275696c74696e73080e084b65794572726f7210080a78020801"}}};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(acts));
    assert_int_equal(rpyc_connect_unix(&conn, s.name, NULL, &err), -1);
    assert_true(rpyc_error_is(&err, "KeyError"));
    assert_error(&err, RPYC_EREMOTE, "KeyError: 'x'");
    server_end(&s, "[" GETROOT_6 " end]");
}

TEST(a_socket_without_a_listener_is_the_error_of_connect)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    assert_int_equal(rpyc_connect_unix(&conn, "/nonexistent/socket", NULL, &err), -1);
    assert_error(&err, RPYC_ESYSTEM,
                 "cannot connect to /nonexistent/socket: No such file or directory");
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(rpyc_connect_unix(&conn, "", NULL, &err), -1);
    assert_int_equal(err.code, RPYC_EINVAL);
    assert_int_equal(rpyc_connect_tcp(&conn, "127.0.0.1", "no-such-service", NULL, &err), -1);
    assert_int_equal(err.code, RPYC_ERESOLVE);
    assert_null(conn);
}

/* The backlog is full: the error is that of connect(2), not RPYC_ETIMEOUT. */
TEST(a_server_that_does_not_accept_is_what_connect_says)
{
    const struct rpyc_options options = {.connect_timeout_ms = 40};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s = {0};
    struct sockaddr_un address;
    socklen_t len = sizeof(address);
    int fds[64], count = 0, result;

    server_listen_unix(&s);
    assert_int_equal(listen(s.listener, 0), 0);
    assert_int_equal(getsockname(s.listener, (struct sockaddr *)&address, &len), 0);
    do {
        fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        result = connect(fds[count++], (struct sockaddr *)&address, len);
    } while (result == 0 && count < 64);
    assert_int_equal(result, -1);
    assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "timed out");
    assert_int_equal(err.sys_errno, ETIMEDOUT);
    assert_null(conn);
    while (count > 0)
        close(fds[--count]);
    close(s.listener);
}

TEST(errors_need_not_be_asked_for)
{
    const struct act acts[] = {{.hangs_up = true, .answers = {GOODBYE_5}},
                               {.hangs_up = true, .answers = {""}}};
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(acts));
    assert_int_equal(rpyc_connect_unix(&conn, s.name, NULL, NULL), -1);
    server_end(&s, "[" GETROOT_6 " ][" GETROOT_5 " ]");
    assert_int_equal(rpyc_connect_unix(&conn, "/nonexistent/socket", NULL, NULL), -1);
}

/* ---- TCP and options ------------------------------------------------------------------------- */

TEST(a_server_is_connected_to_over_tcp)
{
    const struct act acts[] = {{.answers = {GOODBYE_5}, .hangs_up = true}, {.answers = {ANSWER_5}}};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s = {.acts = acts, .count = 2};

    server_listen_tcp(&s);
    thread_start(&s.thread, run_server, &s);
    assert_ok(rpyc_connect_tcp(&conn, "127.0.0.1", s.port, NULL, &err), &err);
    assert_connected(conn, RPYC_GENERATION_5);
    server_end(&s, "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]");
}

TEST(an_error_over_tcp_says_host_and_port)
{
    const struct act acts[] = {{.hangs_up = true, .answers = {""}}};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s = {.acts = acts, .count = 1};
    char text[128];

    server_listen_tcp(&s);
    thread_start(&s.thread, run_server, &s);
    assert_int_equal(rpyc_connect_tcp(&conn, "127.0.0.1", s.port, NULL, &err), -1);
    snprintf(text, sizeof(text), "connected to 127.0.0.1:%s, but the peer hung up", s.port);
    assert_error(&err, RPYC_ECLOSED, text);
    server_end(&s, "[" GETROOT_6 " ]");
}

TEST(the_timeout_of_requests_is_an_option)
{
    const struct rpyc_options options = {.request_timeout_ms = 20};
    const struct act acts[] = {{.answers = {ANSWER_6}}};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;
    int64_t start;

    server_start(&s, ACTS(acts));
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    start = clock_ms();
    assert_int_equal(rpyc_ping(conn, "x", 1, &err), -1);
    assert_true(clock_ms() - start < 5000);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    rpyc_close(conn);
    server_end(&s, "[" GETROOT_6 " 01115111511151100a78 0111521152115102 end]");
}

TEST(the_limit_of_a_frame_is_an_option)
{
    const struct rpyc_options options = {.max_frame = 30};
    const char *over = "!000000220002115111510f00000018"
                       "6161616161616161616161616161616161616161616161610a";
    const struct act acts[] = {{.answers = {ANSWER_6, over, "021152115111510a78"}}};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, ACTS(acts));
    assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
    assert_int_equal(rpyc_ping(conn, "x", 1, &err), -1);
    assert_error(&err, RPYC_ELIMIT, "a message was refused: it is longer than max_frame (30)");
    rpyc_error_clear(&err);
    rpyc_ping(conn, "x", 1, &err);
    assert_error(&err, RPYC_EPROTOCOL, "the reply to a ping differs from the data that was sent");
    rpyc_close(conn);
    server_end(&s,
               "[" GETROOT_6 " 01115111511151100a78 01115211511151100a78 0111531152115102 end]");
}

/* ---- Over a socket that is connected already ------------------------------------------------- */

TEST(a_socket_that_is_connected_already_is_taken)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct peer p;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    p.fd = fds[1];
    say(&p, ANSWER_6);
    assert_ok(rpyc_connect_fd(&conn, fds[0], &options, &err), &err);
    assert_connected(conn, RPYC_GENERATION_6);
    hears(&p, GETROOT_6);
    hears(&p, CLOSE_6);
    hears_the_end(&p);
    peer_close(&p);
}

TEST(a_socket_that_is_connected_already_needs_a_generation)
{
    const struct rpyc_options automatic = {.connect_timeout_ms = 40};
    const struct rpyc_options *options[] = {NULL, &automatic};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;
        rpyc_conn *conn = NULL;
        struct peer p;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        p.fd = fds[1];
        assert_int_equal(rpyc_connect_fd(&conn, fds[0], options[i], &err), -1);
        assert_error(&err, RPYC_EINVAL,
                     "cannot detect the version of rpyc on a given socket: set options.generation");
        assert_null(conn);
        hears_the_end(&p);
        peer_close(&p);
    }
}

/* ---- The check of each connection ------------------------------------------------------------ */

/* Refuses one of the connections. */
struct check {
    int calls;
    int refused;             /* the connection with this number; 0: none */
    enum rpyc_errcode error; /* the code of the refusal */
};

static int check(int fd, void *data, struct rpyc_error *err)
{
    struct sockaddr_un peer;
    socklen_t len = sizeof(peer);
    struct check *c = data;

    assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(peer.sun_family, AF_UNIX);
    if (++c->calls != c->refused)
        return 0;
    return error_set(err, c->error, "not that one");
}

static bool is_certain(void *unused)
{
    (void)unused;
    return true;
}

/* Connects to a server that plays these acts. Checks the calls of check, and what the server heard.
 */
static void assert_checks(const struct act *acts, size_t count, struct check c, bool certain,
                          int calls, const char *heard)
{
    const struct rpyc_options options = {
        .check = check, .check_data = &c, .is_certain = certain ? is_certain : NULL};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct server s;

    server_start(&s, acts, count);
    if (c.refused) {
        assert_int_equal(rpyc_connect_unix(&conn, s.name, &options, &err), -1);
        assert_error(&err, c.error, "not that one");
        assert_null(conn);
    } else {
        assert_ok(rpyc_connect_unix(&conn, s.name, &options, &err), &err);
        assert_connected(conn, RPYC_GENERATION_5);
    }
    server_end(&s, heard);
    assert_int_equal(c.calls, calls);
}

TEST(each_connection_is_checked_before_data_is_sent)
{
    const struct act accepted[] = {{.answers = {GOODBYE_5}, .hangs_up = true},
                                   {.answers = {ANSWER_5}}};
    const struct act refused[] = {{.answers = {GOODBYE_5}, .hangs_up = true}, {.hangs_up = true}};
    const enum rpyc_errcode codes[] = {RPYC_EINVAL, RPYC_ESYSTEM, RPYC_ETIMEOUT};

    assert_checks(ACTS(accepted), (struct check){0}, true, 2,
                  "[" GETROOT_6 " ][" GETROOT_5 " " CLOSE_5 " end]");
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        assert_checks(refused, 1, (struct check){0, 1, codes[i]}, true, 1, "[]");
        assert_checks(ACTS(refused), (struct check){0, 2, codes[i]}, true, 2, "[" GETROOT_6 " ][]");
    }
}

TEST(a_refused_second_connection_to_a_silent_server_is_the_error)
{
    const struct act acts[] = {{0}, {.hangs_up = true}};

    assert_checks(ACTS(acts), (struct check){0, 2, RPYC_EINVAL}, false, 2, "[" GETROOT_6 " end][]");
}
