/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Releases objects of the peer to which this side does not refer any more. The objects are
 * collected in a list. Later one message is sent, with a request DEL for each object in the list.
 * The owner of a list must lock it.
 */
#ifndef RPYC_RELEASES_H
#define RPYC_RELEASES_H

#include "conn.h"

struct release;

struct releases {
    struct release *first;
    size_t count;
};

/* Adds an object to the list. pack: its id pack as brine, which is copied. count: how many
 * references to the object the peer counts. If there is no memory, the object is not added, and the
 * peer keeps it until the connection ends.
 *
 * thread: used with bind-threads. If a thread of the peer perhaps has not yet read an answer that
 * refers to the object, pass this thread. The DEL is then sent to this thread, so that it is read
 * after the answer. 0: any thread of the peer may read the DEL. */
void releases_add(struct releases *list, const uint8_t *pack, size_t pack_len, uint64_t count,
                  uint64_t thread);

/* Reads a box, and adds to the list each object of the peer that the box names. */
void releases_add_box(struct releases *list, struct brine_reader *box);

/* Returns the contents of the list and leaves it empty. */
struct releases releases_take(struct releases *list);

void releases_free(struct releases *list);

/* Starts a request, like conn_request_begin. The message then contains a DEL for each object in the
 * list, followed by this request. Empties the list. */
void releases_request_begin(struct conn *c, struct releases *list, struct outgoing *out,
                            enum handler handler, int64_t *seq);

/* Sends a DEL for each object in the list, and empties the list. */
void releases_post(struct conn *c, struct releases *list, deadline_t deadline);

#endif
