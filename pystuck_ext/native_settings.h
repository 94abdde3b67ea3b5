/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The settings of one server, from the options of run_server(): those that the server's sessions
 * share, and those of its listener.
 */
#ifndef PS_NATIVE_SETTINGS_H
#define PS_NATIVE_SETTINGS_H

#include "ext.h"
#include "settings_dict.h"
#include "server.h"

/* The settings that the sessions of one server share. They are not freed while a thread of the
 * server may use them. In the main interpreter, the settings of a server that was started are never
 * freed. */
struct ps_settings {
    struct ps_state *state;
    struct ps_log *log;      /* or NULL */
    PyObject *connect;       /* makes a session's connection; NULL: the classic service */
    struct tls_server *tls;  /* NULL: without TLS */
    struct conn_config conn; /* for each connection; conn.turns is owned */
    uid_t *users;            /* uids that may connect, besides root and the program's own */
    size_t max_objects;      /* the maximum number of objects that one client may hold */
    int handshake_ms;        /* time limit for TLS and the first request, in ms; -1: no limit */
};

/* Creates the settings from all options except the address. Fills `server` with the settings of the
 * listener; its pointers point into the returned settings, which the caller owns. Returns NULL with
 * an exception. */
struct ps_settings *ps_settings_new(struct ps_state *state, struct ps_settings_dict *o,
                                    struct ps_server_options *server);

/* Frees the settings of a server that has no threads. NULL is allowed. Needs the GIL. */
void ps_settings_free(struct ps_settings *settings);

#endif
