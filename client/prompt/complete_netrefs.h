/* SPDX-License-Identifier: BSD-3-Clause
 *
 * complete_netrefs: a source of candidates for Tab that runs no code of the program.
 *
 * Reads attributes with inspect.getattr_static, calls no properties, and imports no modules.
 */
#ifndef CLIENT_PROMPT_COMPLETE_NETREFS_H
#define CLIENT_PROMPT_COMPLETE_NETREFS_H

#include "eval/proxy.h"
#include "prompt/complete.h"

/* The argument of complete_netrefs_find. */
struct complete_netrefs {
    rpyc_conn *conn;
    struct proxies *proxies;
};

/* A find function, see struct complete_source. */
int complete_netrefs_find(const void *arg, const char *text, const char *rest,
                          struct completions *out, struct rpyc_error *err);

#endif
