/* SPDX-License-Identifier: BSD-3-Clause
 *
 * target: an address as it is written on the command line. No I/O, no names looked up.
 */
#ifndef CLIENT_TARGET_H
#define CLIENT_TARGET_H

#include <rpyc.h>
#include <sys/un.h>

#define TARGET_HOST_MAX 253 /* characters in the name of a host */

/* Either a path, or a host, a port, or both. "" for what is not given. */
struct target {
    char host[TARGET_HOST_MAX + 1];                            /* a name or an address */
    char port[6];                                              /* decimal digits, 1 to 65535 */
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* or "@name", an abstract one */
};

/* Parses one of
 *     host  host:port  [v6]:port  port  unix:PATH
 * where v6 may stand alone, with or without brackets. Digits alone are a port, and what has more
 * than one colon and no brackets is an IPv6 address. 0, or -1 with RPYC_EINVAL and a sentence. */
int target_parse(struct target *out, const char *text, struct rpyc_error *err);

/* Parse one part, which fills that member of *out and leaves the others. Errors: as above. */
int target_parse_host(struct target *out, const char *text, struct rpyc_error *err);
int target_parse_port(struct target *out, const char *text, struct rpyc_error *err);
int target_parse_path(struct target *out, const char *text, struct rpyc_error *err);

#endif
