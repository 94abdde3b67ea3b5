/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Boxes of values, both ways.
 */
#include "link.h"

#include "box.h"

TEST(a_boxed_value_is_that_value)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *v = unbox(&l, "1151 11 50 08 0a61");

    assert_int_equal(rpyc_type_of(v), RPYC_TUPLE);
    assert_string_equal(rpyc_str(rpyc_item(v, 1), NULL), "a");
}

TEST(a_tuple_of_boxes_may_hold_anything)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *v = unbox(&l, "1152 13 1151 51 1154" LIST "1152 02 1152 10 1154" DICT);

    assert_int_equal(rpyc_type_of(v), RPYC_TUPLE);
    assert_int_equal(rpyc_length(v), 4);
    assert_int_equal(rpyc_type_of(rpyc_item(v, 1)), RPYC_NETREF);
    assert_int_equal(rpyc_length(rpyc_item(v, 2)), 0);
    assert_string_equal(rpyc_class_name(rpyc_item(rpyc_item(v, 3), 0)), "builtins.dict");
}

TEST(what_is_not_a_box_is_an_error_and_leaves_nothing)
{
    AUTO_LINK l = link_open(-1);

    assert_unbox_fails(&l, "", RPYC_EPROTOCOL, "bad brine: ");
    assert_unbox_fails(&l, "00", RPYC_EPROTOCOL, "bad brine: ");
    assert_unbox_fails(&l, "1155 00", RPYC_EPROTOCOL, "bad brine: a box with an unknown label");
    assert_unbox_fails(&l, "1151 07", RPYC_EPROTOCOL, "bad brine: an unknown tag");
    assert_unbox_fails(&l, "1152 00", RPYC_EPROTOCOL,
                       "a box labelled as a tuple does not contain a tuple");
    assert_unbox_fails(&l, "1152 1a10 1151 00", RPYC_EPROTOCOL,
                       "a box labelled as a tuple does not contain a tuple");
    assert_unbox_fails(&l, "1152 11 1151 00 00", RPYC_EPROTOCOL, "bad brine: ");
    assert_unbox_fails(&l, "1152 11 1154" LIST "1155 00", RPYC_EPROTOCOL, "unknown label");
    assert_unbox_fails(&l, "1154 00", RPYC_EPROTOCOL, "bad brine: ");
    assert_unbox_fails(&l, "1154 12 51 51 51", RPYC_EPROTOCOL,
                       "bad brine: an id pack whose name is not a str");
    assert_unbox_fails(&l, "1153" LIST, RPYC_EPROTOCOL,
                       "the peer named an object to which it has no reference");
}

TEST(plain_values_are_boxed_by_value_and_netrefs_by_reference)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *plain = read_value("11 50 1a 10 51");
    AUTO_VALUE *ref = unbox(&l, "1154" LIST);
    AUTO_VALUE *mixed = unbox(&l, "1152 12 1151 51 1154" LIST "1152 11 1154" DICT "1151 11 50 51");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER b = BUFFER_INIT;

    assert_ok(box_put_value(l.conn, &b, plain, &err), &err);
    assert_bytes(b.data, b.len, "1151 11 50 1a 10 51");
    buffer_clear(&b);
    assert_ok(box_put_value(l.conn, &b, ref, &err), &err);
    assert_bytes(b.data, b.len, "1153" LIST);
    buffer_clear(&b);
    assert_ok(box_put_value(l.conn, &b, mixed, &err), &err);
    assert_bytes(b.data, b.len, "1152 12 1151 51 1153" LIST "1152 11 1153" DICT "1151 11 50 51");
}

TEST(a_netref_goes_back_in_the_bytes_it_came_in)
{
    AUTO_LINK l = link_open(-1);
    const char *pack = "1403 0f00000001 61 160131 "
                       "16143138343436373434303733373039353531363136";
    char box[128];
    AUTO_VALUE *ref = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER b = BUFFER_INIT;

    snprintf(box, sizeof(box), "1154 %s", pack);
    ref = unbox(&l, box);
    assert_ok(box_put_value(l.conn, &b, ref, &err), &err);
    snprintf(box, sizeof(box), "1153 %s", pack);
    assert_bytes(b.data, b.len, box);
}
