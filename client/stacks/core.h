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

/* Adds the process to the report, and the findings about it. options: contain the path of the core
 * file, perhaps paths of executables and libraries, and how long the reading may be blocked by a
 * disk or file server that does not answer. If the reading is blocked for longer, the thread that
 * reads is left behind. This thread continues to use the options, and does not keep pystuck from
 * ending. why: a buffer of CORE_WHY_SIZE bytes. If the result is not CORE_WAS_READ, or if the
 * process had loaded several Pythons, writes a sentence to `why`, else "". */
enum core_outcome stacks_from_core(struct report *report, const struct options *options, char *why);

#endif
