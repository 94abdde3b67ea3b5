/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A C caller's connection: a struct conn, and the objects that either side holds of the other.
 */
#ifndef RPYC_RPYC_CONN_H
#define RPYC_RPYC_CONN_H

#include "releases.h"
#include "held.h"

#include <pthread.h>

#define REQUEST_TIMEOUT_MS 30000 /* rpyc's sync_request_timeout */

struct rpyc_conn {
    atomic_int refs; /* the caller's, and one for each netref and each rpyc_pending */
    struct conn *conn;
    int request_timeout_ms;
    deadline_t deadline; /* of all requests while connecting; DEADLINE_NEVER afterwards */
    bool guessing;       /* the peer's generation is a guess until its first message arrives */
    rpyc_value *root;    /* NULL until the request for it has a result: see classic.h */
    struct pending *root_request; /* the request for the root; NULL: there is none any more */
    struct pending *early;        /* the request behind it, until rpyc_take_early; or NULL */

    pthread_mutex_t lock;     /* guards the members below; taken last */
    rpyc_value *service;      /* the object that the peer gets for GETROOT; NULL until it asks */
    void *netrefs;            /* tsearch tree of the existing netrefs, by id pack */
    struct held_table locals; /* the objects of this program that the peer holds */
    struct releases releases; /* objects of the peer to be released with the next request */
};

/* Creates a connection over a stream. Takes the stream, also at failure.
 *   host                serves the peer's requests; its first argument is the rpyc_conn
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
