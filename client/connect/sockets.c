/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "connect/diag.h"

/* What the tables say of those that listen: TCP_LISTEN, and __SO_ACCEPTCON. */
#define TCP_IS_LISTENING   0x0A
#define UNIX_IS_LISTENING  0x10000
#define DIGITS_OF_WORD     8
#define PATH_OF_TABLE_SIZE 128
#define OUR_FOLDER         "/proc/thread-self/net"

/* The kernel looks through its whole table for each read(2): no small pieces. */
#define TABLE_BUFFER_SIZE 65536

void sockets_add(struct sockets *to, const struct listening *one)
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

/* A line of tcp or tcp6. */
struct tcp_line {
    struct sockaddr_storage local, remote;
    unsigned state;
    struct socket_owner owner;
};

static bool parse_tcp(struct tcp_line *out, const char *line)
{
    char local[33], remote[33];
    unsigned local_port, remote_port;

    return sscanf(line, "%*s %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %u %*s %lu", local,
                  &local_port, remote, &remote_port, &out->state, &out->owner.user,
                  &out->owner.inode) == 7 &&
           parse_address(&out->local, local, local_port) &&
           parse_address(&out->remote, remote, remote_port);
}

static bool add_tcp(void *to, char *line)
{
    struct tcp_line parsed;
    struct listening one;

    if (!parse_tcp(&parsed, line) || parsed.state != TCP_IS_LISTENING)
        return true;
    one = (struct listening){parsed.owner.inode, parsed.local, parsed.owner.user};
    sockets_add(to, &one);
    return true;
}

/* The name is the rest of the line; an abstract one has '@' where the zero is. */
static bool add_unix(void *to, char *line)
{
    struct listening one = {.user = SOCKETS_NOBODY};
    struct sockaddr_un *un = (struct sockaddr_un *)&one.address;
    unsigned flags, type;
    int name = 0;

    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%*s %*s %*s %x %x %*s %lu%n", &flags, &type, &one.inode, &name) != 3 ||
        flags != UNIX_IS_LISTENING || type != SOCK_STREAM || line[name] != ' ')
        return true;
    line += name + 1;
    if (strlen(line) >= sizeof(un->sun_path))
        return true;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, line, strlen(line));
    sockets_add(to, &one);
    return true;
}

/* Calls a function with each line of a table, until it returns false. */
static void read_table(const char *folder, const char *name, bool (*function)(void *, char *),
                       void *data)
{
    char path[PATH_OF_TABLE_SIZE], buffer[TABLE_BUFFER_SIZE], *line = NULL;
    size_t size = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "re");
    if (!f)
        return;
    setvbuf(f, buffer, _IOFBF, sizeof(buffer));
    while (getline(&line, &size, f) > 0 && function(data, line))
        ;
    free(line);
    fclose(f);
}

void sockets_read(struct sockets *out, const char *folder)
{
    *out = (struct sockets){0};
    read_table(folder, "tcp", add_tcp, out);
    read_table(folder, "tcp6", add_tcp, out);
    read_table(folder, "unix", add_unix, out);
}

void sockets_read_ours(struct sockets *out)
{
    static const struct {
        int family;
        const char *table;
        bool (*add)(void *, char *);
    } kinds[] = {
        {AF_INET, "tcp", add_tcp}, {AF_INET6, "tcp6", add_tcp}, {AF_UNIX, "unix", add_unix}};
    size_t before;

    *out = (struct sockets){0};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        before = out->count;
        if (diag_read(out, kinds[i].family) == 0)
            continue;
        out->count = before;
        read_table(OUR_FOLDER, kinds[i].table, kinds[i].add, out);
    }
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
        return sockets_is_loopback(address) &&
               (listens->ss_family == AF_INET6 || address->sa_family == AF_INET);
    if (listens->ss_family != address->sa_family)
        return false;
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)listens)->sin_addr.s_addr == in->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)listens)->sin6_addr, &in6->sin6_addr,
                  sizeof(in6->sin6_addr)) == 0;
}

/* ---- One connection, where sock_diag does not tell ------------------------------------------- */

/* A connection that is looked for in the tables. */
struct search {
    const struct sockaddr_storage *local, *remote;
    struct socket_owner *out;
    bool found;
};

/* The IPv6 form of an address: what a socket for both has in its table. */
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

static bool is_same(const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
    return as_ipv6(one).sin6_port == as_ipv6(other).sin6_port && sockets_is_same_host(one, other);
}

/* Ends at the connection. A listening socket is found as well, if that is looked for, and one that
 * listens on the very address is preferred to one that listens on all. */
static bool compare(void *data, char *line)
{
    struct search *search = data;
    struct tcp_line parsed;

    if (!parse_tcp(&parsed, line))
        return true;
    if (search->remote->ss_family != 0) {
        search->found =
            is_same(&parsed.local, search->local) && is_same(&parsed.remote, search->remote);
        if (search->found)
            *search->out = parsed.owner;
        return !search->found;
    }
    if (parsed.state == TCP_IS_LISTENING &&
        sockets_is_at(&parsed.local, (const struct sockaddr *)search->local) &&
        (!search->found || !is_everywhere(&parsed.local))) {
        *search->out = parsed.owner;
        search->found = true;
    }
    return true;
}

bool sockets_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                   const struct sockaddr_storage *remote)
{
    struct search search = {.local = local, .remote = remote, .out = out};

    switch (diag_owner(out, local, remote)) {
    case DIAG_FOUND:
        return true;
    case DIAG_NOT_FOUND:
        return false;
    case DIAG_NOT_TOLD:
        break;
    }
    read_table(OUR_FOLDER, "tcp", compare, &search);
    if (!search.found)
        read_table(OUR_FOLDER, "tcp6", compare, &search);
    return search.found;
}

/* ---- Messages -------------------------------------------------------------------------------- */

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
