/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reference of brine.c: the same values with msgpack-c. bench.py compiles it.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include "rounds.h"

static msgpack_sbuffer buffer;
static msgpack_zone *zone;

/* The functions of msgpack-c are inline. The values are volatile, so that the compiler cannot write
 * them at compile time; in a program, they are not known either. */
static volatile int64_t ints[] = {7, 123456, -98765432101, 1000, 2000};
static volatile double real = 3.25;
static volatile struct {
    const char *data;
    size_t len;
} texts[] = {{"name", 4}, {"a longer text of some words", 27}, {"\1\2\3\4\5\6\7\10", 8}};

static void put_str(msgpack_packer *p, size_t i)
{
    size_t len = texts[i].len;

    msgpack_pack_str(p, len);
    msgpack_pack_str_body(p, texts[i].data, len);
}

static void write_values(void)
{
    msgpack_packer p;

    msgpack_sbuffer_clear(&buffer);
    msgpack_packer_init(&p, &buffer, msgpack_sbuffer_write);
    msgpack_pack_array(&p, 10);
    msgpack_pack_nil(&p);
    msgpack_pack_true(&p);
    msgpack_pack_int64(&p, ints[0]);
    msgpack_pack_int64(&p, ints[1]);
    msgpack_pack_int64(&p, ints[2]);
    msgpack_pack_double(&p, real);
    put_str(&p, 0);
    put_str(&p, 1);
    msgpack_pack_bin(&p, texts[2].len);
    msgpack_pack_bin_body(&p, texts[2].data, texts[2].len);
    msgpack_pack_array(&p, 2);
    msgpack_pack_int64(&p, ints[3]);
    msgpack_pack_int64(&p, ints[4]);
}

static void read_values(void)
{
    msgpack_object object;
    size_t at = 0;

    msgpack_zone_clear(zone);
    if (msgpack_unpack(buffer.data, buffer.size, &at, zone, &object) != MSGPACK_UNPACK_SUCCESS)
        abort();
}

static void write_many(void *unused, size_t count)
{
    (void)unused;
    for (size_t i = 0; i < count; i++)
        write_values();
}

static void read_many(void *unused, size_t count)
{
    (void)unused;
    for (size_t i = 0; i < count; i++)
        read_values();
}

int main(int argc, char **argv)
{
    bool reads = argc == 2 && strcmp(argv[1], "read") == 0;

    msgpack_sbuffer_init(&buffer);
    zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    write_values();
    answer_rounds(reads ? read_many : write_many, NULL, NULL);
    msgpack_zone_free(zone);
    msgpack_sbuffer_destroy(&buffer);
    return 0;
}
