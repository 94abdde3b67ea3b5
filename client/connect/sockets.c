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

/* The values that mark listening sockets in the tables of TCP and of Unix sockets. The kernel calls
 * these values TCP_LISTEN and __SO_ACCEPTCON. */
#define TCP_IS_LISTENING   0x0A
#define UNIX_IS_LISTENING  0x10000
#define DIGITS_OF_WORD     8
#define PATH_OF_TABLE_SIZE 128
#define OWN_FOLDER         "/proc/thread-self/net"

/* The size of the buffer for reading a table. The buffer is large because the kernel searches its
 * whole table again for each read(2). */
#define TABLE_BUFFER_SIZE 65536

/* Parses an address of /proc/net/tcp or tcp6: one or four hexadecimal numbers of 32 bits in the
 * machine's byte order. */
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

/* A line of the file net/tcp or net/tcp6. */
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

/* Adds the socket in a line of the file net/unix if the socket listens. The line ends with the
 * inode and the name of the socket. In this line, an abstract name begins with '@' in place of NUL.
 */
static bool add_unix(void *to, char *line)
{
    struct listening one = {.user = SOCKETS_NO_USER};
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

/* Calls function(data, line) for each line of a file of /proc/net, until the function returns
 * false. */
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

void sockets_read_own(struct sockets *out)
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
        read_table(OWN_FOLDER, kinds[i].table, kinds[i].add, out);
    }
}

/* ---- One connection, if sock_diag is not available ------------------------------------------- */

/* A search for a TCP socket in the tables. If remote has a family, the socket must be connected
 * from local to remote. Otherwise, the socket must listen on local. */
struct search {
    const struct sockaddr_storage *local, *remote;
    struct socket_owner *out;
    bool found;
};

/* Checks whether a line has the socket that is searched for. In a search for a connected socket,
 * returns false when the socket is found; this ends the search. In a search for a listening socket,
 * always returns true, so that all lines are read: a socket that listens on exactly the address
 * search->local is preferred to a socket that listens on all addresses. */
static bool compare(void *data, char *line)
{
    struct search *search = data;
    struct tcp_line parsed;

    if (!parse_tcp(&parsed, line))
        return true;
    if (search->remote->ss_family != 0) {
        search->found = sockets_is_same(&parsed.local, search->local) &&
                        sockets_is_same(&parsed.remote, search->remote);
        if (search->found)
            *search->out = parsed.owner;
        return !search->found;
    }
    if (parsed.state == TCP_IS_LISTENING &&
        sockets_is_at(&parsed.local, (const struct sockaddr *)search->local) &&
        (!search->found || !sockets_is_everywhere(&parsed.local))) {
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
    case SOCK_DIAG_FOUND:
        return true;
    case SOCK_DIAG_NOT_FOUND:
        return false;
    case SOCK_DIAG_UNKNOWN:
        break;
    }
    read_table(OWN_FOLDER, "tcp", compare, &search);
    if (!search.found)
        read_table(OWN_FOLDER, "tcp6", compare, &search);
    return search.found;
}
