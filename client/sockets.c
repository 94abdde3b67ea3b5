/* SPDX-License-Identifier: BSD-3-Clause */
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* What the tables say of those that listen: TCP_LISTEN, and __SO_ACCEPTCON. */
#define TCP_IS_LISTENING   0x0A
#define UNIX_IS_LISTENING  0x10000
#define DIGITS_OF_WORD     8
#define PATH_OF_TABLE_SIZE 128

static void add(struct sockets *to, const struct listening *one)
{
    struct listening *longer = reallocarray(to->all, to->count + 1, sizeof(*longer));

    if (!longer)
        return;
    to->all = longer;
    to->all[to->count++] = *one;
}

/* An address as /proc/net/tcp writes it: each 32 bits as a number of this machine's, in hex. */
static bool parse_address(struct sockaddr_storage *out, const char *hex, unsigned port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    size_t words = strlen(hex) / DIGITS_OF_WORD;
    uint32_t address[4] = {0};

    if (words != 1 && words != 4)
        return false;
    for (size_t i = 0; i < words; i++)
        if (sscanf(hex + i * DIGITS_OF_WORD, "%8x", &address[i]) != 1)
            return false;
    if (words == 1) {
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        in->sin_addr.s_addr = address[0];
    } else {
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        memcpy(&in6->sin6_addr, address, sizeof(address));
    }
    return true;
}

static void add_tcp(struct sockets *to, char *line)
{
    struct listening one = {0};
    unsigned port, state;
    char address[33];

    if (sscanf(line, "%*s %32[0-9A-F]:%x %*s %x %*s %*s %*s %u %*s %lu", address, &port, &state,
               &one.user, &one.inode) == 5 &&
        state == TCP_IS_LISTENING && parse_address(&one.address, address, port))
        add(to, &one);
}

/* The name is the rest of the line; an abstract one has '@' where the zero is. */
static void add_unix(struct sockets *to, char *line)
{
    struct listening one = {.user = SOCKETS_NOBODY};
    struct sockaddr_un *un = (struct sockaddr_un *)&one.address;
    unsigned flags, type;
    int name = 0;

    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%*s %*s %*s %x %x %*s %lu%n", &flags, &type, &one.inode, &name) != 3 ||
        flags != UNIX_IS_LISTENING || type != SOCK_STREAM || line[name] != ' ')
        return;
    line += name + 1;
    if (strlen(line) >= sizeof(un->sun_path))
        return;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, line, strlen(line));
    add(to, &one);
}

static void read_table(struct sockets *to, const char *folder, const char *name,
                       void (*add_line)(struct sockets *, char *))
{
    char path[PATH_OF_TABLE_SIZE], *line = NULL;
    size_t size = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "re");
    if (!f)
        return;
    while (getline(&line, &size, f) > 0)
        add_line(to, line);
    free(line);
    fclose(f);
}

void sockets_read(struct sockets *out, const char *folder)
{
    *out = (struct sockets){0};
    read_table(out, folder, "tcp", add_tcp);
    read_table(out, folder, "tcp6", add_tcp);
    read_table(out, folder, "unix", add_unix);
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

static bool is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

    if (address->sa_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static bool is_everywhere(const struct sockaddr_storage *address)
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
    /* Of other machines' addresses the tables know nothing; an IPv6 socket takes IPv4 as well. */
    if (is_everywhere(listens))
        return is_loopback(address) &&
               (listens->ss_family == AF_INET6 || address->sa_family == AF_INET);
    if (listens->ss_family != address->sa_family)
        return false;
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)listens)->sin_addr.s_addr == in->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)listens)->sin6_addr, &in6->sin6_addr,
                  sizeof(in6->sin6_addr)) == 0;
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
