/* SPDX-License-Identifier: BSD-3-Clause
 *
 * An image of a Python process: the pages of its memory that the stack reader reads. It is recorded
 * in the process, and replayed in a test, with changes to its bytes.
 */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include "memory.h"
#include "offsets.h"

/* ---- In the process -------------------------------------------------------------------------- */

/* Begins to record. Returns a memory like memory_self(), which also records each page that is read.
 */
struct memory image_begin(void);

/* Writes what was recorded since image_begin to a file. Returns false on error. */
bool image_write(const char *path, const struct offsets *offsets, uint64_t runtime);

/* ---- In a test: there is one image ----------------------------------------------------------- */

/* Reads an image from a file. Returns false on error. */
bool image_load(const char *path);

const struct offsets *image_offsets(void);
uint64_t image_runtime(void);

/* What image_memory() has for the activity of threads. */
enum image_clock { CLOCK_STANDS, CLOCK_RUNS, CLOCK_UNKNOWN };

/* Returns the memory of the process. */
struct memory image_memory(enum image_clock clock);

/* How often the memory was read since image_restore. */
uint64_t image_reads(void);

/* Remembers all pieces that are read from now on, for image_change. */
void image_learn(void);

/* A change of the image: 8 bytes that a fuzzer makes. */
struct image_change {
    uint16_t piece;   /* which of the pieces that were learned */
    uint16_t place;   /* where in this piece */
    uint8_t kind;     /* how to change it; see image.c */
    uint8_t when;     /* 0: at once; else after this number of reads, in a unit of 4 */
    uint16_t operand; /* its meaning depends on the kind */
};

/* Makes a change now. */
void image_change(const struct image_change *change);

/* Makes these changes, each when it is due, while the memory is read. They must be sorted by `when`
 * and stay valid until image_restore. */
void image_schedule(const struct image_change *changes, size_t count);

/* Undoes all changes. */
void image_restore(void);

#endif
