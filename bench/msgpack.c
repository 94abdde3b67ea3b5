/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reference of brine.c: the same values with msgpack-c. bench.py compiles it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <msgpack.h>

static msgpack_sbuffer buffer;
static msgpack_zone *zone;

static void put_str(msgpack_packer *p, const char *text)
{
    msgpack_pack_str(p, strlen(text));
    msgpack_pack_str_body(p, text, strlen(text));
}

static void write_values(void)
{
    msgpack_packer p;

    msgpack_sbuffer_clear(&buffer);
    msgpack_packer_init(&p, &buffer, msgpack_sbuffer_write);
    msgpack_pack_array(&p, 10);
    msgpack_pack_nil(&p);
    msgpack_pack_true(&p);
    msgpack_pack_int64(&p, 7);
    msgpack_pack_int64(&p, 123456);
    msgpack_pack_int64(&p, -98765432101);
    msgpack_pack_double(&p, 3.25);
    put_str(&p, "name");
    put_str(&p, "a longer text of some words");
    msgpack_pack_bin(&p, 8);
    msgpack_pack_bin_body(&p, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    msgpack_pack_array(&p, 2);
    msgpack_pack_int64(&p, 1000);
    msgpack_pack_int64(&p, 2000);
}

static void read_values(void)
{
    msgpack_object object;
    size_t at = 0;

    msgpack_zone_clear(zone);
    if (msgpack_unpack(buffer.data, buffer.size, &at, zone, &object) != MSGPACK_UNPACK_SUCCESS)
        abort();
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int main(int argc, char **argv)
{
    bool reads = argc == 2 && strcmp(argv[1], "read") == 0;
    char line[32];

    msgpack_sbuffer_init(&buffer);
    zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    write_values();
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        size_t count = strtoul(line, NULL, 10);
        int64_t start = now();

        for (size_t i = 0; i < count; i++)
            reads ? read_values() : write_values();
        printf("%" PRId64 "\n", now() - start);
        fflush(stdout);
    }
    msgpack_zone_free(zone);
    msgpack_sbuffer_destroy(&buffer);
    return 0;
}
