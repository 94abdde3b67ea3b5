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

TEST(values_that_cannot_be_offsets_are_contradictions)
{
    static const uint64_t values[] = {0, 7, 8, 512, 0x100001, UINT64_MAX, INT64_MIN};
    uint64_t words[WORDS];

    for (uint32_t minor = 13; minor <= 15; minor++) {
        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
            fill(words, 0x030000f0 | minor << 16, false, values[i]);
            assert_int_equal(known(words, sizeof(words)), KNOWN_CONTRADICTION);
        }
    }
}

TEST(debug_offsets_that_are_cut_are_not_read_beyond_their_end)
{
    for (uint32_t minor = 13; minor <= 15; minor++) {
        for (size_t size = 24; size < DEBUG_OFFSETS_SIZE; size += 8) {
            uint64_t words[WORDS], *exact = malloc(size);

            fill(words, 0x030000f0 | minor << 16, false, 64);
            memcpy(exact, words, size);
            assert_int_equal(known(exact, size), KNOWN_CONTRADICTION);
            free(exact);
        }
    }
}
