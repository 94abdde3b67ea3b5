/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a client may do, and how long requests to the client wait. Both are in the configuration
 * (_config) of the client's Connection. The entries of _config and the rule for attributes are in
 * pystuck/_attribute_policy.py. Needs the GIL.
 */
#ifndef PS_CONNECTION_CONFIG_H
#define PS_CONNECTION_CONFIG_H

#include "session.h"

/* True if the client has the classic service, and so may use everything. */
bool ps_session_is_classic(const struct ps_session *s);

/* True if the client is an rpyc before 6.0. */
bool ps_session_is_old(const struct ps_session *s);

/* True if the connection's _config allows `what`, a name such as "allow_pickle". If there is no
 * _config, the classic service allows everything. Call with no exception set. */
bool ps_session_allows(struct ps_session *s, const char *what);

/* Returns the rpyc version that is sent to the client with each exception. If the _config sets
 * include_local_version, returns a version that uses the protocol of this connection, else
 * "<version denied>". Call with no exception set. */
const char *ps_session_version(struct ps_session *s);

/* Returns the deadline of a request that is sent to the client now. The deadline is the present
 * time plus the connection's sync_request_timeout, which is 30 s by default, as in stock rpyc. */
deadline_t ps_session_deadline(struct ps_session *s);

/* Returns the deadline that is `seconds` from now: now for a negative number, DEADLINE_NEVER for
 * NaN and for 1e9 or more. */
deadline_t ps_deadline_in(double seconds);

#endif
