/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Python in a process: its memory, and how to read it. Every file of the stack reader uses
 * this.
 */
#ifndef STACKREADER_PYTHON_PROCESS_H
#define STACKREADER_PYTHON_PROCESS_H

#include <string.h>

#include "memory.h"
#include "offsets.h"

struct python {
    struct memory memory;
    const struct offsets *offsets;
    uint64_t runtime; /* the address of _PyRuntime */
};

/* Members of a struct that was copied to `bytes`. */
static inline uint64_t pointer_at(const void *bytes, int offset)
{
    uint64_t value;

    memcpy(&value, (const char *)bytes + offset, sizeof(value));
    return value;
}

static inline int32_t int_at(const void *bytes, int offset)
{
    int32_t value;

    memcpy(&value, (const char *)bytes + offset, sizeof(value));
    return value;
}

/* Reads the pointer that a struct of the process has as a member. */
static inline bool read_member(const struct python *py, uint64_t address, int offset, uint64_t *to)
{
    return offset >= 0 && memory_pointer(&py->memory, address + (uint64_t)offset, to);
}

#endif
