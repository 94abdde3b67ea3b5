/* SPDX-License-Identifier: BSD-3-Clause
 *
 * look: `x?` at the prompt, and the magics that look at threads and frames.
 */
#ifndef CLIENT_LOOK_H
#define CLIENT_LOOK_H

#include <stdbool.h>

struct repl;

/* Whether a cell asks what something is: x?, ?x, x??, ??x. */
bool look_is(const char *cell);

/* Answers it. */
void look_at(struct repl *repl, const char *cell);

/* The magics. */
void look_thread(struct repl *repl, const char *argument);
void look_frame(struct repl *repl, const char *argument);
void look_up(struct repl *repl, const char *argument);
void look_down(struct repl *repl, const char *argument);
void look_locals(struct repl *repl, const char *argument);
void look_eval(struct repl *repl, const char *argument);
void look_who(struct repl *repl, const char *argument);

#endif
