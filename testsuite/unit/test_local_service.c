/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests that name no object.
 */
#include "local_object.h"

TEST(a_peer_may_ping_us)
{
    AUTO_LINK l = link_open(-1);

    assert_answers("1151 0c616263", &l, HANDLE_PING, "1151 10 0c616263");
    assert_answers("1151 12 50 00 080a61", &l, HANDLE_PING, "1151 10 12 50 00 080a61");
    assert_answers("1153" LIST, &l, HANDLE_PING, "1152 10 1154" LIST);
    assert_raises("TypeError", "PING takes one argument", &l, HANDLE_PING, "1151 02");
    assert_raises("TypeError", "PING takes one argument", &l, HANDLE_PING, "1151 11 50 50");
    assert_raises("TypeError", "PING takes one argument", &l, HANDLE_PING, "1151 50");
}

/* Sends the requests of a server with a ClassicService or MasterService at the start. */
TEST(a_symmetric_server_is_given_a_service)
{
    AUTO_LINK l = link_open(-1);
    AUTO_BYTES answer = ask(&l, HANDLE_GETROOT, "1151 02");
    AUTO_BYTES again = ask(&l, HANDLE_GETROOT, "1151 02"), function_answer = {NULL, 0};
    AUTO_BYTES function_again = {NULL, 0};
    struct pack root = pack_in(&answer), getmodule;
    const char *const names[] = {"080d 6576616c", "080e07 65786563757465",
                                 "080e09 6e616d657370616365"}; /* eval, execute, namespace */
    size_t i;

    assert_string_equal(pack_in(&again).hex, root.hex);
    assert_begins(root.hex, "12080e0f6275696c74696e732e6f626a656374");
    function_answer =
        ask(&l, HANDLE_GETATTR, "1152 11" OBJ "1151 080e09 6765746d6f64756c65", root.hex);
    getmodule = pack_in(&function_answer);
    function_again =
        ask(&l, HANDLE_GETATTR, "1152 11" OBJ "1151 080e09 6765746d6f64756c65", root.hex);
    assert_string_equal(pack_in(&function_again).hex, getmodule.hex);
    assert_answers(NONE, &l, HANDLE_CALL, "1152 12" OBJ "1152 10 1151 0801 1151 02", getmodule.hex);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 52", getmodule.hex);
    for (i = 0; i < 3; i++)
        assert_answers(NONE, &l, HANDLE_GETATTR, "1152 11" OBJ "1151 %s", root.hex, names[i]);
    assert_raises("AttributeError", "the service of a C program has no attribute 'x'", &l,
                  HANDLE_GETATTR, "1152 11" OBJ OTHER, root.hex);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 52", root.hex);
}
