/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/sock_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "procfs/clock.h"

#define DATAGRAM_SIZE 32768 /* the kernel puts at most this into one datagram */

/* Sends a request to the kernel. Returns the socket from which to read the answer, or -1. */
static int ask(const void *request, size_t len, int timeout_ms)
{
    struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000L};
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

/* Receives one datagram from the kernel. Returns its length, or -1. */
static ssize_t receive(int fd, void *out, size_t size)
{
    struct sockaddr_nl from = {0};
    socklen_t from_len = sizeof(from);
    ssize_t n;

    do
        n = recvfrom(fd, out, size, MSG_TRUNC, (struct sockaddr *)&from, &from_len);
    while (n < 0 && errno == EINTR);
    return n >= 0 && (size_t)n <= size && from.nl_pid == 0 ? n : -1; /* pid 0 is the kernel */
}

enum sock_diag_state sock_diag_parse(const void *datagram, size_t len, sock_diag_fn each, void *arg)
{
    const char *bytes = datagram;
    struct nlmsghdr head;
    size_t at;

    for (at = 0; at + sizeof(head) <= len; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, bytes + at, sizeof(head));
        if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
            return SOCK_DIAG_FAILED;
        if (head.nlmsg_type == NLMSG_DONE)
            return SOCK_DIAG_DONE;
        if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || head.nlmsg_len <= NLMSG_HDRLEN)
            return SOCK_DIAG_FAILED; /* an error message, such as NLMSG_ERROR */
        each(arg, bytes + at + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
    }
    return SOCK_DIAG_MORE;
}

bool sock_diag_dump(void *request, size_t len, int timeout_ms, int64_t deadline, sock_diag_fn each,
                    void *arg)
{
    union {
        struct nlmsghdr head;
        char bytes[DATAGRAM_SIZE];
    } answer;
    enum sock_diag_state state = SOCK_DIAG_MORE;
    ssize_t n;
    int fd;

    *(struct nlmsghdr *)request = (struct nlmsghdr){.nlmsg_len = (uint32_t)len,
                                                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
    fd = ask(request, len, timeout_ms);
    if (fd < 0)
        return false;
    while (state == SOCK_DIAG_MORE && clock_ms() < deadline) {
        n = receive(fd, &answer, sizeof(answer));
        state = n > 0 ? sock_diag_parse(&answer, (size_t)n, each, arg) : SOCK_DIAG_FAILED;
    }
    close(fd);
    return state == SOCK_DIAG_DONE;
}

/* Reads the answer to a request for one socket. If the connection does not exist, the kernel
 * answers with the socket that listens at the source address. So the ports in the answer are
 * compared with the ports in *id. The kernel's error ENOENT is not reliable: it can also mean that
 * the module tcp_diag is missing. */
static enum sock_diag_found read_one(int fd, const struct inet_diag_sockid *id,
                                     struct inet_diag_msg *out)
{
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } answer;
    ssize_t n = receive(fd, &answer, sizeof(answer));

    if (n < (ssize_t)NLMSG_LENGTH(sizeof(*out)) || !NLMSG_OK(&answer.head, (size_t)n) ||
        answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return SOCK_DIAG_UNKNOWN;
    memcpy(out, NLMSG_DATA(&answer.head), sizeof(*out));
    if (out->id.idiag_sport != id->idiag_sport || out->id.idiag_dport != id->idiag_dport)
        return SOCK_DIAG_NOT_FOUND;
    return SOCK_DIAG_FOUND;
}

enum sock_diag_found sock_diag_find(int family, struct inet_diag_sockid *id, int timeout_ms,
                                    struct inet_diag_msg *out)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = ~0U},
    };
    enum sock_diag_found found;
    int fd;

    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    request.body.id = *id;
    fd = ask(&request, sizeof(request), timeout_ms);
    if (fd < 0)
        return SOCK_DIAG_UNKNOWN;
    found = read_one(fd, id, out);
    close(fd);
    return found;
}

void sock_diag_address(struct sockaddr_storage *out, int family, const uint32_t *address,
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
