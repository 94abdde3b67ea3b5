/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Releases objects of the peer that are not referred to any more: a DEL for each of them, many in
 * one message. The owner of a list has to lock it.
 */
#ifndef RPYC_RELEASES_H
#define RPYC_RELEASES_H

#include "conn.h"

struct release;

struct releases {
    struct release *first;
    size_t count;
};

/* Adds an object: its id pack (brine, copied) and how many references the peer counts. If memory
 * runs out, the peer keeps the object until the connection ends. thread: with bind-threads, the
 * peer's thread that may still have to read an answer that refers to the object; the DEL then goes
 * to the same thread, behind that answer. 0: any thread may read the DEL. */
void releases_add(struct releases *list, const uint8_t *pack, size_t pack_len, uint64_t count,
                  uint64_t thread);

/* Adds each reference to an object of the peer that a box contains. */
void releases_add_box(struct releases *list, struct brine_reader *box);

/* Returns the contents of the list and leaves it empty. */
struct releases releases_take(struct releases *list);

void releases_free(struct releases *list);

/* Starts a request like conn_request_begin. The message begins with a DEL for each object in the
 * list. Empties the list. */
void releases_request_begin(struct conn *c, struct releases *list, struct outgoing *out,
                            enum handler handler, int64_t *seq);

/* Sends a DEL for each object in the list, and empties it. */
void releases_post(struct conn *c, struct releases *list, deadline_t deadline);

#endif
