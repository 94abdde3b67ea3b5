/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values, netrefs, and the requests that are made of them, against a peer by script.
 */
#include "unit.h"

#include "box.h"
#include "classic.h"
#include "handlers.h"

/* ---- A connection and the script at its other end ------------------------------------------- */

struct link {
    rpyc_conn *conn;
    struct peer peer;
};

static struct link link_open(int request_timeout_ms)
{
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;
    struct link l;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    stream_open(&s, fds[0]);
    l.peer.fd = fds[1];
    assert_ok(rpyc_conn_new(&l.conn, &s, &handlers, &config, false, request_timeout_ms, &err),
              &err);
    return l;
}

static void link_close(struct link *l)
{
    peer_close(&l->peer);
    rpyc_close(l->conn);
}

#define AUTO_LINK _cleanup_(link_close) struct link

/* Id packs: ("builtins.list", 1, 5), ("builtins.dict", 2, 6), ("a.Root", 3, 7). */
#define LIST "12 080e0d6275696c74696e732e6c697374 5155"
#define DICT "12 080e0d6275696c74696e732e64696374 5256"
#define ROOT "12 080e06612e526f6f74 5357"

#define NONE "1151 00"

/* The arguments of a DEL. */
#define DEL(pack, count) "115f 1152 11 1153" pack "1151" count

/* What a box holds that came over the wire. */
static rpyc_value *unbox(struct link *l, const char *hex)
{
    AUTO_BYTES box = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;
    rpyc_value *v;

    brine_read(&r, box.data, box.len);
    v = box_read_value(l->conn, &r, &err);
    if (!v)
        fail_msg("%s: %s", hex, err.text);
    assert_true(brine_at_end(&r));
    return v;
}

static void assert_unbox_fails(struct link *l, const char *hex, enum rpyc_errcode code,
                               const char *text)
{
    AUTO_BYTES box = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;

    brine_read(&r, box.data, box.len);
    assert_null(box_read_value(l->conn, &r, &err));
    assert_error(&err, code, text);
}

static rpyc_value *read_value(const char *hex)
{
    AUTO_BYTES brine = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;
    rpyc_value *v;

    brine_read(&r, brine.data, brine.len);
    v = value_read(&r, &err);
    if (!v)
        fail_msg("%s: %s", hex, err.text);
    assert_true(brine_at_end(&r));
    return v;
}

static void assert_read_fails(const char *hex, enum rpyc_errcode code, const char *text)
{
    AUTO_BYTES brine = from_hex(hex);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;

    brine_read(&r, brine.data, brine.len);
    assert_null(value_read(&r, &err));
    assert_error(&err, code, text);
}

/* Makes a request, so that what has to be given back is; the peer answers it. */
static void flush(struct link *l, int seq)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char reply[32];

    snprintf(reply, sizeof(reply), "0211 %02x 1151 01", seq + 0x50);
    say(&l->peer, reply);
    assert_ok(rpyc_ping(l->conn, "", 0, &err), &err);
}

#define PING_ARGS "1151 1151 10 01" /* (1, (1, (b"",))) */

/* ---- Reading values ------------------------------------------------------------------------- */

TEST(every_plain_type_is_read)
{
    const struct {
        const char *hex;
        enum rpyc_type type;
    } cases[] = {
        {"00", RPYC_NONE},
        {"03", RPYC_BOOL},
        {"51", RPYC_INT},
        {"161339323233333732303336383534373735383038", RPYC_INT},
        {"18 3ff8000000000000", RPYC_FLOAT},
        {"1b 3ff8000000000000 c000000000000000", RPYC_COMPLEX},
        {"08 0a61", RPYC_STR},
        {"0a61", RPYC_BYTES},
        {"11 50 00", RPYC_TUPLE},
        {"1a 11 50 51", RPYC_FROZENSET},
        {"19 12 50 00 51", RPYC_SLICE},
        {"06", RPYC_ELLIPSIS},
        {"05", RPYC_NOTIMPLEMENTED},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        AUTO_BUFFER again = BUFFER_INIT;

        assert_int_equal(rpyc_type_of(v), cases[i].type);
        value_put(&again, v);
        assert_false(again.failed);
        assert_bytes(again.data, again.len, cases[i].hex);
    }
}

TEST(a_value_is_written_as_it_was_read)
{
    const char *hex = "140e 080b6865 57 080c6c6c6f 58 02 1603393030 00 03 06 184032333333333333 "
                      "1b402a0000000000004032333333333333 19 12515253 1a 12555657 05";
    AUTO_VALUE *v = read_value(hex);
    AUTO_BUFFER again = BUFFER_INIT;

    assert_int_equal(rpyc_length(v), 14);
    value_put(&again, v);
    assert_bytes(again.data, again.len, hex);
}

TEST(text_and_bytes_are_told_apart)
{
    AUTO_VALUE *text = read_value("08 0e05 68006c6c6f");
    AUTO_VALUE *bytes = read_value("0b 00ff");
    AUTO_VALUE *none = read_value("00");
    size_t len = 0;

    assert_memory_equal(rpyc_str(text, &len), "h\0llo", 6);
    assert_int_equal(len, 5);
    assert_non_null(rpyc_str(text, NULL));
    assert_null(rpyc_bytes(text, &len));
    assert_memory_equal(rpyc_bytes(bytes, &len), "\0\377", 3);
    assert_int_equal(len, 2);
    assert_null(rpyc_str(bytes, &len));
    assert_null(rpyc_str(none, &len));
    assert_null(rpyc_bytes(none, NULL));
}

TEST(empty_text_is_text)
{
    AUTO_VALUE *text = read_value("08 01");
    AUTO_VALUE *bytes = read_value("01");
    size_t len = 7;

    assert_string_equal(rpyc_str(text, &len), "");
    assert_int_equal(len, 0);
    assert_string_equal(rpyc_bytes(bytes, NULL), "");
}

TEST(ints_and_bools_are_numbers)
{
    const struct {
        const char *hex;
        int64_t value;
    } cases[] = {{"50", 0},
                 {"20", -48},
                 {"03", 1},
                 {"04", 0},
                 {"161339323233333732303336383534373735383037", INT64_MAX},
                 {"16142d39323233333732303336383534373735383038", INT64_MIN}};
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        int64_t n = 7;

        assert_ok(rpyc_int64(v, &n, &err), &err);
        assert_true(n == cases[i].value);
        assert_null(rpyc_int_digits(v));
    }
}

TEST(an_int_that_does_not_fit_has_digits)
{
    AUTO_VALUE *v = read_value("16142d39323233333732303336383534373735383039");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t n = 7;
    double d = 7;

    assert_int_equal(rpyc_int64(v, &n, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected int of 64 bits, got one of ");
    assert_int_equal(n, 7);
    assert_string_equal(rpyc_int_digits(v), "-9223372036854775809");
    assert_int_equal(rpyc_double(v, &d, &err), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
}

TEST(what_is_not_a_number_is_none)
{
    const char *others[] = {"00", "08 0a31", "0a31",
                            "02", "06",      "1b 3ff0000000000000 0000000000000000"};
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_VALUE *v = read_value(others[i]);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        int64_t n;
        double d;

        assert_int_equal(rpyc_int64(v, &n, &err), -1);
        assert_error(&err, RPYC_ETYPE, "expected int, got ");
        assert_int_equal(rpyc_double(v, &d, &err), -1);
        assert_error(&err, RPYC_ETYPE, "expected float, got ");
        assert_int_equal(rpyc_int64(v, &n, NULL), -1);
        assert_null(rpyc_int_digits(v));
    }
}

TEST(a_float_is_not_an_int)
{
    AUTO_VALUE *v = read_value("18 3ff0000000000000");
    int64_t n;
    double d;

    assert_int_equal(rpyc_int64(v, &n, NULL), -1);
    assert_int_equal(rpyc_double(v, &d, NULL), 0);
    assert_true(d == 1);
}

TEST(every_number_is_a_complex)
{
    const struct {
        const char *hex;
        double real, imag;
    } cases[] = {{"1b 3ff8000000000000 c000000000000000", 1.5, -2},
                 {"18 3ff8000000000000", 1.5, 0},
                 {"53", 3, 0},
                 {"03", 1, 0}};
    AUTO_VALUE *text = read_value("080a78");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    double real, imag;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);

        assert_ok(rpyc_complex(v, &real, &imag, &err), &err);
        assert_true(real == cases[i].real);
        assert_true(imag == cases[i].imag);
    }
    assert_int_equal(rpyc_complex(text, &real, &imag, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected complex, got str");
}

TEST(nothing_is_no_value_of_any_type)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    double real, imag;
    int64_t n;

    assert_int_equal(rpyc_int64(NULL, &n, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected int, got no value");
    assert_int_equal(rpyc_double(NULL, &real, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected float, got ");
    assert_int_equal(rpyc_complex(NULL, &real, &imag, NULL), -1);
    assert_null(rpyc_int_digits(NULL));
}

TEST(an_int_is_a_double_where_a_double_holds_it_exactly)
{
    const struct {
        const char *hex;
        bool exact;
        double value;
    } cases[] = {
        {"51", true, 1},
        {"03", true, 1},
        {"1610 39303037313939323534373430393932", true, 0x1p53},
        {"1611 2d39303037313939323534373430393932", true, -0x1p53},
        {"1610 39303037313939323534373430393933", false, 0}, /* 2**53 + 1 */
        {"1613 31313532393231353034363036383436393736", true, 0x1p60},
        {"1613 31313532393231353034363036383436393737", false, 0}, /* 2**60 + 1 */
        {"1613 39323233333732303336383534373735383037", false, 0}, /* 2**63 - 1 */
        {"1614 2d39323233333732303336383534373735383038", true, -0x1p63},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        double d = 0;

        if (rpyc_double(v, &d, &err) != (cases[i].exact ? 0 : -1))
            fail_msg("%s: %s", cases[i].hex, err.text);
        assert_true(d == cases[i].value);
        if (!cases[i].exact)
            assert_error(&err, RPYC_ETYPE,
                         "expected float, got an int that a double does not hold exactly");
    }
}

TEST(items_are_counted_and_borrowed)
{
    AUTO_VALUE *tuple = read_value("12 50 08 0a61 11 51 52");
    AUTO_VALUE *slice = read_value("19 12 50 00 51");
    AUTO_VALUE *text = read_value("08 0c616263");
    AUTO_VALUE *empty = read_value("02");

    assert_int_equal(rpyc_length(tuple), 3);
    assert_string_equal(rpyc_str(rpyc_item(tuple, 1), NULL), "a");
    assert_int_equal(rpyc_length(rpyc_item(tuple, 2)), 2);
    assert_null(rpyc_item(tuple, 3));
    assert_null(rpyc_item(tuple, SIZE_MAX));
    assert_int_equal(rpyc_length(slice), 3);
    assert_int_equal(rpyc_type_of(rpyc_item(slice, 1)), RPYC_NONE);
    assert_int_equal(rpyc_length(text), 0);
    assert_null(rpyc_item(text, 0));
    assert_int_equal(rpyc_length(empty), 0);
    assert_null(rpyc_item(empty, 0));
    assert_null(rpyc_class_name(tuple));
}

TEST(an_item_can_outlive_its_container)
{
    rpyc_value *tuple = read_value("10 08 0a61");
    AUTO_VALUE *item = rpyc_ref(rpyc_item(tuple, 0));

    rpyc_unref(tuple);
    assert_string_equal(rpyc_str(item, NULL), "a");
}

TEST(nothing_can_be_unreferenced)
{
    rpyc_unref(NULL);
}

TEST(what_is_not_a_value_is_an_error_and_leaves_nothing)
{
    assert_read_fails("", RPYC_EPROTOCOL, "bad brine: ");
    assert_read_fails("07", RPYC_EPROTOCOL, "bad brine: an unknown tag");
    assert_read_fails("12 0a61 08 0a62 07", RPYC_EPROTOCOL, "bad brine: an unknown tag");
    assert_read_fails("12 11 0a61 10 0a61 0a62 1600", RPYC_EPROTOCOL, "an int without digits");
    assert_read_fails("11 1614 39393939393939393939393939393939393939", RPYC_EPROTOCOL,
                      "bad brine: ");
}

TEST(text_that_is_not_utf_8_is_an_error)
{
    assert_read_fails("08 0a ff", RPYC_EPROTOCOL, "a str that is not UTF-8");
    assert_read_fails("11 08 0a61 08 0c eda080", RPYC_EPROTOCOL, "a str that is not UTF-8");
}

TEST(deep_values_are_read_up_to_the_limit)
{
    char hex[2 * 202 + 1];
    size_t depth;

    for (depth = 200; depth <= 201; depth++) {
        AUTO_BUFFER again = BUFFER_INIT;
        rpyc_value *v;
        size_t i;

        for (i = 0; i < depth; i++)
            memcpy(hex + 2 * i, "10", 2);
        memcpy(hex + 2 * depth, "00", 3);
        if (depth > 200) {
            assert_read_fails(
                hex, RPYC_ELIMIT,
                "a message cannot be taken: it is nested deeper than max_depth (200)");
            continue;
        }
        v = read_value(hex);
        value_put(&again, v);
        assert_bytes(again.data, again.len, hex);
        rpyc_unref(v);
    }
}

/* ---- Boxes and netrefs ---------------------------------------------------------------------- */

TEST(a_boxed_value_is_that_value)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *v = unbox(&l, "1151 11 50 08 0a61");

    assert_int_equal(rpyc_type_of(v), RPYC_TUPLE);
    assert_string_equal(rpyc_str(rpyc_item(v, 1), NULL), "a");
}

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
    assert_unbox_fails(&l, "1152 00", RPYC_EPROTOCOL, "a tuple of boxes that is not a tuple");
    assert_unbox_fails(&l, "1152 1a10 1151 00", RPYC_EPROTOCOL,
                       "a tuple of boxes that is not a tuple");
    assert_unbox_fails(&l, "1152 11 1151 00 00", RPYC_EPROTOCOL, "bad brine: ");
    assert_unbox_fails(&l, "1152 11 1154" LIST "1155 00", RPYC_EPROTOCOL, "unknown label");
    assert_unbox_fails(&l, "1154 00", RPYC_EPROTOCOL, "bad brine: ");
    assert_unbox_fails(&l, "1154 12 51 51 51", RPYC_EPROTOCOL,
                       "bad brine: an id pack whose name is not a str");
    assert_unbox_fails(&l, "1153" LIST, RPYC_EPROTOCOL,
                       "the peer named an object that it does not hold");
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

/* ---- Giving back ---------------------------------------------------------------------------- */

TEST(an_object_is_given_back_with_the_next_request)
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

TEST(an_object_is_given_back_as_often_as_it_came)
{
    AUTO_LINK l = link_open(-1);
    rpyc_value *a = unbox(&l, "1154" LIST);
    rpyc_value *b = unbox(&l, "1154" LIST);
    rpyc_value *c = unbox(&l, "1154" LIST);

    rpyc_ref(a); /* our own references do not count */
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

TEST(several_objects_are_given_back_with_one_request)
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

TEST(objects_in_a_reply_that_cannot_be_read_are_given_back)
{
    AUTO_LINK l = link_open(-1);

    assert_unbox_fails(&l, "1152 11 1154" LIST "1155 00", RPYC_EPROTOCOL, "unknown label");
    flush(&l, 1);
    hears(&l.peer, "011150" DEL(LIST, "51"));
}

TEST(a_result_that_nobody_wants_is_given_back)
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

TEST(objects_are_given_back_although_the_request_is_given_up)
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

TEST(an_exception_in_reply_to_giving_back_is_nobody_s_business)
{
    AUTO_LINK l = link_open(-1);

    rpyc_unref(unbox(&l, "1154" LIST));
    say(&l.peer, "031150 51");
    flush(&l, 1);
}

TEST(netrefs_outlive_their_connection)
{
    struct link l = link_open(-1);
    rpyc_value *list = unbox(&l, "1154" LIST), *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    rpyc_close(l.conn);
    hears(&l.peer, "011150 1152 115102");
    hears_the_end(&l.peer);
    assert_string_equal(rpyc_class_name(list), "builtins.list");
    assert_int_equal(rpyc_getattr(list, "append", &result, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "");
    assert_int_equal(rpyc_repr(list, &result, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    assert_null(result);
    rpyc_unref(list);
    peer_close(&l.peer);
}

TEST(a_close_gives_the_socket_back_while_netrefs_are_held)
{
    struct link l = link_open(-1);
    rpyc_value *list = unbox(&l, "1154" LIST);
    int before = open_fds();

    rpyc_close(l.conn);
    assert_int_equal(open_fds(), before - 1);
    rpyc_unref(list);
    peer_close(&l.peer);
}

TEST(what_is_closed_may_be_nothing)
{
    rpyc_close(NULL);
}

/* ---- Requests ------------------------------------------------------------------------------- */

TEST(an_attribute_is_asked_for)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1154" LIST);
    assert_ok(rpyc_getattr(root, "ab", &result, &err), &err);
    assert_string_equal(rpyc_class_name(result), "builtins.list");
    hears(&l.peer, "011150 1154 1152 11 1153" ROOT "1151 080b6162");
}

TEST(a_call_has_its_arguments_in_a_tuple)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1151 93");
    assert_ok(rpyc_call(root, &result, &err, "is", 5, "x"), &err);
    hears(&l.peer, "011150 1157 1152 11 1153" ROOT "1151 11 55 080a78");
    assert_int_equal(rpyc_type_of(result), RPYC_INT);
}

TEST(a_call_may_have_no_arguments)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150" NONE);
    say(&l.peer, "021151" NONE);
    say(&l.peer, "021152" NONE);
    assert_ok(rpyc_call(root, NULL, &err, NULL), &err);
    assert_ok(rpyc_call(root, NULL, &err, ""), &err);
    assert_ok(rpyc_callattr(root, "f", NULL, &err, NULL), &err);
    hears(&l.peer, "011150 1157 1152 11 1153" ROOT "1151 02");
    hears(&l.peer, "011151 1157 1152 11 1153" ROOT "1151 02");
    hears(&l.peer, "011152 1158 1152 12 1153" ROOT "1151 080a66 1151 02");
}

TEST(a_method_is_called_with_one_request)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1151 080a79");
    assert_ok(rpyc_callattr(root, "f", &result, &err, "s", "x"), &err);
    hears(&l.peer, "011150 1158 1152 12 1153" ROOT "1151 080a66 1151 10 080a78");
    assert_string_equal(rpyc_str(result, NULL), "y");
}

TEST(every_letter_of_a_format_is_an_argument)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *list = unbox(&l, "1154" LIST);
    AUTO_VALUE *plain = read_value("11 00 51");
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150" NONE);
    assert_ok(rpyc_call(root, NULL, &err, "syildbbNOO", "\303\251", "\0\377", (size_t)2, -49,
                        INT64_MIN, 1.5, 7, 0, list, plain),
              &err);
    hears(&l.peer, "011150 1157 1152 11 1153" ROOT "1152 140a"
                   "1151 080bc3a9"
                   "1151 0b00ff"
                   "1151 16032d3439"
                   "1151 16142d39323233333732303336383534373735383038"
                   "1151 183ff8000000000000"
                   "1151 03"
                   "1151 04"
                   "1151 00"
                   "1153" LIST "1151 11 00 51");
}

TEST(a_letter_that_does_not_exist_is_refused_before_anything_is_sent)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_call(root, NULL, &err, "i?", 1), -1);
    assert_error(&err, RPYC_EINVAL, "unknown format letter '?'");
    assert_int_equal(rpyc_callattr(root, "f", NULL, &err, "Z"), -1);
    assert_error(&err, RPYC_EINVAL, "unknown format letter 'Z'");
    assert_int_equal(rpyc_call(root, NULL, NULL, "?"), -1);
    hears_no_more(&l.peer);
}

TEST(a_netref_of_another_connection_is_no_argument)
{
    AUTO_LINK l = link_open(-1), other = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *stranger = unbox(&other, "1154" LIST);
    AUTO_VALUE *within = unbox(&other, "1152 10 1152 10 1154" DICT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_call(root, NULL, &err, "iO", 1, stranger), -1);
    assert_error(&err, RPYC_EINVAL, "another connection");
    assert_int_equal(rpyc_callattr(root, "f", NULL, &err, "O", within), -1);
    assert_error(&err, RPYC_EINVAL, "another connection");
    hears_no_more(&l.peer);
}

TEST(references_stand_in_tuples_only)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *set = NULL, *slice = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(rpyc_build(&set, &err, "{iO}", 1, root), &err);
    assert_ok(rpyc_build(&slice, &err, "[OiN]", root, 1), &err);
    assert_int_equal(rpyc_call(root, NULL, &err, "O", set), -1);
    assert_error(&err, RPYC_EINVAL, "a frozenset or slice contains a netref or a local object");
    assert_int_equal(rpyc_call(root, NULL, &err, "(O)", slice), -1);
    assert_error(&err, RPYC_EINVAL, "a frozenset or slice contains a netref or a local object");
    assert_int_equal(rpyc_call(root, NULL, NULL, "O", set), -1);
    hears_no_more(&l.peer);
}

TEST(repr_and_str_are_asked_for)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT), *repr = NULL, *str = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1151 080a72");
    say(&l.peer, "021151 1151 080a73");
    assert_ok(rpyc_repr(root, &repr, &err), &err);
    assert_ok(rpyc_tostr(root, &str, &err), &err);
    assert_string_equal(rpyc_str(repr, NULL), "r");
    assert_string_equal(rpyc_str(str, NULL), "s");
    hears(&l.peer, "011150 1159 1152 10 1153" ROOT);
    hears(&l.peer, "011151 115a 1152 10 1153" ROOT);
}

TEST(requests_are_made_of_netrefs)
{
    AUTO_VALUE *plain = read_value("080a78");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *result = NULL;

    assert_int_equal(rpyc_getattr(plain, "x", &result, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a netref, got ");
    assert_int_equal(rpyc_call(plain, &result, &err, NULL), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_int_equal(rpyc_callattr(plain, "x", &result, &err, "i", 1), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_int_equal(rpyc_repr(plain, &result, &err), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_int_equal(rpyc_tostr(plain, &result, &err), -1);
    assert_int_equal(err.code, RPYC_ETYPE);
    assert_null(result);
}

#define assert_not_a_netref(call)                                                                  \
    do {                                                                                           \
        AUTO_ERROR err_ = RPYC_ERROR_INIT;                                                         \
        struct rpyc_error *err = &err_;                                                            \
        assert_int_equal(call, -1);                                                                \
        assert_error(err, RPYC_ETYPE, "expected a netref, got ");                                  \
        err = NULL;                                                                                \
        assert_int_equal(call, -1);                                                                \
    } while (0)

TEST(all_other_requests_are_made_of_netrefs_too)
{
    AUTO_VALUE *plain = read_value("080a78");
    rpyc_pending *pending = NULL;
    rpyc_value *result = NULL;
    rpyc_iter *iter = NULL;
    int64_t hash = 7;
    size_t len = 7;
    bool b = true;

    assert_not_a_netref(rpyc_setattr(plain, "x", plain, err));
    assert_not_a_netref(rpyc_delattr(plain, "x", err));
    assert_not_a_netref(rpyc_getitem(plain, plain, &result, err));
    assert_not_a_netref(rpyc_setitem(plain, plain, plain, err));
    assert_not_a_netref(rpyc_delitem(plain, plain, err));
    assert_not_a_netref(rpyc_len(plain, &len, err));
    assert_not_a_netref(rpyc_contains(plain, plain, &b, err));
    assert_not_a_netref(rpyc_compare(plain, "<", plain, &b, err));
    assert_not_a_netref(rpyc_hash(plain, &hash, err));
    assert_not_a_netref(rpyc_isinstance(plain, plain, &b, err));
    assert_not_a_netref(rpyc_dir(plain, &result, err));
    assert_not_a_netref(rpyc_pickle(plain, 2, &result, err));
    assert_not_a_netref(rpyc_enter(plain, &result, err));
    assert_not_a_netref(rpyc_exit(plain, NULL, &b, err));
    assert_not_a_netref(rpyc_iterate(plain, &iter, err));
    assert_not_a_netref(rpyc_start_getattr(plain, "x", &pending, err));
    assert_not_a_netref(rpyc_start_call(plain, &pending, err, NULL));
    assert_not_a_netref(rpyc_start_callattr(plain, "x", &pending, err, "i", 1));
    assert_null(result);
    assert_null(iter);
    assert_null(pending);
    assert_true(hash == 7 && len == 7 && b);
}

TEST(a_ping_comes_back)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1151 0c616263");
    assert_ok(rpyc_ping(l.conn, "abc", 3, &err), &err);
    hears(&l.peer, "011150 1151 1151 10 0c616263");
    say(&l.peer, "021151 1151 01");
    assert_ok(rpyc_ping(l.conn, NULL, 0, &err), &err);
}

TEST(a_request_by_the_number_of_its_handler)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *answer = NULL;
    int64_t number;

    say(&l.peer, "021150 1151 55");
    assert_ok(rpyc_request(l.conn, 0x70, &answer, &err, "is", 2, "a"), &err);
    hears(&l.peer, "011150 11 c0 1151 11 52 080a61");
    assert_ok(rpyc_int64(answer, &number, &err), &err);
    assert_int_equal(number, 5);
    rpyc_unref(answer);
}

TEST(a_request_has_no_keyword_arguments)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_request(l.conn, 0x70, NULL, &err, "i, a=i", 1, 2), -1);
    assert_error(&err, RPYC_EINVAL, "keyword");
}

TEST(a_plain_value_is_dumped_as_brine)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *value = NULL;
    void *data = NULL;
    size_t len;

    assert_ok(rpyc_build(&value, &err, "(isN)", 5, "a"), &err);
    assert_ok(rpyc_dump(value, &data, &len, &err), &err);
    assert_bytes(data, len, "12 55 080a61 00");
    rpyc_unref(value);
    free(data);
}

TEST(a_netref_is_not_dumped)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    AUTO_VALUE *ref = unbox(&l, "1154" LIST);
    rpyc_value *tuple = NULL;
    void *data = NULL;
    size_t len;

    assert_ok(rpyc_pack(&tuple, &ref, 1, &err), &err);
    assert_int_equal(rpyc_dump(tuple, &data, &len, &err), -1);
    assert_error(&err, RPYC_ETYPE, "cannot encode a netref");
    assert_null(data);
    rpyc_unref(tuple);
}

TEST(a_ping_with_other_data_is_an_error)
{
    const char *others[] = {"1151 0c616264",   "1151 0b6162", "1151 0d61626363",
                            "1151 080c616263", "1151 00",     "1151 01"};
    size_t i;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_LINK l = link_open(-1);
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char reply[64];

        snprintf(reply, sizeof(reply), "021150 %s", others[i]);
        say(&l.peer, reply);
        assert_int_equal(rpyc_ping(l.conn, "abc", 3, &err), -1);
        assert_error(&err, RPYC_EPROTOCOL, "the reply to a ping has other data");
    }
}

TEST(a_request_has_a_timeout)
{
    AUTO_LINK l = link_open(20);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_int_equal(rpyc_ping(l.conn, "x", 1, &err), -1);
    assert_error(&err, RPYC_ETIMEOUT, "no answer in time");
    say(&l.peer, "021150 1151 0a78"); /* too late */
    say(&l.peer, "021151 1151 0a79");
    l.conn->request_timeout_ms = 10000;
    assert_ok(rpyc_ping(l.conn, "y", 1, &err), &err);
}

TEST(close_instead_of_a_reply_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "011150 1152 115102");
    assert_int_equal(rpyc_repr(root, NULL, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the peer closed the connection");
}

TEST(a_reply_that_is_not_a_box_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *result = NULL;

    say(&l.peer, "021150 00");
    assert_int_equal(rpyc_repr(root, &result, &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "bad brine: ");
    assert_null(result);
}

/* ---- Exceptions ----------------------------------------------------------------------------- */

#define KEY_ERROR "11 080e086275696c74696e73 080e084b65794572726f72" /* builtins, KeyError */

/* Asks, and is answered with this exception. */
static void raise_remote(const char *vinegar, struct rpyc_error *err)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_BUFFER reply = BUFFER_INIT;
    AUTO_BYTES bytes = from_hex(vinegar);
    rpyc_value *result = NULL;

    buffer_put_u32(&reply, (uint32_t)bytes.len + 3);
    buffer_put(&reply, "\0\3\x11\x50", 4);
    buffer_put(&reply, bytes.data, bytes.len);
    buffer_put_u8(&reply, '\n');
    say_bytes(&l.peer, reply.data, reply.len);
    assert_int_equal(rpyc_repr(root, &result, err), -1);
    assert_null(result);
}

TEST(an_exception_says_what_and_where)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    raise_remote("13" KEY_ERROR "10 080a78 10 11 080a61 51 080b7462", &err);
    assert_error(&err, RPYC_EREMOTE, "KeyError: 'x'");
    assert_string_equal(err.text, "KeyError: 'x'");
    assert_int_equal(err.sys_errno, 0);
    assert_non_null(err.remote);
    assert_string_equal(rpyc_exception_module(err.remote), "builtins");
    assert_string_equal(rpyc_exception_name(err.remote), "KeyError");
    assert_string_equal(rpyc_exception_traceback(err.remote), "tb");
    assert_int_equal(rpyc_length(err.remote->args), 1);
    assert_int_equal(rpyc_length(err.remote->attributes), 1);
}

TEST(an_exception_says_its_arguments)
{
    const struct {
        const char *args, *text;
    } cases[] = {{"02", "KeyError"},
                 {"11 080a61 080a62", "KeyError: ('a', 'b')"},
                 {"10 51", "KeyError: 1"},
                 {"10 0a61", "KeyError: b'a'"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char vinegar[256];

        snprintf(vinegar, sizeof(vinegar), "13 %s %s 02 0801", KEY_ERROR, cases[i].args);
        raise_remote(vinegar, &err);
        assert_int_equal(err.code, RPYC_EREMOTE);
        assert_string_equal(err.text, cases[i].text);
    }
}

TEST(stop_iteration_is_an_exception)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    raise_remote("51", &err);
    assert_error(&err, RPYC_EREMOTE, "StopIteration");
    assert_true(rpyc_error_is(&err, "StopIteration"));
    assert_string_equal(rpyc_exception_module(err.remote), "builtins");
    assert_string_equal(rpyc_exception_traceback(err.remote), "");
}

TEST(an_exception_is_known_by_its_class)
{
    AUTO_ERROR err = RPYC_ERROR_INIT, other = RPYC_ERROR_INIT, none = RPYC_ERROR_INIT;

    raise_remote("13" KEY_ERROR "02 02 0801", &err);
    assert_true(rpyc_error_is(&err, "KeyError"));
    assert_true(rpyc_error_is(&err, "builtins.KeyError"));
    assert_false(rpyc_error_is(&err, "LookupError"));
    assert_false(rpyc_error_is(&err, "Key"));
    assert_false(rpyc_error_is(&err, "builtin.KeyError"));
    assert_false(rpyc_error_is(&err, "builtinss.KeyError"));
    assert_false(rpyc_error_is(&err, ""));

    raise_remote("13 11 080c612e62 080a43 02 02 0801", &other); /* a.b.C */
    assert_true(rpyc_error_is(&other, "a.b.C"));
    assert_false(rpyc_error_is(&other, "C"));
    assert_false(rpyc_error_is(&other, "b.C"));
    assert_false(rpyc_error_is(&none, "KeyError"));
}

TEST(the_text_of_an_exception_is_one_line)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;

    raise_remote("13 11 080e086275696c74696e73 080e0a56616c75654572726f72 10 080e05 610a620d63"
                 "02 0801",
                 &err);
    assert_error(&err, RPYC_EREMOTE, "ValueError: a b c");
    assert_null(strchr(err.text, '\r'));
}

TEST(a_long_text_of_an_exception_is_cut_off_between_characters)
{
    size_t shift;

    for (shift = 0; shift < 4; shift++) { /* before 100 snakes, which take four bytes each */
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char vinegar[2048];
        FILE *f = fmemopen(vinegar, sizeof(vinegar), "w");
        size_t i;

        fprintf(f, "13" KEY_ERROR "10 080f %08zx", shift + 400);
        for (i = 0; i < shift; i++)
            fputs("61", f);
        for (i = 0; i < 100; i++)
            fputs("f09f908d", f);
        fputs("02 0801", f);
        fclose(f);
        raise_remote(vinegar, &err);
        assert_int_equal(err.code, RPYC_EREMOTE);
        assert_true(strlen(err.text) > 200);
        assert_true(strlen(err.text) < sizeof(err.text));
        assert_true(brine_utf8((const uint8_t *)err.text, strlen(err.text)));
    }
}

TEST(an_exception_has_arguments_and_attributes)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t n = 0;

    raise_remote("13" KEY_ERROR "11 080a78 53 12 11 080a61 51 11 080a62 52 51 0801", &err);
    assert_int_equal(err.code, RPYC_EREMOTE);
    assert_int_equal(rpyc_length(rpyc_exception_args(err.remote)), 2);
    assert_string_equal(rpyc_str(rpyc_item(rpyc_exception_args(err.remote), 0), NULL), "x");
    assert_ok(rpyc_int64(rpyc_exception_attribute(err.remote, "b"), &n, NULL), &err);
    assert_true(n == 2);
    assert_null(rpyc_exception_attribute(err.remote, "c"));
    assert_null(rpyc_exception_attribute(err.remote, ""));
}

TEST(an_exception_of_another_form_is_an_error)
{
    const char *forms[] = {
        "00",
        "080a78",
        "02",
        "12" KEY_ERROR "02 02",
        "1405" KEY_ERROR "02 02 0801 00",
        "13" KEY_ERROR "00 02 0801",
        "13" KEY_ERROR "02 00 0801",
        "13" KEY_ERROR "02 02 00",
        "13 00 02 02 0801",
        "13 10 080a61 02 02 0801",
        "13 11 080a61 00 02 02 0801",
        "13 11 0a61 0a62 02 02 0801",
        "13 11 00 080a61 02 02 0801",
        "13" KEY_ERROR "02 02",
        "1a 13" KEY_ERROR "02 02 0801",
        "07",
    };
    size_t i;

    for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        AUTO_ERROR err = RPYC_ERROR_INIT;

        raise_remote(forms[i], &err);
        if (err.code != RPYC_EPROTOCOL)
            fail_msg("%s: %d %s", forms[i], err.code, err.text);
        assert_null(err.remote);
    }
}

TEST(an_exception_need_not_be_asked_for)
{
    raise_remote("13" KEY_ERROR "10 080a78 02 080b7462", NULL);
    raise_remote("51", NULL);
    raise_remote("00", NULL);
}

TEST(an_error_is_cleared_before_it_is_used_again)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *root = unbox(&l, "1154" ROOT);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "031150 13" KEY_ERROR "10 080a78 02 0801");
    assert_int_equal(rpyc_repr(root, NULL, &err), -1);
    say(&l.peer, "031151 13" KEY_ERROR "10 080a79 02 0801");
    assert_int_equal(rpyc_repr(root, NULL, &err), -1);
    assert_string_equal(err.text, "KeyError: 'y'");
    rpyc_error_clear(&err);
    assert_int_equal(err.code, RPYC_OK);
    assert_string_equal(err.text, "");
    assert_null(err.remote);
    rpyc_error_clear(&err);
    rpyc_error_clear(NULL);
}

/* ---- The classic service -------------------------------------------------------------------- */

static int fetch_root(rpyc_conn *conn, struct rpyc_error *err)
{
    struct pending *request;

    return classic_ask_root(conn, &request, err) < 0 ? -1 : classic_take_root(conn, request, err);
}

static struct link link_with_root(void)
{
    struct link l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1154" ROOT);
    assert_ok(fetch_root(l.conn, &err), &err);
    hears(&l.peer, "011150 1153 115102");
    return l;
}

TEST(the_root_is_kept)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    assert_string_equal(rpyc_class_name(root), "a.Root");
    hears_no_more(&l.peer);
}

TEST(a_root_that_is_not_an_object_is_an_error)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021150 1151 51");
    assert_int_equal(fetch_root(l.conn, &err), -1);
    assert_error(&err, RPYC_EPROTOCOL, "the server's root is not an object");
}

TEST(modules_and_evaluation_are_methods_of_the_root)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *module = NULL, *result = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021151 1154" LIST);
    say(&l.peer, "021152 1151 52");
    say(&l.peer, "021153" NONE);
    assert_ok(rpyc_module(l.conn, "sys", &module, &err), &err);
    assert_ok(rpyc_eval(l.conn, "1+1", &result, &err), &err);
    assert_ok(rpyc_execute(l.conn, "x=5", &err), &err);
    hears(&l.peer,
          "011151 1158 1152 12 1153" ROOT "1151 080e09 6765746d6f64756c65 1151 10 080c737973");
    hears(&l.peer, "011152 1158 1152 12 1153" ROOT "1151 080d 6576616c 1151 10 080c312b31");
    hears(&l.peer, "011153 1158 1152 12 1153" ROOT "1151 080e07 65786563757465 1151 10 080c783d35");
    assert_int_equal(rpyc_type_of(module), RPYC_NETREF);
    assert_int_equal(rpyc_type_of(result), RPYC_INT);
}

TEST(a_module_is_there_or_not)
{
    const struct {
        const char *find_spec; /* what it comes to */
        int result;
        bool has;
        enum rpyc_errcode code;
    } cases[] = {
        {"0211 52 1154" DICT, 0, true, RPYC_OK},
        {"0211 52" NONE, 0, false, RPYC_OK},
        {"0311 52 13 11 080e086275696c74696e73 080e13 4d6f64756c654e6f74466f756e644572726f72 02 02 "
         "0801",
         0, false, RPYC_OK},
        {"0311 52 13" KEY_ERROR "02 02 0801", -1, false, RPYC_EREMOTE},
    };
    size_t i;

    for (i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_with_root();
        AUTO_ERROR err = RPYC_ERROR_INIT;
        bool has = i % 2;

        say(&l.peer, "021151 1154" LIST);
        say(&l.peer, cases[i / 2].find_spec);
        assert_int_equal(rpyc_has_module(l.conn, "a.b", &has, i % 2 ? &err : NULL),
                         cases[i / 2].result);
        assert_int_equal(has, cases[i / 2].has);
        if (i % 2)
            assert_int_equal(err.code, cases[i / 2].code);
    }
}

TEST(a_module_is_not_looked_for_without_importlib)
{
    AUTO_LINK l = link_with_root();
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool has = true;

    say(&l.peer, "031151 13" KEY_ERROR "02 02 0801");
    assert_int_equal(rpyc_has_module(l.conn, "a", &has, &err), -1);
    assert_error(&err, RPYC_EREMOTE, "KeyError");
    assert_false(has);
}

TEST(the_namespace_is_an_attribute_of_the_root)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *namespace = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say(&l.peer, "021151 1154" DICT);
    assert_ok(rpyc_namespace(l.conn, &namespace, &err), &err);
    assert_string_equal(rpyc_class_name(namespace), "builtins.dict");
    hears(&l.peer, "011151 1154 1152 11 1153" ROOT "1151 080e09 6e616d657370616365");
}

TEST(without_a_root_there_is_no_classic_service)
{
    AUTO_LINK l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *v = NULL;

    assert_int_equal(rpyc_root(l.conn, &v, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the connection is closed");
    assert_int_equal(rpyc_eval(l.conn, "1", &v, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    assert_int_equal(rpyc_namespace(l.conn, &v, &err), -1);
    assert_error(&err, RPYC_ECLOSED, "the connection is closed");
    assert_int_equal(rpyc_namespace(l.conn, &v, NULL), -1);
    assert_null(v);
}

TEST(a_close_says_goodbye)
{
    struct link l = link_with_root();

    rpyc_close(l.conn);
    hears(&l.peer, "011151 1152 115102");
    hears_the_end(&l.peer);
    peer_close(&l.peer);
}

/* ---- Requests with answers of one type ------------------------------------------------------ */

/* Says a reply, of which the payload from the box on is put together. */
static void say_reply(struct link *l, int seq, const char *box)
{
    char payload[256];

    snprintf(payload, sizeof(payload), "0211 %02x %s", seq + 0x50, box);
    say(&l->peer, payload);
}

/* Says what a call of a builtin hears: the module (a list, here), the builtin in it (a dict), that
 * the module has been given back, and the result. */
static void say_builtin(struct link *l, const char *result)
{
    say_reply(l, 1, "1154" LIST);
    say_reply(l, 2, "1154" DICT);
    say_reply(l, 3, NONE);
    say_reply(l, 4, result);
}

/* That a builtin was called with these boxes; its name is brine. */
static void hears_builtin(struct link *l, const char *name, const char *arguments)
{
    char frame[512];

    hears(&l->peer, "011151 1158 1152 12 1153" ROOT
                    "1151 080e09 6765746d6f64756c65 1151 10 080e08 6275696c74696e73");
    snprintf(frame, sizeof(frame), "011152 1154 1152 11 1153" LIST "1151 %s", name);
    hears(&l->peer, frame);
    hears(&l->peer, "011153" DEL(LIST, "51"));
    snprintf(frame, sizeof(frame), "011154 1157 1152 11 1153" DICT "%s", arguments);
    hears(&l->peer, frame);
}

TEST(items_are_got_set_and_deleted)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *key = read_value("51"), *item = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    say_reply(&l, 0, "1151 080a78");
    say_reply(&l, 1, NONE);
    say_reply(&l, 2, NONE);
    assert_ok(rpyc_getitem(list, key, &item, &err), &err);
    assert_string_equal(rpyc_str(item, NULL), "x");
    assert_ok(rpyc_setitem(list, key, item, &err), &err);
    assert_ok(rpyc_delitem(list, key, &err), &err);
    hears(&l.peer, "011150 1158 1152 12 1153" LIST "1151 080e0b 5f5f6765746974656d5f5f 1151 10 51");
    hears(&l.peer,
          "011151 1158 1152 12 1153" LIST "1151 080e0b 5f5f7365746974656d5f5f 1151 11 51 080a78");
    hears(&l.peer, "011152 1158 1152 12 1153" LIST "1151 080e0b 5f5f64656c6974656d5f5f 1151 10 51");
}

TEST(a_length_is_a_number_that_is_not_negative)
{
    const char *others[] = {"1151 4f", "1151 00", "1151 080a78", ("1154" DICT),
                            "1151 1614 3939393939393939393939393939393939393939"};
    size_t i, len = 7;

    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        AUTO_LINK l = link_open(-1);
        AUTO_VALUE *list = unbox(&l, "1154" LIST);
        AUTO_ERROR err = RPYC_ERROR_INIT;

        say_reply(&l, 0, others[i]);
        assert_int_equal(rpyc_len(list, &len, &err), -1);
        assert_error(&err, RPYC_ETYPE, "expected a length as the result");
    }
    assert_int_equal(len, 7);
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST);
    say_reply(&l, 0, "1151 53");
    assert_int_equal(rpyc_len(list, &len, NULL), 0);
    assert_int_equal(len, 3);
    hears(&l.peer, "011150 1158 1152 12 1153" LIST "1151 080e07 5f5f6c656e5f5f 1151 02");
}

TEST(a_hash_is_an_int)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST);
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int64_t hash = 0;

    say_reply(&l, 0, "1151 4e");
    say_reply(&l, 1, "1151 080a78");
    assert_ok(rpyc_hash(list, &hash, &err), &err);
    assert_true(hash == -2);
    assert_int_equal(rpyc_hash(list, &hash, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a hash as the result");
    hears(&l.peer, "011150 115c 1152 10 1153" LIST);
}

TEST(texts_tuples_and_bytes_are_nothing_else)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *dir = NULL, *pickled = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *none = NULL;
    int i;

    for (i = 0; i < 4; i++)
        say_reply(&l, i, "1151 51");
    assert_int_equal(rpyc_repr(list, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a str as the result");
    assert_int_equal(rpyc_tostr(list, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a str as the result");
    assert_int_equal(rpyc_dir(list, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a tuple as the result");
    assert_int_equal(rpyc_pickle(list, 2, &none, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a bytes as the result");
    assert_null(none);
    say_reply(&l, 4, "1151 10 080a78");
    say_reply(&l, 5, "1151 0a2e");
    say_reply(&l, 6, "1151 080a78");
    assert_ok(rpyc_dir(list, &dir, &err), &err);
    assert_string_equal(rpyc_str(rpyc_item(dir, 0), NULL), "x");
    assert_ok(rpyc_pickle(list, 2, &pickled, &err), &err);
    assert_string_equal(rpyc_bytes(pickled, NULL), ".");
    assert_ok(rpyc_repr(list, NULL, &err), &err);
}

TEST(an_isinstance_is_asked_for)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool is = false;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1151 03");
    assert_ok(rpyc_isinstance(root, root, &is, &err), &err);
    assert_true(is);
    hears_builtin(&l, "080e0a 6973696e7374616e6365", "1152 11 1153" ROOT "1153" ROOT);
}

TEST(the_truth_of_a_netref_is_asked_for)
{
    const char *answers[] = {"1151 04", "1151 03"};
    int i;

    for (i = 0; i < 2; i++) {
        AUTO_LINK l = link_with_root();
        AUTO_VALUE *root = NULL;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        bool truth = !i;

        assert_ok(rpyc_root(l.conn, &root, &err), &err);
        say_builtin(&l, answers[i]);
        assert_ok(rpyc_truth(root, &truth, &err), &err);
        assert_int_equal(truth, i);
        hears_builtin(&l, "080d 626f6f6c", "1152 10 1153" ROOT);
    }
}

TEST(a_truth_is_a_bool)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool truth;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1151 080a78");
    assert_int_equal(rpyc_truth(root, &truth, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a bool as the result");
}

TEST(the_truth_of_a_plain_value_is_python_s)
{
    const struct {
        const char *hex;
        bool truth;
    } cases[] = {
        {"00", false},
        {"04", false},
        {"03", true},
        {"50", false},
        {"4f", true},
        {"1614 39393939393939393939393939393939393939 39", true},
        {"18 0000000000000000", false},
        {"18 8000000000000000", false},
        {"18 7ff8000000000000", true}, /* nan */
        {"1b 0000000000000000 0000000000000000", false},
        {"1b 0000000000000000 3ff0000000000000", true},
        {"08 01", false},
        {"08 0a00", true},
        {"01", false},
        {"0a00", true},
        {"02", false},
        {"10 00", true},
        {"1a 02", false},
        {"1a 10 00", true},
        {"19 12 00 00 00", true},
        {"06", true},
    };
    AUTO_ERROR err = RPYC_ERROR_INIT;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_VALUE *v = read_value(cases[i].hex);
        bool truth = !cases[i].truth;

        assert_ok(rpyc_truth(v, &truth, &err), &err);
        if (truth != cases[i].truth)
            fail_msg("the truth of %s", cases[i].hex);
    }
}

TEST(comparisons_and_contains_are_functions_of_operator)
{
    const struct {
        const char *op, *name;
    } cases[] = {{"<", "080b 6c74"},
                 {"<=", "080b 6c65"},
                 {"==", "080b 6571"},
                 {"!=", "080b 6e65"},
                 {">", "080b 6774"},
                 {">=", "080b 6765"},
                 {NULL, "080e08 636f6e7461696e73"}};
    AUTO_VALUE *one = read_value("51");
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_LINK l = link_with_root();
        AUTO_VALUE *root = NULL;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        char frame[256];
        bool is = false;

        assert_ok(rpyc_root(l.conn, &root, &err), &err);
        say_reply(&l, 1, "1154" LIST);
        say_reply(&l, 2, "1151 03");
        if (cases[i].op)
            assert_ok(rpyc_compare(root, cases[i].op, one, &is, &err), &err);
        else
            assert_ok(rpyc_contains(root, one, &is, &err), &err);
        assert_true(is);
        hears(&l.peer, "011151 1158 1152 12 1153" ROOT
                       "1151 080e09 6765746d6f64756c65 1151 10 080e08 6f70657261746f72");
        snprintf(frame, sizeof(frame),
                 "011152 1158 1152 12 1153" LIST "1151 %s 1152 11 1153" ROOT "1151 51",
                 cases[i].name);
        hears(&l.peer, frame);
    }
}

TEST(other_comparisons_are_refused_before_anything_is_sent)
{
    const char *others[] = {"", "=", "<>", "is", "in", "< "};
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    char text[64];
    bool is;
    size_t i;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
        snprintf(text, sizeof(text), "'%s' is not a comparison", others[i]);
        assert_int_equal(rpyc_compare(root, others[i], root, &is, &err), -1);
        assert_error(&err, RPYC_EINVAL, text);
        assert_int_equal(rpyc_compare(root, others[i], root, &is, NULL), -1);
    }
    hears_no_more(&l.peer);
}

TEST(an_exception_on_the_way_to_an_answer_is_that_exception)
{
    int seq;

    for (seq = 1; seq <= 2; seq++) { /* when the module is asked for, and what is in it */
        AUTO_LINK l = link_with_root();
        AUTO_VALUE *root = NULL;
        AUTO_ERROR err = RPYC_ERROR_INIT;
        rpyc_iter *iter = NULL;
        char raised[128];

        assert_ok(rpyc_root(l.conn, &root, &err), &err);
        if (seq == 2)
            say_reply(&l, 1, "1154" LIST);
        snprintf(raised, sizeof(raised), "0311 %02x 13" KEY_ERROR "02 02 0801", seq + 0x50);
        say(&l.peer, raised);
        assert_int_equal(rpyc_iterate(root, &iter, &err), -1);
        assert_error(&err, RPYC_EREMOTE, "KeyError");
        assert_null(iter);
    }
}

/* ---- Context managers and iteration --------------------------------------------------------- */

TEST(a_context_manager_is_entered_and_left)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *exception = unbox(&l, "1154" DICT);
    AUTO_VALUE *entered = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool suppressed = true;

    say_reply(&l, 0, "1151 52");
    say_reply(&l, 1, NONE);
    say_reply(&l, 2, "1151 03");
    say_reply(&l, 3, "1151 03");
    assert_ok(rpyc_enter(list, &entered, &err), &err);
    assert_int_equal(rpyc_type_of(entered), RPYC_INT);
    assert_ok(rpyc_exit(list, NULL, &suppressed, &err), &err);
    assert_false(suppressed);
    assert_ok(rpyc_exit(list, exception, &suppressed, &err), &err);
    assert_true(suppressed);
    assert_ok(rpyc_exit(list, exception, NULL, &err), &err);
    hears(&l.peer, "011150 1158 1152 12 1153" LIST "1151 080e09 5f5f656e7465725f5f 1151 02");
    hears(&l.peer, "011151 1163 1152 11 1153" LIST "1151 00");
    hears(&l.peer, "011152 1163 1152 11 1153" LIST "1153" DICT);
    hears(&l.peer, "011153 1163 1152 11 1153" LIST "1153" DICT);
}

TEST(an_exception_to_leave_with_is_a_netref)
{
    AUTO_LINK l = link_open(-1);
    AUTO_VALUE *list = unbox(&l, "1154" LIST), *plain = read_value("51");
    AUTO_ERROR err = RPYC_ERROR_INIT;
    bool suppressed = true;

    assert_int_equal(rpyc_exit(list, plain, &suppressed, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a netref as the exception, got ");
    assert_int_equal(rpyc_exit(list, plain, &suppressed, NULL), -1);
    assert_true(suppressed);
    hears_no_more(&l.peer);
}

TEST(items_come_in_pieces_until_there_are_no_more)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_iter *iter = NULL;
    int64_t i, n = 0;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1154" DICT);
    assert_ok(rpyc_iterate(root, &iter, &err), &err);
    hears_builtin(&l, "080d 69746572", "1152 10 1153" ROOT);
    say_reply(&l, 5, "1151 11 51 52");
    say_reply(&l, 6, "1151 10 53");
    say_reply(&l, 7, "1151 02");
    for (i = 1; i <= 3; i++) {
        AUTO_VALUE *item = NULL;

        assert_int_equal(rpyc_next(iter, &item, &err), 1);
        assert_ok(rpyc_int64(item, &n, &err), &err);
        assert_true(n == i);
    }
    rpyc_value *none = NULL;
    assert_int_equal(rpyc_next(iter, &none, &err), 0);
    assert_null(none);
    rpyc_iter_free(iter);
    rpyc_iter_free(NULL);
    hears(&l.peer, "011155 1161 1152 11 1153" DICT "1151 60"); /* 16, then 32, then 64 */
    hears(&l.peer, "011156 1161 1152 11 1153" DICT "1151 70");
}

TEST(pieces_that_are_no_tuples_are_an_error)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *item = NULL;
    rpyc_iter *iter = NULL;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1154" DICT);
    assert_ok(rpyc_iterate(root, &iter, &err), &err);
    say_reply(&l, 5, "1151 080a78");
    assert_int_equal(rpyc_next(iter, &item, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a tuple as the result");
    assert_null(item);
    rpyc_iter_free(iter);
}

TEST(an_iterator_that_is_a_plain_value_is_an_error)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *root = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_value *item = NULL;
    rpyc_iter *iter = NULL;

    assert_ok(rpyc_root(l.conn, &root, &err), &err);
    say_builtin(&l, "1151 51");
    assert_ok(rpyc_iterate(root, &iter, &err), &err);
    assert_int_equal(rpyc_next(iter, &item, &err), -1);
    assert_error(&err, RPYC_ETYPE, "expected a netref, got ");
    rpyc_iter_free(iter);
}

TEST(nothing_can_be_asked_of_what_is_not_there)
{
    AUTO_LINK l = link_with_root();
    AUTO_VALUE *tuple = unbox(&l, "1151 02");
    rpyc_value *beyond = rpyc_item(tuple, 5), *v = NULL;
    AUTO_ERROR err = RPYC_ERROR_INIT;
    rpyc_pending *pending = NULL;
    rpyc_iter *iter = NULL;
    bool answer = true;
    size_t len;

#define REFUSED(request)                                                                           \
    do {                                                                                           \
        assert_int_equal(request, -1);                                                             \
        assert_error(&err, RPYC_ETYPE, "expected a netref, got ");                                 \
        rpyc_error_clear(&err);                                                                    \
    } while (0)
    assert_null(beyond);
    REFUSED(rpyc_getattr(beyond, "x", &v, &err));
    REFUSED(rpyc_call(beyond, &v, &err, ""));
    REFUSED(rpyc_callattr(beyond, "x", &v, &err, "i", 1));
    REFUSED(rpyc_start_call(beyond, &pending, &err, "s", "x"));
    REFUSED(rpyc_len(beyond, &len, &err));
    REFUSED(rpyc_repr(beyond, &v, &err));
    REFUSED(rpyc_contains(beyond, tuple, &answer, &err));
    REFUSED(rpyc_compare(beyond, "<", tuple, &answer, &err));
    REFUSED(rpyc_isinstance(beyond, tuple, &answer, &err));
    REFUSED(rpyc_iterate(beyond, &iter, &err));
    assert_ok(rpyc_truth(beyond, &answer, &err), &err);
    assert_false(answer);
    hears_no_more(&l.peer);
}

/* Such as one that keeps sending them. */
TEST(many_objects_that_nobody_waits_for_are_given_back_at_once)
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

/* ---- Requests without waiting --------------------------------------------------------------- */

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

/* Another thread reads, so that this one waits for it and not for the socket. */
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

TEST(a_forked_child_lets_go_of_the_socket_without_a_word)
{
    struct link l = link_open(-1);
    AUTO_ERROR err = RPYC_ERROR_INIT;

    conn_forked(l.conn->conn);
    hears_the_end(&l.peer);
    assert_int_equal(rpyc_ping(l.conn, "x", 1, &err), -1);
    assert_int_equal(err.code, RPYC_ECLOSED);
    link_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plain_type_is_read),
        cmocka_unit_test(a_value_is_written_as_it_was_read),
        cmocka_unit_test(text_and_bytes_are_told_apart),
        cmocka_unit_test(empty_text_is_text),
        cmocka_unit_test(ints_and_bools_are_numbers),
        cmocka_unit_test(an_int_that_does_not_fit_has_digits),
        cmocka_unit_test(what_is_not_a_number_is_none),
        cmocka_unit_test(a_float_is_not_an_int),
        cmocka_unit_test(every_number_is_a_complex),
        cmocka_unit_test(nothing_is_no_value_of_any_type),
        cmocka_unit_test(an_int_is_a_double_where_a_double_holds_it_exactly),
        cmocka_unit_test(items_are_counted_and_borrowed),
        cmocka_unit_test(an_item_can_outlive_its_container),
        cmocka_unit_test(nothing_can_be_unreferenced),
        cmocka_unit_test(what_is_not_a_value_is_an_error_and_leaves_nothing),
        cmocka_unit_test(text_that_is_not_utf_8_is_an_error),
        cmocka_unit_test(deep_values_are_read_up_to_the_limit),
        cmocka_unit_test(a_boxed_value_is_that_value),
        cmocka_unit_test(an_object_of_the_peer_is_a_netref),
        cmocka_unit_test(one_object_is_one_netref),
        cmocka_unit_test(many_objects_are_told_apart),
        cmocka_unit_test(a_tuple_of_boxes_may_hold_anything),
        cmocka_unit_test(what_is_not_a_box_is_an_error_and_leaves_nothing),
        cmocka_unit_test(plain_values_are_boxed_by_value_and_netrefs_by_reference),
        cmocka_unit_test(a_netref_goes_back_in_the_bytes_it_came_in),
        cmocka_unit_test(an_object_is_given_back_with_the_next_request),
        cmocka_unit_test(an_object_is_given_back_as_often_as_it_came),
        cmocka_unit_test(an_object_that_comes_again_is_counted_anew),
        cmocka_unit_test(several_objects_are_given_back_with_one_request),
        cmocka_unit_test(objects_in_a_reply_that_cannot_be_read_are_given_back),
        cmocka_unit_test(a_result_that_nobody_wants_is_given_back),
        cmocka_unit_test(objects_are_given_back_although_the_request_is_given_up),
        cmocka_unit_test(an_exception_in_reply_to_giving_back_is_nobody_s_business),
        cmocka_unit_test(netrefs_outlive_their_connection),
        cmocka_unit_test(a_close_gives_the_socket_back_while_netrefs_are_held),
        cmocka_unit_test(what_is_closed_may_be_nothing),
        cmocka_unit_test(an_attribute_is_asked_for),
        cmocka_unit_test(a_call_has_its_arguments_in_a_tuple),
        cmocka_unit_test(a_call_may_have_no_arguments),
        cmocka_unit_test(a_method_is_called_with_one_request),
        cmocka_unit_test(every_letter_of_a_format_is_an_argument),
        cmocka_unit_test(a_letter_that_does_not_exist_is_refused_before_anything_is_sent),
        cmocka_unit_test(a_netref_of_another_connection_is_no_argument),
        cmocka_unit_test(references_stand_in_tuples_only),
        cmocka_unit_test(repr_and_str_are_asked_for),
        cmocka_unit_test(requests_are_made_of_netrefs),
        cmocka_unit_test(all_other_requests_are_made_of_netrefs_too),
        cmocka_unit_test(a_ping_comes_back),
        cmocka_unit_test(a_request_by_the_number_of_its_handler),
        cmocka_unit_test(a_request_has_no_keyword_arguments),
        cmocka_unit_test(a_plain_value_is_dumped_as_brine),
        cmocka_unit_test(a_netref_is_not_dumped),
        cmocka_unit_test(a_ping_with_other_data_is_an_error),
        cmocka_unit_test(a_request_has_a_timeout),
        cmocka_unit_test(close_instead_of_a_reply_is_an_error),
        cmocka_unit_test(a_reply_that_is_not_a_box_is_an_error),
        cmocka_unit_test(an_exception_says_what_and_where),
        cmocka_unit_test(an_exception_says_its_arguments),
        cmocka_unit_test(stop_iteration_is_an_exception),
        cmocka_unit_test(an_exception_is_known_by_its_class),
        cmocka_unit_test(the_text_of_an_exception_is_one_line),
        cmocka_unit_test(a_long_text_of_an_exception_is_cut_off_between_characters),
        cmocka_unit_test(an_exception_has_arguments_and_attributes),
        cmocka_unit_test(an_exception_of_another_form_is_an_error),
        cmocka_unit_test(an_exception_need_not_be_asked_for),
        cmocka_unit_test(an_error_is_cleared_before_it_is_used_again),
        cmocka_unit_test(the_root_is_kept),
        cmocka_unit_test(a_root_that_is_not_an_object_is_an_error),
        cmocka_unit_test(modules_and_evaluation_are_methods_of_the_root),
        cmocka_unit_test(a_module_is_there_or_not),
        cmocka_unit_test(a_module_is_not_looked_for_without_importlib),
        cmocka_unit_test(the_namespace_is_an_attribute_of_the_root),
        cmocka_unit_test(without_a_root_there_is_no_classic_service),
        cmocka_unit_test(a_close_says_goodbye),
        cmocka_unit_test(items_are_got_set_and_deleted),
        cmocka_unit_test(a_length_is_a_number_that_is_not_negative),
        cmocka_unit_test(a_hash_is_an_int),
        cmocka_unit_test(texts_tuples_and_bytes_are_nothing_else),
        cmocka_unit_test(an_isinstance_is_asked_for),
        cmocka_unit_test(the_truth_of_a_netref_is_asked_for),
        cmocka_unit_test(a_truth_is_a_bool),
        cmocka_unit_test(the_truth_of_a_plain_value_is_python_s),
        cmocka_unit_test(comparisons_and_contains_are_functions_of_operator),
        cmocka_unit_test(other_comparisons_are_refused_before_anything_is_sent),
        cmocka_unit_test(an_exception_on_the_way_to_an_answer_is_that_exception),
        cmocka_unit_test(a_context_manager_is_entered_and_left),
        cmocka_unit_test(an_exception_to_leave_with_is_a_netref),
        cmocka_unit_test(items_come_in_pieces_until_there_are_no_more),
        cmocka_unit_test(pieces_that_are_no_tuples_are_an_error),
        cmocka_unit_test(an_iterator_that_is_a_plain_value_is_an_error),
        cmocka_unit_test(nothing_can_be_asked_of_what_is_not_there),
        cmocka_unit_test(many_objects_that_nobody_waits_for_are_given_back_at_once),
        cmocka_unit_test(a_pending_request_is_done_once_its_reply_was_read),
        cmocka_unit_test(a_wait_is_cancelled_from_another_thread),
        cmocka_unit_test(a_request_that_cannot_be_written_is_not_started),
        cmocka_unit_test(a_forked_child_lets_go_of_the_socket_without_a_word),
    };

    return RUN(tests);
}
