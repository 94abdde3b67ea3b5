/* SPDX-License-Identifier: BSD-3-Clause
 *
 * inspection: calls inspection.py in the debuggee, for `x?` and for magics such as %thread.
 */
#ifndef CLIENT_PROMPT_INSPECTION_H
#define CLIENT_PROMPT_INSPECTION_H

#include "prompt/magic.h"

/* Registers the magics that are implemented in inspection.py. */
void inspection_register(void);

/* Calls do_<function> of inspection.py and prints the result. If this function cannot be called,
 * prints why.
 *   source  the text of a file, for "run"; else "" */
void inspection_call(struct shell *shell, const char *function, const char *argument,
                     const char *source);

#endif
