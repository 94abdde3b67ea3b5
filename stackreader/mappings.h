/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory mappings of a process.
 */
#ifndef STACKREADER_MAPPINGS_H
#define STACKREADER_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
    uint64_t start, end; /* the addresses from start to end - 1 */
    uint64_t offset;     /* in the file, in bytes */
    uint64_t inode;      /* of the file; 0: no file */
    bool readable, writable, executable;
    const char *path; /* the path of the file, as seen from the caller's root directory; may end in
                       * " (deleted)". Without a file: "[heap]", "[vdso]" or "" */
};

struct mappings {
    struct mapping *items; /* sorted by address; they do not overlap */
    size_t count;
};

/* Reads the text of /proc/PID/maps, which has `len` bytes and a NUL behind them. Leaves out lines
 * that are not complete or not valid, and mappings that overlap the mapping before them. The paths
 * point into the text, in which the newlines are replaced by NULs. Returns false if there is no
 * memory. Call mappings_free in both cases. */
bool mappings_parse(struct mappings *out, char *text, size_t len);

/* Frees the items, not the text. */
void mappings_free(struct mappings *ms);

/* Returns the mapping that contains an address, or NULL. */
const struct mapping *mapping_at(const struct mappings *ms, uint64_t address);

/* Returns the name of the file without its folders. If there is no file, returns m->path, such as
 * "[heap]" or "". */
const char *mapping_name(const struct mapping *m);

#endif
