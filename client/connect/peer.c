/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "color.h"
#include "procfs/clock.h"
#include "set_error.h"
#include "process.h"
#include "connect/sockets.h"
#include "text.h"
#include "user.h"

/* How long to wait for the server to accept, in ms. After this time, the owner of the listening
 * socket counts as the owner of the server. */
#define ACCEPT_MS 200

#define WHERE_SIZE 160

/* The facts about the other end of a connection. */
struct peer {
    enum { PEER_KNOWN, PEER_UNKNOWN, PEER_REMOTE, PEER_GONE } kind;
    uid_t user;
    unsigned long inode; /* TCP: the socket that accept() returned, or the listening socket */
    pid_t pid;           /* Unix: the process that called listen(); 0: not known */
    uid_t listener;      /* Unix: the user of that process when it called listen() */
};

/* ---- Finding out ----------------------------------------------------------------------------- */

/* Finds out which process and user is at the other end of a Unix socket. The kernel tells which
 * process called listen(), and its user at that time. If that user was root or the client's own
 * user, the server belongs to the user that the process has now, since the process may have changed
 * its user. Otherwise the server belongs to the user at the time of listen(), and not to the
 * present user of the process, because another process may have got the pid since. */
static struct peer identify_unix(int fd)
{
    struct peer peer = {.kind = PEER_UNKNOWN};
    struct ucred who;
    socklen_t len = sizeof(who);
    uid_t now;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return peer;
    peer = (struct peer){PEER_KNOWN, .user = who.uid, .pid = who.pid, .listener = who.uid};
    now = who.pid > 0 ? process_user(who.pid) : SOCKETS_NO_USER;
    if ((who.uid == 0 || who.uid == geteuid()) && now != SOCKETS_NO_USER)
        peer.user = now;
    return peer;
}

static bool is_established(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

/* The state of the socket at the other end of a TCP connection. */
enum found {
    FOUND_ACCEPTED,
    FOUND_WAITING, /* no process has accepted the connection yet */
    FOUND_CLOSED,  /* the server closed the connection */
    FOUND_NOTHING  /* the socket is not in this network namespace */
};

static enum found find_end(int fd, const struct sockaddr_storage *theirs,
                           const struct sockaddr_storage *ours, struct socket_owner *out)
{
    int64_t deadline = clock_ms() + ACCEPT_MS;
    int pause_ms = 1;
    bool found;

    for (;;) {
        found = sockets_owner(out, theirs, ours);
        if (found && out->inode != 0)
            return FOUND_ACCEPTED;
        if (!is_established(fd))
            return FOUND_CLOSED;
        if (!found)
            return FOUND_NOTHING;
        if (clock_ms() >= deadline)
            return FOUND_WAITING;
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms < 16 ? pause_ms * 2 : pause_ms;
    }
}

/* Turns an IPv4-mapped IPv6 address (::ffff:127.0.0.1) into the IPv4 address. The kernel lists the
 * socket of an IPv4 server with the IPv4 address, even if the client's socket is an IPv6 socket. */
static void unmap(struct sockaddr_storage *address)
{
    const struct sockaddr_in6 in6 = *(struct sockaddr_in6 *)address;
    struct sockaddr_in *in = (struct sockaddr_in *)address;

    if (address->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = in6.sin6_port};
    memcpy(&in->sin_addr, &in6.sin6_addr.s6_addr[12], sizeof(in->sin_addr));
}

/* Finds the socket that accept() returned to the server of a TCP connection, and the socket's user.
 * If the server has not accepted the connection yet, or has closed it, finds the listening socket
 * instead. Does not search for a listening socket if the server is on another machine: a local
 * socket that listens on the same address and port would be a different server. */
static struct peer identify_tcp(int fd)
{
    struct sockaddr_storage ours = {0}, theirs = {0}, none = {0};
    socklen_t our_len = sizeof(ours), their_len = sizeof(theirs);
    struct socket_owner owner;
    enum found found;
    bool is_near;

    if (getsockname(fd, (struct sockaddr *)&ours, &our_len) < 0 ||
        getpeername(fd, (struct sockaddr *)&theirs, &their_len) < 0)
        return (struct peer){.kind = PEER_GONE};
    unmap(&ours);
    unmap(&theirs);
    is_near =
        sockets_is_loopback((struct sockaddr *)&theirs) || sockets_is_same_host(&ours, &theirs);
    found = find_end(fd, &theirs, &ours, &owner);
    if (found == FOUND_NOTHING)
        return (struct peer){.kind = is_near ? PEER_UNKNOWN : PEER_REMOTE};
    if (found == FOUND_ACCEPTED || ((found == FOUND_WAITING || is_near) &&
                                    sockets_owner(&owner, &theirs, &none) && owner.inode != 0))
        return (struct peer){PEER_KNOWN, .user = owner.user, .inode = owner.inode};
    return (struct peer){.kind = found == FOUND_CLOSED ? PEER_GONE : PEER_UNKNOWN};
}

static struct peer identify(int fd)
{
    struct sockaddr_storage ours = {0};
    socklen_t len = sizeof(ours);

    if (getsockname(fd, (struct sockaddr *)&ours, &len) < 0)
        return (struct peer){.kind = PEER_UNKNOWN};
    return ours.ss_family == AF_UNIX ? identify_unix(fd) : identify_tcp(fd);
}

bool peer_is_process(int fd, pid_t pid)
{
    struct peer peer = identify(fd);

    if (peer.kind != PEER_KNOWN || pid <= 0)
        return false;
    return peer.inode ? process_has_socket(pid, pid, peer.inode) == PROCESS_HAS : peer.pid == pid;
}

/* ---- Deciding -------------------------------------------------------------------------------- */

/* True if the connection leads to the process that the user named. */
static bool is_of_process(const struct peer *peer, const struct address *address)
{
    enum process_has has;

    if (peer->kind != PEER_KNOWN)
        return false;
    if (address->path)
        return (peer->pid == address->pid || peer->pid == 0) &&
               (peer->listener == address->user || peer->listener == 0);
    if (peer->inode == address->inode) /* the listening socket, whose owner find.c has checked */
        return true;
    has = process_has_socket(address->pid, address->tid, peer->inode);
    if (has == PROCESS_UNKNOWN)
        return peer->user == address->user && !user_is_anyone(peer->user);
    return has == PROCESS_HAS;
}

static int check_process(const struct peer *peer, const struct address *address, const char *where,
                         struct rpyc_error *err)
{
    if (is_of_process(peer, address))
        return 0;
    return set_error(err, RPYC_EINVAL,
                     "%s is not a server of process %d: another process listens on this "
                     "address",
                     where, (int)address->pid);
}

/* With --server-user USER: checks that the server belongs to this user. */
static int check_user(const struct peer *peer, const struct trust *trust, const char *where,
                      struct rpyc_error *err)
{
    if (peer->kind == PEER_REMOTE)
        return set_error(err, RPYC_EINVAL,
                         "%s is on another machine: --server-user cannot be checked over the "
                         "network",
                         where);
    if (peer->kind == PEER_UNKNOWN)
        return set_error(
            err, RPYC_EINVAL,
            "cannot find out which user the server %s belongs to, so --server-user cannot be "
            "checked",
            where);
    if (peer->user == trust->user)
        return 0;
    return set_error(err, RPYC_EINVAL, "%s is a server of %s: --server-user accepts only %s", where,
                     user_describe(peer->user).text, user_describe(trust->user).text);
}

/* Prints a warning that the server belongs to another user, or that its user is not known. If the
 * last warning was about the same user, prints nothing, because the client may connect several
 * times. */
static void warn(const struct peer *peer, const char *where)
{
    static struct peer warned = {.kind = PEER_REMOTE};
    char line[WHERE_SIZE + sizeof(struct user_name) + 64];

    if (warned.kind == peer->kind && warned.user == peer->user)
        return;
    warned = *peer;
    if (peer->kind == PEER_KNOWN)
        snprintf(line, sizeof(line), "pystuck: %s is a server of %s", where,
                 user_describe(peer->user).text);
    else
        snprintf(line, sizeof(line), "pystuck: cannot find out which user the server %s belongs to",
                 where);
    fputs(color_begin(stderr, COLOR_ERROR), stderr);
    text_print(stderr, line, strlen(line));
    fprintf(stderr, "%s\n", color_end(stderr));
}

/* Without --server-user USER: accepts servers of the client's own user, servers of root, and
 * servers on other machines. If the server belongs to another or an unknown user:
 *   - If the client runs as root without --server-user any, refuses the server.
 *   - Otherwise, accepts the server and prints a warning. */
static int check_address(const struct peer *peer, const struct trust *trust, const char *where,
                         struct rpyc_error *err)
{
    bool is_known = peer->kind == PEER_KNOWN;

    if (peer->kind == PEER_REMOTE || (is_known && (peer->user == geteuid() || peer->user == 0)))
        return 0;
    if (geteuid() != 0 || trust->anyone) {
        warn(peer, where);
        return 0;
    }
    if (!is_known)
        set_error(
            err, RPYC_EINVAL,
            "cannot find out which user the server %s belongs to: to connect nevertheless, root "
            "must pass --server-user any",
            where);
    else
        set_error(err, RPYC_EINVAL,
                  "%s is a server of %s: root must pass --server-user %s to connect", where,
                  user_describe(peer->user).text, user_argument(peer->user).text);
    err->sys_errno = EACCES; /* see peer_is_refused */
    return -1;
}

bool peer_is_refused(const struct rpyc_error *err)
{
    return err->code == RPYC_EINVAL && err->sys_errno == EACCES;
}

int peer_check(int fd, void *data, struct rpyc_error *err)
{
    static const struct trust none;
    const struct address *address = data;
    const struct trust *trust = address->trust ? address->trust : &none;
    struct peer peer = identify(fd);
    char where[WHERE_SIZE];

    if (peer.kind == PEER_GONE)
        return set_error(err, RPYC_ECLOSED, "the server closed the connection at once");
    address_describe(where, sizeof(where), address);
    if (address->pid != 0 && check_process(&peer, address, where, err) < 0)
        return -1;
    if (peer.kind == PEER_KNOWN && user_is_anyone(peer.user))
        peer.kind = PEER_UNKNOWN;
    if (trust->has_user)
        return check_user(&peer, trust, where, err);
    return address->pid != 0 ? 0 : check_address(&peer, trust, where, err);
}
