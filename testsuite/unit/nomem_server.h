/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A server that answers every request, for scenarios in which allocations fail.
 */
#ifndef NOMEM_SERVER_H
#define NOMEM_SERVER_H

#include "failing_alloc.h"
#include "unit.h"

/* Id packs, as in link.h. */
#define LIST "12 080e0d6275696c74696e732e6c697374 5155"
#define DICT "12 080e0d6275696c74696e732e64696374 5256"
#define ROOT "12 080e06612e526f6f74 5357"
#define NONE "1151 00"

/* Runs a scenario with a connection to a new server, with the n-th allocation of the client
 * failing. */
void connect_and_run(scenario run, unsigned long n);

#endif
