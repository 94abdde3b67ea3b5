/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How long local objects live.
 */
#include "local_object.h"

TEST(an_object_lives_as_long_as_either_side_holds_it)
{
    SHOW_THING(l, t, v, pack);

    show(&l, v);
    show(&l, v);
    drop(&v);
    assert_int_equal(t.destroyed, 0);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 52", pack.hex);
    assert_int_equal(t.destroyed, 0);
    assert_answers("1151 50", &l, HANDLE_GETATTR, "1152 11" OBJ SIZE, pack.hex);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 51", pack.hex);
    assert_int_equal(t.destroyed, 1);
    assert_raises("KeyError", "", &l, HANDLE_GETATTR, "1152 11" OBJ SIZE, pack.hex);
}

TEST(an_object_that_is_held_here_survives_being_given_back)
{
    SHOW_THING(l, t, v, pack);

    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 51", pack.hex);
    assert_raises("KeyError", "", &l, HANDLE_STR, "1152 10" OBJ, pack.hex);
    assert_int_equal(t.destroyed, 0);
    assert_string_equal(show(&l, v).hex, pack.hex); /* and may be sent again */
    assert_answers("1151 080a54", &l, HANDLE_STR, "1152 10" OBJ, pack.hex);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 51", pack.hex);
    drop(&v);
    assert_int_equal(t.destroyed, 1);
}

TEST(giving_back_too_much_is_giving_back)
{
    const char *counts[] = {"52", "1614 3939393939393939393939393939393939393939"};
    size_t i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_open(-1);
        struct thing t = {0};
        rpyc_value *v = object(&thing_ops, &t);
        struct pack pack = show(&l, v);

        rpyc_unref(v);
        assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 %s", pack.hex, counts[i]);
        assert_int_equal(t.destroyed, 1);
    }
}

TEST(giving_back_without_a_count_is_giving_back_once)
{
    SHOW_THING(l, t, v, pack);

    show(&l, v);
    drop(&v);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 10" OBJ, pack.hex);
    assert_int_equal(t.destroyed, 0);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 10" OBJ, pack.hex);
    assert_int_equal(t.destroyed, 1);
}

TEST(giving_back_makes_sense_or_is_refused)
{
    SHOW_THING(l, t, v, pack);
    const char *text = "DEL takes a reference and a count";

    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1151 50", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1151 16022d31", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL,
                  "1152 11" OBJ "1151 1614 2d39393939393939393939393939393939393939", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1151 080a78", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1152 02", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 12" OBJ "1151 51 1151 51", pack.hex);
    assert_raises("KeyError", "", &l, HANDLE_DEL, "1152 11 1153" UNKNOWN "1151 51");
    assert_answers("1151 50", &l, HANDLE_GETATTR, "1152 11" OBJ SIZE, pack.hex);
}

TEST(a_close_lets_go_of_all_objects)
{
    struct link l = link_open(-1);
    struct thing t = {0}, u = {0};
    rpyc_value *v = object(&thing_ops, &t), *held = object(&thing_ops, &u);

    show(&l, v);
    show(&l, held);
    rpyc_unref(v);
    link_close(&l);
    assert_int_equal(t.destroyed, 1);
    assert_int_equal(u.destroyed, 0);
    rpyc_unref(held);
    assert_int_equal(u.destroyed, 1);
}
