/* SPDX-License-Identifier: BSD-3-Clause
 *
 * target: parses an address on the command line. Does no I/O and resolves no names.
 */
#ifndef CLIENT_TARGET_H
#define CLIENT_TARGET_H

#include <rpyc.h>
#include <sys/un.h>

#define TARGET_HOST_MAX 253 /* characters in the name of a host */

/* Either a path, or else a host, a port or both. A part that is not given is "". */
struct target {
    char host[TARGET_HOST_MAX + 1];                            /* a name or an address */
    char port[6];                                              /* decimal digits, 1 to 65535 */
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "@name": an abstract socket */
};

/* Parses one of
 *     host  host:port  [v6]:port  port  unix:PATH
 * An IPv6 address without a port may have brackets or not. Digits alone are a port. Text with more
 * than one colon and without brackets is an IPv6 address. Returns 0, or -1 with RPYC_EINVAL and a
 * sentence.
 */
int target_parse(struct target *out, const char *text, struct rpyc_error *err);

/* Each of these functions parses one part of an address into the member of *out for this part, and
 * leaves the other members unchanged. Errors: as for target_parse(). */
int target_parse_host(struct target *out, const char *text, struct rpyc_error *err);
int target_parse_port(struct target *out, const char *text, struct rpyc_error *err);
int target_parse_path(struct target *out, const char *text, struct rpyc_error *err);

#endif
