/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include "releases.h"

#define SOON deadline_in(60000)

/* Id packs: ("a", 1, 1) and ("b", 2, 0). */
#define PACK_A "12 080a61 51 51"
#define PACK_B "12 080a62 52 50"

/* ---- A connection, and the script at its other end ------------------------------------------- */

struct link {
    struct conn *c;
    struct peer peer;
};

static int serve_nothing(void *host, struct conn *c, struct message *m, int64_t handler,
                         struct rpyc_error *err)
{
    (void)host;
    (void)c;
    (void)m;
    (void)handler;
    return error_set(err, RPYC_EPROTOCOL, "no request is expected here");
}

static struct link link_new(void)
{
    static const struct conn_callbacks host = {.serve = serve_nothing};
    const struct conn_config config = {.generation = RPYC_GENERATION_6};
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct stream s;
    struct link l;

    stream_open(&s, peer_open(&l.peer));
    assert_ok(conn_new(&l.c, &s, &host, NULL, &config, &err), &err);
    return l;
}

static void link_free(struct link *l)
{
    peer_close(&l->peer);
    conn_unref(l->c);
}

#define AUTO_LINK _cleanup_(link_free) struct link

/* Adds the objects in a box to the list. The result shows whether the box could be read. */
static struct brine_reader add_box(struct releases *list, const struct bytes *box)
{
    struct brine_reader r;

    brine_read(&r, box->data, box->len);
    releases_add_box(list, &r);
    return r;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

TEST(objects_are_released_before_the_next_request)
{
    AUTO_LINK l = link_new();
    AUTO_BYTES a = from_hex(PACK_A), b = from_hex(PACK_B);
    struct releases list = {0};
    struct outgoing out;
    int64_t seq;

    releases_add(&list, a.data, a.len, 1, 0);
    releases_add(&list, b.data, b.len, 300, 0);
    releases_request_begin(l.c, &list, &out, HANDLE_GETROOT, &seq);
    assert_null(list.first);
    buffer_put(&out.buf, "\x11\x51\x02", 3);
    assert_int_equal(conn_send(l.c, &out, SOON, NULL), 0);
    hears(&l.peer, "011150 115f 1152 11 1153 " PACK_B " 1151 1603333030");
    hears(&l.peer, "011151 115f 1152 11 1153 " PACK_A " 1151 51");
    hears(&l.peer, "011152 1153 115102");
    assert_int_equal(seq, 2);
}

TEST(objects_are_released_without_a_request)
{
    AUTO_LINK l = link_new();
    AUTO_BYTES a = from_hex(PACK_A), b = from_hex(PACK_B);
    struct releases list = {0};

    releases_add(&list, a.data, a.len, 1, 0);
    releases_add(&list, b.data, b.len, 2, 0);
    releases_post(l.c, &list, SOON);
    assert_null(list.first);
    hears(&l.peer, "011150 115f 1152 11 1153 " PACK_A " 1151 51");
    hears(&l.peer, "011151 115f 1152 11 1153 " PACK_B " 1151 52");
    releases_post(l.c, &list, SOON);
    hears_no_more(&l.peer);
}

TEST(every_reference_in_a_box_is_dropped)
{
    AUTO_LINK l = link_new();
    /* (a, (7, b, ()), reference to a local object, a) */
    AUTO_BYTES box = from_hex("1152 13"
                              "  1154 " PACK_A "  1152 12  1151 57  1154 " PACK_B "  1152 02"
                              "  1153 " PACK_B "  1154 " PACK_A);
    struct releases list = {0};
    struct brine_reader r = add_box(&list, &box);

    assert_int_equal(r.failed, RPYC_OK);
    assert_true(brine_at_end(&r));
    releases_post(l.c, &list, SOON);
    hears(&l.peer, "011150 115f 1152 11 1153 " PACK_B " 1151 51");
    hears(&l.peer, "011151 115f 1152 11 1153 " PACK_A " 1151 51");
    hears(&l.peer, "011152 115f 1152 11 1153 " PACK_A " 1151 51");
    hears_no_more(&l.peer);
}

TEST(a_value_has_nothing_to_drop)
{
    AUTO_BYTES box = from_hex("1151 11 57 0a78");
    struct releases list = {0};
    struct brine_reader r = add_box(&list, &box);

    assert_true(brine_at_end(&r));
    assert_null(list.first);
}

TEST(references_before_an_invalid_part_of_a_box_are_released)
{
    static const char *const boxes[] = {
        "1152 11  1154 " PACK_A "  1154",           /* ends too early */
        "1152 11  1154 " PACK_A "  1155 00",        /* unknown label */
        "1152 11  1154 " PACK_A "  1154 57",        /* not an id pack */
        "1152 11  1154 " PACK_A "  1152 57",        /* not a tuple */
        "1152 11  1154 " PACK_A "  1151 080b c0af", /* not UTF-8 */
    };
    size_t i;

    for (i = 0; i < sizeof(boxes) / sizeof(*boxes); i++) {
        AUTO_BYTES box = from_hex(boxes[i]);
        struct releases list = {0};

        add_box(&list, &box);
        assert_non_null(list.first);
        releases_free(&list);
        assert_null(list.first);
    }
}

TEST(a_box_of_boxes_of_boxes_ends)
{
    AUTO_BUFFER buf = BUFFER_INIT;
    struct releases list = {0};
    struct bytes box;
    int i;

    for (i = 0; i < 100000; i++)
        buffer_put(&buf, "\x11\x52\x10", 3);
    box = (struct bytes){buf.data, buf.len};
    assert_int_equal(add_box(&list, &box).failed, RPYC_ELIMIT);
    assert_null(list.first);
}
