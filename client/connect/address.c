/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

void address_of_socket(struct address *out, struct address_text *text,
                       const struct sockaddr_storage *socket)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)socket;
    const struct sockaddr_in *in = (const struct sockaddr_in *)socket;
    struct in_addr ip = in->sin_addr;
    struct in6_addr ip6 = in6->sin6_addr;

    *out = (struct address){.host = text->host, .port = text->port};
    if (socket->ss_family == AF_UNIX) {
        snprintf(text->path, sizeof(text->path), "%s",
                 ((const struct sockaddr_un *)socket)->sun_path);
        out->path = text->path;
    } else if (socket->ss_family == AF_INET) {
        if (ip.s_addr == htonl(INADDR_ANY))
            ip.s_addr = htonl(INADDR_LOOPBACK);
        inet_ntop(AF_INET, &ip, text->host, sizeof(text->host));
    } else {
        if (IN6_IS_ADDR_UNSPECIFIED(&ip6))
            ip6 = in6addr_loopback;
        inet_ntop(AF_INET6, &ip6, text->host, sizeof(text->host));
    }
    snprintf(text->port, sizeof(text->port),
             "%u", /* IPv4 and IPv6 have the port at the same offset */
             (unsigned)ntohs(in->sin_port));
}

void address_describe(char *out, size_t size, const struct address *address)
{
    if (address->path)
        snprintf(out, size, "%s", address->path);
    else
        snprintf(out, size, strchr(address->host, ':') ? "[%s]:%s" : "%s:%s", address->host,
                 address->port);
}
