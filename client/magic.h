/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic: lines at the prompt that begin with %, which are for the prompt and no Python.
 */
#ifndef CLIENT_MAGIC_H
#define CLIENT_MAGIC_H

#include <stdbool.h>
#include <stddef.h>

struct repl;

/* Whether a cell is one of these. */
bool magic_is(const char *cell);

/* Does what it says, or says why not. */
void magic_run(struct repl *repl, const char *cell);

/* The name of the i-th of them, without the %; NULL beyond the last. */
const char *magic_name(size_t i);

/* What the magics do with the prompt: of repl.c. */
void repl_show_stacks(struct repl *repl, const char *argument);
void repl_show_history(struct repl *repl, const char *argument);
void repl_reconnect(struct repl *repl, const char *argument);

#endif
