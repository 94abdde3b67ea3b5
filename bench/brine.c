/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writes or reads a tuple of small values of all kinds as brine:
 *
 *     brine write|read
 *
 * Reads numbers from standard input, one a line. For each number n does it n times and prints how
 * many nanoseconds this took. msgpack.c does the same with msgpack-c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "brine.h"

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

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* callgrind counts what runs in this function: see measure.py. */
__attribute__((noinline)) void measured(void (*run)(struct buffer *), struct buffer *b,
                                        size_t count);

void measured(void (*run)(struct buffer *), struct buffer *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run(b);
}

int main(int argc, char **argv)
{
    struct buffer b = {0};
    char line[32];
    bool reads = argc == 2 && strcmp(argv[1], "read") == 0;

    if (argc != 2 || (!reads && strcmp(argv[1], "write") != 0)) {
        fprintf(stderr, "usage: %s write|read\n", argv[0]);
        return 2;
    }
    write_values(&b);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        int64_t start = now();

        measured(reads ? read_values : write_values, &b, strtoul(line, NULL, 10));
        printf("%" PRId64 "\n", now() - start);
        fflush(stdout);
    }
    buffer_free(&b);
    return 0;
}
