/* SPDX-License-Identifier: BSD-3-Clause
 *
 * An inspected Python process: its memory, and the offsets to read it with. Every file of the stack
 * reader uses this header.
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

/* Return the value of a member of a struct. bytes: a copy of the struct. */
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

/* Reads a member of the struct at an address in the process. The member must be a pointer or
 * another value of 8 bytes. Returns false if the member cannot be read, or if this version has no
 * such member. */
static inline bool read_member(const struct python *py, uint64_t address, int offset, uint64_t *to)
{
    return offset >= 0 && memory_pointer(&py->memory, address + (uint64_t)offset, to);
}

#endif
