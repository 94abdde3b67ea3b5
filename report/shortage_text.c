/* SPDX-License-Identifier: BSD-3-Clause */
#include "shortage_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "phrases.h"

/* How the numbers of a resource are shown. resource: its name in procfs/shortage.c. word: what
 * follows the numbers. is_bytes: the numbers are sizes in bytes. */
struct unit {
    const char *resource, *word;
    bool is_bytes;
};

static const struct unit units[] = {
    {"file descriptors", "open", false},
    {"open files of the machine", "open", false},
    {"threads of the user", "running", false},
    {"threads of the control group", "running", false},
    {"address space", "in use", true},
    {"data memory", "in use", true},
    {"memory of the control group", "in use", true},
};

static struct unit unit_of(struct report_text resource)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].resource) == resource.len &&
            memcmp(units[i].resource, resource.data, resource.len) == 0)
            return units[i];
    return (struct unit){NULL, "in use", false};
}

/* Appends a number, or, if it is in bytes, a size: "512 MB", "7.9 GB". */
static void put_amount(struct buffer *out, int64_t n, bool is_bytes)
{
    static const char *const names[] = {"kB", "MB", "GB", "TB"};
    double size = (double)n / 1024;
    char text[64];
    size_t i = 0;

    if (is_bytes) {
        for (; size >= 1024 && i + 1 < sizeof(names) / sizeof(names[0]); i++)
            size /= 1024;
        snprintf(text, sizeof(text), size < 10 ? "%.1f %s" : "%.0f %s", size, names[i]);
    } else {
        snprintf(text, sizeof(text), "%" PRId64, n);
    }
    sentence_put(out, text);
}

void report_put_shortage(struct buffer *out, const struct report_shortage *shortage)
{
    struct unit unit;

    if (!shortage->resource.data || shortage->used == REPORT_UNKNOWN ||
        shortage->limit == REPORT_UNKNOWN)
        return;
    unit = unit_of(shortage->resource);
    sentence_put(out, shortage->used >= shortage->limit ? "out of " : "nearly out of ");
    buffer_put(out, shortage->resource.data, shortage->resource.len);
    sentence_put(out, ": ");
    put_amount(out, shortage->used, unit.is_bytes);
    sentence_put(out, " of ");
    put_amount(out, shortage->limit, unit.is_bytes);
    sentence_put(out, " ");
    sentence_put(out, unit.word);
    if (!shortage->detail.data || shortage->detail.len == 0)
        return;
    sentence_put(out, ", ");
    buffer_put(out, shortage->detail.data, shortage->detail.len);
}
