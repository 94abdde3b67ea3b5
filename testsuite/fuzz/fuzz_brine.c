/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: brine, one value. What is read is written and read again, and must be the same.
 */
#include "fuzz.h"

/* Reads items until the value is complete, and reads the memory they point to. */
static void pull(const uint8_t *data, size_t size)
{
    struct brine_reader r;
    struct brine_item item;
    unsigned sum = 0;
    size_t i;

    brine_read(&r, data, size);
    while (!brine_at_end(&r) && brine_next(&r, &item)) {
        if (item.type != BRINE_STR && item.type != BRINE_BYTES && item.type != BRINE_BIGINT)
            continue;
        for (i = 0; i < item.len; i++)
            sum += item.data[i];
    }
    must(brine_at_end(&r) || (r.failed != RPYC_OK && r.problem));
    must(sum < UINT32_MAX);
}

static void skip(const uint8_t *data, size_t size)
{
    const uint8_t *start;
    struct brine_reader r;
    size_t len;

    brine_read(&r, data, size);
    if (brine_skip(&r, &start, &len))
        must(start == data && len <= size);
}

/* Reads the value at data and appends it to out. False: it is not a value. */
static bool copy(const uint8_t *data, size_t size, struct buffer *out)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    struct brine_reader r;
    AUTO_VALUE *v = NULL;

    brine_read(&r, data, size);
    v = value_read(&r, &err);
    must_agree(v ? 0 : -1, &err);
    if (!v)
        return false;
    look_at(v);
    value_put(out, v);
    must(!out->failed);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUFFER once = BUFFER_INIT;
    AUTO_BUFFER twice = BUFFER_INIT;

    pull(data, size);
    skip(data, size);
    if (!copy(data, size, &once))
        return 0;
    must(copy(once.data, once.len, &twice));
    must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    return 0;
}
