/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/peers.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "procfs/sock_diag.h"

#define ANSWER_TIMEOUT_MS 100

/* The argument of report_socket. */
struct reader {
    void (*each)(void *arg, const struct peer_socket *socket);
    void *arg;
};

static void report_tcp(const struct reader *to, const char *body, size_t len)
{
    struct peer_socket one = {0};
    struct inet_diag_msg m;

    if (len < sizeof(m))
        return;
    memcpy(&m, body, sizeof(m));
    one.inode = m.idiag_inode;
    one.family = m.idiag_family;
    one.state = m.idiag_state;
    one.listens = m.idiag_state == TCP_LISTEN;
    one.waiting = one.listens ? m.idiag_rqueue : 0;
    one.backlog = one.listens ? m.idiag_wqueue : 0;
    sock_diag_address(&one.local, m.idiag_family, m.id.idiag_src, m.id.idiag_sport);
    sock_diag_address(&one.remote, m.idiag_family, m.id.idiag_dst, m.id.idiag_dport);
    to->each(to->arg, &one);
}

/* Reads one attribute of a message about a Unix socket into *one: the name of the socket, its peer,
 * or the queue lengths of a listening socket. */
static void add_attribute(struct peer_socket *one, int type, const char *value, size_t len)
{
    struct unix_diag_rqlen queue;

    if (type == UNIX_DIAG_NAME && len > 0) {
        one->path = value;
        one->path_len = len;
    } else if (type == UNIX_DIAG_PEER && len >= sizeof(one->peer)) {
        memcpy(&one->peer, value, sizeof(one->peer));
    } else if (type == UNIX_DIAG_RQLEN && one->listens && len >= sizeof(queue)) {
        memcpy(&queue, value, sizeof(queue));
        one->waiting = queue.udiag_rqueue;
        one->backlog = queue.udiag_wqueue;
    }
}

static void add_attributes(struct peer_socket *one, const char *attributes, size_t len)
{
    struct nlattr attr;
    size_t at;

    for (at = 0; at + sizeof(attr) <= len; at += NLMSG_ALIGN(attr.nla_len)) {
        memcpy(&attr, attributes + at, sizeof(attr));
        if (attr.nla_len < sizeof(attr) || attr.nla_len > len - at)
            return;
        add_attribute(one, attr.nla_type, attributes + at + sizeof(attr),
                      attr.nla_len - sizeof(attr));
    }
}

static void report_unix(const struct reader *to, const char *body, size_t len)
{
    struct peer_socket one = {.family = AF_UNIX};
    size_t head = NLMSG_ALIGN(sizeof(struct unix_diag_msg));
    struct unix_diag_msg m;

    if (len < sizeof(m))
        return;
    memcpy(&m, body, sizeof(m));
    one.inode = m.udiag_ino;
    one.state = m.udiag_state;
    one.listens = m.udiag_state == TCP_LISTEN;
    if (len > head)
        add_attributes(&one, body + head, len - head);
    to->each(to->arg, &one);
}

static void report_socket(void *reader, const char *body, size_t len)
{
    if (*body == AF_UNIX)
        report_unix(reader, body, len);
    else if (*body == AF_INET || *body == AF_INET6)
        report_tcp(reader, body, len);
}

bool peers_read(int family, int64_t deadline,
                void (*each)(void *arg, const struct peer_socket *socket), void *arg)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } tcp = {.body = {.sdiag_family = (uint8_t)family,
                      .sdiag_protocol = IPPROTO_TCP,
                      .idiag_states = ~0U}};
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } local = {.body = {.sdiag_family = AF_UNIX,
                        .udiag_states = ~0U,
                        .udiag_show = UDIAG_SHOW_RQLEN | UDIAG_SHOW_PEER | UDIAG_SHOW_NAME}};
    struct reader to = {each, arg};

    if (family == AF_UNIX)
        return sock_diag_dump(&local, sizeof(local), ANSWER_TIMEOUT_MS, deadline, report_socket,
                              &to);
    return sock_diag_dump(&tcp, sizeof(tcp), ANSWER_TIMEOUT_MS, deadline, report_socket, &to);
}

void peers_format(char *out, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    char text[INET6_ADDRSTRLEN] = "?";

    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        snprintf(out, PEER_TEXT_SIZE, "%s:%u", text, ntohs(in->sin_port));
    } else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof(text));
        snprintf(out, PEER_TEXT_SIZE, "%s:%u", text, ntohs(in6->sin6_port));
    } else {
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        snprintf(out, PEER_TEXT_SIZE, "[%s]:%u", text, ntohs(in6->sin6_port));
    }
}
