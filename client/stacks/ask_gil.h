/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/ask_gil: asks a server why the server's process does not run Python code.
 */
#ifndef CLIENT_STACKS_ASK_GIL_H
#define CLIENT_STACKS_ASK_GIL_H

#include <stdbool.h>

#include "options.h"

struct gil_words {
    char text[512]; /* the finding about the GIL, as a sentence, cut if it is too long */
    bool is_kept;   /* true: one thread keeps the GIL; false: threads take turns to hold it */
};

/* Opens a new connection to the server that the options name, and asks this server about the GIL.
 * Returns true with *out filled if the GIL is not available. Returns false if the GIL is available,
 * or if the server does not answer in time. Waits up to a second for the connection, and another
 * second for the answer.
 */
bool stacks_ask_gil(const struct options *options, struct gil_words *out);

#endif
