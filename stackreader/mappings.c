/* SPDX-License-Identifier: BSD-3-Clause */
#include "mappings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Returns the value of a hexadecimal digit; -1: the character is no digit. */
static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads a number in hexadecimal digits, and moves *at behind it. Returns false if there is no
 * digit, or if the number has more than 64 bits. sscanf() and strtoull() take several times as
 * long, and a process may have thousands of mappings. */
static bool take_hex(const char **at, uint64_t *to)
{
    const char *start = *at;
    int digit;

    for (*to = 0; (digit = digit_of(**at)) >= 0; ++*at) {
        if (*to >> 60)
            return false;
        *to = *to << 4 | (uint64_t)digit;
    }
    return *at > start;
}

/* Like take_hex(), for a number in decimal digits. */
static bool take_decimal(const char **at, uint64_t *to)
{
    const char *start = *at;

    for (*to = 0; isdigit((unsigned char)**at); ++*at) {
        if (__builtin_mul_overflow(*to, 10, to) ||
            __builtin_add_overflow(*to, (uint64_t)(**at - '0'), to))
            return false;
    }
    return *at > start;
}

/* Moves *at behind this character. Returns false if another character is there. */
static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

/* Reads one line, such as "7f0e5c000000-7f0e5c021000 rw-p 00000000 08:01 1234   /lib/x.so", into
 * *m. Returns false if the line is not valid. */
static bool parse_line(const char *line, struct mapping *m)
{
    const char *rights;
    uint64_t device;

    if (!take_hex(&line, &m->start) || !take(&line, '-') || !take_hex(&line, &m->end) ||
        !take(&line, ' ') || strcspn(line, " ") != 4)
        return false;
    rights = line;
    line += 4;
    if (!take(&line, ' ') || !take_hex(&line, &m->offset) || !take(&line, ' ') ||
        !take_hex(&line, &device) || !take(&line, ':') || !take_hex(&line, &device) ||
        !take(&line, ' ') || !take_decimal(&line, &m->inode) || m->start >= m->end)
        return false;
    m->readable = rights[0] == 'r';
    m->writable = rights[1] == 'w';
    m->executable = rights[2] == 'x';
    m->path = line + strspn(line, " ");
    return true;
}

static size_t count_lines(const char *text, size_t len)
{
    size_t count = 0;
    const char *at;

    for (at = text; (at = memchr(at, '\n', len - (size_t)(at - text))); at++)
        count++;
    return count;
}

bool mappings_parse(struct mappings *out, char *text, size_t len)
{
    struct mapping *m;
    char *line, *end;

    out->count = 0;
    out->items = calloc(count_lines(text, len) + 1, sizeof(*out->items));
    if (!out->items)
        return false;
    for (line = text; (end = memchr(line, '\n', len - (size_t)(line - text))); line = end + 1) {
        *end = '\0';
        m = &out->items[out->count];
        if (parse_line(line, m) && (out->count == 0 || m->start >= m[-1].end))
            out->count++;
    }
    return true;
}

void mappings_free(struct mappings *ms)
{
    free(ms->items);
    *ms = (struct mappings){0};
}

static int compare(const void *key, const void *item)
{
    const uint64_t address = *(const uint64_t *)key;
    const struct mapping *m = item;

    if (address < m->start)
        return -1;
    return address >= m->end;
}

const struct mapping *mapping_at(const struct mappings *ms, uint64_t address)
{
    if (ms->count == 0)
        return NULL;
    return bsearch(&address, ms->items, ms->count, sizeof(*ms->items), compare);
}

const char *mapping_name(const struct mapping *m)
{
    const char *slash = strrchr(m->path, '/');

    return slash ? slash + 1 : m->path;
}
