/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Boxes and id packs on the wire.
 */
#include "brine_text.h"

#include "message.h"

/* ---- Boxes ----------------------------------------------------------------------------------- */

TEST(a_box_is_a_pair_of_label_and_value)
{
    AUTO_BUFFER b = BUFFER_INIT;
    enum label label;

    for (label = LABEL_VALUE; label <= LABEL_REMOTE_REF; label++)
        box_put(&b, label);
    assert_bytes(b.data, b.len, "1151 1152 1153 1154");
}

TEST(boxes_within_boxes_are_read)
{
    READER(r, "1152 12 1151 55 1153 12080a61 5152 1154 12080a62 5350");
    struct brine_item item;
    struct id_pack pack;
    enum label label;

    assert_true(box_next(&r, &label));
    assert_int_equal(label, LABEL_TUPLE);
    assert_true(brine_expect_tuple(&r, 3));
    assert_true(box_next(&r, &label));
    assert_int_equal(label, LABEL_VALUE);
    assert_true(brine_next(&r, &item));
    assert_true(box_next(&r, &label));
    assert_int_equal(label, LABEL_LOCAL_REF);
    assert_true(id_pack_next(&r, &pack));
    assert_true(box_next(&r, &label));
    assert_int_equal(label, LABEL_REMOTE_REF);
    assert_true(id_pack_next(&r, &pack));
    assert_true(brine_at_end(&r));
    assert_int_equal(pack.class_id, 3);
    assert_int_equal(pack.instance_id, 0);
}

/* Checks that these are not boxes, and why; NULL: whatever the reason. */
static void assert_no_boxes(const char *const *boxes, size_t count, const char *problem)
{
    enum label label;

    for (; count > 0; boxes++, count--) {
        READER(r, *boxes);

        assert_false(box_next(&r, &label));
        assert_int_equal(r.failed, RPYC_EPROTOCOL);
        if (problem)
            assert_string_equal(r.problem, problem);
    }
}

TEST(unknown_labels_are_refused)
{
    const char *boxes[] = {"1150 00", "1155 00", "114f 00", "11 1603313630 00"};

    assert_no_boxes(boxes, sizeof(boxes) / sizeof(*boxes), "a box with an unknown label");
}

TEST(a_box_must_be_a_pair)
{
    const char *boxes[] = {"", "51", "1051", "12 51 50 50", "11 00 50", "11 0a31 50", "1a 11 5150"};

    assert_no_boxes(boxes, sizeof(boxes) / sizeof(*boxes), NULL);
}

/* ---- Id packs -------------------------------------------------------------------------------- */

/* ("builtins.list", 9523456, 140737353000000) */
#define LIST_PACK                                                                                  \
    "12 080e0d6275696c74696e732e6c697374 160739353233343536 160f313430373337333533303030303030"

static void read_pack(const struct bytes *brine, struct id_pack *pack)
{
    struct brine_reader r;

    brine_read(&r, brine->data, brine->len);
    assert_true(id_pack_next(&r, pack));
    assert_true(brine_at_end(&r));
}

TEST(an_id_pack_is_the_same_both_ways)
{
    AUTO_BYTES brine = from_hex(LIST_PACK);
    AUTO_BUFFER b = BUFFER_INIT;
    struct id_pack pack;

    read_pack(&brine, &pack);
    assert_int_equal(pack.name_len, 13);
    assert_memory_equal(pack.name, "builtins.list", 13);
    assert_int_equal(pack.class_id, 9523456);
    assert_int_equal(pack.instance_id, 140737353000000);
    assert_ptr_equal(pack.raw, brine.data);
    assert_int_equal(pack.raw_len, brine.len);
    id_pack_put(&b, &pack);
    assert_bytes(b.data, b.len, LIST_PACK);
}

TEST(the_id_pack_of_a_class_has_no_instance)
{
    const struct id_pack pack = {.name = "builtins.type", .name_len = 13, .class_id = 9523456};
    AUTO_BUFFER b = BUFFER_INIT;

    id_pack_put(&b, &pack);
    assert_bytes(b.data, b.len, "12 080e0d6275696c74696e732e74797065 160739353233343536 50");
}

TEST(an_id_pack_keeps_its_raw_bytes)
{
    READER(r, "11 1403 0f00000001 61 160131 17000000023032 51");
    struct id_pack pack;
    int64_t after;

    assert_true(brine_expect_tuple(&r, 2));
    assert_true(id_pack_next(&r, &pack));
    assert_bytes(pack.raw, pack.raw_len, "1403 0f00000001 61 160131 17000000023032");
    assert_int_equal(pack.class_id, 1);
    assert_int_equal(pack.instance_id, 2);
    assert_true(brine_expect_int(&r, &after));
    assert_true(brine_at_end(&r));
}

TEST(the_name_of_an_id_pack_may_be_bytes)
{
    AUTO_BYTES brine = from_hex("12 0c612e62 51 52");
    struct id_pack pack;

    read_pack(&brine, &pack);
    assert_int_equal(pack.name_len, 3);
    assert_memory_equal(pack.name, "a.b", 3);
}

TEST(ids_may_be_negative)
{
    AUTO_BYTES brine = from_hex("12 080a61 4f 16142d39323233333732303336383534373735383038");
    struct id_pack pack;

    read_pack(&brine, &pack);
    assert_int_equal(pack.class_id, (uint64_t)-1);
    assert_int_equal(pack.instance_id, (uint64_t)INT64_MIN);
}

TEST(ids_beyond_int64_are_read)
{
    AUTO_BYTES brine = from_hex("12 080a61 161339323233333732303336383534373735383038 "
                                "16143138343436373434303733373039353531363134");
    struct id_pack pack;

    read_pack(&brine, &pack);
    assert_int_equal(pack.class_id, (uint64_t)1 << 63);
    assert_int_equal(pack.instance_id, UINT64_MAX - 1);
}

/* 2**64 and -2**63 - 1 */
TEST(ids_beyond_64_bits_name_nothing_and_can_be_sent_back)
{
    const char *hex = "12 080a61 16143138343436373434303733373039353531363136 "
                      "16142d39323233333732303336383534373735383039";
    AUTO_BYTES brine = from_hex(hex);
    struct id_pack pack;

    read_pack(&brine, &pack);
    assert_int_equal(pack.class_id, UINT64_MAX);
    assert_int_equal(pack.instance_id, UINT64_MAX);
    assert_bytes(pack.raw, pack.raw_len, hex);
}

TEST(ids_beyond_int64_are_written)
{
    const struct id_pack pack = {
        .name = "a", .name_len = 1, .class_id = (uint64_t)1 << 63, .instance_id = UINT64_MAX};
    AUTO_BUFFER b = BUFFER_INIT;

    id_pack_put(&b, &pack);
    assert_bytes(b.data, b.len,
                 "12 080a61 161339323233333732303336383534373735383038 "
                 "16143138343436373434303733373039353531363135");
}

TEST(an_invalid_id_pack_is_refused)
{
    const char *packs[] = {
        "",
        "00",
        "51",
        "11 080a61 51",
        "13 080a61 51 52 53",
        "12 51 51 52",
        "12 00 51 52",
        "12 02 51 52",
        "12 080a61 00 52",
        "12 080a61 51 00",
        "12 080a80 51 52",
        "12 080ceda080 51 52",
        "12 080a61 51",
        "12 080a61",
        "12",
        "12 080a61 51 080a32",
        "12 080a61 03 50",
        "12 080a61 51 18 3ff0000000000000",
        "1a 12 080a61 51 52",
        "12 07 51 52",
    };
    size_t i;

    for (i = 0; i < sizeof(packs) / sizeof(*packs); i++) {
        READER(r, packs[i]);
        struct id_pack pack;

        if (id_pack_next(&r, &pack))
            fail_msg("%s is not an id pack", packs[i]);
        assert_int_equal(r.failed, RPYC_EPROTOCOL);
    }
}

TEST(the_refusal_of_an_id_pack_says_why)
{
    const struct {
        const char *pack, *problem;
    } cases[] = {
        {"12 51 51 52", "an id pack whose name is not a str"},
        {"12 080a61 00 52", "an id pack whose ids are not numbers"},
        {"12 080bc3c3 51 52", "an id pack whose name is not UTF-8"},
    };
    struct id_pack pack;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        READER(r, cases[i].pack);

        assert_false(id_pack_next(&r, &pack));
        assert_string_equal(r.problem, cases[i].problem);
    }
}
