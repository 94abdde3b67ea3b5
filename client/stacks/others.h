/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/others: the processes for which the threads of a process wait, such as its children. The
 * kernel tells what they do; if they run Python, their memory tells more.
 */
#ifndef CLIENT_STACKS_OTHERS_H
#define CLIENT_STACKS_OTHERS_H

#include <stdbool.h>

#include "report.h"

/* Completes the member `others` of a process of this machine: adds the command lines of the other
 * processes. If such a process runs Python, also reads its stacks, from outside. Stops after 500
 * ms. index: the index of the process in r->processes. Pointers to the processes of r become
 * invalid. */
void others_read(struct report *r, size_t index);

/* Calls others_read(), and then draws all conclusions about the process again. If the process has
 * no others, does nothing. Returns false if there is no memory. */
bool others_conclude(struct report *r, size_t index);

#endif
