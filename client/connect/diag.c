/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_S 1
#define DATAGRAM_SIZE    32768 /* at least the size of the kernel's datagrams */

/* UDIAG_SHOW_UID and UNIX_DIAG_UID. The kernel has them since Linux 5.3; older headers lack them.
 */
#define SHOW_UID 0x40
#define ATTR_UID 7

/* ---- Parsing ---------------------------------------------------------------------------------
 *
 * The parts of a datagram are aligned to 4 bytes only, so each one is copied before use.
 */

static void set_address(struct sockaddr_storage *out, int family, const uint32_t *address,
                        in_port_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

    if (family == AF_INET) {
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        in->sin_addr.s_addr = address[0];
    } else {
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
    }
}

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
    set_address(&one.address, m.idiag_family, m.id.idiag_src, m.id.idiag_sport);
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

enum diag_state diag_parse(struct sockets *to, const void *datagram, size_t len)
{
    const char *bytes = datagram, *body;
    struct nlmsghdr head;
    size_t at = 0, body_len;

    for (; at + sizeof(head) <= len; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, bytes + at, sizeof(head));
        if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
            return DIAG_FAILED;
        if (head.nlmsg_type == NLMSG_DONE)
            return DIAG_DONE;
        if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
            return DIAG_FAILED; /* for example NLMSG_ERROR */
        body = bytes + at + NLMSG_HDRLEN;
        body_len = head.nlmsg_len - NLMSG_HDRLEN;
        if (body_len == 0)
            return DIAG_FAILED;
        if (*body == AF_UNIX)
            add_unix(to, body, body_len);
        else if (*body == AF_INET || *body == AF_INET6)
            add_tcp(to, body, body_len);
    }
    return DIAG_MORE;
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* Receives one datagram from the kernel. Returns its length, or -1. */
static ssize_t receive(int fd, void *out, size_t size)
{
    struct sockaddr_nl from = {0};
    socklen_t from_len = sizeof(from);
    ssize_t n;

    do
        n = recvfrom(fd, out, size, MSG_TRUNC, (struct sockaddr *)&from, &from_len);
    while (n < 0 && errno == EINTR);
    return n >= 0 && (size_t)n <= size && from.nl_pid == 0 ? n : -1;
}

/* Sends a request to the kernel. Returns the socket from which to read the answer, or -1. */
static int ask(const void *request, size_t len)
{
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (sendto(fd, request, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) == (ssize_t)len)
        return fd;
    close(fd);
    return -1;
}

static int dump(struct sockets *to, const void *request, size_t len)
{
    union {
        struct nlmsghdr head;
        char bytes[DATAGRAM_SIZE];
    } answer;
    enum diag_state state = DIAG_MORE;
    int fd = ask(request, len);
    ssize_t n;

    if (fd < 0)
        return -1;
    while (state == DIAG_MORE) {
        n = receive(fd, &answer, sizeof(answer));
        state = n < 0 ? DIAG_FAILED : diag_parse(to, &answer, (size_t)n);
    }
    close(fd);
    return state == DIAG_DONE ? 0 : -1;
}

static int read_tcp(struct sockets *to, int family)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = 1U << TCP_LISTEN},
    };

    return dump(to, &request, sizeof(request));
}

static int read_unix(struct sockets *to)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = 1U << TCP_LISTEN,
                 .udiag_show = UDIAG_SHOW_NAME | SHOW_UID},
    };

    return dump(to, &request, sizeof(request));
}

int diag_read(struct sockets *to, int family)
{
    return family == AF_UNIX ? read_unix(to) : read_tcp(to, family);
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

/* Reads the answer to a request for one socket. If the connection does not exist, the kernel
 * answers with the socket that listens there, so the ports are compared with those in *id. The
 * kernel's error ENOENT is not reliable: it can also mean that the module tcp_diag is missing. */
static enum diag_found read_owner(int fd, const struct inet_diag_sockid *id,
                                  struct socket_owner *out)
{
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } answer;
    ssize_t n = receive(fd, &answer, sizeof(answer));
    struct inet_diag_msg m;

    if (n < (ssize_t)NLMSG_LENGTH(sizeof(m)) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return DIAG_UNKNOWN;
    memcpy(&m, NLMSG_DATA(&answer.head), sizeof(m));
    if (m.id.idiag_sport != id->idiag_sport || m.id.idiag_dport != id->idiag_dport)
        return DIAG_NOT_FOUND;
    *out = (struct socket_owner){.user = m.idiag_uid, .inode = m.idiag_inode};
    return DIAG_FOUND;
}

enum diag_found diag_owner(struct socket_owner *out, const struct sockaddr_storage *local,
                           const struct sockaddr_storage *remote)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (uint8_t)local->ss_family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = ~0U,
                 .id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    struct inet_diag_sockid *id = &request.body.id;
    enum diag_found found;
    int fd;

    get_address(local, id->idiag_src, &id->idiag_sport);
    get_address(remote, id->idiag_dst, &id->idiag_dport);
    fd = ask(&request, sizeof(request));
    if (fd < 0)
        return DIAG_UNKNOWN;
    found = read_owner(fd, id, out);
    close(fd);
    return found;
}
