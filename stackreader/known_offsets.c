/* SPDX-License-Identifier: BSD-3-Clause */
#include "known_offsets.h"

#include <string.h>

/* A member of struct offsets that struct _Py_DebugOffsets also has. */
struct debug_member {
    short to;   /* the offset of the member in struct offsets. -1: this entry ends the list, and its
                 * `word` is the number of words of struct _Py_DebugOffsets */
    short word; /* the index of the word of struct _Py_DebugOffsets with the value of the member */
    short group_size; /* the index of the word with the size of the struct that has the member */
};

#define AT(member) ((short)offsetof(struct offsets, member))

#include "offset_tables.inc"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct debug_member *const layouts[] = {
    [13] = debug_members_13,
    [14] = debug_members_14,
    [15] = debug_members_15,
};

#define COOKIE       "xdebugpy"
#define VERSION_WORD 1
#define THREADS_WORD 2 /* the index of the word that is not 0 in a free-threaded build */
#define HEAD_WORDS   3

/* Limits for the size of a struct, in bytes. */
#define STRUCT_MIN 8
#define STRUCT_MAX 0x100000

/* The value of the last word of struct _Py_DebugOffsets from 3.14 on. This word is the size of the
 * path of a script for a remote debugger. */
#define SCRIPT_PATH_SIZE 512

#define LEVEL_CANDIDATE 0xc

bool known_version(uint32_t version)
{
    return version >> 24 == 3 && VERSION_MINOR(version) >= OFFSETS_MINOR_MIN &&
           VERSION_MINOR(version) <= OFFSETS_MINOR_MAX && VERSION_LEVEL(version) >= LEVEL_CANDIDATE;
}

static const struct offsets *find_table(int minor)
{
    size_t i;

    for (i = 0; i < COUNT(offset_tables); i++)
        if (offset_tables[i].minor == minor)
            return &offset_tables[i];
    return NULL;
}

bool known_offsets(int minor, struct offsets *out)
{
    const struct offsets *table = minor < DEBUG_OFFSETS_MINOR ? find_table(minor) : NULL;

    if (table)
        *out = *table;
    return table;
}

static uint64_t word_at(const void *bytes, size_t i)
{
    uint64_t word;

    memcpy(&word, (const char *)bytes + i * sizeof(word), sizeof(word));
    return word;
}

/* Copies the members that the layout of this version has into *out. Returns false if the values
 * contradict the layout. */
static bool copy_members(const void *bytes, size_t size, int minor, struct offsets *out)
{
    const struct debug_member *m = layouts[minor];
    uint64_t value, group;
    int copy;

    for (; m->to >= 0; m++) {
        if (((size_t)m->word + 1) * sizeof(value) > size)
            return false;
        value = word_at(bytes, (size_t)m->word);
        group = word_at(bytes, (size_t)m->group_size);
        if (group < STRUCT_MIN || group > STRUCT_MAX || value >= group)
            return false;
        copy = (int)value;
        memcpy((char *)out + m->to, &copy, sizeof(copy));
    }
    if ((size_t)m->word * sizeof(value) > size)
        return false;
    return minor == DEBUG_OFFSETS_MINOR || word_at(bytes, (size_t)m->word - 1) == SCRIPT_PATH_SIZE;
}

/* True if the members of a str are in its head, and the head of an ASCII str is not longer than
 * that of another str. This is checked because readers copy the head into a buffer of fixed size
 * and read the members from this buffer. */
static bool are_in_head(const struct offsets *o)
{
    return o->text.ascii <= o->text.compact &&
           o->text.length + (int)sizeof(uint64_t) <= o->text.ascii &&
           o->text.state + (int)sizeof(uint32_t) <= o->text.ascii;
}

enum known_result known_debug_offsets(const void *bytes, size_t size, struct offsets *out,
                                      uint32_t *version)
{
    const struct offsets *table;
    int chunk;

    *version = 0;
    if (size < HEAD_WORDS * sizeof(uint64_t) || memcmp(bytes, COOKIE, strlen(COOKIE)) != 0)
        return KNOWN_NO_COOKIE;
    *version = (uint32_t)word_at(bytes, VERSION_WORD);
    if (!known_version(*version) || VERSION_MINOR(*version) < DEBUG_OFFSETS_MINOR)
        return KNOWN_VERSION;
    if (word_at(bytes, THREADS_WORD) != 0)
        return KNOWN_FREE_THREADED;
    table = find_table(VERSION_MINOR(*version));
    if (!table)
        return KNOWN_VERSION;
    *out = *table;
    chunk = out->thread.chunk;
    if (!copy_members(bytes, size, VERSION_MINOR(*version), out) || !are_in_head(out))
        return KNOWN_CONTRADICTION;
    out->thread.top += out->thread.chunk - chunk; /* datastack_top is behind datastack_chunk */
    return KNOWN_OK;
}
