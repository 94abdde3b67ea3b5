/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/socket_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

void sockets_add(struct sockets *to, const struct listening *one)
{
    struct listening *longer = reallocarray(to->all, to->count + 1, sizeof(*longer));

    if (!longer)
        return;
    to->all = longer;
    to->all[to->count++] = *one;
}

void sockets_free(struct sockets *sockets)
{
    free(sockets->all);
}

const struct listening *sockets_find(const struct sockets *sockets, unsigned long inode)
{
    const struct listening *found = NULL;

    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->all[i].inode != inode)
            continue;
        if (found)
            return NULL;
        found = &sockets->all[i];
    }
    return found;
}

bool sockets_is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

    if (address->sa_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

bool sockets_is_everywhere(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET)
        return in->sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

static in_port_t port_of(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

    return address->sa_family == AF_INET ? in->sin_port : in6->sin6_port;
}

bool sockets_is_at(const struct sockaddr_storage *listens, const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

    if (listens->ss_family == AF_UNIX || address->sa_family == AF_UNIX)
        return listens->ss_family == address->sa_family &&
               strcmp(((const struct sockaddr_un *)listens)->sun_path,
                      ((const struct sockaddr_un *)address)->sun_path) == 0;
    if (port_of((const struct sockaddr *)listens) != port_of(address))
        return false;
    /* Only a loopback address certainly belongs to this machine, so a socket that listens on all
     * addresses matches only loopback addresses. If the listening socket is an IPv6 socket, it
     * accepts IPv4 as well. */
    if (sockets_is_everywhere(listens))
        return sockets_is_loopback(address) &&
               (listens->ss_family == AF_INET6 || address->sa_family == AF_INET);
    if (listens->ss_family != address->sa_family)
        return false;
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)listens)->sin_addr.s_addr == in->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)listens)->sin6_addr, &in6->sin6_addr,
                  sizeof(in6->sin6_addr)) == 0;
}

/* Returns the IPv6 form of an address. If a socket accepts both IPv4 and IPv6, the kernel lists its
 * IPv4 connections in this form, in the file net/tcp6. */
static struct sockaddr_in6 as_ipv6(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = in->sin_port};

    if (address->ss_family == AF_INET6)
        return *(const struct sockaddr_in6 *)address;
    in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&in6.sin6_addr.s6_addr[12], &in->sin_addr, sizeof(in->sin_addr));
    return in6;
}

bool sockets_is_same_host(const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
    struct sockaddr_in6 a = as_ipv6(one), b = as_ipv6(other);

    return memcmp(&a.sin6_addr, &b.sin6_addr, sizeof(a.sin6_addr)) == 0;
}

bool sockets_is_same(const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
    return as_ipv6(one).sin6_port == as_ipv6(other).sin6_port && sockets_is_same_host(one, other);
}

void sockets_describe(char *out, size_t size, const struct sockaddr_storage *address)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    char ip[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_UNIX) {
        snprintf(out, size, "%s", ((const struct sockaddr_un *)address)->sun_path);
        return;
    }
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
        snprintf(out, size, "%s:%u", ip, (unsigned)ntohs(in->sin_port));
    } else {
        inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
        snprintf(out, size, "[%s]:%u", ip, (unsigned)ntohs(in6->sin6_port));
    }
}
