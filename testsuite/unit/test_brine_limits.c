/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Limits of depth and of the number of items.
 */
#include "brine_text.h"

/* Checks that reading with limits succeeds, or fails because of them. */
static void assert_limited(const char *hex, unsigned max_depth, size_t max_items,
                           enum rpyc_errcode code)
{
    READER(r, hex);
    const uint8_t *data;
    size_t len;

    brine_limit(&r, max_depth, max_items);
    brine_skip(&r, &data, &len);
    assert_int_equal(r.failed, code);
}

TEST(depth_can_be_limited)
{
    assert_limited("10 10 10 50", 3, 0, RPYC_OK);
    assert_limited("10 10 10 50", 2, 0, RPYC_ELIMIT);
    assert_limited("10 1a 10 50", 1, 0, RPYC_ELIMIT);
    assert_limited("12 10 50 10 50 10 50", 2, 0, RPYC_OK);
    assert_limited("10 02", 1, 0, RPYC_OK);
}

TEST(items_can_be_limited)
{
    assert_limited("12 50 50 50", 0, 4, RPYC_OK);
    assert_limited("12 50 50 50", 0, 3, RPYC_ELIMIT);
    assert_limited("12 50 11 50 50 11 50 50", 0, 8, RPYC_OK);
    assert_limited("12 50 11 50 50 11 50 50", 0, 7, RPYC_ELIMIT);
    assert_limited("11 10 50 1a 12 50 50 50", 0, 7, RPYC_OK);
    assert_limited("11 10 50 1a 12 50 50 50", 0, 6, RPYC_ELIMIT);
}

TEST(limits_can_be_lowered_alone)
{
    char hex[2 * 202 + 1];
    size_t i;

    for (i = 0; i < 201; i++)
        memcpy(hex + 2 * i, "10", 2);
    memcpy(hex + 2 * i, "00", 3);
    assert_limited(hex, 1000, 0, RPYC_ELIMIT);
}

TEST(too_many_items_are_refused_before_any_is_read)
{
    READER(r, "13 50 50 50 50");
    struct brine_item item;

    brine_limit(&r, 0, 4);
    assert_false(brine_next(&r, &item));
    assert_int_equal(r.failed, RPYC_ELIMIT);
    assert_string_equal(r.problem, "it has more items than max_items");
}

/* Returns None in `depth` nested containers, in hex. The other items of a slice are None, too. */
static struct bytes nested(size_t depth, const char *before, const char *after)
{
    AUTO_BYTES open = from_hex(before), close = from_hex(after);
    struct bytes b = {malloc(depth * (open.len + close.len) + 1), 0};
    size_t i;

    for (i = 0; i < depth; i++, b.len += open.len)
        memcpy(b.data + b.len, open.data, open.len);
    b.data[b.len++] = 0;
    for (i = 0; i < depth; i++, b.len += close.len)
        memcpy(b.data + b.len, close.data, close.len);
    return b;
}

static const char *const containers[][2] = {
    {"10", ""},         {"11", "00"},           {"1a10", ""},
    {"19120000", ""},   {"1912", "0000"},       {"1401", ""},
    {"1500000001", ""}, {"1a1500000002", "00"}, {"19 12 10 1a10", "0000"},
};
#define CONTAINERS (sizeof(containers) / sizeof(*containers))

TEST(a_depth_of_200_is_read)
{
    size_t i;

    for (i = 0; i < CONTAINERS - 1; i++) {
        AUTO_BYTES b = nested(BRINE_DEPTH_MAX, containers[i][0], containers[i][1]);

        assert_int_equal(BRINE_DEPTH_MAX, 200);
        assert_true(skips(&b));
    }
}

TEST(a_depth_of_201_is_beyond_the_limit)
{
    size_t i;

    for (i = 0; i < CONTAINERS - 1; i++) {
        AUTO_BYTES b = nested(BRINE_DEPTH_MAX + 1, containers[i][0], containers[i][1]);

        assert_fails(&b, RPYC_ELIMIT, "it is nested deeper than max_depth");
    }
}

TEST(a_depth_of_100000_is_beyond_the_limit)
{
    size_t i;

    for (i = 0; i < CONTAINERS; i++) {
        AUTO_BYTES b = nested(100000, containers[i][0], containers[i][1]);

        assert_fails(&b, RPYC_ELIMIT, "it is nested deeper than max_depth");
    }
}

TEST(width_does_not_count_as_depth)
{
    AUTO_BUFFER b = BUFFER_INIT;
    struct brine_reader r;
    const uint8_t *data;
    size_t len;
    int i;

    brine_put_tuple(&b, 2000);
    for (i = 0; i < 1000; i++) {
        brine_put_tuple(&b, 0);
        brine_put_tuple(&b, 1);
        brine_put_frozenset(&b, 0);
    }
    brine_read(&r, b.data, b.len);
    assert_true(brine_skip(&r, &data, &len));
    assert_true(brine_at_end(&r));
}
