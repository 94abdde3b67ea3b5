/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a client may do, and how long requests to it wait. Needs the GIL.
 */
#ifndef PS_POLICY_H
#define PS_POLICY_H

#include "session.h"

/* Whether the client may do everything: it has the classic service. */
bool ps_session_is_classic(const struct ps_session *s);

/* Whether the client is an rpyc before 6.0. */
bool ps_session_is_old(const struct ps_session *s);

/* Whether the connection's configuration allows something; true where nobody made one. Not while an
 * exception is set. */
bool ps_session_allows(struct ps_session *s, const char *what);

/* What the client is told as the version of rpyc: with include_local_version in the configuration
 * the one whose protocol the connection uses, else "<version denied>". Call with no exception set.
 */
const char *ps_session_version(struct ps_session *s);

/* When a request to the client that is made now gives up: the connection's sync_request_timeout, 30
 * s as in stock rpyc where nobody changed it. */
deadline_t ps_session_deadline(struct ps_session *s);

/* That many seconds from now, which may be no number that makes sense. */
deadline_t ps_deadline_in(double seconds);

#endif
