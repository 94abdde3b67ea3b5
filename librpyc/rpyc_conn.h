/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A C caller's connection: a struct conn, the netrefs to objects of the peer, and the local objects
 * that the peer holds.
 */
#ifndef RPYC_RPYC_CONN_H
#define RPYC_RPYC_CONN_H

#include "releases.h"
#include "held.h"

#include <pthread.h>

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */

struct rpyc_conn {
    atomic_int refs; /* one for the caller, one for each netref and one for each rpyc_pending */
    struct conn *conn;
    int request_timeout_ms;
    deadline_t deadline; /* the deadline of all requests while connecting; then DEADLINE_NEVER */
    bool guessing;       /* the peer's generation is a guess until its first message arrives */
    rpyc_value *root;    /* NULL until the request for it has a result: see classic.h */
    struct pending *root_request; /* the request for the root; NULL after it has ended */
    struct pending *early;        /* the early request; NULL: none, or it was taken */

    pthread_mutex_t lock;     /* guards the members below; no other lock is taken meanwhile */
    rpyc_value *service;      /* what the peer gets for GETROOT; NULL before its first GETROOT */
    void *netrefs;            /* tsearch tree of the existing netrefs, by id pack */
    struct held_table locals; /* the objects of this program that the peer holds */
    struct releases releases; /* objects of the peer to be released with the next request */
};

/* Creates a connection over a stream. Takes the stream, also on failure.
 *   host                the functions that serve the peer's requests; each gets the rpyc_conn as
 *                       its `owner`
 *   guessing            the generation in config is a guess: see struct rpyc_conn
 *   request_timeout_ms  negative: none
 * Errors: RPYC_ENOMEM. */
int rpyc_conn_new(rpyc_conn **out, const struct stream *stream, const struct conn_callbacks *host,
                  const struct conn_config *config, bool guessing, int request_timeout_ms,
                  struct rpyc_error *err);

rpyc_conn *rpyc_conn_ref(rpyc_conn *conn);
void rpyc_conn_unref(rpyc_conn *conn);

/* Returns the deadline of a request that is sent now. */
deadline_t rpyc_conn_deadline(const rpyc_conn *conn);

#endif
