/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_link.h"

TEST(close_instead_of_a_reply_ends_the_wait)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "011150 1152" NO_ARGS);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "the peer closed the connection");
    assert_true(conn_closed(l->c));
    assert_int_equal(atomic_load(&l->owner.served), 0);
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears_the_end(&l->peer);
}

TEST(sending_to_a_peer_that_hung_up_is_an_error_without_a_signal)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    peer_close(&l->peer);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "");
    assert_true(conn_closed(l->c));
}

TEST(every_call_on_a_closed_connection_fails)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct outgoing out;
    int64_t seq;

    assert_false(conn_closed(l->c));
    conn_close(l->c, NULL);
    assert_true(conn_closed(l->c));
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "");
    conn_request_begin(l->c, &out, HANDLE_DEL, &seq);
    brine_put_none(&out.buf);
    assert_int_equal(conn_send(l->c, &out, SOON, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 0);
    assert_int_equal(conn_serve(l->c, &err), 0);
    hears_the_end(&l->peer);
}

TEST(the_first_close_sets_the_reason)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    const struct rpyc_error first = {.code = RPYC_ETLS, .text = "too much of it"};
    const struct rpyc_error second = {.code = RPYC_EPROTOCOL, .text = "not this"};
    AUTO_ERROR err = RPYC_ERROR_INIT;

    conn_close(l->c, &first);
    conn_close(l->c, &second);
    conn_close(l->c, NULL);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), -1);
    assert_error(&err, RPYC_ETLS, "too much of it");
}

TEST(a_close_wakes_all_waiting_threads)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    const struct rpyc_error why = {.code = RPYC_ECLOSED, .text = "we had enough"};
    struct asker reader, waiter, third;

    asker_start_reading(&reader, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    asker_start_reading(&waiter, l, HANDLE_GETROOT, DEADLINE_NEVER, "011151 1153" NO_ARGS);
    asker_start_reading(&third, l, HANDLE_GETROOT, SOON, "011152 1153" NO_ARGS);
    conn_close(l->c, &why);
    asker_join(&reader);
    asker_join(&waiter);
    asker_join(&third);
    assert_int_equal(reader.result, -1);
    assert_error(&reader.err, RPYC_ECLOSED, "we had enough");
    assert_int_equal(waiter.result, -1);
    assert_error(&waiter.err, RPYC_ECLOSED, "we had enough");
    assert_int_equal(third.result, -1);
    assert_error(&third.err, RPYC_ECLOSED, "we had enough");
}

TEST(a_goodbye_is_a_close_request_and_the_end)
{
    AUTO_LINK six = link_new(RPYC_GENERATION_6, false);
    AUTO_LINK five = link_new(RPYC_GENERATION_5, false);

    conn_goodbye(six->c);
    hears(&six->peer, "011150 1152" NO_ARGS);
    hears_the_end(&six->peer);
    assert_true(conn_closed(six->c));
    conn_goodbye(five->c);
    hears(&five->peer, "125150 1152" NO_ARGS);
    hears_the_end(&five->peer);
}

TEST(a_second_goodbye_sends_nothing)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    conn_close(l->c, NULL);
    conn_goodbye(l->c);
    hears_the_end(&l->peer);
}

TEST(the_last_reference_closes_the_socket)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    assert_ptr_equal(conn_ref(l->c), l->c);
    conn_unref(l->c);
    hears_no_more(&l->peer);
    conn_unref(l->c);
    l->c = NULL;
    hears_the_end(&l->peer);
    conn_unref(NULL);
}

TEST(a_release_closes_the_socket_while_references_exist)
{
    int before = open_fds();
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct asker a;

    asker_start_reading(&a, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    conn_release(l->c);
    asker_fails(&a, RPYC_ECLOSED);
    hears_the_end(&l->peer);
    assert_int_equal(open_fds(), before + 1);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "");
    conn_release(l->c);
}

static void ask_for_fd(void *arg)
{
    while (conn_fd(arg) >= 0)
        ;
}

TEST(the_fd_can_be_read_while_it_is_being_closed)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct thread t;

    thread_start(&t, ask_for_fd, l->c);
    conn_release(l->c);
    thread_join(&t);
    assert_int_equal(conn_fd(l->c), -1);
}
