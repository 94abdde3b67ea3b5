/* SPDX-License-Identifier: BSD-3-Clause
 *
 * user: users of this machine, as messages name them.
 */
#ifndef COMMON_USER_H
#define COMMON_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user_name {
    char text[64];
};

/* "alice", or "user 1001" where the number has no name. */
struct user_name user_name(uid_t user);

/* "user alice (uid 1001)", or "uid 1001". */
struct user_name user_describe(uid_t user);

/* What --server-user takes: "alice", or "1001". */
struct user_name user_argument(uid_t user);

/* The user of a name or of a number; false: there is none of that name. */
bool user_parse(uid_t *out, const char *text);

/* Whether the number may stand for any user: in a user namespace, those that have no number there
 * are all called by this one. */
bool user_is_anyone(uid_t user);

#endif
