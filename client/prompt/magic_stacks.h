/* SPDX-License-Identifier: BSD-3-Clause
 *
 * magic_stacks: the magics that print what all threads do. %threads (also %show threads) prints the
 * stacks of the threads, %tasks prints the asyncio tasks, %why prints why threads are stuck, and
 * %locks prints the locks for which threads wait.
 */
#ifndef CLIENT_PROMPT_MAGIC_STACKS_H
#define CLIENT_PROMPT_MAGIC_STACKS_H

void magic_stacks_register(void);

#endif
