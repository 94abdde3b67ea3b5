/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include "mappings.h"

/* Parses a copy of a text that has exactly its size. */
static struct mappings parse(const char *text, char **copy)
{
    struct mappings ms;

    *copy = strdup(text);
    assert_true(mappings_parse(&ms, *copy, strlen(*copy)));
    return ms;
}

TEST(a_line_of_maps_is_read_completely)
{
    char *text;
    struct mappings ms =
        parse("7f0e5c000000-7f0e5c021000 r-xp 00001000 08:1f 1234       /a b/c (deleted)\n", &text);

    assert_int_equal(ms.count, 1);
    assert_true(ms.items[0].start == 0x7f0e5c000000 && ms.items[0].end == 0x7f0e5c021000);
    assert_int_equal(ms.items[0].offset, 0x1000);
    assert_int_equal(ms.items[0].inode, 1234);
    assert_true(ms.items[0].readable && !ms.items[0].writable && ms.items[0].executable);
    assert_string_equal(ms.items[0].path, "/a b/c (deleted)");
    assert_string_equal(mapping_name(&ms.items[0]), "c (deleted)");
    mappings_free(&ms);
    free(text);
}

TEST(a_mapping_without_a_file_has_an_empty_path)
{
    char *text;
    struct mappings ms = parse("1000-2000 rw-p 00000000 00:00 0 \n"
                               "2000-3000 ---p 00000000 00:00 0          [heap]\n",
                               &text);

    assert_int_equal(ms.count, 2);
    assert_string_equal(ms.items[0].path, "");
    assert_string_equal(ms.items[1].path, "[heap]");
    mappings_free(&ms);
    free(text);
}

TEST(an_address_is_found_in_the_mapping_that_contains_it)
{
    char *text;
    struct mappings ms = parse("1000-2000 r--p 00000000 08:01 5 /x\n"
                               "2000-3000 r--p 00001000 08:01 5 /x\n"
                               "5000-6000 r--p 00000000 08:02 5 /y\n",
                               &text);

    assert_null(mapping_at(&ms, 0xfff));
    assert_ptr_equal(mapping_at(&ms, 0x1000), &ms.items[0]);
    assert_ptr_equal(mapping_at(&ms, 0x1fff), &ms.items[0]);
    assert_ptr_equal(mapping_at(&ms, 0x2000), &ms.items[1]);
    assert_null(mapping_at(&ms, 0x3000));
    assert_ptr_equal(mapping_at(&ms, 0x5fff), &ms.items[2]);
    assert_null(mapping_at(&ms, UINT64_MAX));
    mappings_free(&ms);
    free(text);
}

TEST(lines_that_are_cut_or_invalid_are_left_out)
{
    static const char *const lines[] = {
        "",
        "\n",
        "1000-2000",
        "1000-2000\n",
        "1000-2000 r--p 00000000 08:01 5 /x", /* no newline: the line is cut */
        "1000-2000 r--p 00000000 08:01\n",
        "1000-2000 r--p 00000000 0801 5 /x\n",
        "1000 2000 r--p 00000000 08:01 5 /x\n",
        "2000-1000 r--p 00000000 08:01 5 /x\n",
        "1000-1000 r--p 00000000 08:01 5 /x\n",
        "1000-2000 r-- 00000000 08:01 5 /x\n",
        "x000-2000 r--p 00000000 08:01 5 /x\n",
        "-2000 r--p 00000000 08:01 5 /x\n",
        "1000-10000000000002000 r--p 00000000 08:01 5 /x\n", /* more than 64 bits */
        "1000-2000 r--p 00000000 08:01 18446744073709551616 /x\n",
        "1000-2000 r--p 00000000 08:01 x /x\n",
        "1000-2000 r--px 00000000 08:01 5 /x\n",
    };
    struct mappings ms;
    char *text;

    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        ms = parse(lines[i], &text);
        assert_int_equal(ms.count, 0);
        assert_null(mapping_at(&ms, 0x1000));
        mappings_free(&ms);
        free(text);
    }
}

TEST(a_mapping_that_overlaps_the_one_before_is_left_out)
{
    char *text;
    struct mappings ms = parse("2000-3000 r--p 00000000 08:01 5 /x\n"
                               "2800-4000 r--p 00000000 08:01 6 /y\n"
                               "1000-2000 r--p 00000000 08:01 7 /z\n"
                               "3000-4000 r--p 00000000 08:01 8 /w\n",
                               &text);

    assert_int_equal(ms.count, 2);
    assert_string_equal(ms.items[1].path, "/w");
    mappings_free(&ms);
    free(text);
}
