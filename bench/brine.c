/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writes or reads a tuple of small values of all kinds as brine:
 *
 *     brine write|read
 *
 * See rounds.h for its input. msgpack.c does the same with msgpack-c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brine.h"
#include "rounds.h"

static void write_values(struct buffer *b)
{
    b->len = 0;
    brine_put_tuple(b, 10);
    brine_put_none(b);
    brine_put_bool(b, true);
    brine_put_int(b, 7);
    brine_put_int(b, 123456);
    brine_put_int(b, -98765432101);
    brine_put_float(b, 3.25);
    brine_put_str(b, "name", 4);
    brine_put_str(b, "a longer text of some words", 27);
    brine_put_bytes(b, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    brine_put_tuple(b, 2);
    brine_put_int(b, 1000);
    brine_put_int(b, 2000);
}

static void read_values(struct buffer *b)
{
    struct brine_reader reader;
    struct brine_item item;

    brine_read(&reader, b->data, b->len);
    for (int i = 0; i < 13; i++) {
        if (!brine_next(&reader, &item))
            abort();
    }
}

static void write_many(void *arg, size_t count)
{
    for (size_t i = 0; i < count; i++)
        write_values(arg);
}

static void read_many(void *arg, size_t count)
{
    for (size_t i = 0; i < count; i++)
        read_values(arg);
}

int main(int argc, char **argv)
{
    struct buffer b = {0};
    bool reads = argc == 2 && strcmp(argv[1], "read") == 0;

    if (argc != 2 || (!reads && strcmp(argv[1], "write") != 0)) {
        fprintf(stderr, "usage: %s write|read\n", argv[0]);
        return 2;
    }
    write_values(&b);
    answer_rounds(reads ? read_many : write_many, NULL, &b);
    buffer_free(&b);
    return 0;
}
