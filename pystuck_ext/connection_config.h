/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a client may do, and how long requests to it wait: the configuration of its Connection,
 * whose entries pystuck/_attribute_policy.py has, with the rule for attributes. Needs the GIL.
 */
#ifndef PS_CONNECTION_CONFIG_H
#define PS_CONNECTION_CONFIG_H

#include "session.h"

/* True if the client has the classic service, and so may use everything. */
bool ps_session_is_classic(const struct ps_session *s);

/* True if the client is an rpyc before 6.0. */
bool ps_session_is_old(const struct ps_session *s);

/* True if the connection's _config allows `what`, a name such as "allow_pickle". Without a _config,
 * the classic service allows all. Call with no exception set. */
bool ps_session_allows(struct ps_session *s, const char *what);

/* Returns the rpyc version that exceptions carry to the client: with include_local_version in the
 * _config a version with the protocol of this connection, else "<version denied>". Call with no
 * exception set. */
const char *ps_session_version(struct ps_session *s);

/* Returns the deadline of a request to the client that is sent now: after the connection's
 * sync_request_timeout, which is 30 s by default, as in stock rpyc. */
deadline_t ps_session_deadline(struct ps_session *s);

/* Returns the time that many seconds from now. At most now for a negative number; never for NaN and
 * for numbers above 1e9. */
deadline_t ps_deadline_in(double seconds);

#endif
