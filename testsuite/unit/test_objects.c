/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"
#include "page.h"

#include "known_offsets.h"
#include "objects.h"
#include "pools.h"

#define TUPLE (START + 64)

/* Makes a str at an address, as a compact ASCII str of 3.12. */
static void make_text(const struct offsets *o, uint64_t address, const char *text)
{
    const uint32_t state =
        1 << 2 | 1 << 5 | 1 << 6; /* one byte for each character; compact; ASCII */

    page_put(address, o->text.length, strlen(text));
    memcpy(page + (address - START) + o->text.state, &state, sizeof(state));
    memcpy(page + (address - START) + o->text.ascii, text, strlen(text));
}

/* Returns the index of a text in a tuple of 40 items: all are "a", but item 35 is "release". last:
 * the address of the last item. */
static int find_release(uint64_t last, const char *text)
{
    const uint64_t a = START + 1024, release = START + 2048;
    struct offsets offsets;
    const struct python py = {.memory = {.read = page_read}, .offsets = &offsets};
    struct tuple tuple;

    assert_true(known_offsets(12, &offsets));
    memset(page, 0, sizeof(page));
    make_text(&offsets, a, "a");
    make_text(&offsets, release, "release");
    make_text(&offsets, last, "a");
    page_put(TUPLE, offsets.tuple.size, 40);
    for (int i = 0; i < 40; i++)
        page_put(TUPLE, offsets.tuple.items + 8 * i, i == 35 ? release : i == 39 ? last : a);
    assert_true(tuple_open(&py, TUPLE, 40, &tuple));
    page_reads = 0;
    return tuple_index(&py, &tuple, text);
}

TEST(a_text_in_a_tuple_is_found_with_few_reads)
{
    assert_int_equal(find_release(START + 3072, "release"), 35);
    assert_int_equal(page_reads, 4);
    assert_int_equal(find_release(START + 3072, "releases"), -1);
    assert_int_equal(find_release(START + 3072, "a"), 0);
}

TEST(a_text_beside_one_at_the_end_of_the_memory_is_found)
{
    assert_int_equal(find_release(START + PAGE - 41, "release"), 35);
    assert_true(page_reads > 4);
    assert_int_equal(find_release(START + PAGE - 41, "acquire"), -1);
}

/* Makes a set without objects, whose table has mask + 1 entries. */
static void make_set(const struct offsets *o, uint64_t set, uint64_t table, uint64_t mask)
{
    const uint64_t type = START + 512, name = START + 1024;

    memset(page, 0, sizeof(page));
    page_put(set, o->object.type, type);
    page_put(type, o->type.name, name);
    memcpy(page + (name - START), "set", 4);
    page_put(set, 32, mask);
    page_put(set, 40, table);
}

/* Like page_read, but the memory outside of the page can be read, too, and contains zeros. */
static bool read_zeros(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!page_read(m, &pieces[i], 1))
            memset(pieces[i].to, 0, pieces[i].size);
    }
    return true;
}

TEST(a_future_is_the_only_one_of_a_set_only_if_the_whole_set_was_read)
{
    const uint64_t set = START + 64, table = START + 2048, nowhere = START + PAGE;
    struct offsets offsets;
    const struct python py = {.memory = {.read = page_read}, .offsets = &offsets};
    size_t count;

    assert_true(known_offsets(12, &offsets));
    make_set(&offsets, set, table, 7);
    assert_int_equal(pool_pending(&py, set, &count), 0);
    assert_int_equal(count, 0);
    page_put(table, 16, nowhere);
    page_put(table, 24, UINT64_MAX); /* the hash of an entry whose object was removed */
    assert_int_equal(pool_pending(&py, set, &count), 0);
    assert_int_equal(count, 0);
    page_put(table, 24, 1);
    assert_int_equal(pool_pending(&py, set, &count), 0);
    assert_int_equal(count, 2);
    make_set(&offsets, set, START + PAGE - 16, 1); /* the table ends outside of the memory */
    pool_pending(&py, set, &count);
    assert_int_equal(count, 2);
}

TEST(a_future_is_not_the_only_one_of_a_set_that_is_too_large)
{
    const uint64_t set = START + 64;
    struct offsets offsets;
    const struct python py = {.memory = {.read = read_zeros}, .offsets = &offsets};
    size_t count;

    assert_true(known_offsets(12, &offsets));
    make_set(&offsets, set, START + PAGE, POOL_QUEUED_MAX - 1);
    pool_pending(&py, set, &count);
    assert_int_equal(count, 0);
    page_put(set, 32, POOL_QUEUED_MAX);
    pool_pending(&py, set, &count);
    assert_int_equal(count, 2);
}
