/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the file, function and line of a frame from its code object.
 */
#ifndef STACKREADER_CODE_H
#define STACKREADER_CODE_H

#include "frames.h"
#include "report.h"

/* A code object that was read. */
struct code {
    uint64_t address;
    bool valid; /* false: the object cannot be read or is not a code object */
    struct report_text file, name, qualname;
    int first_line, first_traceable;
    uint64_t lines; /* the address of a bytes object: the table of lines */
};

#define CODE_CACHE_SIZE 1024 /* a power of 2 */
#define LINES_ROOM      BYTES_MAX

/* A cache of the code objects that were read for one report. Their texts are in the arena of this
 * report. */
struct code_cache {
    struct code codes[CODE_CACHE_SIZE];
    unsigned char *lines; /* LINES_ROOM bytes: room for a copy of one table of lines */
    uint64_t type;        /* the address of the type of code objects; 0: not known yet */
};

/* Returns the code object at an address, from the cache if possible. The result is valid until the
 * next call. Its member `valid` is false if the object cannot be read or is not a code object. */
const struct code *code_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                             uint64_t address);

/* Returns the line of the instruction at `offset`, in bytes from the first instruction, or
 * REPORT_UNKNOWN. code: a result of code_read whose member `valid` is true. */
int64_t code_line(const struct python *py, struct code_cache *cache, const struct code *code,
                  int64_t offset);

/* Sets file, function, qualname and line of `frame`. code: the code object of the frame `from`. If
 * the code or its table of lines cannot be read, the values stay unknown. */
void code_fill(const struct python *py, struct code_cache *cache, const struct code *code,
               const struct raw_frame *from, struct report_frame *frame);

#endif
