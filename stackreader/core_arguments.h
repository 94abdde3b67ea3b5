/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the arguments of the process in a core file. No note contains the arguments, so they are
 * read from the memory of the process.
 */
#ifndef STACKREADER_CORE_ARGUMENTS_H
#define STACKREADER_CORE_ARGUMENTS_H

#include "core_file.h"

/* The arguments that a process was started with. */
struct core_arguments {
    char *text;  /* owned: the arguments, each with a NUL at its end */
    size_t size; /* of the text, with all NULs */
    size_t count;
};

/* Finds the arguments. Returns false if the core file does not contain the arguments, or if there
 * is no memory. If the process has overwritten its arguments (setproctitle), out->text is what the
 * process has written. */
bool core_arguments_read(const struct core *core, struct core_arguments *out);

void core_arguments_free(struct core_arguments *arguments);

#endif
