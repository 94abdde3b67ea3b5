/* SPDX-License-Identifier: BSD-3-Clause
 *
 * help: %help, and questions such as `x?`, `x??` and `%run?`.
 */
#ifndef CLIENT_PROMPT_HELP_H
#define CLIENT_PROMPT_HELP_H

#include <stdbool.h>

struct shell;

/* Registers %help. */
void help_register(void);

/* True if a cell is a question: x?, ?x, x??, ??x. */
bool help_is_asked(const char *cell);

/* Answers a cell that is a question. */
void help_show(struct shell *shell, const char *cell);

#endif
