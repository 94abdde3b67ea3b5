/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory of a process in its core file. What the core file leaves out is read from the files
 * that the process had mapped, if they are found (core_images.h).
 */
#ifndef STACKREADER_MEMORY_CORE_H
#define STACKREADER_MEMORY_CORE_H

#include "core_file.h"
#include "core_images.h"
#include "memory.h"

struct memory_core {
    const struct core *core;
    const struct core_images *images;
};

/* Returns functions that read this memory. They report that no thread runs. *m must not be moved or
 * freed while the functions are used. */
struct memory memory_core(const struct memory_core *m);

#endif
