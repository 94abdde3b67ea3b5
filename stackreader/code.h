/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the file, function and line of a frame from its code object.
 *
 * The program may free a code object at any time, and another object may take its place in memory.
 * So after a code object was read, it is compared with its memory again: see code_is_same.
 */
#ifndef STACKREADER_CODE_H
#define STACKREADER_CODE_H

#include "frames.h"
#include "objects.h"
#include "report.h"

/* The members of a code object, as they are in memory. Those of type uint64_t are addresses of
 * objects. */
struct code_members {
    uint64_t type, file, name, qualname, lines; /* lines: a bytes object, the table of lines */
    int32_t first_line, first_traceable;
};

/* A code object that was read. */
struct code {
    uint64_t address;
    unsigned generation; /* the generation of the cache when the object was read. This place of the
                          * cache is free if the cache has another generation now */
    unsigned checked;    /* `checks` of the cache when code_is_same was called last */
    bool valid;          /* false: the object cannot be read or is not a code object */
    struct code_members members;
    struct report_text file, name, qualname;
    int64_t line_offset; /* the argument of the latest code_line; its result */
    int64_t line;
};

#define CODE_CACHE_SIZE 8192 /* a power of 2 */
#define LINES_ROOM      BYTES_MAX

/* A cache of the code objects that were read for one report. Their texts are in the arena of this
 * report. */
struct code_cache {
    struct code *codes; /* CODE_CACHE_SIZE of them, zeroed at first */
    size_t count;
    unsigned generation;  /* how often the cache was emptied */
    unsigned checks;      /* how many stacks were checked: see struct code */
    unsigned char *lines; /* LINES_ROOM bytes: room for a copy of one table of lines */
    uint64_t type;        /* the address of the type of code objects; 0: not known yet */
    bool in_order; /* true: after the members of a code object were read, the memory forgets what it
                    * has read. So the texts of the object are read later than its members. Needed
                    * for code_is_same */
};

/* Empties the cache. Call this function before the first use of the cache. */
void code_cache_clear(struct code_cache *cache);

/* Returns the code object at an address, from the cache if possible. Sets *added (`added` may be
 * NULL) to true if the object was not in the cache. The member `valid` of the result is false if
 * the object cannot be read or is not a code object. Returns NULL if the cache is full. The result
 * is valid until code_cache_clear. */
struct code *code_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                       uint64_t address, bool *added);

/* True if the members of a code object are the same as when the object was read. If so, the object
 * has not been freed or replaced since then, and all values that were read from the object, from
 * its strings and from its tables are right. But they are right only if cache->in_order was set
 * when the object was read, or if the thread that has this code on its stack had not run between
 * the last memory_forget() and the reading of the object. If the members have changed, the next
 * code_read() reads the object again. */
bool code_is_same(const struct python *py, struct code *code);

/* Returns the line of the instruction at `offset`, in bytes from the first instruction, or
 * REPORT_UNKNOWN. */
int64_t code_line(const struct python *py, struct code_cache *cache, struct code *code,
                  int64_t offset);

#endif
