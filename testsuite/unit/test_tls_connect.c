/* SPDX-License-Identifier: BSD-3-Clause
 *
 * RPyC connections over TLS.
 */
#include "openssl_server.h"

static void assert_has_root(rpyc_conn *conn)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *root = NULL;

    assert_int_equal(rpyc_conn_generation(conn), RPYC_GENERATION_6);
    assert_ok(rpyc_root(conn, &root, &err), &err);
    assert_string_equal(rpyc_class_name(root), "a.Root");
    rpyc_unref(root);
    rpyc_close(conn);
}

TEST(rpyc_is_spoken_over_tls)
{
    const struct rpyc_tls named = {.ca_file = "ca.pem", .server_name = "server.test"};
    const struct rpyc_options with_fd = {.tls = &named, .generation = RPYC_GENERATION_6};
    const struct rpyc_options with_host = {.tls = &trusting_ca};
    struct server s = server_make(&server), t = server_make(&server);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;

    assert_ok(rpyc_connect_fd(&conn, server_start_fd(&s, serve_root), &with_fd, &err), &err);
    assert_has_root(conn);
    server_end(&s);
    assert_string_equal(s.sni, "server.test");
    server_start_tcp(&t, serve_root);
    assert_ok(rpyc_connect_tcp(&conn, "127.0.0.1", t.port, &with_host, &err), &err);
    assert_has_root(conn);
    server_end(&t);
    assert_string_equal(t.sni, "none");
}

TEST(a_connection_over_tls_that_fails_says_where_to)
{
    const struct rpyc_tls trusting_other = {.ca_file = "other-ca.pem"};
    const struct rpyc_options options = {.tls = &trusting_other};
    struct server s = server_make(&server);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    int before = open_fds();
    char text[128];

    server_start_tcp(&s, serve_root);
    assert_int_equal(rpyc_connect_tcp(&conn, "127.0.0.1", s.port, &options, &err), -1);
    snprintf(text, sizeof(text),
             "connected to 127.0.0.1:%s, but the server's certificate is not accepted: ", s.port);
    assert_error(&err, RPYC_ETLS, text);
    assert_int_equal(err.tls, RPYC_TLS_SERVER_CA_UNKNOWN);
    assert_null(conn);
    server_end(&s);
    assert_int_equal(open_fds(), before);
}

TEST(a_socket_is_taken_although_tls_fails)
{
    const struct rpyc_options options = {.tls = &trusting_ca, .generation = RPYC_GENERATION_6};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct peer p;
    struct stream c = alone(&p);

    assert_int_equal(rpyc_connect_fd(&conn, c.fd, &options, &err), -1);
    assert_error(&err, RPYC_EINVAL,
                 "TLS needs the name that the server's certificate must have: set server_name");
    assert_null(conn);
    hears_the_end(&p);
    peer_close(&p);
}
