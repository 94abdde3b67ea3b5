/* SPDX-License-Identifier: BSD-3-Clause
 *
 * complete_netrefs: what could be typed next where no code is run over there: candidates found on
 * netrefs.
 *
 * Nothing of the program's is run for it, as far as netrefs can tell: attributes are looked up
 * statically, properties are not asked, no module is imported.
 */
#ifndef CLIENT_PROMPT_COMPLETE_NETREFS_H
#define CLIENT_PROMPT_COMPLETE_NETREFS_H

#include "prompt/complete.h"
#include "eval/proxy.h"

/* A source of candidates: see struct complete_source. */
struct complete_netrefs_source {
    rpyc_conn *conn;
    struct proxies *proxies;
};
int complete_netrefs_find(const void *arg, const char *text, const char *rest,
                          struct completions *out, struct rpyc_error *err);

#endif
