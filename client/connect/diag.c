/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#define ANSWER_TIMEOUT_MS 1000

/* The values of UDIAG_SHOW_UID and UNIX_DIAG_UID. The kernel supports these two since Linux 5.3,
 * and older headers do not define them. */
#define SHOW_UID 0x40
#define ATTR_UID 7

/* ---- Parsing ---------------------------------------------------------------------------------
 *
 * The parts of a datagram are aligned to 4 bytes only, so each one is copied before use.
 */

static void add_tcp(struct sockets *to, const char *body, size_t len)
{
    struct inet_diag_msg m;
    struct listening one = {0};

    if (len < sizeof(m))
        return;
    memcpy(&m, body, sizeof(m));
    if (m.idiag_state != TCP_LISTEN)
        return;
    one.inode = m.idiag_inode;
    one.user = m.idiag_uid;
    sock_diag_address(&one.address, m.idiag_family, m.id.idiag_src, m.id.idiag_sport);
    sockets_add(to, &one);
}

/* Copies the name of a Unix socket: a path with or without a NUL at its end, or an abstract name,
 * which begins with NUL. In an abstract name, NULs become '@', as in /proc/net/unix. Returns false
 * if the name is empty or too long. */
static bool set_name(struct sockaddr_storage *out, const char *name, size_t len)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;

    while (len > 0 && name[0] != '\0' && name[len - 1] == '\0')
        len--;
    if (len == 0 || len >= sizeof(un->sun_path))
        return false;
    un->sun_family = AF_UNIX;
    for (size_t i = 0; i < len; i++)
        un->sun_path[i] = name[i] ? name[i] : '@';
    return true;
}

static void add_unix(struct sockets *to, const char *body, size_t len)
{
    struct listening one = {.user = SOCKETS_NO_USER};
    size_t at = NLMSG_ALIGN(sizeof(struct unix_diag_msg)), size;
    struct unix_diag_msg m;
    struct nlattr attr;
    bool is_named = false;

    if (len < sizeof(m))
        return;
    memcpy(&m, body, sizeof(m));
    for (; at + sizeof(attr) <= len; at += NLMSG_ALIGN(attr.nla_len)) {
        memcpy(&attr, body + at, sizeof(attr));
        if (attr.nla_len < sizeof(attr) || attr.nla_len > len - at)
            return;
        size = attr.nla_len - sizeof(attr);
        if (attr.nla_type == UNIX_DIAG_NAME)
            is_named = set_name(&one.address, body + at + sizeof(attr), size);
        else if (attr.nla_type == ATTR_UID && size == sizeof(one.user))
            memcpy(&one.user, body + at + sizeof(attr), size);
    }
    one.inode = m.udiag_ino;
    if (is_named && m.udiag_type == SOCK_STREAM && m.udiag_state == TCP_LISTEN)
        sockets_add(to, &one);
}

static void add_socket(void *sockets, const char *body, size_t len)
{
    if (*body == AF_UNIX)
        add_unix(sockets, body, len);
    else if (*body == AF_INET || *body == AF_INET6)
        add_tcp(sockets, body, len);
}

enum sock_diag_state diag_parse(struct sockets *to, const void *datagram, size_t len)
{
    return sock_diag_parse(datagram, len, add_socket, to);
}

/* ---- Requests -------------------------------------------------------------------------------- */

int diag_read(struct sockets *to, int family)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } tcp = {.body = {.sdiag_family = (uint8_t)family,
                      .sdiag_protocol = IPPROTO_TCP,
                      .idiag_states = 1U << TCP_LISTEN}};
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } local = {.body = {.sdiag_family = AF_UNIX,
                        .udiag_states = 1U << TCP_LISTEN,
                        .udiag_show = UDIAG_SHOW_NAME | SHOW_UID}};
    bool complete;

    if (family == AF_UNIX)
        complete =
            sock_diag_dump(&local, sizeof(local), ANSWER_TIMEOUT_MS, INT64_MAX, add_socket, to);
    else
        complete = sock_diag_dump(&tcp, sizeof(tcp), ANSWER_TIMEOUT_MS, INT64_MAX, add_socket, to);
    return complete ? 0 : -1;
}

/* ---- One socket ------------------------------------------------------------------------------ */

static void get_address(const struct sockaddr_storage *from, __be32 *address, __be16 *port)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

    if (from->ss_family == AF_INET) {
        address[0] = in->sin_addr.s_addr;
        *port = in->sin_port;
    } else if (from->ss_family == AF_INET6) {
        memcpy(address, &in6->sin6_addr, sizeof(in6->sin6_addr));
        *port = in6->sin6_port;
    }
}

enum sock_diag_found diag_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                                const struct sockaddr_storage *remote)
{
    struct inet_diag_sockid id = {0};
    enum sock_diag_found found;
    struct inet_diag_msg m;

    get_address(local, id.idiag_src, &id.idiag_sport);
    get_address(remote, id.idiag_dst, &id.idiag_dport);
    found = sock_diag_find(local->ss_family, &id, ANSWER_TIMEOUT_MS, &m);
    if (found == SOCK_DIAG_FOUND)
        *out = (struct socket_owner){.user = m.idiag_uid, .inode = m.idiag_inode};
    return found;
}
