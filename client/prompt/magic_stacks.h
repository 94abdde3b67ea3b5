/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic_stacks: the magics that print what all threads do: %threads (also %show threads) prints
 * their stacks, %why why they are stuck, and %locks the locks for which they wait.
 */
#ifndef CLIENT_PROMPT_MAGIC_STACKS_H
#define CLIENT_PROMPT_MAGIC_STACKS_H

void magic_stacks_register(void);

#endif
