/* SPDX-License-Identifier: BSD-3-Clause
 *
 * user: the names and numbers of this machine's users.
 */
#ifndef COMMON_USER_H
#define COMMON_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user_name {
    char text[64];
};

/* Formats a user as "alice", or "user 1001" if the uid has no name. */
struct user_name user_name(uid_t user);

/* Formats a user as "user alice (uid 1001)", or "uid 1001". */
struct user_name user_describe(uid_t user);

/* Formats a user as an argument of --server-user: "alice", or "1001". */
struct user_name user_argument(uid_t user);

/* Parses the name or the number of a user. Returns false if the text is neither. */
bool user_parse(uid_t *out, const char *text);

/* True if `user` may stand for any user: in a user namespace, each user who has no uid in this
 * namespace is shown with the overflow uid. */
bool user_is_anyone(uid_t user);

#endif
