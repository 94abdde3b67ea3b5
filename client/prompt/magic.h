/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic: lines at the prompt that begin with %, which are for the prompt and no Python.
 */
#ifndef CLIENT_PROMPT_MAGIC_H
#define CLIENT_PROMPT_MAGIC_H

#include <stdbool.h>
#include <stddef.h>

struct cell_history;
struct repl;

/* Whether a cell is one of these. */
bool magic_is(const char *cell);

/* Does what it says, or says why not. */
void magic_run(struct repl *repl, const char *cell);

/* The name of the i-th of them, without the %; NULL beyond the last. */
const char *magic_name(size_t i);

/* The Python in it that is run as a cell; NULL: there is none. */
const char *magic_code(const char *cell);

/* Says what one does: "%help". */
void magic_explain(const char *name);

/* Says what is wrong with the argument of one, and how it is used: "%run needs a file: %run FILE".
 */
void magic_misused(const char *name, const char *what);

/* Magics that are the prompt's own: of repl.c. */
void repl_show_stacks(struct repl *repl, const char *argument);
void repl_reconnect(struct repl *repl, const char *argument);

/* ... and what the others do with it: ... */

/* Whether there is a session to do something with. Says so if it is gone. */
bool repl_is_connected(struct repl *repl);

/* cells_inspect, with its result shown. */
void repl_inspect(struct repl *repl, const char *function, const char *argument,
                  const char *source);

/* Runs a cell as if it had been typed. */
void repl_run_code(struct repl *repl, const char *code);

const struct cell_history *repl_journal(const struct repl *repl);

#endif
