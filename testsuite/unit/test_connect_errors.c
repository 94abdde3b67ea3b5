/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_server.h"

#include <sys/un.h>

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
                        "the peer hung up): set options.generation",
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
                        "not an RPyC frame: it would have ", "[" GETROOT_6 " end]");
    assert_connects_not(ACTS(ssh), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL,
                        "not an RPyC frame: it would have ", "[" GETROOT_6 " end]");
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
    assert_took(start, 0);
}

TEST(a_root_that_is_not_an_object_is_an_error)
{
    const struct act acts[] = {{.answers = {"021150115151"}}};

    assert_connects_not(ACTS(acts), 0, RPYC_GENERATION_AUTO, RPYC_EPROTOCOL,
                        "the server sent a plain value as its root object", "[" GETROOT_6 " end]");
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
