/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A C caller's connection, and its peer, which the test plays.
 */
#ifndef LINK_H
#define LINK_H

#include "unit.h"

#include "box.h"
#include "classic.h"
#include "handlers.h"

struct link {
    rpyc_conn *conn;
    struct peer peer;
};
struct link link_configured(const struct conn_config *config, int request_timeout_ms);
struct link link_open(int request_timeout_ms);
void link_close(struct link *l);

#define AUTO_LINK _cleanup_(link_close) struct link

/* Id packs: ("builtins.list", 1, 5), ("builtins.dict", 2, 6), ("a.Root", 3, 7). */
#define LIST "12 080e0d6275696c74696e732e6c697374 5155"
#define DICT "12 080e0d6275696c74696e732e64696374 5256"
#define ROOT "12 080e06612e526f6f74 5357"

#define NONE "1151 00"

#define KEY_ERROR "11 080e086275696c74696e73 080e084b65794572726f72" /* (builtins, KeyError) */

/* The arguments of a DEL. */
#define DEL(pack, count) "115f 1152 11 1153" pack "1151" count

/* Returns the value of a box from the peer. */
rpyc_value *unbox(struct link *l, const char *hex);
void assert_unbox_fails(struct link *l, const char *hex, enum rpyc_errcode code, const char *text);
rpyc_value *read_value(const char *hex);
void assert_read_fails(const char *hex, enum rpyc_errcode code, const char *text);

/* Sends a request, and with it the releases that are due. The peer replies. */
void flush(struct link *l, int seq);

#define PING_ARGS "1151 1151 10 01" /* (1, (1, (b"",))) */

int fetch_root(rpyc_conn *conn, struct rpyc_error *err);
struct link link_with_root(void);

/* The peer replies to the request seq with a box. */
void say_reply(struct link *l, int seq, const char *box);

/* The peer replies to the four requests of a builtin: the module (here a list), the builtin in it
 * (a dict), the release of the module, and the result. */
void say_builtin(struct link *l, const char *result);

/* Checks that a builtin was called with these boxes. name is brine. */
void hears_builtin(struct link *l, const char *name, const char *arguments);

#endif
