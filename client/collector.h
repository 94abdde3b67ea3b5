/* SPDX-License-Identifier: BSD-3-Clause
 *
 * collector: the source of the collector, pystuck/_stacks.py and its parts, to be run on servers
 * without pystuck.
 */
#ifndef CLIENT_COLLECTOR_H
#define CLIENT_COLLECTOR_H

/* The source as a string. It runs on Python 3.6 and later. */
extern const char collector_source[];

#endif
