/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests without waiting.
 */
#include "librpyc_user.h"

CASE(has_many_requests_in_flight)
{
    enum { COUNT = 200 };
    rpyc_value *square = eval("lambda n: n * n"), *v = NULL;
    rpyc_pending *pending[COUNT];
    int i;

    for (i = 0; i < COUNT; i++)
        OK(rpyc_start_call(square, &pending[i], &err, "i", i));
    for (i = COUNT - 1; i >= 0; i -= 2) { /* from the last to the first, each second one */
        OK(rpyc_pending_wait(pending[i], 0, &v, &err));
        CHECK(take_int(v) == (int64_t)i * i);
    }
    for (i = 0; i < COUNT; i++) {
        CHECK(i % 2 || rpyc_pending_wait(pending[i], -1, NULL, &err) == 0);
        rpyc_pending_free(pending[i]);
    }
    rpyc_pending_free(NULL);
    rpyc_unref(square);
}

CASE(starts_requests_of_each_kind)
{
    rpyc_value *list = eval("[5]"), *v = NULL, *plain = NULL;
    rpyc_pending *get = NULL, *call = NULL, *bad = NULL, *dropped = NULL, *none = NULL;

    OK(rpyc_start_getattr(list, "__doc__", &get, &err));
    OK(rpyc_start_callattr(list, "index", &call, &err, "i", 5));
    OK(rpyc_start_callattr(list, "index", &bad, &err, "i", 6));
    OK(rpyc_start_callattr(list, "copy", &dropped, &err, NULL));
    rpyc_pending_free(dropped);
    OK(rpyc_pending_wait(get, 0, &v, &err));
    CHECK(rpyc_type_of(v) == RPYC_STR);
    rpyc_unref(v);
    OK(rpyc_pending_wait(call, 0, &v, &err));
    CHECK(take_int(v) == 0);
    CHECK(rpyc_pending_is_done(call));
    FAILS(rpyc_pending_wait(call, 0, &v, &err), RPYC_EINVAL); /* a result is returned only once */
    v = NULL;
    RAISES(rpyc_pending_wait(bad, 0, &v, &err), "ValueError");
    CHECK(v == NULL);
    rpyc_pending_free(get);
    rpyc_pending_free(call);
    rpyc_pending_free(bad);
    OK(rpyc_build(&plain, &err, "i", 1));
    FAILS(rpyc_start_getattr(plain, "real", &none, &err), RPYC_ETYPE);
    FAILS(rpyc_start_call(plain, &none, &err, NULL), RPYC_ETYPE);
    FAILS(rpyc_start_callattr(list, "index", &none, &err, "?"), RPYC_EINVAL);
    CHECK(none == NULL);
    rpyc_unref(plain);
    rpyc_unref(list);
}

CASE(polls_for_a_result)
{
    struct gate gate = gate_new();
    rpyc_pending *pending = NULL;
    atomic_int told = 0;
    rpyc_value *v = NULL;
    int n;

    OK(rpyc_start_call(gate.wait, &pending, &err, "i", 7));
    rpyc_pending_notify(pending, count_up, &told);
    CHECK(rpyc_process(conn, 0, &err) >= 0); /* a symmetric server may have sent requests */
    CHECK(!rpyc_pending_is_done(pending) && told == 0);
    gate_open(&gate);
    while (!rpyc_pending_is_done(pending)) {
        struct pollfd ready = {.fd = rpyc_fd(conn), .events = POLLIN};

        CHECK(poll(&ready, 1, PATIENCE_MS) == 1);
        n = rpyc_process(conn, 0, &err);
        CHECK(n >= 0);
    }
    CHECK(told == 1);
    rpyc_pending_notify(pending, count_up, &told); /* calls count_up at once */
    CHECK(told == 2);
    OK(rpyc_pending_wait(pending, 0, &v, &err));
    CHECK(take_int(v) == 7);
    rpyc_pending_free(pending);
    gate_free(&gate);
}

CASE(waits_again_after_a_timeout)
{
    struct gate gate = gate_new();
    rpyc_pending *pending = NULL;
    rpyc_value *v = NULL;

    OK(rpyc_start_call(gate.wait, &pending, &err, "i", 8));
    FAILS(rpyc_pending_wait(pending, 20, &v, &err), RPYC_ETIMEOUT);
    FAILS(rpyc_pending_wait(pending, 1, &v, &err), RPYC_ETIMEOUT);
    CHECK(rpyc_timeout(conn) == 30000);
    rpyc_set_timeout(conn, 20);
    CHECK(rpyc_timeout(conn) == 20);
    FAILS(rpyc_pending_wait(pending, 0, &v, &err), RPYC_ETIMEOUT);
    FAILS(rpyc_ping(conn, "x", 1, &err), RPYC_ETIMEOUT);
    rpyc_set_timeout(conn, 0);
    CHECK(v == NULL);
    gate_open(&gate);
    OK(rpyc_pending_wait(pending, -1, &v, &err));
    CHECK(take_int(v) == 8);
    rpyc_pending_free(pending);
    OK(rpyc_ping(conn, "y", 1, &err)); /* the late reply is not taken for this one */
    gate_free(&gate);
}

/* Objects in a result that is not fetched: because it arrived after the timeout, or because the
 * request was freed. */
CASE(releases_results_that_were_not_fetched)
{
    struct gate gate = gate_new();
    rpyc_pending *late = NULL, *unwanted = NULL;
    rpyc_value *make;

    execute("import weakref\n"
            "made = []\n"
            "class Thing:\n"
            "    pass\n"
            "def make(wait):\n"
            "    wait(0)\n"
            "    one, two = Thing(), Thing()\n"
            "    made.extend((weakref.ref(one), weakref.ref(two)))\n"
            "    return one, ((1, 'x'), two), one");
    make = eval("lambda: make(wait_at_gate)");
    OK(rpyc_start_call(make, &late, &err, NULL));
    FAILS(rpyc_pending_wait(late, 1, NULL, &err), RPYC_ETIMEOUT);
    rpyc_pending_free(late);
    gate_open(&gate);
    wait_until_true("len(made) == 2 and made[0]() is made[1]() is None");
    OK(rpyc_start_call(make, &unwanted, &err, NULL));
    while (!rpyc_pending_is_done(unwanted))
        OK(rpyc_ping(conn, "x", 1, &err));
    CHECK(is_true("made[2]() is not None"));
    rpyc_pending_free(unwanted);
    wait_until_true("len(made) == 4 and made[2]() is made[3]() is None");
    rpyc_unref(make);
    gate_free(&gate);
}

static void *cancel(void *pending)
{
    rpyc_pending_cancel(pending);
    return NULL;
}

CASE(is_cancelled_by_another_thread)
{
    struct gate gate = gate_new();
    rpyc_pending *pending = NULL;
    pthread_t thread;
    rpyc_value *v = NULL;

    OK(rpyc_start_call(gate.wait, &pending, &err, "i", 9));
    CHECK(pthread_create(&thread, NULL, cancel, pending) == 0);
    FAILS(rpyc_pending_wait(pending, PATIENCE_MS, &v, &err), RPYC_ECANCELED);
    pthread_join(thread, NULL);
    CHECK(v == NULL);
    rpyc_pending_free(pending);
    gate_open(&gate);
    OK(rpyc_ping(conn, "x", 1, &err));
    gate_free(&gate);
}
