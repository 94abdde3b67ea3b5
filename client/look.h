/* SPDX-License-Identifier: BSD-3-Clause
 *
 * look: `x?` at the prompt.
 */
#ifndef CLIENT_LOOK_H
#define CLIENT_LOOK_H

#include <stdbool.h>

struct repl;

/* Whether a cell asks what something is: x?, ?x, x??, ??x. */
bool look_is(const char *cell);

/* Answers it. */
void look_at(struct repl *repl, const char *cell);

#endif
