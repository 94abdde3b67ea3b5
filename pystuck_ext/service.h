/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The service of a client, from its creation to its end: the classic one, or the one that
 * run_server was given. Needs the GIL.
 */
#ifndef PS_SERVICE_H
#define PS_SERVICE_H

#include "session.h"

/* Makes the service that run_server was given, its connection and its policy. Then calls the
 * service's on_connect. Returns 0, or -1 with an exception if the service refuses the client. */
int ps_service_connect(struct ps_session *s);

/* Makes the classic service. Does nothing if run_server was given another service, or if the
 * session has a service or has ended. Call before every request, not only before the first one:
 * with bind-threads, several threads serve requests at the same time, and any of them may get the
 * session's first request. Returns 0, or -1 with an exception. */
int ps_service_connect_classic(struct ps_session *s);

/* Calls the service's on_disconnect if on_connect was called, even if on_connect has raised an
 * exception, like stock rpyc. Call once, and not while ps_service_connect is running. */
void ps_service_disconnect(struct ps_session *s);

#endif
