/* SPDX-License-Identifier: BSD-3-Clause */
#include "name_runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phrases.h"

/* The maximum number of runs that are shown. */
#define RUNS_SHOWN 10

/* The maximum number of digits of a number that is compared by its value. Longer numbers are
 * compared as text. */
#define DIGITS_MAX 18

/* A part of a name: a number, or a byte that is not a digit. */
struct part {
    bool is_number;
    uint64_t value;
    size_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Returns the part that begins at the index `at`, which must be less than the length. */
static struct part part_at(struct report_text name, size_t at)
{
    struct part p = {.is_number = false, .value = (uint8_t)name.data[at], .len = 1};
    uint64_t value = 0;
    size_t len = 0;

    if (!is_digit(name.data[at]) || (at > 0 && is_digit(name.data[at - 1])))
        return p;
    for (; at + len < name.len && is_digit(name.data[at + len]) && len <= DIGITS_MAX; len++)
        value = value * 10 + (uint64_t)(name.data[at + len] - '0');
    return len > DIGITS_MAX ? p : (struct part){.is_number = true, .value = value, .len = len};
}

static int compare_parts(const struct part *a, const struct part *b)
{
    if (a->is_number != b->is_number)
        return a->is_number ? -1 : 1;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->len > b->len) - (a->len < b->len); /* "7" and "007" are different */
}

/* A comparison function for qsort(3). */
static int compare_names(const void *left, const void *right)
{
    const struct report_text *a = left, *b = right;
    size_t i = 0, j = 0;

    while (i < a->len && j < b->len) {
        struct part p = part_at(*a, i), q = part_at(*b, j);
        int order = compare_parts(&p, &q);

        if (order != 0)
            return order;
        i += p.len;
        j += q.len;
    }
    return (i < a->len) - (j < b->len);
}

/* True if the name `b` follows the name `a` in a run. If so, sets *position to the index of the
 * first digit, in `a`, of the number in which the names differ. */
static bool follows(struct report_text a, struct report_text b, size_t *position)
{
    size_t i = 0, j = 0, differences = 0;

    while (i < a.len && j < b.len) {
        struct part p = part_at(a, i), q = part_at(b, j);

        if (p.is_number != q.is_number)
            return false;
        if (p.value != q.value) {
            if (!p.is_number || q.value != p.value + 1 || ++differences > 1)
                return false;
            *position = i;
        }
        i += p.len;
        j += q.len;
    }
    return i == a.len && j == b.len && differences == 1;
}

/* Returns the length of the run that begins with names[0]. Returns 1 if fewer than three names form
 * a run. */
static size_t run_length(const struct report_text *names, size_t count)
{
    size_t len = 1, first, position;

    if (count < 2 || !follows(names[0], names[1], &first))
        return 1;
    for (len = 2; len < count && follows(names[len - 1], names[len], &position); len++) {
        if (position != first)
            break;
    }
    return len > 2 ? len : 1;
}

void name_runs_put(struct buffer *out, struct report_text *names, size_t count)
{
    size_t shown = 0, i = 0, len;
    char others[48];

    if (count > 0)
        qsort(names, count, sizeof(*names), compare_names);
    for (; i < count && shown < RUNS_SHOWN; i += len, shown++) {
        len = run_length(names + i, count - i);
        if (shown > 0)
            sentence_put(out, ", ");
        sentence_put_text(out, names[i]);
        if (len == 1)
            continue;
        sentence_put(out, " ... ");
        sentence_put_text(out, names[i + len - 1]);
    }
    if (i == count)
        return;
    snprintf(others, sizeof(others), " and %zu other%s", count - i, count - i > 1 ? "s" : "");
    sentence_put(out, others);
}
