/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the memory of a process in whole pages, and keeps copies of the pages. A report needs many
 * small reads, but these are of few pages, and most of the time of a small read is spent in its
 * system call.
 */
#ifndef STACKREADER_MEMORY_PAGES_H
#define STACKREADER_MEMORY_PAGES_H

#include "memory.h"

#define PAGE_BYTES    4096
#define PAGES_KEPT    1024 /* a power of 2 */
#define PAGES_AT_ONCE 64   /* the most pages that one read may need; larger reads keep no copies */
#define PAGES_COPIES  (PAGES_KEPT / 2 + PAGES_AT_ONCE) /* the most copies of pages */

/* A page. There is a copy of the page if `generation` is equal to that of struct memory_pages. */
struct kept_page {
    uint64_t number; /* the address, in pages */
    uint64_t generation;
    size_t copy; /* the index in `copies` */
};

struct memory_pages {
    struct memory memory;                /* the memory that keeps no copies */
    uint64_t generation;                 /* how often the copies were forgotten, from 1 on */
    size_t count;                        /* the pages that are kept, in copies[0] to [count - 1] */
    size_t populated;                    /* how many copies have memory of their own for sure */
    struct kept_page kept[PAGES_KEPT];   /* a hash table by `number` */
    unsigned char (*copies)[PAGE_BYTES]; /* PAGES_COPIES of them, best at the start of a page */
};

/* Returns the same memory, whose member `read` copies from the pages that are kept until
 * memory_forget is called. The caller must have set pages->memory and pages->copies, and zeroed the
 * rest. *pages must stay valid as long as the result. */
struct memory memory_pages(struct memory_pages *pages);

#endif
