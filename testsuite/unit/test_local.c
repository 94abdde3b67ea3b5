/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Local objects: the requests that a peer sends, and the replies.
 */
#include "link.h"

#include "local.h"

/* ---- What the peer was shown ----------------------------------------------------------------- */

/* An id pack in hex, as it is on the wire. */
struct pack {
    char hex[256];
};

static void to_hex(char *hex, const uint8_t *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

/* Sends an object to the peer once. Returns its id pack. */
static struct pack show(struct link *l, rpyc_value *v)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_BUFFER b = BUFFER_INIT;
    struct pack pack = {""};

    assert_ok(box_put_value(l->conn, &b, v, &err), &err);
    assert_bytes(b.data, 2, "1154"); /* a reference to an object of the sender */
    assert_true(b.len < sizeof(pack.hex) / 2);
    to_hex(pack.hex, b.data + 2, b.len - 2);
    return pack;
}

/* The peer sends a request, seq 7, with arguments. Returns the payload of the reply. */
static struct bytes ask(struct link *l, int handler, const char *format, ...)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char args[1024], request[1100];
    va_list ap;

    va_start(ap, format);
    vsnprintf(args, sizeof(args), format, ap);
    va_end(ap);
    snprintf(request, sizeof(request), "011157 11 %02x %s", handler + 0x50, args);
    say(&l->peer, request);
    if (rpyc_process(l->conn, 10000, &err) != 1)
        fail_msg("%s: %s", request, err.text);
    return next_frame(&l->peer);
}

/* Checks that the reply to a request is a box. */
#define assert_answers(box, l, ...)                                                                \
    do {                                                                                           \
        AUTO_BYTES answer_ = ask(l, __VA_ARGS__);                                                  \
        assert_bytes(answer_.data, answer_.len, "021157" box);                                     \
        hears_no_more(&(l)->peer);                                                                 \
    } while (0)

/* Checks that the reply to a request is an exception of a class, with a text in it. */
#define assert_raises(class_name, text, l, ...)                                                    \
    do {                                                                                           \
        AUTO_BYTES answer_ = ask(l, __VA_ARGS__);                                                  \
        assert_bytes(answer_.data, 3, "031157");                                                   \
        assert_contains(&answer_, class_name);                                                     \
        assert_contains(&answer_, text);                                                           \
        hears_no_more(&(l)->peer);                                                                 \
    } while (0)

/* Returns the id pack of the object in the reply to a request. */
static struct pack pack_in(const struct bytes *answer)
{
    struct pack pack = {""};

    assert_bytes(answer->data, 5, "021157 1154");
    assert_true(answer->len < sizeof(pack.hex) / 2);
    to_hex(pack.hex, answer->data + 5, answer->len - 5);
    return pack;
}

#define NONE "1151 00"
#define TRUE "1151 03"

#define assert_begins(text, beginning) assert_memory_equal(text, beginning, strlen(beginning))

/* Formats of boxes for ask: a reference to a local object, a name in hex. */
#define OBJ     "1153 %s"
#define UNKNOWN "12 080a61 51 51"
#define LIST    "12 080e0d6275696c74696e732e6c697374 5155"

#define SIZE  "1151 080d 73697a65" /* "size" */
#define OTHER "1151 080a 78"       /* "x" */

/* ---- An object ------------------------------------------------------------------------------- */

struct thing {
    int64_t size;
    bool deleted;
    int destroyed;
    int called;
    enum rpyc_errcode fails; /* the result of setattr */
    char method[8];          /* the method that was called last */
    size_t args, kwargs;     /* how many arguments the method got */
};

static int thing_getattr(void *self, const char *name, rpyc_value **out, struct rpyc_error *err)
{
    struct thing *t = self;

    if (strcmp(name, "size") == 0)
        return rpyc_build(out, err, "l", t->size);
    if (strcmp(name, "none") == 0)
        return 0;
    return rpyc_raise(err, "AttributeError", "a thing has no %s", name);
}

static int thing_setattr(void *self, const char *name, rpyc_value *value, struct rpyc_error *err)
{
    struct thing *t = self;

    if (t->fails)
        return error_set(err, t->fails, "that failed");
    if (strcmp(name, "size") != 0)
        return rpyc_raise(err, "AttributeError", "a thing has no %s", name);
    t->deleted = !value;
    return value ? rpyc_int64(value, &t->size, err) : 0;
}

static int thing_call(void *self, const char *method, rpyc_value *args, rpyc_value *kwargs,
                      rpyc_value **out, struct rpyc_error *err)
{
    struct thing *t = self;

    t->called++;
    snprintf(t->method, sizeof(t->method), "%s", method ? method : "");
    t->args = rpyc_length(args);
    t->kwargs = rpyc_length(kwargs);
    if (t->args == 1 && rpyc_type_of(rpyc_item(args, 0)) == RPYC_NONE)
        return rpyc_raise(err, "IndexError", "none is %d", 0);
    return rpyc_build(out, err, "OO", args, kwargs);
}

static int thing_str(void *self, rpyc_value **out, struct rpyc_error *err)
{
    (void)self;
    return rpyc_build(out, err, "s", "T");
}

static void thing_destroy(void *self)
{
    ((struct thing *)self)->destroyed++;
}

static const char *const thing_methods[] = {"go", "up", NULL};

static const struct rpyc_ops thing_ops = {
    .class_name = "a.Thing",
    .methods = thing_methods,
    .getattr = thing_getattr,
    .setattr = thing_setattr,
    .call = thing_call,
    .str = thing_str,
    .destroy = thing_destroy,
};

static const struct rpyc_ops bare_ops = {.class_name = NULL};

static rpyc_value *object(const struct rpyc_ops *ops, void *self)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;

    assert_ok(rpyc_object(&v, ops, self, &err), &err);
    return v;
}

static rpyc_value *function(rpyc_function_fn f, void *arg)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;

    assert_ok(rpyc_function(&v, f, arg, &err), &err);
    return v;
}

/* A function that does nothing. */
static int nothing(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                   struct rpyc_error *err)
{
    (void)arg;
    (void)args;
    (void)kwargs;
    (void)out;
    (void)err;
    return 0;
}

/* ---- What they are --------------------------------------------------------------------------- */

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
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

    assert_answers(NONE, &l, HANDLE_GETATTR, "1152 11" OBJ "1151 080d 6e6f6e65", pack.hex);
}

TEST(attributes_that_do_not_exist_are_what_the_op_raises)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

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
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

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
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);
    AUTO_BYTES answer = {NULL, 0};
    char wanted[600];

    answer = ask(&l, HANDLE_CALL, "1152 11" OBJ "1152 11" OBJ "1154" LIST, pack.hex, pack.hex);
    snprintf(wanted, sizeof(wanted), "021157 1152 11 1152 11 1154 %s 1153" LIST "1151 02",
             pack.hex);
    assert_bytes(answer.data, answer.len, wanted);
}

TEST(methods_are_called_by_name)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

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

static int add(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
               struct rpyc_error *err)
{
    int64_t n;

    assert_int_equal(rpyc_length(kwargs), 0);
    if (rpyc_int64(rpyc_item(args, 0), &n, err) < 0)
        return -1;
    return rpyc_build(out, err, "l", n + *(int *)arg);
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

/* ---- Lifetime -------------------------------------------------------------------------------- */

TEST(an_object_lives_as_long_as_either_side_holds_it)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    rpyc_value *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

    show(&l, v);
    show(&l, v);
    rpyc_unref(v);
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
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    rpyc_value *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 51", pack.hex);
    assert_raises("KeyError", "", &l, HANDLE_STR, "1152 10" OBJ, pack.hex);
    assert_int_equal(t.destroyed, 0);
    assert_string_equal(show(&l, v).hex, pack.hex); /* and may be sent again */
    assert_answers("1151 080a54", &l, HANDLE_STR, "1152 10" OBJ, pack.hex);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 51", pack.hex);
    rpyc_unref(v);
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
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    rpyc_value *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);

    show(&l, v);
    rpyc_unref(v);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 10" OBJ, pack.hex);
    assert_int_equal(t.destroyed, 0);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 10" OBJ, pack.hex);
    assert_int_equal(t.destroyed, 1);
}

TEST(giving_back_makes_sense_or_is_refused)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);
    const char *text = "DEL takes a reference and a count";

    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1151 50", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1151 16022d31", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL,
                  "1152 11" OBJ "1151 1614 2d39393939393939393939393939393939393939", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1151 080a78", pack.hex);
    assert_raises("TypeError", text, &l, HANDLE_DEL, "1152 11" OBJ "1152 02", pack.hex);
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

/* ---- Errors ---------------------------------------------------------------------------------- */

TEST(an_error_without_an_exception_becomes_one)
{
    const struct {
        enum rpyc_errcode code;
        const char *class_name;
    } cases[] = {
        {RPYC_ESYSTEM, "RuntimeError"},    {RPYC_ELIMIT, "RuntimeError"},
        {RPYC_ENOMEM, "MemoryError"},      {RPYC_ETYPE, "TypeError"},
        {RPYC_EINVAL, "ValueError"},       {RPYC_ETIMEOUT, "TimeoutError"},
        {RPYC_ECLOSED, "EOFError"},        {RPYC_ERESOLVE, "RuntimeError"},
        {RPYC_EINTERRUPT, "RuntimeError"}, {RPYC_ECANCELED, "RuntimeError"},
    };
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        t.fails = cases[i].code;
        assert_raises(cases[i].class_name, "that failed", &l, HANDLE_DELATTR, "1152 11" OBJ SIZE,
                      pack.hex);
    }
}

TEST(what_is_raised_has_a_class_and_a_text)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_raise(&err, "KeyError", "no %s, %d", "such", 7), -1);
    assert_error(&err, RPYC_EREMOTE, "no such, 7");
    assert_true(rpyc_error_is(&err, "KeyError"));
    assert_int_equal(rpyc_length(rpyc_exception_args(err.remote)), 1);
    assert_string_equal(rpyc_str(rpyc_item(rpyc_exception_args(err.remote), 0), NULL),
                        "no such, 7");
    assert_null(rpyc_exception_attribute(err.remote, "x"));
    assert_int_equal(rpyc_raise(NULL, "KeyError", "x"), -1);
}

TEST(unknown_objects_are_key_errors)
{
    AUTO_LINK l = link_open(-1);
    const char *text = "the peer named an object that it does not hold";

    assert_raises("KeyError", text, &l, HANDLE_GETATTR, "1152 11 1153" UNKNOWN SIZE);
    assert_raises("KeyError", text, &l, HANDLE_CALL, "1152 11 1153" UNKNOWN "1151 02");
    assert_raises("KeyError", text, &l, HANDLE_INSPECT, "1151 10" UNKNOWN);
    assert_raises("KeyError", text, &l, HANDLE_STR, "1152 10 1153" UNKNOWN);
    assert_raises("KeyError", text, &l, HANDLE_GETATTR, "1152 11 1153 12 080a61 51 50" SIZE);
}

/* Nested containers. */
#define OPEN_16 "10101010101010101010101010101010"
#define OPEN_64 OPEN_16 OPEN_16 OPEN_16 OPEN_16

TEST(a_request_over_a_limit_is_answered_with_an_exception)
{
    static const char too_long[] = "00000065 00 011157 1151 1151 10";
    const struct conn_config config = {.generation = RPYC_GENERATION_6, .max_frame = 100};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_LINK l = link_configured(&config, -1);
    char frame[sizeof(too_long) + 2 * 94] = "";
    AUTO_BYTES answer = {0};
    size_t i;

    memcpy(frame, too_long, sizeof(too_long) - 1);
    for (i = sizeof(too_long) - 1; i < sizeof(too_long) - 1 + 2 * 94; i++)
        frame[i] = 'f';
    say_raw(&l.peer, frame);
    assert_int_equal(rpyc_process(l.conn, 10000, &err), 1);
    answer = next_frame(&l.peer);
    assert_bytes(answer.data, 3, "031157");
    assert_contains(&answer, "ValueError");
    assert_contains(&answer, "it is longer than max_frame (100)");
    assert_answers("1151 0801", &l, HANDLE_PING, "1151 10 0801");
}

TEST(values_of_a_request_that_are_nested_too_deep_are_an_exception)
{
    AUTO_LINK l = link_open(-1);

    assert_raises("ValueError", "it is nested deeper than max_depth (200)", &l, HANDLE_PING,
                  "1151 10 " OPEN_64 OPEN_64 OPEN_64 OPEN_64 "02");
}

TEST(a_wrong_number_of_arguments_is_a_type_error)
{
    static const struct {
        int handler;
        const char *few, *many;
    } cases[] = {
        {HANDLE_GETATTR, "", "1151 0801 1151 00"},
        {HANDLE_DELATTR, "", "1151 0801 1151 00"},
        {HANDLE_SETATTR, "1151 0801", "1151 0801 1151 00 1151 00"},
        {HANDLE_CALL, "", "1151 02 1151 02 1151 02"},
        {HANDLE_CALLATTR, "1151 0801", "1151 0801 1151 02 1151 02 1151 02"},
        {HANDLE_REPR, NULL, "1151 00"},
        {HANDLE_STR, NULL, "1151 00"},
        {HANDLE_CMP, "", "1151 00 1151 00 1151 00"},
        {HANDLE_HASH, NULL, "1151 00"},
        {HANDLE_DIR, NULL, "1151 00"},
    };
    const char *text = "wrong number of arguments";
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);
    size_t i, extra;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int handler = cases[i].handler;

        assert_raises("TypeError", text, &l, handler, "1151 02");
        assert_raises("TypeError", text, &l, handler, "1151 50");
        for (extra = 0; extra < 2; extra++) {
            const char *more = extra ? cases[i].many : cases[i].few;
            size_t count = 1, k;
            char tuple[8];

            for (k = 0; more && more[k]; k++)
                count += strncmp(more + k, "1151", 4) == 0;
            if (!more)
                continue;
            snprintf(tuple, sizeof(tuple), count > 4 ? "14%02zx" : "%02zx",
                     count > 4 ? count : count + 0xf);
            assert_raises("TypeError", text, &l, handler, "1152 %s" OBJ "%s", tuple, pack.hex,
                          more);
        }
    }
    assert_int_equal(t.called, 0);
}

TEST(arguments_of_a_wrong_type_are_type_errors)
{
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);
    const char *name = "name must be a string", *tuple = "the arguments of a call must";
    const char *strange = "the first argument must be an object of the C program";

    assert_raises("TypeError", name, &l, HANDLE_GETATTR, "1152 11" OBJ "1151 50", pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_GETATTR, "1152 11" OBJ "1154" LIST, pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_SETATTR, "1152 12" OBJ "1151 00 1151 00", pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_DELATTR, "1152 11" OBJ "1151 02", pack.hex);
    assert_raises("TypeError", name, &l, HANDLE_CALLATTR, "1152 12" OBJ "1151 50 1151 02",
                  pack.hex);
    assert_raises("TypeError", tuple, &l, HANDLE_CALL, "1152 11" OBJ "1151 50", pack.hex);
    assert_raises("TypeError", tuple, &l, HANDLE_CALL, "1152 12" OBJ "1151 02 1151 50", pack.hex);
    assert_raises("TypeError", tuple, &l, HANDLE_CALL, "1152 11" OBJ "1154" LIST, pack.hex);
    assert_raises("TypeError", strange, &l, HANDLE_STR, "1151 10 50");
    assert_raises("TypeError", strange, &l, HANDLE_GETATTR, "1152 11 1154" LIST SIZE);
    assert_raises("TypeError", "INSPECT takes an id pack", &l, HANDLE_INSPECT, "1152 10" OBJ,
                  pack.hex);
    assert_int_equal(t.called, 0);
}

/* A callback may assume that kwargs is a tuple of (name, value) tuples. */
TEST(keywords_that_are_none_are_type_errors)
{
    const char *others[] = {"10 50", "10 10 080a6b", "10 11 50 51", "10 12 080a6b 51 52"};
    AUTO_LINK l = link_open(-1);
    struct thing t = {0};
    AUTO_VALUE *v = object(&thing_ops, &t);
    struct pack pack = show(&l, v);
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_raises("TypeError", "", &l, HANDLE_CALL, "1152 12" OBJ "1151 02 1151 %s", pack.hex,
                      others[i]);
    assert_int_equal(t.called, 0);
}

TEST(all_other_requests_are_refused)
{
    AUTO_LINK l = link_open(-1);
    int handler;

    for (handler = -1; handler <= 25; handler++) {
        switch (handler) {
        case HANDLE_PING:
        case HANDLE_CLOSE:
        case HANDLE_GETROOT:
        case HANDLE_GETATTR:
        case HANDLE_DELATTR:
        case HANDLE_SETATTR:
        case HANDLE_CALL:
        case HANDLE_CALLATTR:
        case HANDLE_REPR:
        case HANDLE_STR:
        case HANDLE_CMP:
        case HANDLE_HASH:
        case HANDLE_DIR:
        case HANDLE_DEL:
        case HANDLE_INSPECT:
            break;
        default:
            assert_raises("PermissionError", "a C program does not serve this request", &l, handler,
                          "1151 02");
        }
    }
}

/* ---- The connection's own -------------------------------------------------------------------- */

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
    assert_raises("AttributeError", "a C program has no attribute 'x'", &l, HANDLE_GETATTR,
                  "1152 11" OBJ OTHER, root.hex);
    assert_answers(NONE, &l, HANDLE_DEL, "1152 11" OBJ "1151 52", root.hex);
}

/* ---- Nested calls ---------------------------------------------------------------------------- */

/* Gets the attribute x of its first argument. */
static int ask_back(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out,
                    struct rpyc_error *err)
{
    (void)arg;
    (void)kwargs;
    return rpyc_getattr(rpyc_item(args, 0), "x", out, err);
}

static void serve_one(void *arg)
{
    struct link *l = arg;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_process(l->conn, 10000, &err), 1);
}

#define ASKED_FOR_X "011150 1154 1152 11 1153" LIST OTHER

TEST(a_function_may_ask_the_peer_while_it_is_called)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *f = function(ask_back, NULL);
    struct pack pack = show(&l, f);
    struct thread thread;
    char request[512];

    snprintf(request, sizeof(request), "011157 1157 1152 11" OBJ "1152 10 1154" LIST, pack.hex);
    say(&l.peer, request);
    thread_start(&thread, serve_one, &l);
    hears(&l.peer, ASKED_FOR_X);
    say(&l.peer, "021150 1151 080a79");
    hears(&l.peer, "021157 1151 080a79");
    thread_join(&thread);
}

/* a.b.C("y") */
#define EXCEPTION "11 080c612e62 080a43 10 080a79"

TEST(an_exception_of_the_peer_goes_back_as_it_was)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *f = function(ask_back, NULL);
    struct pack pack = show(&l, f);
    AUTO_BYTES answer = {NULL, 0};
    struct thread thread;
    char request[512];

    snprintf(request, sizeof(request), "011157 1157 1152 11" OBJ "1152 10 1154" LIST, pack.hex);
    say(&l.peer, request);
    thread_start(&thread, serve_one, &l);
    hears(&l.peer, ASKED_FOR_X);
    say(&l.peer, "031150 13" EXCEPTION "02 080b7462");
    answer = next_frame(&l.peer);
    thread_join(&thread);
    assert_true(answer.len > 17);
    assert_bytes(answer.data, 17, "031157 13" EXCEPTION);
}

/* The peer calls f again while f runs, several times; the innermost call returns first. */
TEST(calls_nest)
{
    enum { DEPTH = 20 };
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *f = function(ask_back, NULL);
    struct pack pack = show(&l, f);
    struct thread thread;
    char text[512];
    int i;

    thread_start(&thread, serve_one, &l);
    for (i = 0; i < DEPTH; i++) {
        snprintf(text, sizeof(text), "0111 %02x 1157 1152 11" OBJ "1152 10 1154" LIST, 0x50 + i,
                 pack.hex);
        say(&l.peer, text);
        snprintf(text, sizeof(text), "0111 %02x 1154 1152 11 1153" LIST OTHER, 0x50 + i);
        hears(&l.peer, text);
    }
    for (i = DEPTH - 1; i >= 0; i--) {
        snprintf(text, sizeof(text), "0211 %02x 1151 51", 0x50 + i);
        say(&l.peer, text);
        hears(&l.peer, text);
    }
    thread_join(&thread);
}

/* The request is served while another one waits for its reply. */
TEST(a_function_is_called_while_we_wait)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int three = 3;
    AUTO_VALUE *f = function(add, &three);
    struct pack pack = show(&l, f);
    char request[512];

    snprintf(request, sizeof(request), "011157 1157 1152 11" OBJ "1151 10 52", pack.hex);
    say(&l.peer, request);
    say(&l.peer, "021150 1151 0a78");
    assert_ok(rpyc_ping(l.conn, "x", 1, &err), &err);
    hears(&l.peer, "011150 1151 1151 10 0a78");
    hears(&l.peer, "021157 1151 55");
}

/* ---- Processing and serving ------------------------------------------------------------------ */

TEST(what_has_arrived_is_processed_at_once)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_process(l.conn, 0, &err), 0);
    say(&l.peer, "011151 1151 1151 10 51");
    say(&l.peer, "011152 1151 1151 10 52");
    say(&l.peer, "011153 1151 1151 10 53");
    assert_int_equal(rpyc_process(l.conn, -1, &err), 3);
    assert_int_equal(rpyc_process(l.conn, 1, &err), 0);
    assert_int_equal(rpyc_fd(l.conn) >= 0, 1);
    peer_close(&l.peer);
    assert_int_equal(rpyc_process(l.conn, 10000, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
}

TEST(no_more_is_processed_than_one_wants)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "011151 1151 1151 10 51");
    say(&l.peer, "011152 1151 1151 10 52");
    say(&l.peer, "011153 1151 1151 10 53");
    assert_int_equal(rpyc_process_some(l.conn, 2, -1, &err), 2);
    hears(&l.peer, "021151 1151 51");
    hears(&l.peer, "021152 1151 52");
    hears_no_more(&l.peer);
    assert_int_equal(rpyc_process_some(l.conn, 2, -1, &err), 1);
    assert_int_equal(rpyc_process_some(l.conn, 2, 0, &err), 0);
    peer_close(&l.peer);
    assert_int_equal(rpyc_process_some(l.conn, 2, 10000, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
}

/* The peer sends and does not read. */
TEST(a_peer_that_reads_no_replies_is_given_up)
{
    const struct rpyc_options options = {.generation = RPYC_GENERATION_6, .request_timeout_ms = 50};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_conn *conn = NULL;
    struct peer peer;
    int fds[2], i;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    peer.fd = fds[1];
    say(&peer, "021150 1154 12 080a61 5151");
    assert_ok(rpyc_connect_fd(&conn, fds[0], &options, &err), &err);
    for (i = 0; i < 100000 && err.code == RPYC_OK; i++) {
        say(&peer, "011151 1151 1151 10 51");
        rpyc_process(conn, 0, &err);
    }
    assert_error(&err, RPYC_ECLOSED, "the peer does not read the data that was sent to it");
    peer_close(&peer);
    rpyc_close(conn);
}

TEST(processing_what_is_not_rpyc_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say_raw(&l.peer, "ffffffff00ff");
    assert_int_equal(rpyc_process(l.conn, 10000, &err), -1);
    assert_error(&err, RPYC_ELIMIT, "a frame of 4294967295 bytes");
    assert_int_equal(rpyc_process(l.conn, 10000, NULL), -1);
}

TEST(serving_ends_well_when_the_peer_does)
{
    AUTO_LINK l = link_open(-1), other = link_open(-1), broken = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "011151 1151 1151 10 51");
    say(&l.peer, "011152 1152 115102"); /* CLOSE */
    assert_ok(rpyc_serve(l.conn, &err), &err);
    peer_close(&other.peer);
    assert_ok(rpyc_serve(other.conn, &err), &err);
    say_raw(&broken.peer, "ffffffff00ff");
    assert_int_equal(rpyc_serve(broken.conn, &err), -1);
    assert_int_equal(err.code, RPYC_ELIMIT);
}
