/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Serves one client, from the TLS handshake to the end of the session: what the threads of a
 * session do.
 */
#ifndef PS_SESSION_THREADS_H
#define PS_SESSION_THREADS_H

#include "session.h"

/* Serves a client until the connection ends. For ps_server_options, with a struct ps_settings as
 * context. Call without the GIL. */
void ps_serve_run(void *context, struct ps_client *client);

/* Writes a message of the server to the log, without waiting. For ps_server_options. */
void ps_serve_tell(void *context, bool is_error, const struct ps_source *source, const char *text);

#endif
