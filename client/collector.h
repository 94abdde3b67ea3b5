/* SPDX-License-Identifier: BSD-3-Clause
 *
 * collector: pystuck/_stacks.py, for servers that have no pystuck.
 */
#ifndef CLIENT_COLLECTOR_H
#define CLIENT_COLLECTOR_H

/* Its source, Python 3.6 or later. */
extern const char collector_source[];

#endif
