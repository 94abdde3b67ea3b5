/* SPDX-License-Identifier: BSD-3-Clause
 *
 * interrupt: catches Ctrl-C (SIGINT). The signal handler only sets a flag. Code that waits must
 * check this flag.
 */
#ifndef CLIENT_INTERRUPT_H
#define CLIENT_INTERRUPT_H

#include <stdbool.h>

/* Catches SIGINT from now on. once: catches only the first SIGINT; the second SIGINT ends the
 * process.
 */
void interrupt_catch(bool once);

/* True if SIGINT arrived and interrupt_take() has not consumed it yet. */
bool interrupt_is_pending(void);

/* Consumes a pending SIGINT. Returns true if a SIGINT was pending. */
bool interrupt_take(void);

#endif
