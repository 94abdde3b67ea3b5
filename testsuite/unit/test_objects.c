/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"
#include "page.h"

#include "known_offsets.h"
#include "objects.h"

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
