/* SPDX-License-Identifier: BSD-3-Clause */
#include "brine.h"

#include "unit.h"

static bool utf8(const char *hex)
{
    AUTO_BYTES text = from_hex(hex);

    return brine_utf8(text.data, text.len);
}

TEST(utf_8_is_what_python_takes_for_it)
{
    const char *good[] = {
        "",         "00",       "7f",       "6162",     "c280",     "dfbf",
        "e0a080",   "e0bfbf",   "e18080",   "ecbfbf",   "ed8080",   "ed9fbf",
        "ee8080",   "efbfbf",   "f0908080", "f0bfbfbf", "f1808080", "f3bfbfbf",
        "f4808080", "f48fbfbf", "efbfbe",   "efbbbf61", "68c3a961", "f09f908de282acc3a961",
    };
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (!utf8(good[i]))
            fail_msg("%s is UTF-8", good[i]);
}

TEST(anything_else_is_not_utf_8)
{
    const char *bad[] = {
        "80",           "bf",           "61bf",     "8080", /* continuation bytes only */
        "c0af",         "c1bf",         "c080",     "e08080",   "e09fbf", /* longer than needed */
        "f0808080",     "f08fbfbf",     "f08080af",                       /* longer than needed */
        "eda080",       "edbfbf",       "edafbf",   "edb080",             /* surrogates */
        "eda080edb080",                                                   /* a pair of them */
        "f4908080",     "f5808080",     "f6808080", "f7bfbfbf",           /* beyond U+10FFFF */
        "f888808080",   "fc8480808080", "fe",       "ff", /* bytes that UTF-8 never has */
        "c2",           "e0",           "e0a0",     "f0",       "f090",     "f09080", /* cut off */
        "61c2",         "c2c2",         "c261",     "c27f",     "c2c0", /* followed by the wrong
                                                                           byte */
        "e0a061",       "e0a0c0",       "e28261",   "e282ff",   "e2c2ac",   "e228a1",
        "f09f9061",     "f09f90c0",     "f09f6190", "f0289080", "f09f28bc",
    };
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (utf8(bad[i]))
            fail_msg("%s is not UTF-8", bad[i]);
}

TEST(every_code_point_but_surrogates_is_utf_8)
{
    uint32_t c;

    for (c = 0x800; c < 0x10000; c++) {
        const uint8_t text[] = {(uint8_t)(0xe0 | c >> 12), (uint8_t)(0x80 | (c >> 6 & 0x3f)),
                                (uint8_t)(0x80 | (c & 0x3f))};

        assert_int_equal(brine_utf8(text, 3), c < 0xd800 || c > 0xdfff);
    }
    for (c = 0x10000; c < 0x140000; c += 0x3f) {
        const uint8_t text[] = {(uint8_t)(0xf0 | c >> 18), (uint8_t)(0x80 | (c >> 12 & 0x3f)),
                                (uint8_t)(0x80 | (c >> 6 & 0x3f)), (uint8_t)(0x80 | (c & 0x3f))};

        assert_int_equal(brine_utf8(text, 4), c < 0x110000);
    }
}
