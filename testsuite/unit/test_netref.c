/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Netrefs: one for each object, and their release.
 */
#include "link.h"

#include "netref.h"

TEST(an_object_of_the_peer_is_a_netref)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *v = unbox(&l, "1154" LIST);

    assert_int_equal(rpyc_type_of(v), RPYC_NETREF);
    assert_string_equal(rpyc_class_name(v), "builtins.list");
    assert_null(rpyc_str(v, NULL));
    assert_int_equal(rpyc_length(v), 0);
}

TEST(one_object_is_one_netref)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *a = unbox(&l, "1154" LIST);
    AUTO_VALUE *b = unbox(&l, "1154" LIST);
    AUTO_VALUE *c = unbox(&l, "1154" DICT);

    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
}

TEST(many_objects_are_told_apart)
{
    AUTO_LINK l = link_open(-1);
    rpyc_value *values[500];
    char hex[64];
    size_t i;

    for (i = 0; i < 500; i++) {
        snprintf(hex, sizeof(hex), "1154 12 080a61 51 1603 %02zx%02zx%02zx", i / 100 + 0x32,
                 i / 10 % 10 + 0x30, i % 10 + 0x30);
        values[i] = unbox(&l, hex);
    }
    for (i = 0; i < 500; i++) {
        snprintf(hex, sizeof(hex), "1154 12 080a61 51 1603 %02zx%02zx%02zx", i / 100 + 0x32,
                 i / 10 % 10 + 0x30, i % 10 + 0x30);
        AUTO_VALUE *again = unbox(&l, hex);
        assert_ptr_equal(again, values[i]);
    }
    for (i = 0; i < 500; i++)
        rpyc_unref(values[i]);
}

TEST(an_object_is_released_with_the_next_request)
{
    AUTO_LINK l = link_open(-1);

    rpyc_unref(unbox(&l, "1154" LIST));
    hears_no_more(&l.peer);
    say(&l.peer, "021150" NONE);
    flush(&l, 1);
    hears(&l.peer, "011150" DEL(LIST, "51"));
    hears(&l.peer, "011151" PING_ARGS);
    flush(&l, 2);
    hears(&l.peer, "011152" PING_ARGS);
    hears_no_more(&l.peer);
}

TEST(an_object_is_released_as_often_as_it_was_sent)
{
    AUTO_LINK l = link_open(-1);
    rpyc_value *a = unbox(&l, "1154" LIST);
    rpyc_value *b = unbox(&l, "1154" LIST);
    rpyc_value *c = unbox(&l, "1154" LIST);

    rpyc_ref(a); /* references of the C program do not count */
    rpyc_unref(a);
    rpyc_unref(a);
    rpyc_unref(b);
    flush(&l, 0);
    hears(&l.peer, "011150" PING_ARGS);
    rpyc_unref(c);
    flush(&l, 2);
    hears(&l.peer, "011151" DEL(LIST, "53"));
    hears(&l.peer, "011152" PING_ARGS);
    hears_no_more(&l.peer);
}

TEST(an_object_that_comes_again_is_counted_anew)
{
    AUTO_LINK l = link_open(-1);
    rpyc_value *again;

    rpyc_unref(unbox(&l, "1154" LIST));
    again = unbox(&l, "1154" LIST);
    flush(&l, 1);
    hears(&l.peer, "011150" DEL(LIST, "51"));
    hears(&l.peer, "011151" PING_ARGS);
    rpyc_unref(again);
    flush(&l, 3);
    hears(&l.peer, "011152" DEL(LIST, "51"));
    hears(&l.peer, "011153" PING_ARGS);
}

TEST(several_objects_are_released_with_one_request)
{
    AUTO_LINK l = link_open(-1);
    AUTO_BYTES first = {NULL, 0}, second = {NULL, 0};

    rpyc_unref(unbox(&l, "1152 12 1151 51 1154" LIST "1154" DICT));
    flush(&l, 2);
    first = next_frame(&l.peer);
    second = next_frame(&l.peer);
    hears(&l.peer, "011152" PING_ARGS);
    if (memmem(first.data, first.len, "dict", 4)) {
        assert_bytes(first.data, first.len, "011150" DEL(DICT, "51"));
        assert_bytes(second.data, second.len, "011151" DEL(LIST, "51"));
    } else {
        assert_bytes(first.data, first.len, "011150" DEL(LIST, "51"));
        assert_bytes(second.data, second.len, "011151" DEL(DICT, "51"));
    }
}

TEST(objects_in_a_reply_that_cannot_be_read_are_released)
{
    AUTO_LINK l = link_open(-1);

    assert_unbox_fails(&l, "1152 11 1154" LIST "1155 00", RPYC_EPROTOCOL, "unknown label");
    flush(&l, 1);
    hears(&l.peer, "011150" DEL(LIST, "51"));
}

TEST(a_result_that_the_caller_drops_is_released)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1154" LIST);
    assert_ok(rpyc_call(root, NULL, &err, NULL), &err);
    hears(&l.peer, "011150 1157 1152 11 1153" ROOT "1151 02");
    flush(&l, 2);
    hears(&l.peer, "011151" DEL(LIST, "51"));
}

TEST(objects_are_released_even_if_the_request_is_abandoned)
{
    AUTO_LINK l = link_open(-1), other = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *stranger = unbox(&other, "1154" LIST);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    rpyc_unref(unbox(&l, "1154" LIST));
    assert_int_equal(rpyc_call(root, NULL, &err, "O", stranger), -1);
    flush(&l, 1);
    hears(&l.peer, "011150" DEL(LIST, "51"));
    hears(&l.peer, "011151" PING_ARGS);
}

TEST(an_exception_in_reply_to_a_release_is_ignored)
{
    AUTO_LINK l = link_open(-1);

    rpyc_unref(unbox(&l, "1154" LIST));
    say(&l.peer, "031150 51");
    flush(&l, 1);
}

/* The peer sends many objects in a reply that no thread waits for. */

TEST(many_objects_in_unclaimed_replies_are_released_at_once)
{
    enum { COUNT = 1001 };
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER reply = BUFFER_INIT;
    AUTO_BYTES head = from_hex("02111603393939 1152 15000003e9"), box = from_hex("1154" LIST);
    size_t start = frame_begin(&reply), i;

    buffer_put(&reply, head.data, head.len);
    for (i = 0; i < COUNT; i++)
        buffer_put(&reply, box.data, box.len);
    assert_ok(frame_end(&reply, start, false, &err), &err);
    say_bytes(&l.peer, reply.data, reply.len);
    assert_int_equal(rpyc_process(l.conn, 10000, &err), 1);
    for (i = 0; i < COUNT; i++) {
        AUTO_BYTES heard = next_frame(&l.peer);

        assert_bytes(heard.data, 2, "0111");
    }
    hears_no_more(&l.peer);
}
