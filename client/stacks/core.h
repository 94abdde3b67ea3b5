/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/core: reads the stacks of a process from its core file.
 */
#ifndef CLIENT_STACKS_CORE_H
#define CLIENT_STACKS_CORE_H

#include "options.h"
#include "report.h"

#define CORE_WHY_SIZE 2048

enum core_outcome {
    CORE_WAS_READ,
    CORE_IS_WRONG,   /* pystuck cannot read the file as a core file, or --exe names a wrong file */
    CORE_HAS_NOTHING /* no stacks could be read from it */
};

/* Adds the process to the report, and the findings about it. options: name the core file, and
 * perhaps executables and libraries. why: has CORE_WHY_SIZE bytes. Is set to a sentence if the
 * result is not CORE_WAS_READ, or if the process had loaded several Pythons; is set to ""
 * otherwise. */
enum core_outcome stacks_from_core(struct report *report, const struct options *options, char *why);

#endif
