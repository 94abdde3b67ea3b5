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
    bool valid; /* the object is a code object */
    struct report_text file, name, qualname;
    int first_line, first_traceable;
    uint64_t lines; /* the address of a bytes object: the table of lines */
};

#define CODE_CACHE_SIZE 1024 /* a power of 2 */
#define LINES_ROOM      BYTES_MAX

/* A cache of the code objects that were read for one report. The arena of the report owns their
 * texts. */
struct code_cache {
    struct code codes[CODE_CACHE_SIZE];
    unsigned char *lines; /* LINES_ROOM bytes, for a copy of a table of lines */
    uint64_t type;        /* the address of the type of code objects; 0: not known yet */
};

/* Returns the code object at an address, from the cache if possible. The result is valid until the
 * next call. If the object cannot be read or is not a code object, its member `valid` is false. */
const struct code *code_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                             uint64_t address);

/* Sets file, line, function and qualname of a frame. */
void code_fill(const struct python *py, struct code_cache *cache, const struct code *code,
               const struct raw_frame *from, struct report_frame *frame);

#endif
