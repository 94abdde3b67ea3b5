/* SPDX-License-Identifier: BSD-3-Clause
 *
 * interrupt: Ctrl-C. It ends nothing by itself once it is caught; whoever waits asks for it.
 */
#ifndef CLIENT_INTERRUPT_H
#define CLIENT_INTERRUPT_H

#include <stdbool.h>

/* Catches SIGINT from now on. once: the second one ends the process, as if it were not caught. */
void interrupt_catch(bool once);

/* Whether there was one that nobody has taken; take is for whoever sees to it. */
bool interrupt_is_pending(void);
bool interrupt_take(void);

#endif
