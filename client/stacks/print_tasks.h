/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stacks/print_tasks: prints the tasks of asyncio as a tree, by what they await:
 *
 *     3 tasks of the asyncio loop of MainThread:
 *
 *     Task main
 *       File "bank.py", line 21, in main
 *         await asyncio.gather(a, b)
 *       # awaits pay-0 and pay-1
 *
 *       Task pay-0
 *         File "bank.py", line 9, in pay
 *           async with dst.lock:
 *         File "/usr/lib/python3.11/asyncio/locks.py", line 15, in __aenter__
 *           await self.acquire()
 *         # in the deadlock above: waits for asyncio.Lock dst.lock, held by pay-1 since bank.py:7
 *
 *       Task pay-1
 *         ...
 *
 * The frames are those of the coroutines: each coroutine awaits the next coroutine. A task that
 * several tasks await is shown below the first of them. If at least STACK_GROUP_MIN tasks at the
 * same place of the tree have equal stacks, their stack is shown once: "990 tasks: worker-0 ...
 * worker-989". Below the depth INDENTED_MAX, tasks are not indented further.
 */
#ifndef CLIENT_STACKS_PRINT_TASKS_H
#define CLIENT_STACKS_PRINT_TASKS_H

#include "stacks/print_stack.h"

/* Prints the tasks of all loops of a process. Prints nothing if there are none. If p->full is
 * true, prints each task, also if many are alike. */
void print_tasks(const struct printer *p, const struct report_process *process);

#endif
