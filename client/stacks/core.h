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

/* How long the reading may be blocked if the user has not given a time, in ms. */
#define CORE_TIMEOUT_MS 3000

/* Adds the process to the report, and the findings about it. options: name the core file, perhaps
 * executables and libraries, and how long the reading may be blocked, because a disk or file server
 * does not answer. If it is blocked for longer, a thread is left behind, which uses the options,
 * and does not keep pystuck from ending. why: has CORE_WHY_SIZE bytes. Is set to a sentence if the
 * result is not CORE_WAS_READ, or if the process had loaded several Pythons; is set to ""
 * otherwise. */
enum core_outcome stacks_from_core(struct report *report, const struct options *options, char *why);

#endif
