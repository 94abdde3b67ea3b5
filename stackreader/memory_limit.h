/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory of a process, of which only a limited amount is read. So invalid memory, such as a
 * list that never ends, costs a limited time.
 */
#ifndef STACKREADER_MEMORY_LIMIT_H
#define STACKREADER_MEMORY_LIMIT_H

#include "memory.h"

/* What one read costs, beside its bytes: it takes as long as copying this number of bytes. */
#define READ_COST 4096

struct memory_limit {
    struct memory memory; /* the one that is limited */
    int64_t left;         /* how much may still be read; when it is negative, each read fails */
};

/* Returns the same memory with a limit. *limit must stay valid as long as the result. */
struct memory memory_limit(struct memory_limit *limit);

/* Returns how much may still be read of a memory that memory_limit has returned. */
int64_t memory_limit_left(const struct memory *m);

#endif
