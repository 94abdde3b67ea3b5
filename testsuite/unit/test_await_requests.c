/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_link.h"

/* ---- Requests of the peer -------------------------------------------------------------------- */

TEST(a_request_is_served_during_a_wait)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "011157 1151" NO_ARGS);
    say(&l->peer, "021150 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    assert_int_equal(atomic_load(&l->owner.served), 1);
    assert_int_equal(l->owner.handler, HANDLE_PING);
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears(&l->peer, "021157 11517a");
    hears_no_more(&l->peer);
}

TEST(the_first_message_tells_the_generation_and_is_handled)
{
    AUTO_LINK old = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_LINK new = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_false(conn_has_met(old->c));
    say(&old->peer, "125150 1151" NO_ARGS);
    assert_ok(conn_meet(old->c, SOON, &err), &err);
    assert_ok(conn_meet(old->c, SOON, &err), &err);
    assert_true(conn_has_met(old->c));
    assert_int_equal(conn_envelope(old->c).generation, RPYC_GENERATION_5);
    assert_int_equal(atomic_load(&old->owner.served), 1);
    hears(&old->peer, "125250 11517a");
    say(&new->peer, "011150 1151" NO_ARGS);
    assert_ok(conn_meet(new->c, SOON, &err), &err);
    assert_int_equal(conn_envelope(new->c).generation, RPYC_GENERATION_6);
    hears(&new->peer, "021150 11517a");
}

TEST(without_a_message_the_generation_stays_unknown)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR late = RPYC_ERROR_INIT, gone = RPYC_ERROR_INIT;

    assert_int_equal(conn_meet(l->c, deadline_in(10), &late), -1);
    assert_error(&late, RPYC_ETIMEOUT, "no answer in time");
    peer_close(&l->peer);
    assert_int_equal(conn_meet(l->c, SOON, &gone), -1);
    assert_error(&gone, RPYC_ECLOSED, "hung up");
    assert_false(conn_has_met(l->c));
}

TEST(unknown_handlers_are_passed_to_the_owner)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say(&l->peer, "011150 11 1603313630" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    assert_int_equal(l->owner.handler, 160);
    say(&l->peer, "011150 114f" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
    assert_int_equal(l->owner.handler, -1);
}

TEST(requests_nest)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    l->owner.serve = serve_by_asking;
    say(&l->peer, "011150 1151" NO_ARGS); /* a request within request 0 */
    say(&l->peer, "011151 1151" NO_ARGS); /* another one within request 1 */
    say(&l->peer, "021152 115152");
    say(&l->peer, "021151 115151");
    say(&l->peer, "021150 115150");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears(&l->peer, "011151 1159" NO_ARGS);
    hears(&l->peer, "011152 1159" NO_ARGS);
    hears(&l->peer, "021151 115152");
    hears(&l->peer, "021150 115151");
}

TEST(the_reply_to_the_outer_request_may_come_first)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    l->owner.serve = serve_by_asking;
    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "021150 115150");
    say(&l->peer, "021151 115151");
    assert_answer(l->c, MESSAGE_REPLY, "115150");
    hears(&l->peer, "011150 1153" NO_ARGS);
    hears(&l->peer, "011151 1159" NO_ARGS);
    hears(&l->peer, "021150 115151");
}

TEST(a_request_that_joins_a_thread_which_asks_the_peer_does_not_deadlock)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->owner.serve = serve_by_a_thread_that_asks;
    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "021150 115161");
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    assert_int_equal(l->owner.nested, 1);
    hears(&l->peer, "011150 1159" NO_ARGS);
    hears(&l->peer, "021150 11517a");
}

static void serve_one(void *arg)
{
    struct link *l = arg;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    atomic_store(&l->owner.result, conn_serve_one(l->c, SOON, &err));
}

/* Sends a reply of the peer. */
static void say_reply(struct link *l, int64_t seq)
{
    const struct envelope six = {RPYC_GENERATION_6, false};
    AUTO_BUFFER frame = BUFFER_INIT;
    size_t start = message_begin(&frame, &six, MESSAGE_REPLY, seq, NULL);

    box_put(&frame, LABEL_VALUE);
    brine_put_int(&frame, 0);
    assert_int_equal(frame_end(&frame, start, false, NULL), 0);
    say_bytes(&l->peer, frame.data, frame.len);
}

TEST(requests_within_requests_have_a_limit)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_BYTES refusal = {NULL, 0};
    struct thread t;
    int i;

    l->owner.serve = serve_by_asking;
    thread_start(&t, serve_one, l);
    for (i = 0; i < 200; i++) {
        AUTO_BYTES request = {NULL, 0};

        say(&l->peer, "011150 1151" NO_ARGS);
        request = next_frame(&l->peer);
        assert_int_equal(request.data[0], MESSAGE_REQUEST);
    }
    say(&l->peer, "011150 1151" NO_ARGS);
    refusal = next_frame(&l->peer);
    assert_bytes(refusal.data, 3, "031150");
    assert_contains(&refusal, "RecursionError");
    assert_contains(&refusal, "too many nested requests");
    for (i = 199; i >= 0; i--) {
        say_reply(l, i);
        hears(&l->peer, "021150 115150");
    }
    thread_join(&t);
    assert_int_equal(atomic_load(&l->owner.result), 1);
    assert_int_equal(l->owner.nested, 200);
}

TEST(the_limit_is_for_requests_at_a_time)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    int i;

    for (i = 0; i < 300; i++) {
        say(&l->peer, "011150 1151" NO_ARGS);
        assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
        hears(&l->peer, "021150 11517a");
    }
}

TEST(an_exception_with_one_text_is_sent_as_vinegar)
{
    const enum rpyc_generation generations[] = {RPYC_GENERATION_6, RPYC_GENERATION_5};
    const char *heads[] = {"031157 ", "125357 "};
    const char *vinegar = "13 11 080e086275696c74696e73 080e084b65794572726f72 10 080a78 "
                          "10 11 080e0f5f72656d6f74655f76657273696f6e "
                          "080e103c76657273696f6e2064656e6965643e 080a78";
    char wanted[256];
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_new(generations[i], false);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        const struct message request = {.kind = MESSAGE_REQUEST, .seq = 7};

        assert_ok(conn_reply_exception(l->c, &request, "builtins", "KeyError", "x", SOON, &err),
                  &err);
        snprintf(wanted, sizeof(wanted), "%s%s", heads[i], vinegar);
        hears(&l->peer, wanted);
    }
}

TEST(a_reply_can_become_an_exception_half_way)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->owner.serve = serve_after_a_false_start;
    say(&l->peer, "011153 1151" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    hears(&l->peer, "031153 51");
    hears_no_more(&l->peer);
}

TEST(a_request_without_a_handler_closes_the_connection)
{
    const char *requests[] = {"011150 51", "011150 11 0a61 115102", "011150 1051", "011150"};
    size_t i;

    for (i = 0; i < 4; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        say(&l->peer, requests[i]);
        assert_int_equal(conn_serve_one(l->c, SOON, &err), -1);
        assert_error(&err, RPYC_EPROTOCOL, "bad brine: ");
        assert_true(conn_closed(l->c));
        assert_int_equal(atomic_load(&l->owner.served), 0);
    }
}

static int serve_not_at_all(struct owner *owner, struct conn *c, struct message *m,
                            struct rpyc_error *err)
{
    (void)c;
    (void)m;
    return error_set(err, (enum rpyc_errcode)owner->nested, "this host gives up");
}

TEST(a_serve_callback_that_fails_closes_the_connection)
{
    /* RPYC_ETIMEOUT would suggest to try again; it becomes RPYC_ECLOSED. */
    const struct {
        enum rpyc_errcode code, told;
    } cases[] = {
        {RPYC_EPROTOCOL, RPYC_EPROTOCOL}, {RPYC_ETIMEOUT, RPYC_ECLOSED},
        {RPYC_EINTERRUPT, RPYC_ECLOSED},  {RPYC_ENOMEM, RPYC_ECLOSED},
        {RPYC_ELIMIT, RPYC_ECLOSED},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        l->owner.serve = serve_not_at_all;
        l->owner.nested = (int)cases[i].code;
        say(&l->peer, "011150 1151" NO_ARGS);
        assert_int_equal(conn_serve_one(l->c, SOON, &err), -1);
        assert_error(&err, cases[i].told, "this host gives up");
        assert_true(rpyc_error_is_fatal(&err));
        assert_int_equal(conn_gave_up(l->c), cases[i].code != RPYC_EPROTOCOL);
        assert_true(conn_closed(l->c));
    }
}

TEST(a_serve_callback_that_fails_ends_the_wait_around_it)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    l->owner.serve = serve_not_at_all;
    l->owner.nested = RPYC_ETIMEOUT;
    say(&l->peer, "011150 1151" NO_ARGS);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "this host gives up");
    assert_true(conn_closed(l->c));
}

/* ---- Serving until the end ------------------------------------------------------------------- */

TEST(serving_goes_on_until_the_peer_hangs_up)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "011151 1153" NO_ARGS);
    say(&l->peer, "011152 1154" NO_ARGS);
    shutdown(l->peer.fd, SHUT_WR);
    assert_int_equal(conn_serve(l->c, &err), 0);
    assert_int_equal(atomic_load(&l->owner.served), 3);
    hears(&l->peer, "021150 11517a");
    hears(&l->peer, "021151 11517a");
    hears(&l->peer, "021152 11517a");
    hears_the_end(&l->peer);
}

TEST(serving_ends_with_a_goodbye_and_sends_no_reply)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l->peer, "125150 1152" NO_ARGS);
    say(&l->peer, "125151 1151" NO_ARGS); /* too late */
    assert_int_equal(conn_serve(l->c, &err), 0);
    assert_int_equal(atomic_load(&l->owner.served), 0);
    assert_true(conn_closed(l->c));
    hears_the_end(&l->peer);
}

TEST(serving_one_message_has_a_deadline)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(conn_serve_one(l->c, deadline_in(10), &err), -1);
    assert_int_equal(err.code, RPYC_ETIMEOUT);
    assert_false(conn_closed(l->c));
    say(&l->peer, "011150 1151" NO_ARGS);
    say(&l->peer, "011151 1151" NO_ARGS);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    assert_int_equal(atomic_load(&l->owner.served), 1);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 1);
    assert_int_equal(atomic_load(&l->owner.served), 2);
    shutdown(l->peer.fd, SHUT_WR);
    assert_int_equal(conn_serve_one(l->c, SOON, &err), 0);
}

static void serve_until_the_end(void *arg)
{
    struct link *l = arg;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    atomic_store(&l->owner.result, conn_serve(l->c, &err));
}

TEST(a_request_is_answered_while_another_thread_serves)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);
    struct thread server;
    struct asker a;

    thread_start(&server, serve_until_the_end, l);
    thread_wait_asleep(&server);
    asker_start_reading(&a, l, HANDLE_GETROOT, DEADLINE_NEVER, "011150 1153" NO_ARGS);
    say(&l->peer, "011150 1151" NO_ARGS);
    hears(&l->peer, "021150 11517a");
    say(&l->peer, "021150 115150");
    asker_join(&a);
    assert_int_equal(a.result, 0);
    shutdown(l->peer.fd, SHUT_WR);
    thread_join(&server);
    assert_int_equal(atomic_load(&l->owner.result), 0);
    assert_int_equal(atomic_load(&l->owner.served), 1);
}

TEST(the_first_request_tells_the_generation_of_the_reply)
{
    const struct {
        const char *request, *reply;
        struct envelope env;
    } cases[] = {
        {"011150 1151" NO_ARGS, "021150 11517a", {RPYC_GENERATION_6, false}},
        {"125150 1151" NO_ARGS, "125250 11517a", {RPYC_GENERATION_5, false}},
    };
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);

        assert_int_equal(conn_envelope(l->c).generation, RPYC_GENERATION_AUTO);
        say(&l->peer, cases[i].request);
        assert_int_equal(conn_serve_one(l->c, SOON, NULL), 1);
        hears(&l->peer, cases[i].reply);
        assert_int_equal(conn_envelope(l->c).generation, cases[i].env.generation);
        assert_int_equal(conn_envelope(l->c).bound, cases[i].env.bound);
    }
}
