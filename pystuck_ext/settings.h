/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What one server was started with: the settings that its sessions share, and those of the
 * listener, made from the named options of run_server().
 */
#ifndef PS_SETTINGS_H
#define PS_SETTINGS_H

#include "ext.h"
#include "options.h"
#include "server.h"

/* What the sessions of one server share. Never freed while the server's threads may use it, which
 * in the main interpreter is for the rest of the process. */
struct ps_settings {
    struct ps_state *state;
    struct ps_log *log; /* or NULL */
    PyObject *connect;  /* makes a client's connection from its link; NULL: the classic service */
    struct tls_server *tls;  /* NULL: without TLS */
    struct conn_config conn; /* of each connection; its turns are owned */
    uid_t *users;            /* allowed besides root and the program's own user */
    size_t max_objects;      /* that one client holds */
    int handshake_ms;        /* for TLS and the first request; -1: no limit */
};

/* Reads all options but the address, and makes what the sessions share. `server` gets the settings
 * of the listener, which point into the result. Owned by the caller. NULL with an exception. */
struct ps_settings *ps_settings_new(struct ps_state *state, struct ps_options *o,
                                    struct ps_server_options *server);

/* Frees the settings of a server that has no threads. NULL is allowed. Needs the GIL. */
void ps_settings_free(struct ps_settings *settings);

#endif
