/* SPDX-License-Identifier: BSD-3-Clause */
#include "conn_link.h"

TEST(the_end_of_file_between_messages_ends_the_wait)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    shutdown(l->peer.fd, SHUT_WR);
    assert_no_answer(l->c, SOON, RPYC_ECLOSED, "the peer hung up");
    assert_true(conn_closed(l->c));
}

TEST(the_end_of_file_within_a_message_is_an_error)
{
    const char *parts[] = {"00", "00000008 00", "00000008 00 021150 115193"};
    size_t i;

    for (i = 0; i < 3; i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

        say_raw(&l->peer, parts[i]);
        shutdown(l->peer.fd, SHUT_WR);
        assert_no_answer(l->c, SOON, RPYC_EPROTOCOL, "the peer hung up in the middle of a message");
        assert_true(conn_closed(l->c));
    }
}

TEST(input_of_another_protocol_closes_the_connection)
{
    AUTO_LINK garbage = link_new(RPYC_GENERATION_AUTO, false);
    AUTO_LINK http = link_new(RPYC_GENERATION_AUTO, false);

    say(&garbage->peer, "ffffffff");
    assert_no_answer(garbage->c, SOON, RPYC_EPROTOCOL, "the peer does not use the RPyC protocol");
    hears(&garbage->peer, "011150 1153" NO_ARGS);
    hears_the_end(&garbage->peer);
    say_raw(&http->peer, "485454502f312e3120343030204261642052657175657374");
    assert_no_answer(http->c, SOON, RPYC_EPROTOCOL, "not an RPyC frame: it would have ");
}

TEST(a_message_of_the_other_generation_closes_the_connection)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);

    say(&l->peer, "125250 115193");
    assert_answer(l->c, MESSAGE_REPLY, "115193");
    say(&l->peer, "021151 115193");
    assert_no_answer(l->c, SOON, RPYC_EPROTOCOL,
                     "the peer uses the protocol of rpyc 6, expected rpyc 5");
    assert_true(conn_closed(l->c));
}

/* A frame of 101 bytes, where the limit is 100. What follows the head is not valid brine. */
#define OVER_100(head) "00000065 00" head FILL_32 FILL_32 FILL_32 "0a"
#define FILL_32        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static struct link *link_with_limit(enum rpyc_generation generation)
{
    const struct conn_config config = {.max_frame = 100, .generation = generation};
    struct link *l = malloc(sizeof(*l));

    link_open(l, &plain_callbacks, &config);
    return l;
}

TEST(a_reply_over_the_limit_fails_and_the_connection_stays_open)
{
    const struct {
        enum rpyc_generation generation;
        const char *answer, *next;
    } cases[] = {
        {RPYC_GENERATION_6, OVER_100("021150ffff"), "021151 115193"},
        {RPYC_GENERATION_6, OVER_100("031150ffff"), "021151 115193"},
        {RPYC_GENERATION_5, OVER_100("125250ffff"), "125251 115193"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_with_limit(cases[i].generation);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        struct message m;

        say_raw(&l->peer, cases[i].answer);
        say(&l->peer, cases[i].next);
        assert_ok(ask(l->c, HANDLE_GETROOT, &m, SOON, &err), &err);
        assert_int_equal(brine_error(&m.body, &err), -1);
        assert_error(&err, RPYC_ELIMIT, "a message was refused: it is longer than max_frame (100)");
        message_free(&m);
        assert_answer(l->c, MESSAGE_REPLY, "115193");
    }
}

static int serve_over_limit(struct owner *owner, struct conn *c, struct message *m,
                            struct rpyc_error *err)
{
    assert_int_equal(m->body.failed, RPYC_ELIMIT);
    assert_int_equal(m->body.limit, 100);
    return serve_42(owner, c, m, err);
}

TEST(a_request_over_the_limit_can_be_answered)
{
    AUTO_LINK l = link_with_limit(RPYC_GENERATION_AUTO);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    l->owner.serve = serve_over_limit;
    say_raw(&l->peer, OVER_100("0111571153"));
    say(&l->peer, "011158 1152" NO_ARGS);
    assert_int_equal(conn_serve(l->c, &err), 0); /* until HANDLE_CLOSE */
    hears(&l->peer, "021157 11517a");
}

TEST(a_frame_over_the_limit_without_a_message_closes_the_connection)
{
    AUTO_LINK garbage = link_with_limit(RPYC_GENERATION_6);
    AUTO_LINK broken = link_with_limit(RPYC_GENERATION_6);
    AUTO_LINK cut_off = link_with_limit(RPYC_GENERATION_6);

    say_raw(&garbage->peer, "00000065 00 ff");
    assert_no_answer(garbage->c, SOON, RPYC_EPROTOCOL,
                     "not an RPyC frame: it would have 101 bytes, and the limit is 100");
    say_raw(&broken->peer, OVER_100("02ffffffff"));
    assert_no_answer(broken->c, SOON, RPYC_EPROTOCOL, "bad brine");
    say_raw(&cut_off->peer, "00000065 00 021159" FILL_32 FILL_32 FILL_32);
    shutdown(cut_off->peer.fd, SHUT_WR);
    assert_no_answer(cut_off->c, SOON, RPYC_EPROTOCOL, "hung up in the middle of a message");
}

TEST(a_message_that_was_half_received_at_the_deadline_is_not_lost)
{
    AUTO_LINK l = link_new(RPYC_GENERATION_6, false);

    say_raw(&l->peer, "00000006 00 0211");
    assert_no_answer(l->c, deadline_in(10), RPYC_ETIMEOUT, "no answer in time");
    say_raw(&l->peer, "50 115150 0a 00000006 00 0211");
    say_raw(&l->peer, "51 115151 0a");
    assert_answer(l->c, MESSAGE_REPLY, "115151");
}

TEST(serving_bad_input_is_an_error)
{
    const struct {
        const char *bytes;
        enum rpyc_errcode code;
        const char *text;
    } cases[] = {
        {"00000004 00 00000000 0a", RPYC_EPROTOCOL, "the peer does not use the RPyC protocol"},
        {"00000004 02 00000000 0a", RPYC_EPROTOCOL, "not an RPyC frame"},
        {"00000004 01 00000000 0a", RPYC_EPROTOCOL, "a frame with invalid compressed data"},
        {"20000000 00 ff", RPYC_EPROTOCOL, "not an RPyC frame: it would have 536870912 bytes"},
        {"00000008 00 0111", RPYC_EPROTOCOL, "the peer hung up in the middle of a message"},
        {"00000003 00 011107 0a", RPYC_EPROTOCOL, "bad brine: "},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_new(RPYC_GENERATION_AUTO, false);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        say_raw(&l->peer, cases[i].bytes);
        shutdown(l->peer.fd, SHUT_WR);
        assert_int_equal(conn_serve(l->c, &err), -1);
        assert_error(&err, cases[i].code, cases[i].text);
        assert_true(conn_closed(l->c));
        hears_the_end(&l->peer);
    }
}
