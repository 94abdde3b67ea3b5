/* SPDX-License-Identifier: BSD-3-Clause */
#include "admission.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "credentials.h"
#include "procfs/sock_diag.h"

#define ANSWER_TIMEOUT_MS 1000
#define OVERFLOW_ID       65534
#define GROUPS_USUAL      64

bool ps_is_local_address(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

    if (address->sa_family == AF_UNIX)
        return true;
    if (address->sa_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* ---- The owner of the other end of a loopback connection ------------------------------------- */

/* One end of a TCP connection. */
struct end {
    uint32_t address[4]; /* network order; IPv4 uses the first */
    uint16_t port;       /* network order */
};

struct tcp_pair {
    int family;
    struct end ours, theirs;
};

/* The owner of a socket, as the kernel shows it. */
struct owner {
    uid_t uid;
    unsigned long inode; /* 0: no process has the socket open; in this case uid is 0, too */
};

static struct end end_of(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
    struct end e = {{0}, 0};

    if (a->ss_family == AF_INET) {
        e.address[0] = in->sin_addr.s_addr;
        e.port = in->sin_port;
    } else {
        memcpy(e.address, &in6->sin6_addr, sizeof(e.address));
        e.port = in6->sin6_port;
    }
    return e;
}

/* Asks the kernel by sock_diag for the owner of the peer's socket. Returns false if the kernel does
 * not report the owner. Seen from the peer's socket, `theirs` is the source and `ours` the
 * destination. */
static bool owner_by_diag(const struct tcp_pair *pair, struct owner *owner)
{
    struct inet_diag_sockid id = {.idiag_sport = pair->theirs.port, .idiag_dport = pair->ours.port};
    struct inet_diag_msg m;

    memcpy(id.idiag_src, pair->theirs.address, sizeof(pair->theirs.address));
    memcpy(id.idiag_dst, pair->ours.address, sizeof(pair->ours.address));
    if (sock_diag_find(pair->family, &id, ANSWER_TIMEOUT_MS, &m) != SOCK_DIAG_FOUND)
        return false;
    owner->uid = m.idiag_uid;
    owner->inode = m.idiag_inode;
    return true;
}

/* Writes one end to out as /proc/net/tcp shows it: each 32-bit word of the address as a number in
 * host byte order, then the port, both in hex. words: how many words of the address to write. */
static void format_end(char *out, size_t size, const struct end *e, int words)
{
    int i, n = 0;

    for (i = 0; i < words; i++)
        n += snprintf(out + n, size - (size_t)n, "%08" PRIX32, e->address[i]);
    snprintf(out + n, size - (size_t)n, ":%04X", ntohs(e->port));
}

/* Looks for the peer's socket in the file `path`, /proc/net/tcp or /proc/net/tcp6, and reads the
 * owner of this socket. theirs and ours: the ends as format_end() writes them. Returns false if the
 * file does not list this socket. */
static bool owner_in_file(const char *path, const char *theirs, const char *ours,
                          struct owner *owner)
{
    char line[512], local[80], remote[80];
    FILE *f = fopen(path, "re");
    bool found = false;

    if (!f)
        return false;
    while (!found && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%*s %79s %79s %*s %*s %*s %*s %u %*s %lu", local, remote, &owner->uid,
                   &owner->inode) == 4)
            found = strcmp(local, theirs) == 0 && strcmp(remote, ours) == 0;
    }
    fclose(f);
    return found;
}

/* Converts an IPv4 end to an IPv4-mapped IPv6 address (::ffff:a.b.c.d). If the peer's socket is an
 * IPv6 socket, the kernel lists it with such addresses. */
static struct end mapped(const struct end *e)
{
    return (struct end){{0, 0, htonl(0xffff), e->address[0]}, e->port};
}

static bool read_proc(const struct tcp_pair *pair, struct owner *owner)
{
    struct end ours = pair->ours, theirs = pair->theirs;
    char our_text[80], their_text[80];

    if (pair->family == AF_INET) {
        format_end(our_text, sizeof(our_text), &ours, 1);
        format_end(their_text, sizeof(their_text), &theirs, 1);
        if (owner_in_file("/proc/net/tcp", their_text, our_text, owner))
            return true;
        ours = mapped(&ours);
        theirs = mapped(&theirs);
    }
    format_end(our_text, sizeof(our_text), &ours, 4);
    format_end(their_text, sizeof(their_text), &theirs, 4);
    return owner_in_file("/proc/net/tcp6", their_text, our_text, owner);
}

/* Reads the owner from /proc twice. Returns false if the two results differ: the kernel makes the
 * list while sockets change, so the uid and the inode of a socket that is being closed can come
 * from different moments. */
static bool owner_by_proc(const struct tcp_pair *pair, struct owner *owner)
{
    struct owner again;

    return read_proc(pair, owner) && read_proc(pair, &again) && owner->uid == again.uid &&
           owner->inode == again.inode;
}

/* Stores the addresses of both ends of fd in *pair. Returns false if the peer is not on this
 * machine. */
static bool pair_of(int fd, struct tcp_pair *pair)
{
    struct sockaddr_storage ours = {0}, theirs = {0};
    socklen_t our_len = sizeof(ours), their_len = sizeof(theirs);

    if (getsockname(fd, (struct sockaddr *)&ours, &our_len) < 0 ||
        getpeername(fd, (struct sockaddr *)&theirs, &their_len) < 0)
        return false;
    if (ours.ss_family != theirs.ss_family ||
        !ps_is_local_address((const struct sockaddr *)&theirs))
        return false;
    *pair = (struct tcp_pair){ours.ss_family, end_of(&ours), end_of(&theirs)};
    return true;
}

/* True if the connection is still established. Call this after the owner of the peer's socket was
 * read. If the result is false, the owner that was read may be wrong: the kernel shows root as the
 * owner of a closed socket. */
static bool is_established(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

/* ---- The decision --------------------------------------------------------------------------- */

/* Returns the overflow id: the id that the kernel shows for all users, or all groups, without an id
 * in this user namespace. file: the file of /proc/sys that contains the overflow id. */
static unsigned overflow_id(const char *file)
{
    FILE *f = fopen(file, "re");
    unsigned id = OVERFLOW_ID;

    if (!f)
        return OVERFLOW_ID;
    if (fscanf(f, "%u", &id) != 1)
        id = OVERFLOW_ID;
    fclose(f);
    return id;
}

static uid_t overflow_uid(void)
{
    return overflow_id("/proc/sys/kernel/overflowuid");
}

static gid_t overflow_gid(void)
{
    return overflow_id("/proc/sys/kernel/overflowgid");
}

static bool refuse(char *why, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(char *why, size_t size, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(why, size, format, ap);
    va_end(ap);
    return false;
}

static bool is_allowed_user(const struct ps_allowed *allowed, uid_t uid)
{
    size_t i;

    for (i = 0; i < allowed->count; i++)
        if (allowed->users[i] == uid)
            return true;
    return false;
}

static bool has_group(const gid_t *groups, socklen_t len, gid_t group)
{
    size_t i;

    for (i = 0; i < len / sizeof(*groups); i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* True if the group is one of the peer's supplementary groups. A peer may have 65536 groups. If the
 * array on the stack is too small, getsockopt() fails with ERANGE and sets len to the size that is
 * needed. */
static bool is_in_more_groups(int fd, gid_t group)
{
    gid_t usual[GROUPS_USUAL], *all;
    socklen_t len = sizeof(usual);
    bool found;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, usual, &len) == 0)
        return has_group(usual, len, group);
    all = errno == ERANGE ? malloc(len) : NULL;
    if (!all)
        return false;
    found = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, all, &len) == 0 && has_group(all, len, group);
    free(all);
    return found;
}

/* True if the peer is in the allowed group, by its primary or a supplementary group. */
static bool is_in_group(int fd, const struct ps_allowed *allowed, const struct ucred *peer)
{
    if (!allowed->has_group || allowed->group == overflow_gid())
        return false;
    return peer->gid == allowed->group || is_in_more_groups(fd, allowed->group);
}

/* True if both gids belong to the same group. The overflow gid may stand for many groups. So if
 * both gids are the overflow gid, they count as the same group only if every gid exists in this
 * user namespace. */
static bool is_same_group(gid_t one, gid_t other)
{
    return one == other && (one != overflow_gid() || ps_every_gid_has_a_number());
}

/* The end of each message that says why a peer with the program's uid is refused. */
#define OTHERS_ONLY "; only root and allow_users are admitted"

/* True if each uid of the program (real, effective and saved, of all threads) is `uid`, and all
 * gids of the program are equal. Otherwise fills why and returns false. */
static bool is_all_of(uid_t uid, const struct ps_credentials *program, char *why, size_t size)
{
    if (program->uids.low != uid || program->uids.high != uid)
        return refuse(
            why, size,
            "the peer belongs to uid %u, and the program has uids from %u to %u" OTHERS_ONLY, uid,
            program->uids.low, program->uids.high);
    if (program->gids.low != program->gids.high)
        return refuse(
            why, size,
            "the peer belongs to uid %u, and the program has gids from %u to %u" OTHERS_ONLY, uid,
            program->gids.low, program->gids.high);
    return true;
}

/* True if the peer of a Unix socket has the program's gid and all of the program's capabilities.
 * Otherwise fills why and returns false. */
static bool has_rights_of(const struct ps_credentials *program, int fd, const struct ucred *peer,
                          char *why, size_t size)
{
    uint64_t theirs = 0;

    if (!is_same_group(peer->gid, program->gids.low))
        return refuse(
            why, size,
            "the peer belongs to uid %u and gid %u, and the program has gid %u" OTHERS_ONLY,
            peer->uid, peer->gid, program->gids.low);
    if (program->capabilities != 0 && !ps_capabilities_of_peer(fd, peer->uid, &theirs))
        theirs = 0;
    if (program->capabilities & ~theirs)
        return refuse(why, size,
                      "the peer belongs to uid %u and lacks capabilities of the program "
                      "(%" PRIx64 ")" OTHERS_ONLY,
                      peer->uid, program->capabilities & ~theirs);
    return true;
}

/* Decides whether the peer is admitted as the program's own user. Applies the kernel's rule for
 * ptrace: an admitted client can do all that the program can do, so the client's user must have
 * these rights already. The decision remains correct after the client is admitted: a program with
 * one uid (real, effective and saved) and without capabilities cannot become another user.
 * unix_peer is NULL over TCP, where only the peer's uid is known. */
static bool admit_own(int fd, uid_t uid, const struct ucred *unix_peer, char *why, size_t size)
{
    struct ps_credentials program;

    /* The uid is checked first, so that other users cannot make the server read files for each
     * thread. */
    if (uid != geteuid())
        return refuse(why, size, "the peer belongs to uid %u", uid);
    if (!ps_credentials_of_program(&program))
        return refuse(why, size,
                      "the peer belongs to uid %u, and the rights of the program cannot be read "
                      "from /proc" OTHERS_ONLY,
                      uid);
    if (!is_all_of(uid, &program, why, size))
        return false;
    if (unix_peer)
        return has_rights_of(&program, fd, unix_peer, why, size);
    if (program.capabilities != 0)
        return refuse(why, size,
                      "the peer belongs to uid %u, and the program has capabilities (%" PRIx64
                      ")" OTHERS_ONLY,
                      uid, program.capabilities);
    return true;
}

/* Decides by the table in the comment of ps_admit() in admission.h. */
static bool admit(int fd, const struct ps_allowed *allowed, uid_t uid,
                  const struct ucred *unix_peer, char *why, size_t size)
{
    if (uid == overflow_uid())
        return refuse(why, size, "the peer's user has no id in this user namespace");
    if (uid == 0 || is_allowed_user(allowed, uid))
        return true;
    if (unix_peer && is_in_group(fd, allowed, unix_peer))
        return true;
    return admit_own(fd, uid, unix_peer, why, size);
}

static bool admit_unix(int fd, const struct ps_allowed *allowed, struct ps_peer *who, char *why,
                       size_t size)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return refuse(why, size, "the kernel does not report the peer's user");
    *who = (struct ps_peer){true, peer.uid};
    return admit(fd, allowed, peer.uid, &peer, why, size);
}

static bool admit_tcp(int fd, const struct ps_allowed *allowed, struct ps_peer *who, char *why,
                      size_t size)
{
    struct tcp_pair pair;
    struct owner owner;

    if (!pair_of(fd, &pair))
        return refuse(why, size, "the peer is not on the loopback interface");
    if (!owner_by_diag(&pair, &owner) && !owner_by_proc(&pair, &owner))
        return refuse(why, size, "the kernel does not report the peer's user");
    if (owner.inode == 0 || !is_established(fd))
        return refuse(why, size, "the peer has already closed the connection");
    *who = (struct ps_peer){true, owner.uid};
    return admit(fd, allowed, owner.uid, NULL, why, size);
}

bool ps_admit(int fd, const struct ps_allowed *allowed, struct ps_peer *who, char *why,
              size_t why_size)
{
    struct sockaddr_storage ours = {0};
    socklen_t len = sizeof(ours);

    *who = (struct ps_peer){0};
    if (getsockname(fd, (struct sockaddr *)&ours, &len) < 0)
        return refuse(why, why_size, "the connection has no address");
    if (ours.ss_family == AF_UNIX)
        return admit_unix(fd, allowed, who, why, why_size);
    return admit_tcp(fd, allowed, who, why, why_size);
}
