/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/ask_gil: asks a server why its process does not run Python code.
 */
#ifndef CLIENT_STACKS_ASK_GIL_H
#define CLIENT_STACKS_ASK_GIL_H

#include <stdbool.h>

#include "options.h"

struct gil_words {
    char text[512]; /* the finding about the GIL, cut if it is longer */
    bool is_kept;   /* one thread keeps the GIL; else threads take it in turn */
};

/* Asks the server that the options name on a connection of its own. Returns true, and the sentence,
 * if the GIL is not available; false if it is, or if the server does not say within a second. */
bool stacks_ask_gil(const struct options *options, struct gil_words *out);

#endif
