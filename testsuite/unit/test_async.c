/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests without waiting.
 */
#include "link.h"

#include "request.h"

TEST(a_pending_request_is_done_once_its_reply_was_read)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_pending *pending = NULL;
    rpyc_value *again = NULL;

    assert_ok(rpyc_start_getattr(root, "x", &pending, &err), &err);
    assert_false(rpyc_pending_is_done(pending));
    assert_int_equal(rpyc_pending_wait(pending, 10, &again, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    say_reply(&l, 0, "1151 080a79");
    assert_false(rpyc_pending_is_done(pending));
    assert_int_equal(rpyc_process(l.conn, 10000, &err), 1);
    assert_true(rpyc_pending_is_done(pending));
    assert_ok(rpyc_pending_wait(pending, 0, &result, &err), &err);
    assert_string_equal(rpyc_str(result, NULL), "y");
    assert_int_equal(rpyc_pending_wait(pending, 0, &again, &err), -1);
    assert_error(&err, RPYC_EINVAL, "the result has been fetched already");
    assert_int_equal(rpyc_pending_wait(pending, 0, &again, NULL), -1);
    assert_null(again);
    rpyc_pending_free(pending);
    rpyc_pending_free(NULL);
}

TEST(an_object_in_a_result_that_is_not_fetched_is_released)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_pending *pending = NULL;

    assert_ok(rpyc_start_getattr(root, "x", &pending, &err), &err);
    hears(&l.peer, "011150 1154 1152 11 1153" ROOT "1151 080a78");
    say_reply(&l, 0, "1154" LIST);
    assert_int_equal(rpyc_process(l.conn, 10000, &err), 1);
    rpyc_pending_free(pending);
    say_reply(&l, 1, NONE);
    flush(&l, 2);
    hears(&l.peer, "011151" DEL(LIST, "51"));
    hears(&l.peer, "011152" PING_ARGS);
}

struct waiter {
    struct thread thread;
    rpyc_pending *pending;
    struct rpyc_error err;
    int result;
};

static void wait_for_pending(void *arg)
{
    struct waiter *w = arg;

    w->result = rpyc_pending_wait(w->pending, -1, NULL, &w->err);
}

/* Another thread has the read role, so this one waits for that thread and not for the socket. */

TEST(a_wait_is_cancelled_from_another_thread)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct waiter reader = {.result = 7}, w = {.result = 7};

    assert_ok(rpyc_start_getattr(root, "x", &reader.pending, &err), &err);
    assert_ok(rpyc_start_call(root, &w.pending, &err, NULL), &err);
    thread_start(&reader.thread, wait_for_pending, &reader);
    thread_wait_asleep(&reader.thread);
    thread_start(&w.thread, wait_for_pending, &w);
    thread_wait_asleep(&w.thread);
    rpyc_pending_cancel(w.pending);
    assert_true(rpyc_pending_is_done(w.pending));
    thread_join(&w.thread);
    assert_int_equal(w.result, -1);
    assert_error(&w.err, RPYC_ECANCELED, "the wait was cancelled");
    say_reply(&l, 0, NONE);
    thread_join(&reader.thread);
    assert_ok(reader.result, &reader.err);
    rpyc_pending_free(reader.pending);
    rpyc_pending_free(w.pending);
}

TEST(a_request_that_cannot_be_written_is_not_started)
{
    AUTO_LINK l = link_open(-1), other = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *stranger = unbox(&other, "1154" LIST);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_pending *pending = NULL;

    assert_int_equal(rpyc_start_callattr(root, "f", &pending, &err, "O", stranger), -1);
    assert_error(&err, RPYC_EINVAL, "another connection");
    assert_int_equal(rpyc_start_call(root, &pending, &err, "?"), -1);
    assert_error(&err, RPYC_EINVAL, "unknown format letter '?'");
    assert_null(pending);
    hears_no_more(&l.peer);
}
