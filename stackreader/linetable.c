/* SPDX-License-Identifier: BSD-3-Clause */
#include "linetable.h"

#include <stdbool.h>

#define CODE_UNIT 2 /* bytes */

/* The format up to 3.9: the table consists of pairs (number of bytes of code, signed change of the
 * line). The change applies to the code behind these bytes. */
static int64_t line_in_lnotab(const uint8_t *p, const uint8_t *end, int64_t line, int64_t address)
{
    int64_t start = 0;

    for (; end - p >= 2; p += 2) {
        start += p[0];
        if (start > address)
            break;
        line += (int8_t)p[1];
    }
    return line;
}

/* The format of 3.10: the table has one pair (number of bytes of code, signed change of the line)
 * for each range of code. If the change is -128, the range has no line. */
static int64_t line_in_ranges(const uint8_t *p, const uint8_t *end, int64_t line, int64_t address)
{
    int64_t start = 0, stop;
    int change;

    for (; end - p >= 2; p += 2) {
        stop = start + p[0];
        change = p[1] < 0x80 ? p[1] : p[1] - 0x100;
        if (change != -128)
            line += change;
        if (address >= start && address < stop)
            return change == -128 ? LINE_UNKNOWN : line;
        start = stop;
    }
    return LINE_UNKNOWN;
}

/* Reads a signed number. Each byte contains 6 bits of the number, the lowest bits first. If bit 6
 * of a byte is set, another byte follows. If bit 0 of the number is set, the number is negative,
 * and the other bits are its absolute value. Returns false if the table ends or the number is too
 * long. */
static bool read_signed(const uint8_t **p, const uint8_t *end, int64_t *to)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        if (*p == end || shift > 30)
            return false;
        byte = *(*p)++;
        value |= (uint64_t)(byte & 0x3f) << shift;
        shift += 6;
    } while (byte & 0x40);
    *to = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
    return true;
}

/* The kinds of entries, in bits 3 to 6 of the first byte. The kind says how the line is encoded. */
enum { ONE_LINE_0 = 10, ONE_LINE_2 = 12, NO_COLUMNS = 13, LONG = 14, NO_LOCATION = 15 };

/* The format from 3.11 on: the table has an entry of one or more bytes for each range of code. In
 * the first byte of an entry, bit 7 is set, bits 3 to 6 are the kind, and bits 0 to 2 are one less
 * than the length of the range in code units. In the other bytes, bit 7 is clear. */
static int64_t line_in_locations(const uint8_t *p, const uint8_t *end, int64_t line,
                                 int64_t address)
{
    int64_t stop = 0, change;
    int kind;

    while (p < end) {
        kind = *p >> 3 & 15;
        stop += ((*p & INT64_C(7)) + 1) * CODE_UNIT;
        p++;
        change = 0;
        if (kind >= ONE_LINE_0 && kind <= ONE_LINE_2)
            change = kind - ONE_LINE_0;
        else if ((kind == NO_COLUMNS || kind == LONG) && !read_signed(&p, end, &change))
            return LINE_UNKNOWN;
        line += change;
        if (address < stop)
            return kind == NO_LOCATION ? LINE_UNKNOWN : line;
        while (p < end && !(*p & 0x80)) /* skips the columns */
            p++;
    }
    return LINE_UNKNOWN;
}

int64_t linetable_line(int minor, const uint8_t *table, size_t size, int first_line,
                       int64_t address)
{
    if (address < 0)
        return first_line;
    if (minor <= 9)
        return line_in_lnotab(table, table + size, first_line, address);
    if (minor == 10)
        return line_in_ranges(table, table + size, first_line, address);
    return line_in_locations(table, table + size, first_line, address);
}
