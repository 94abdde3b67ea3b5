/* SPDX-License-Identifier: BSD-3-Clause */
#include "mappings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads one line, such as "7f0e5c000000-7f0e5c021000 rw-p 00000000 08:01 1234   /lib/x.so", into
 * *m. Returns false if the line is not valid. */
static bool parse_line(const char *line, struct mapping *m)
{
    char rights[5];
    int path = 0;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n", &m->start,
               &m->end, rights, &m->offset, &m->inode, &path) < 5 ||
        path == 0 || strlen(rights) != 4 || m->start >= m->end)
        return false;
    m->readable = rights[0] == 'r';
    m->writable = rights[1] == 'w';
    m->executable = rights[2] == 'x';
    m->path = line + path;
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
