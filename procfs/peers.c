/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "procfs/clock.h"

#define ANSWER_TIMEOUT_MS 100
#define DATAGRAM_SIZE     32768 /* the kernel puts at most this into one datagram */

typedef void (*each_socket)(void *arg, const struct peer_socket *socket);

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

static void report_tcp(const char *body, size_t len, each_socket each, void *arg)
{
    struct peer_socket one = {0};
    struct inet_diag_msg m;

    if (len < sizeof(m))
        return;
    memcpy(&m, body, sizeof(m)); /* body is only aligned to 4 bytes */
    one.inode = m.idiag_inode;
    one.family = m.idiag_family;
    one.listens = m.idiag_state == TCP_LISTEN;
    one.waiting = one.listens ? m.idiag_rqueue : 0;
    one.backlog = one.listens ? m.idiag_wqueue : 0;
    set_address(&one.local, m.idiag_family, m.id.idiag_src, m.id.idiag_sport);
    set_address(&one.remote, m.idiag_family, m.id.idiag_dst, m.id.idiag_dport);
    each(arg, &one);
}

/* Sets the queue lengths of a listening Unix socket, which are in an attribute of the message. */
static void add_queue(struct peer_socket *one, const char *attributes, size_t len)
{
    struct unix_diag_rqlen queue;
    struct nlattr attr;
    size_t at;

    for (at = 0; at + sizeof(attr) <= len; at += NLMSG_ALIGN(attr.nla_len)) {
        memcpy(&attr, attributes + at, sizeof(attr));
        if (attr.nla_len < sizeof(attr) || attr.nla_len > len - at)
            return;
        if (attr.nla_type != UNIX_DIAG_RQLEN || attr.nla_len - sizeof(attr) < sizeof(queue))
            continue;
        memcpy(&queue, attributes + at + sizeof(attr), sizeof(queue));
        one->waiting = queue.udiag_rqueue;
        one->backlog = queue.udiag_wqueue;
    }
}

static void report_unix(const char *body, size_t len, each_socket each, void *arg)
{
    struct peer_socket one = {.family = AF_UNIX};
    size_t head = NLMSG_ALIGN(sizeof(struct unix_diag_msg));
    struct unix_diag_msg m;

    if (len < sizeof(m))
        return;
    memcpy(&m, body, sizeof(m));
    one.inode = m.udiag_ino;
    one.listens = m.udiag_state == TCP_LISTEN;
    if (one.listens && len > head)
        add_queue(&one, body + head, len - head);
    each(arg, &one);
}

enum state { MORE, DONE, FAILED };

static enum state parse(const char *bytes, size_t len, each_socket each, void *arg)
{
    struct nlmsghdr head;
    const char *body;
    size_t at;

    for (at = 0; at + sizeof(head) <= len; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, bytes + at, sizeof(head));
        if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
            return FAILED;
        if (head.nlmsg_type == NLMSG_DONE)
            return DONE;
        if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || head.nlmsg_len <= NLMSG_HDRLEN)
            return FAILED; /* an error message, such as NLMSG_ERROR */
        body = bytes + at + NLMSG_HDRLEN;
        if (*body == AF_UNIX)
            report_unix(body, head.nlmsg_len - NLMSG_HDRLEN, each, arg);
        else if (*body == AF_INET || *body == AF_INET6)
            report_tcp(body, head.nlmsg_len - NLMSG_HDRLEN, each, arg);
    }
    return MORE;
}

static bool ask(int fd, int family)
{
    struct {
        struct nlmsghdr head;
        union {
            struct inet_diag_req_v2 inet;
            struct unix_diag_req local;
        } body;
    } request = {
        .head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    if (family == AF_UNIX) {
        request.body.local = (struct unix_diag_req){
            .sdiag_family = AF_UNIX, .udiag_states = ~0U, .udiag_show = UDIAG_SHOW_RQLEN};
        request.head.nlmsg_len = NLMSG_LENGTH(sizeof(request.body.local));
    } else {
        request.body.inet = (struct inet_diag_req_v2){
            .sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U};
        request.head.nlmsg_len = NLMSG_LENGTH(sizeof(request.body.inet));
    }
    return sendto(fd, &request, request.head.nlmsg_len, 0, (struct sockaddr *)&kernel,
                  sizeof(kernel)) == (ssize_t)request.head.nlmsg_len;
}

static enum state receive(int fd, each_socket each, void *arg)
{
    union {
        struct nlmsghdr head;
        char bytes[DATAGRAM_SIZE];
    } answer;
    struct sockaddr_nl from = {0};
    socklen_t from_len = sizeof(from);
    ssize_t n;

    do
        n = recvfrom(fd, &answer, sizeof(answer), MSG_TRUNC, (struct sockaddr *)&from, &from_len);
    while (n < 0 && errno == EINTR);
    if (n <= 0 || (size_t)n > sizeof(answer) || from.nl_pid != 0) /* pid 0 is the kernel */
        return FAILED;
    return parse(answer.bytes, (size_t)n, each, arg);
}

bool peers_read(int family, int64_t deadline, each_socket each, void *arg)
{
    struct timeval timeout = {.tv_usec = ANSWER_TIMEOUT_MS * 1000L};
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    enum state state = MORE;

    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    if (!ask(fd, family))
        state = FAILED;
    while (state == MORE && procfs_now_ms() < deadline)
        state = receive(fd, each, arg);
    close(fd);
    return state == DONE;
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
