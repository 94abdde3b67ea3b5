/* SPDX-License-Identifier: BSD-3-Clause */
#include "sockets.h"

#include <errno.h>

/* Connects to a server that listens on an address. Returns whether the stream counts as local. */
static bool assert_reaches(const char *host, const char *address)
{
    AUTO_SERVER s = serve(address, 1);
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(stream_connect_tcp(&c, host, s.port, SOON, &err), &err);
    assert_accepts(s.fd, &c);
    assert_int_equal(err.code, RPYC_OK);
    return c.local;
}

TEST(an_ipv4_address_can_be_connected_to)
{
    assert_reaches("127.0.0.1", "127.0.0.1");
}

TEST(an_ipv6_address_can_be_connected_to)
{
    if (!have_ipv6())
        skip();
    assert_true(assert_reaches("::1", "::1"));
}

TEST(a_name_can_be_connected_to)
{
    assert_reaches("localhost", "127.0.0.1");
}

TEST(every_address_of_a_name_is_tried)
{
    assert_reaches("three-addresses.test", "127.0.0.1");
    assert_reaches("three-addresses.test", "127.0.0.2");
    assert_reaches("three-addresses.test", "127.0.0.3");
}

TEST(a_name_none_of_whose_addresses_answers_is_an_error)
{
    AUTO_SERVER s = hold_port();
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(stream_connect_tcp(&c, "three-addresses.test", s.port, SOON, &err), -1);
    assert_error(&err, RPYC_ESYSTEM, "cannot connect to three-addresses.test:");
    assert_int_equal(err.sys_errno, ECONNREFUSED);
}

TEST(a_socket_file_can_be_connected_to)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_FD listener = listen_unix(d.file, 1, &err);
    AUTO_STREAM c = STREAM_INIT;

    assert_ok(stream_connect_unix(&c, d.file, SOON, &err), &err);
    assert_true(c.local);
    assert_accepts(listener, &c);
}

TEST(an_abstract_name_can_be_connected_to)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_FD listener = listen_unix(abstract_name(), 1, &err);
    AUTO_STREAM c = STREAM_INIT;

    assert_true(listener >= 0);
    assert_int_equal(access(abstract_name(), F_OK), -1);
    assert_ok(stream_connect_unix(&c, abstract_name(), SOON, &err), &err);
    assert_accepts(listener, &c);
}

/* Checks what is left of an attempt to connect to `where`, which failed with an errno. */
static void assert_not_connected(const struct stream *c, const struct rpyc_error *err,
                                 const char *where, int error)
{
    char text[256];

    snprintf(text, sizeof(text), "cannot connect to %s: %s", where, strerror(error));
    assert_error(err, RPYC_ESYSTEM, text);
    assert_int_equal(err->sys_errno, error);
    assert_int_equal(c->fd, -1);
}

TEST(a_port_without_a_listener_refuses)
{
    AUTO_SERVER s = hold_port();
    AUTO_STREAM c = {.fd = 7, .local = true};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char where[64];

    assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", s.port, SOON, &err), -1);
    snprintf(where, sizeof(where), "127.0.0.1:%s", s.port);
    assert_not_connected(&c, &err, where, ECONNREFUSED);
}

TEST(a_socket_file_that_does_not_exist_is_an_error)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_STREAM c = {.fd = 7, .local = true};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(stream_connect_unix(&c, d.file, SOON, &err), -1);
    assert_not_connected(&c, &err, d.file, ENOENT);
}

TEST(a_socket_file_that_was_left_behind_refuses)
{
    AUTO_DIRECTORY d = directory_make();
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    close(listen_unix(d.file, 1, &err));
    assert_int_equal(stream_connect_unix(&c, d.file, SOON, &err), -1);
    assert_int_equal(err.code, RPYC_ESYSTEM);
    assert_int_equal(err.sys_errno, ECONNREFUSED);
}

TEST(a_service_that_does_not_exist_is_not_resolved)
{
    const char *ports[] = {"no-such-service", "66x", "-1", "6666 "};
    size_t i;

    for (i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
        AUTO_STREAM c = {.fd = 7, .local = true};
        AUTO_ERROR err = RPYC_ERROR_INIT;

        assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", ports[i], SOON, &err), -1);
        assert_error(&err, RPYC_ERESOLVE, "cannot connect to 127.0.0.1:");
        assert_non_null(strstr(err.text, ports[i]));
        assert_int_equal(c.fd, -1);
    }
}

/* The C library treats 65536 + n as n, and "" as 0. */
TEST(a_port_beyond_65535_is_refused)
{
    AUTO_SERVER s = serve("127.0.0.1", 1);
    char beyond[16];
    const char *ports[] = {beyond, "65536", "99999999999999999999", ""};
    size_t i;

    snprintf(beyond, sizeof(beyond), "%u", 65536u + port_of(s.fd));
    for (i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
        AUTO_STREAM c = STREAM_INIT;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char text[128];

        assert_int_equal(stream_connect_tcp(&c, "127.0.0.1", ports[i], SOON, &err), -1);
        snprintf(text, sizeof(text),
                 "cannot connect to 127.0.0.1:%s: the port must be a number from 1 to 65535 "
                 "or a service name",
                 ports[i]);
        assert_error(&err, RPYC_EINVAL, text);
    }
}

TEST(names_of_unix_sockets_that_do_not_fit_are_refused)
{
    struct sockaddr_un address;
    char name[sizeof(address.sun_path) + 1];
    AUTO_STREAM c = STREAM_INIT;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    socklen_t len;

    memset(name, 'x', sizeof(name));
    name[sizeof(address.sun_path)] = '\0';
    assert_int_equal(stream_unix_address(&address, &len, name, &err), -1);
    assert_error(&err, RPYC_EINVAL, "invalid name of a Unix socket 'xxx");
    assert_int_equal(stream_connect_unix(&c, name, SOON, &err), -1);
    assert_error(&err, RPYC_EINVAL, "invalid name of a Unix socket 'xxx");
    assert_int_equal(stream_connect_unix(&c, "", SOON, &err), -1);
    assert_error(&err, RPYC_EINVAL, "invalid name of a Unix socket '': expected 1 to 107 bytes");
    assert_int_equal(c.fd, -1);
}

TEST(the_longest_name_of_a_unix_socket_fits)
{
    struct sockaddr_un address;
    char name[sizeof(address.sun_path)];
    AUTO_ERROR err = RPYC_ERROR_INIT;
    socklen_t len;

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(stream_unix_address(&address, &len, name, &err), 0);
    assert_int_equal(len, sizeof(address));
    assert_string_equal(address.sun_path, name);
}

TEST(an_abstract_name_has_its_exact_length)
{
    struct sockaddr_un address;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    socklen_t len;

    assert_int_equal(stream_unix_address(&address, &len, "@ab", &err), 0);
    assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 3);
    assert_memory_equal(address.sun_path, "\0ab", 3);
    assert_int_equal(address.sun_family, AF_UNIX);
}
