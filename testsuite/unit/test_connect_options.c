/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Options, TCP, and sockets that are connected already.
 */
#include "fake_server.h"

#include <stddef.h>
#include <sys/un.h>

#include "version.h"

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
    assert_took(start, 0);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    rpyc_close(conn);
    server_end(&s, "[" GETROOT_6 " 01115111511151100a78 0111521152115102 end]");
}

TEST(options_that_end_early_have_defaults_behind_their_end)
{
    const struct rpyc_options options = {.size = offsetof(struct rpyc_options, connect_timeout_ms),
                                         .generation = RPYC_GENERATION_5,
                                         .connect_timeout_ms = 1,
                                         .request_timeout_ms = 1};
    struct rpyc_options read;

    assert_string_equal(rpyc_version(), RPYC_VERSION);
    assert_int_equal(version_options(&read, &options, NULL), 0);
    assert_int_equal(read.generation, RPYC_GENERATION_5);
    assert_int_equal(read.connect_timeout_ms, 0);
    assert_int_equal(read.request_timeout_ms, 0);
    assert_int_equal(version_options(&read, NULL, NULL), 0);
    assert_int_equal(read.generation, RPYC_GENERATION_AUTO);
}

TEST(an_option_of_a_later_version_is_an_error)
{
    struct {
        struct rpyc_options options;
        void *added;
    } later = {.options = {.size = sizeof(later), .silence_ms = 1}};
    const char *text = "librpyc " RPYC_VERSION " does not have an option that is used: the program "
                       "was compiled with a later version";
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct rpyc_options read;
    rpyc_conn *conn = NULL;

    assert_int_equal(version_options(&read, &later.options, NULL), 0);
    assert_int_equal(read.silence_ms, 1);
    later.added = &read;
    assert_int_equal(rpyc_connect_unix(&conn, "/nonexistent", &later.options, &err), -1);
    assert_error(&err, RPYC_EINVAL, text);
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
    assert_false(rpyc_error_is_fatal(&err));
    rpyc_error_clear(&err);
    rpyc_ping(conn, "x", 1, &err);
    assert_error(&err, RPYC_EPROTOCOL, "the reply to a ping differs from the data that was sent");
    rpyc_close(conn);
    server_end(&s,
               "[" GETROOT_6 " 01115111511151100a78 01115211511151100a78 0111531152115102 end]");
}

TEST(a_socket_that_is_connected_already_is_taken)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct peer p;
    int fd = peer_open(&p);

    say(&p, ANSWER_6);
    assert_ok(rpyc_connect_fd(&conn, fd, &options, &err), &err);
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
        int fd = peer_open(&p);

        assert_int_equal(rpyc_connect_fd(&conn, fd, options[i], &err), -1);
        assert_error(
            &err, RPYC_EINVAL,
            "cannot find out which rpyc the peer of an open socket has: set options.generation");
        assert_null(conn);
        hears_the_end(&p);
        peer_close(&p);
    }
}

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
