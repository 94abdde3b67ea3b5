/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Objects of the peer that nothing here refers to any more, to be given back: a DEL for each, many
 * in one message. A list is guarded by its owner.
 */
#ifndef RPYC_RELEASES_H
#define RPYC_RELEASES_H

#include "conn.h"

struct release;

struct releases {
    struct release *first;
    size_t count;
};

/* Notes an object by its id pack (brine, copied), and how often the peer counted it for us. Out of
 * memory, the peer keeps the object until we hang up. With bind-threads a thread of the peer's may
 * still have an answer to read that refers to the object: the DEL then goes the same way. 0: there
 * is none, and any thread may take it. */
void releases_add(struct releases *list, const uint8_t *pack, size_t pack_len, uint64_t count,
                  uint64_t thread);

/* Notes every object of the peer's that a box refers to, once for each time. */
void releases_add_box(struct releases *list, struct brine_reader *box);

/* Takes what is in the list, and leaves it empty. */
struct releases releases_take(struct releases *list);

void releases_free(struct releases *list);

/* Starts a request as conn_request_begin does, with a DEL for everything in the list before it, in
 * the same message. Empties the list. */
void releases_request_begin(struct conn *c, struct releases *list, struct outgoing *out,
                            enum handler handler, int64_t *seq);

/* Sends a DEL for everything in the list, and empties it. */
void releases_post(struct conn *c, struct releases *list, deadline_t deadline);

#endif
