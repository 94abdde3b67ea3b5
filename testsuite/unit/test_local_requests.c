/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a peer may request of local objects.
 */
#include "local_object.h"

TEST(an_object_is_a_value_with_what_it_was_made_with)
{
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t), *f = function(nothing, &t), *none = NULL;

    assert_int_equal(rpyc_type_of(v), RPYC_OBJECT);
    assert_ptr_equal(rpyc_object_self(v), &t);
    assert_int_equal(rpyc_type_of(f), RPYC_OBJECT);
    assert_null(rpyc_object_self(f));
    assert_null(rpyc_class_name(v));
    assert_int_equal(rpyc_length(v), 0);
    assert_int_equal(rpyc_build(&none, NULL, "N"), 0);
    assert_null(rpyc_object_self(none));
}

TEST(an_object_goes_over_by_its_class_and_two_ids)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0}, u = {0};
    AUTO_VALUE *a = object(&thing_ops, &t), *b = object(&thing_ops, &u);
    AUTO_VALUE *bare = object(&bare_ops, NULL), *f = function(nothing, NULL);
    struct pack packs[] = {show(&l, a), show(&l, b), show(&l, bare), show(&l, f), show(&l, a)};

    assert_begins(packs[0].hex, "12080e07612e5468696e67");
    assert_begins(packs[2].hex, "12080e0e6c6962727079632e4f626a656374");
    assert_begins(packs[3].hex, "12080e116275696c74696e732e66756e6374696f6e");
    assert_string_not_equal(packs[0].hex, packs[1].hex);
    assert_string_equal(packs[0].hex, packs[4].hex);
}

TEST(an_object_that_comes_back_is_itself)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *v = object(&bare_ops, NULL), *back = NULL;
    struct pack pack = show(&l, v);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;
    char hex[300];

    snprintf(hex, sizeof(hex), OBJ, pack.hex);
    AUTO_BYTES box = from_hex(hex);
    brine_read(&r, box.data, box.len);
    back = box_read_value(l.conn, &r, &err);
    assert_ptr_equal(back, v);
}

TEST(an_object_is_for_several_connections)
{
    AUTO_LINK a = link_open(-1), b = link_open(-1);
    struct thing t = {.size = 5};
    rpyc_value *v = object(&thing_ops, &t);
    struct pack in_a = show(&a, v), in_b = show(&b, v);

    rpyc_unref(v);
    assert_answers("1151 55", &a, HANDLE_GETATTR, "1152 11" OBJ SIZE, in_a.hex);
    assert_answers(NONE, &a, HANDLE_DEL, "1152 11" OBJ "1151 51", in_a.hex);
    assert_int_equal(t.destroyed, 0);
    assert_answers("1151 55", &b, HANDLE_GETATTR, "1152 11" OBJ SIZE, in_b.hex);
    assert_answers(NONE, &b, HANDLE_DEL, "1152 11" OBJ "1151 51", in_b.hex);
    assert_int_equal(t.destroyed, 1);
}

/* ---- Attributes ------------------------------------------------------------------------------ */

TEST(attributes_are_got_set_and_deleted)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {.size = 3};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

    assert_answers("1151 53", &l, HANDLE_GETATTR, "1152 11" OBJ SIZE, pack.hex);
    assert_answers("1151 53", &l, HANDLE_GETATTR, "1152 11" OBJ "1151 0d73697a65", pack.hex);
    assert_answers(NONE, &l, HANDLE_SETATTR, "1152 12" OBJ SIZE "1151 54", pack.hex);
    assert_int_equal(t.size, 4);
    assert_false(t.deleted);
    assert_answers(NONE, &l, HANDLE_DELATTR, "1152 11" OBJ SIZE, pack.hex);
    assert_true(t.deleted);
}

TEST(an_op_that_gives_nothing_gives_none)
{
    SHOW_THING(l, t, v, pack);

    assert_answers(NONE, &l, HANDLE_GETATTR, "1152 11" OBJ "1151 080d 6e6f6e65", pack.hex);
}

TEST(attributes_that_do_not_exist_are_what_the_op_raises)
{
    SHOW_THING(l, t, v, pack);

    assert_raises("AttributeError", "a thing has no x", &l, HANDLE_GETATTR, "1152 11" OBJ OTHER,
                  pack.hex);
    assert_raises("AttributeError", "a thing has no x", &l, HANDLE_SETATTR,
                  "1152 12" OBJ OTHER "1151 50", pack.hex);
    assert_raises("AttributeError", "a thing has no x", &l, HANDLE_DELATTR, "1152 11" OBJ OTHER,
                  pack.hex);
}

TEST(an_object_without_ops_has_no_attributes_and_cannot_be_called)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *v = object(&bare_ops, NULL);
    struct pack pack = show(&l, v);
    const char *text = "'librpyc.Object' object has no attribute 'x'";

    assert_raises("AttributeError", text, &l, HANDLE_GETATTR, "1152 11" OBJ OTHER, pack.hex);
    assert_raises("AttributeError", text, &l, HANDLE_DELATTR, "1152 11" OBJ OTHER, pack.hex);
    assert_raises("AttributeError", text, &l, HANDLE_SETATTR, "1152 12" OBJ OTHER "1151 50",
                  pack.hex);
    assert_raises("TypeError", "'librpyc.Object' object is not callable", &l, HANDLE_CALL,
                  "1152 11" OBJ "1151 02", pack.hex);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

TEST(an_object_is_called_with_its_arguments)
{
    SHOW_THING(l, t, v, pack);

    assert_answers("1151 11 02 02", &l, HANDLE_CALL, "1152 11" OBJ "1151 02", pack.hex);
    assert_answers("1151 11 11 51 52 02", &l, HANDLE_CALL, "1152 11" OBJ "1151 11 51 52", pack.hex);
    assert_string_equal(t.method, "");
    assert_int_equal(t.args, 2);
    assert_answers("1151 11 10 51 10 11 080a6b 52", &l, HANDLE_CALL,
                   "1152 12" OBJ "1151 10 51 1151 10 11 080a6b 52", pack.hex);
    assert_int_equal(t.kwargs, 1);
    assert_answers("1151 11 02 02", &l, HANDLE_CALL, "1152 12" OBJ "1152 02 1152 02", pack.hex);
    assert_raises("IndexError", "none is 0", &l, HANDLE_CALL, "1152 11" OBJ "1151 10 00", pack.hex);
    assert_int_equal(t.called, 5);
}

TEST(references_among_the_arguments_go_back_as_what_they_are)
{
    SHOW_THING(l, t, v, pack);
    AUTO_BYTES answer = {NULL, 0};
    char wanted[600];

    answer = ask(&l, HANDLE_CALL, "1152 11" OBJ "1152 11" OBJ "1154" LIST, pack.hex, pack.hex);
    snprintf(wanted, sizeof(wanted), "021157 1152 11 1152 11 1154 %s 1153" LIST "1151 02",
             pack.hex);
    assert_bytes(answer.data, answer.len, wanted);
}

TEST(methods_are_called_by_name)
{
    SHOW_THING(l, t, v, pack);

    assert_answers("1151 11 10 51 02", &l, HANDLE_CALLATTR,
                   "1152 12" OBJ "1151 080b 676f 1151 10 51", pack.hex);
    assert_string_equal(t.method, "go");
    assert_answers("1151 11 02 10 11 080a6b 52", &l, HANDLE_CALLATTR,
                   "1152 13" OBJ "1151 080b 7570 1151 02 1151 10 11 080a6b 52", pack.hex);
    assert_string_equal(t.method, "up");
    assert_answers("1151 11 02 02", &l, HANDLE_CALLATTR,
                   "1152 12" OBJ "1151 080e08 5f5f63616c6c5f5f 1151 02", pack.hex);
    assert_string_equal(t.method, "");
    assert_raises("AttributeError", "a thing has no x", &l, HANDLE_CALLATTR,
                  "1152 12" OBJ OTHER "1151 02", pack.hex);
    assert_raises("TypeError", "attribute 'size' is not callable", &l, HANDLE_CALLATTR,
                  "1152 12" OBJ SIZE "1151 02", pack.hex);
    assert_int_equal(t.called, 3);
}

TEST(a_method_is_an_object_that_keeps_its_own_alive)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    rpyc_value *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v), method;
    AUTO_BYTES answer = ask(&l, HANDLE_GETATTR, "1152 11" OBJ "1151 080b 676f", pack.hex);

    method = pack_in(&answer);
    rpyc_unref(v);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 51", pack.hex);
    assert_int_equal(t.destroyed, 0);
    assert_answers("1151 11 10 51 02", &l, HANDLE_CALL, "1152 11" OBJ "1151 10 51", method.hex);
    assert_string_equal(t.method, "go");
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 51", method.hex);
    assert_int_equal(t.destroyed, 1);
}

TEST(a_function_is_called)
{
    AUTO_LINK l = link_open(-1);
    int three = 3;
    AUTO_VALUE *f = function(add, &three);
    struct pack pack = show(&l, f);

    assert_answers("1151 55", &l, HANDLE_CALL, "1152 11" OBJ "1151 10 52", pack.hex);
    assert_answers("1151 56", &l, HANDLE_CALLATTR,
                   "1152 12" OBJ "1151 080e08 5f5f63616c6c5f5f 1151 10 53", pack.hex);
    assert_raises("TypeError", "expected int, got NoneType", &l, HANDLE_CALL,
                  "1152 11" OBJ "1151 10 00", pack.hex);
    assert_raises("AttributeError", "'builtins.function' object has no attribute 'x'", &l,
                  HANDLE_GETATTR, "1152 11" OBJ OTHER, pack.hex);
}

/* ---- Everything else that is asked of them --------------------------------------------------- */

TEST(str_and_repr_are_the_op_s)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t), *bare = object(&bare_ops, NULL);
    struct pack pack = show(&l, v), bare_pack = show(&l, bare);
    AUTO_BYTES answer = {NULL, 0};

    assert_answers("1151 080a54", &l, HANDLE_STR, "1152 10" OBJ, pack.hex);
    assert_answers("1151 080a54", &l, HANDLE_REPR, "1152 10" OBJ, pack.hex);
    answer = ask(&l, HANDLE_STR, "1152 10" OBJ, bare_pack.hex);
    assert_contains(&answer, "<librpyc.Object object at 0x");
}

TEST(inspect_and_dir_list_methods)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t), *bare = object(&bare_ops, NULL);
    AUTO_VALUE *f = function(add, &t);
    struct pack pack = show(&l, v), bare_pack = show(&l, bare), f_pack = show(&l, f);

    assert_answers("1151 12 11 080e08 5f5f63616c6c5f5f 00 11 080b676f 00 11 080b7570 00", &l,
                   HANDLE_INSPECT, "1151 10 %s", pack.hex);
    assert_answers("1151 12 080e08 5f5f63616c6c5f5f 080b676f 080b7570", &l, HANDLE_DIR,
                   "1152 10" OBJ, pack.hex);
    assert_answers("1151 02", &l, HANDLE_INSPECT, "1151 10 %s", bare_pack.hex);
    assert_answers("1151 02", &l, HANDLE_DIR, "1152 10" OBJ, bare_pack.hex);
    assert_answers("1151 10 11 080e08 5f5f63616c6c5f5f 00", &l, HANDLE_INSPECT, "1151 10 %s",
                   f_pack.hex);
}

TEST(an_object_has_a_hash_of_its_own)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *a = object(&bare_ops, NULL), *b = object(&bare_ops, NULL);
    struct pack a_pack = show(&l, a), b_pack = show(&l, b);
    AUTO_BYTES first = ask(&l, HANDLE_HASH, "1152 10" OBJ, a_pack.hex);
    AUTO_BYTES again = ask(&l, HANDLE_HASH, "1152 10" OBJ, a_pack.hex);
    AUTO_BYTES other = ask(&l, HANDLE_HASH, "1152 10" OBJ, b_pack.hex);

    assert_bytes(first.data, 5, "021157 1151");
    assert_int_equal(first.len, again.len);
    assert_memory_equal(first.data, again.data, first.len);
    assert_false(first.len == other.len && memcmp(first.data, other.data, first.len) == 0);
}

#define EQ "1151 080e06 5f5f65715f5f"
#define NE "1151 080e06 5f5f6e655f5f"
#define LT "1151 080e06 5f5f6c745f5f"

TEST(an_object_is_equal_to_itself_alone)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *a = object(&bare_ops, NULL), *b = object(&bare_ops, NULL);
    struct pack x = show(&l, a), y = show(&l, b);

    assert_answers(TRUE, &l, HANDLE_CMP, "1152 12" OBJ OBJ EQ, x.hex, x.hex);
    assert_answers("1151 04", &l, HANDLE_CMP, "1152 12" OBJ OBJ EQ, x.hex, y.hex);
    assert_answers("1151 04", &l, HANDLE_CMP, "1152 12" OBJ "1151 50" EQ, x.hex);
    assert_answers("1151 04", &l, HANDLE_CMP, "1152 12" OBJ OBJ NE, x.hex, x.hex);
    assert_answers(TRUE, &l, HANDLE_CMP, "1152 12" OBJ OBJ NE, x.hex, y.hex);
    assert_answers("1151 05", &l, HANDLE_CMP, "1152 12" OBJ OBJ LT, x.hex, y.hex);
    assert_answers("1151 05", &l, HANDLE_CMP, "1152 11" OBJ OBJ, x.hex, y.hex);
    assert_answers("1151 05", &l, HANDLE_CMP, "1152 12" OBJ OBJ "1151 50", x.hex, y.hex);
}
