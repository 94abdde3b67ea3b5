/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a frame's code object says: file, function, line.
 */
#ifndef STACKREADER_CODE_H
#define STACKREADER_CODE_H

#include "frames.h"
#include "report.h"

/* A code object that was read. */
struct code {
    uint64_t address;
    bool valid; /* it is a code object */
    struct report_text file, name, qualname;
    int first_line, first_traceable;
    uint64_t lines; /* a bytes object */
};

#define CODE_CACHE_SIZE 1024 /* a power of 2 */
#define LINES_ROOM      BYTES_MAX

/* Code objects that have been read while one answer is made, whose texts are in its arena. */
struct code_cache {
    struct code codes[CODE_CACHE_SIZE];
    unsigned char *lines; /* a copy of a table of lines: LINES_ROOM bytes */
    uint64_t type;        /* of code objects; 0: not known yet */
};

/* Returns a code object, which is valid until the next call; it may not be `valid`. */
const struct code *code_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                             uint64_t address);

/* Sets file, line, function and qualname of a frame. */
void code_fill(const struct python *py, struct code_cache *cache, const struct code *code,
               const struct raw_frame *from, struct report_frame *frame);

#endif
