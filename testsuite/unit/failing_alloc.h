/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lets each allocation fail. A scenario runs many times: the first allocation fails, then the
 * second, and so on, until the scenario has no further allocation. It must end each time, with or
 * without an error, and must free all memory. The linker replaces malloc and similar functions by
 * those in failing_alloc.c.
 */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H

#include "rpyc.h"
#include "unit.h"

/* A scenario gets a connection, or NULL if there is none. */
typedef void (*scenario)(rpyc_conn *conn);

/* Runs a scenario without a connection, with its n-th allocation failing. */
void run_alone(scenario run, unsigned long n);

/* Runs a scenario with each of its allocations failing in turn, by run_alone or connect_and_run.
 * Checks that it frees all memory and closes all fds. */
void fail_each(void (*with)(scenario, unsigned long), scenario run);

/* Counts the blocks that this thread allocates and frees from now on, and lets its n-th allocation
 * fail, until allocations_stop(). */
void allocations_count(unsigned long n);
void allocations_stop(void);

/* Checks that an error is one that a failed allocation may cause: no memory, or the end of the
 * connection. */
void assert_went(int result, struct rpyc_error *err);

#define TRY(call) assert_went(call, &err)

#endif
