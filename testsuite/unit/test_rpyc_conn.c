/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lifetime of a connection.
 */
#include "link.h"

#include "rpyc_conn.h"

TEST(netrefs_outlive_their_connection)
{
    struct link l = link_open(-1);
    rpyc_value *list = unbox(&l, "1154" LIST), *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    rpyc_close(l.conn);
    hears(&l.peer, "011150 1152 115102");
    hears_the_end(&l.peer);
    assert_string_equal(rpyc_class_name(list), "builtins.list");
    assert_int_equal(rpyc_getattr(list, "append", &result, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "");
    assert_int_equal(rpyc_repr(list, &result, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    assert_null(result);
    rpyc_unref(list);
    peer_close(&l.peer);
}

TEST(a_close_gives_the_socket_back_while_netrefs_are_held)
{
    struct link l = link_open(-1);
    rpyc_value *list = unbox(&l, "1154" LIST);
    int before = open_fds();

    rpyc_close(l.conn);
    assert_int_equal(open_fds(), before - 1);
    rpyc_unref(list);
    peer_close(&l.peer);
}

TEST(what_is_closed_may_be_nothing)
{
    rpyc_close(NULL);
}

TEST(a_close_says_goodbye)
{
    struct link l = link_with_root();

    rpyc_close(l.conn);
    hears(&l.peer, "011151 1152 115102");
    hears_the_end(&l.peer);
    peer_close(&l.peer);
}

TEST(a_forked_child_closes_the_socket_and_sends_nothing)
{
    struct link l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    conn_forked(l.conn->conn);
    hears_the_end(&l.peer);
    assert_int_equal(rpyc_ping(l.conn, "x", 1, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    link_close(&l);
}
