/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include "known_offsets.h"

#define WORDS (DEBUG_OFFSETS_SIZE / sizeof(uint64_t))

/* A struct _Py_DebugOffsets in which each word after the head has this value. */
static void fill(uint64_t *words, uint32_t version, bool free_threaded, uint64_t value)
{
    memcpy(words, "xdebugpy", 8);
    words[1] = version;
    words[2] = free_threaded;
    for (size_t i = 3; i < WORDS; i++)
        words[i] = value;
}

static enum known_result known(const uint64_t *words, size_t size)
{
    struct offsets offsets;
    uint32_t version;

    return known_debug_offsets(words, size, &offsets, &version);
}

TEST(there_are_tables_for_3_9_to_3_12)
{
    struct offsets offsets;

    for (int minor = 0; minor < 30; minor++) {
        assert_int_equal(known_offsets(minor, &offsets), minor >= 9 && minor <= 12);
        if (minor < 9 || minor > 12)
            continue;
        assert_int_equal(offsets.minor, minor);
        assert_true(offsets.interpreter.threads > 0 && offsets.code.file > 0);
        assert_int_equal(offsets.thread.native_id > 0, minor >= 11);
    }
}

TEST(versions_from_3_9_to_3_15_are_known_but_no_alphas_and_betas)
{
    assert_true(known_version(0x030900f0));
    assert_true(known_version(0x030f02f0));
    assert_true(known_version(0x030f00c1)); /* a release candidate */
    assert_false(known_version(0x030f00a7));
    assert_false(known_version(0x030e00b1));
    assert_false(known_version(0x030812f0));
    assert_false(known_version(0x031000f0)); /* 3.16 */
    assert_false(known_version(0x04090000));
    assert_false(known_version(0));
}

TEST(bytes_without_the_cookie_are_no_debug_offsets)
{
    uint64_t words[WORDS];

    fill(words, 0x030e00f0, false, 8);
    assert_int_equal(known(words, 0), KNOWN_NO_COOKIE);
    assert_int_equal(known(words, 16), KNOWN_NO_COOKIE);
    words[0]++;
    assert_int_equal(known(words, sizeof(words)), KNOWN_NO_COOKIE);
}

TEST(versions_that_are_not_known_and_free_threaded_builds_are_refused)
{
    uint64_t words[WORDS];

    fill(words, 0x031000f0, false, 8);
    assert_int_equal(known(words, sizeof(words)), KNOWN_VERSION);
    fill(words, 0x030c00f0, false, 8); /* 3.12 has no debug offsets */
    assert_int_equal(known(words, sizeof(words)), KNOWN_VERSION);
    fill(words, 0x030d00f0, true, 8);
    assert_int_equal(known(words, sizeof(words)), KNOWN_FREE_THREADED);
}

/* The layout of struct _Py_DebugOffsets in one minor version: the indexes of words. */
struct layout {
    uint32_t minor;
    size_t count; /* the number of words */
    size_t text;  /* the size of a str; its state, its length and the end of its head follow */
    bool has_path_size; /* the last word is the size of the path of a script */
};

static const struct layout layouts[] = {
    {13, 73, 67, false}, {14, 95, 77, true}, {15, 111, 89, true}};

#define LAYOUTS   (sizeof(layouts) / sizeof(*layouts))
#define PATH_SIZE 512
#define FIRST     3 /* the word with the size of the first struct, before all of its members */

/* Fills in values that are valid: the size of a struct precedes its members and is larger. */
static void fill_valid(uint64_t *words, const struct layout *l)
{
    fill(words, 0x030000f0 | l->minor << 16, false, 0);
    for (size_t i = FIRST; i < WORDS; i++)
        words[i] = 4096 - 8 * i;
    words[l->text + 1] = 32;
    words[l->text + 2] = 16;
    words[l->text + 3] = 40;
    if (l->has_path_size)
        words[l->count - 1] = PATH_SIZE;
}

/* Returns the result if one word has another value than the valid one. */
static enum known_result known_with(const struct layout *l, size_t i, uint64_t value)
{
    uint64_t words[WORDS];

    fill_valid(words, l);
    words[i] = value;
    return known(words, sizeof(words));
}

TEST(valid_debug_offsets_are_read)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        uint64_t words[WORDS];
        struct offsets offsets;
        uint32_t version;

        fill_valid(words, &layouts[i]);
        assert_int_equal(known_debug_offsets(words, sizeof(words), &offsets, &version), KNOWN_OK);
        assert_int_equal(offsets.minor, layouts[i].minor);
        assert_int_equal(offsets.runtime.interpreters, 4096 - 8 * 5);
        assert_int_equal(offsets.text.state, 32);
        assert_int_equal(offsets.text.length, 16);
        assert_int_equal(offsets.text.ascii, 40);
    }
}

TEST(sizes_that_no_struct_has_are_contradictions)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        const struct layout *l = &layouts[i];
        uint64_t words[WORDS];

        assert_int_equal(known_with(l, FIRST, 0x100000), KNOWN_OK);
        assert_int_equal(known_with(l, FIRST, 0x100001), KNOWN_CONTRADICTION);
        assert_int_equal(known_with(l, FIRST, UINT64_MAX), KNOWN_CONTRADICTION);
        assert_int_equal(known_with(l, FIRST, INT64_MIN), KNOWN_CONTRADICTION);
        fill_valid(words, l);
        words[FIRST + 2] = 0; /* the only member of the first struct that is read */
        words[FIRST] = 8;
        assert_int_equal(known(words, sizeof(words)), KNOWN_OK);
        words[FIRST] = 7;
        assert_int_equal(known(words, sizeof(words)), KNOWN_CONTRADICTION);
    }
}

TEST(members_beyond_the_end_of_their_struct_are_contradictions)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        assert_int_equal(known_with(&layouts[i], FIRST + 2, 4096 - 8 * FIRST - 1), KNOWN_OK);
        assert_int_equal(known_with(&layouts[i], FIRST + 2, 4096 - 8 * FIRST), KNOWN_CONTRADICTION);
        assert_int_equal(known_with(&layouts[i], FIRST + 2, UINT64_MAX), KNOWN_CONTRADICTION);
    }
}

TEST(another_size_of_the_path_of_a_script_is_a_contradiction)
{
    for (size_t i = 0; i < LAYOUTS; i++)
        assert_int_equal(known_with(&layouts[i], layouts[i].count - 1, PATH_SIZE + 1),
                         layouts[i].has_path_size ? KNOWN_CONTRADICTION : KNOWN_OK);
}

TEST(members_of_a_str_are_within_its_head)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        const struct layout *l = &layouts[i];

        assert_int_equal(known_with(l, l->text + 1, 36), KNOWN_OK); /* the state, an int */
        assert_int_equal(known_with(l, l->text + 1, 37), KNOWN_CONTRADICTION);
        assert_int_equal(known_with(l, l->text + 1, 3000), KNOWN_CONTRADICTION);
        assert_int_equal(known_with(l, l->text + 2, 32), KNOWN_OK); /* the length */
        assert_int_equal(known_with(l, l->text + 2, 33), KNOWN_CONTRADICTION);
        assert_int_equal(known_with(l, l->text + 2, 3000), KNOWN_CONTRADICTION);
        assert_int_equal(known_with(l, l->text + 3, 56), KNOWN_OK); /* as in a str of any kind */
        assert_int_equal(known_with(l, l->text + 3, 57), KNOWN_CONTRADICTION);
    }
}

TEST(debug_offsets_that_are_cut_are_not_read_beyond_their_end)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        for (size_t size = 24; size <= DEBUG_OFFSETS_SIZE; size += 8) {
            uint64_t words[WORDS], *exact = malloc(size);

            fill_valid(words, &layouts[i]);
            memcpy(exact, words, size);
            assert_int_equal(known(exact, size),
                             size < layouts[i].count * 8 ? KNOWN_CONTRADICTION : KNOWN_OK);
            free(exact);
        }
    }
}
