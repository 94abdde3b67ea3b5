/* SPDX-License-Identifier: BSD-3-Clause
 *
 * help: `x?` at the prompt.
 */
#ifndef CLIENT_PROMPT_HELP_H
#define CLIENT_PROMPT_HELP_H

#include <stdbool.h>

struct repl;

/* Whether a cell asks what something is: x?, ?x, x??, ??x. */
bool help_is_asked(const char *cell);

/* Answers it. */
void help_show(struct repl *repl, const char *cell);

#endif
