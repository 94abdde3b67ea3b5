/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Objects of the peer that nothing here refers to any more, to be given back: a DEL for each, many
 * in one message. A list is guarded by its owner.
 */
#ifndef RPYC_DROPS_H
#define RPYC_DROPS_H

#include "conn.h"

struct drop;

struct drops {
    struct drop *first;
    size_t count;
};

/* Notes an object by its id pack (brine, copied), and how often the peer counted it for us. Out of
 * memory, the peer keeps the object until we hang up. With bind-threads a thread of the peer's may
 * still have an answer to read that refers to the object: the DEL then goes the same way. 0: there
 * is none, and any thread may take it. */
void drops_add(struct drops *list, const uint8_t *pack, size_t pack_len, uint64_t count,
               uint64_t thread);

/* Notes every object of the peer's that a box refers to, once for each time. */
void drops_add_box(struct drops *list, struct brine_reader *box);

/* Takes what is in the list, and leaves it empty. */
struct drops drops_take(struct drops *list);

void drops_free(struct drops *list);

/* Starts a request as conn_request_begin does, with a DEL for everything in the list before it, in
 * the same message. Empties the list. */
void drops_request_begin(struct conn *c, struct drops *list, struct outgoing *out,
                         enum handler handler, int64_t *seq);

/* Sends a DEL for everything in the list, and empties it. */
void drops_post(struct conn *c, struct drops *list, deadline_t deadline);

#endif
