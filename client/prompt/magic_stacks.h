/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic_stacks: the magics %threads and %show threads, which print the stacks of all threads.
 */
#ifndef CLIENT_PROMPT_MAGIC_STACKS_H
#define CLIENT_PROMPT_MAGIC_STACKS_H

void magic_stacks_register(void);

#endif
