/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rpyc_process() and rpyc_serve().
 */
#include "link.h"

TEST(what_has_arrived_is_processed_at_once)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_process(l.conn, 0, &err), 0);
    say(&l.peer, "011151 1151 1151 10 51");
    say(&l.peer, "011152 1151 1151 10 52");
    say(&l.peer, "011153 1151 1151 10 53");
    assert_int_equal(rpyc_process(l.conn, -1, &err), 3);
    assert_int_equal(rpyc_process(l.conn, 1, &err), 0);
    assert_int_equal(rpyc_fd(l.conn) >= 0, 1);
    peer_close(&l.peer);
    assert_int_equal(rpyc_process(l.conn, 10000, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
}

TEST(no_more_is_processed_than_one_wants)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "011151 1151 1151 10 51");
    say(&l.peer, "011152 1151 1151 10 52");
    say(&l.peer, "011153 1151 1151 10 53");
    assert_int_equal(rpyc_process_some(l.conn, 2, -1, &err), 2);
    hears(&l.peer, "021151 1151 51");
    hears(&l.peer, "021152 1151 52");
    hears_no_more(&l.peer);
    assert_int_equal(rpyc_process_some(l.conn, 2, -1, &err), 1);
    assert_int_equal(rpyc_process_some(l.conn, 2, 0, &err), 0);
    peer_close(&l.peer);
    assert_int_equal(rpyc_process_some(l.conn, 2, 10000, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
}

TEST(a_wait_that_a_signal_ends_has_handled_no_message)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct nagger nagger;
    int count;

    nagger_start(&nagger, pthread_self());
    count = rpyc_process(l.conn, -1, &err);
    nagger_stop(&nagger);
    assert_int_equal(count, 0);
}

struct processing {
    struct thread thread;
    rpyc_conn *conn;
    int count;
};

static void process(void *arg)
{
    struct processing *p = arg;

    p->count = rpyc_process(p->conn, -1, NULL);
}

static void ping(void *conn)
{
    rpyc_ping(conn, "", 0, NULL);
}

TEST(a_message_that_another_thread_handles_does_not_count)
{
    AUTO_LINK l = link_open(-1);
    struct processing other = {.conn = l.conn};
    struct thread reader;

    thread_start(&reader, ping, l.conn);
    hears(&l.peer, "011150" PING_ARGS);
    thread_wait_asleep(&reader); /* it has the read role */
    thread_start(&other.thread, process, &other);
    thread_wait_asleep(&other.thread);
    say(&l.peer, "011151" PING_ARGS);
    thread_join(&other.thread);
    assert_int_equal(other.count, 0);
    hears(&l.peer, "021151 1151 01");
    say_reply(&l, 0, "1151 01");
    thread_join(&reader);
}

/* The peer sends and does not read. */
TEST(a_peer_that_reads_no_replies_is_given_up)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6, .request_timeout_ms = 50};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct peer peer;
    int fd = peer_open(&peer), i;

    say(&peer, "021150 1154 12 080a61 5151");
    assert_ok(rpyc_connect_fd(&conn, fd, &options, &err), &err);
    for (i = 0; i < 100000 && err.code == RPYC_OK; i++) {
        say(&peer, "011151 1151 1151 10 51");
        rpyc_process(conn, 0, &err);
    }
    assert_error(&err, RPYC_ECLOSED, "the peer does not read the data that was sent to it");
    peer_close(&peer);
    rpyc_close(conn);
}

TEST(processing_what_is_not_rpyc_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say_raw(&l.peer, "ffffffff00ff");
    assert_int_equal(rpyc_process(l.conn, 10000, &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "not an RPyC frame: it would have 4294967295 bytes");
    assert_int_equal(rpyc_process(l.conn, 10000, NULL), -1);
}

TEST(serving_ends_well_when_the_peer_does)
{
    AUTO_LINK l = link_open(-1), other = link_open(-1), broken = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "011151 1151 1151 10 51");
    say(&l.peer, "011152 1152 115102"); /* CLOSE */
    assert_ok(rpyc_serve(l.conn, &err), &err);
    peer_close(&other.peer);
    assert_ok(rpyc_serve(other.conn, &err), &err);
    say_raw(&broken.peer, "ffffffff00ff");
    assert_int_equal(rpyc_serve(broken.conn, &err), -1);
    assert_int_equal(err.code, RPYC_EPROTOCOL);
}
