/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory of a process, with a limit for the amount that is read. So invalid memory, such as a
 * list that never ends, costs a limited time.
 */
#ifndef STACKREADER_MEMORY_LIMIT_H
#define STACKREADER_MEMORY_LIMIT_H

#include "memory.h"

/* What a read costs in addition to its bytes, in bytes: a system call takes as long as copying this
 * number of bytes. */
#define READ_COST 4096

struct memory_limit {
    struct memory memory; /* the memory without the limit */
    int64_t left;         /* how many bytes may still be read; if negative, each read fails */
};

/* Returns the same memory with a limit. *limit must stay valid as long as the result. */
struct memory memory_limit(struct memory_limit *limit);

/* Returns how many bytes may still be read from a memory that memory_limit has returned. */
int64_t memory_limit_left(const struct memory *m);

#endif
