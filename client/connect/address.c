/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "set_error.h"
#include "connect/peer.h"

/* Since Linux 5.6; headers that are older do without. */
#if defined SYS_openat2 && defined __has_include
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#define HAVE_OPENAT2
#endif
#endif

#define PROC_PATH_SIZE 64

void address_of_socket(struct address *out, struct address_text *text,
                       const struct sockaddr_storage *address)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    struct in_addr ip = in->sin_addr;
    struct in6_addr ip6 = in6->sin6_addr;

    *out = (struct address){.host = text->host, .port = text->port};
    if (address->ss_family == AF_UNIX) {
        snprintf(text->path, sizeof(text->path), "%s",
                 ((const struct sockaddr_un *)address)->sun_path);
        out->path = text->path;
    } else if (address->ss_family == AF_INET) {
        if (ip.s_addr == htonl(INADDR_ANY))
            ip.s_addr = htonl(INADDR_LOOPBACK);
        inet_ntop(AF_INET, &ip, text->host, sizeof(text->host));
    } else {
        if (IN6_IS_ADDR_UNSPECIFIED(&ip6))
            ip6 = in6addr_loopback;
        inet_ntop(AF_INET6, &ip6, text->host, sizeof(text->host));
    }
    snprintf(text->port, sizeof(text->port), "%u", /* at the same place in both */
             (unsigned)ntohs(in->sin_port));
}

void address_describe(char *out, size_t size, const struct address *place)
{
    if (place->path)
        snprintf(out, size, "%s", place->path);
    else
        snprintf(out, size, "%s port %s", place->host, place->port);
}

void address_as_target(char *out, size_t size, const struct address *place)
{
    if (place->path)
        snprintf(out, size, "unix:%s", place->path);
    else
        snprintf(out, size, strchr(place->host, ':') ? "[%s]:%s" : "%s:%s", place->host,
                 place->port);
}

/* ---- Other namespaces ------------------------------------------------------------------------ */

/* While we are elsewhere: what leads back, and what has to be closed. */
struct visit {
    int home;                  /* our network namespace, or -1: we are in it */
    int file;                  /* the socket's file, or -1 */
    char path[PROC_PATH_SIZE]; /* that leads to file */
};

#define VISIT_INIT                                                                                 \
    {                                                                                              \
        .home = -1, .file = -1                                                                     \
    }
#define CLEAN_VISIT __attribute__((cleanup(come_back)))

static void come_back(struct visit *v)
{
    if (v->home >= 0) {
        (void)!setns(v->home, CLONE_NEWNET);
        close(v->home);
    }
    if (v->file >= 0)
        close(v->file);
}

static int open_of(const struct address *place, const char *name, int flags)
{
    char path[PROC_PATH_SIZE];

    snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)place->pid, (int)place->tid, name);
    return open(path, flags | O_CLOEXEC);
}

static int enter_network(struct visit *v, const struct address *place, struct rpyc_error *err)
{
    int there = open_of(place, "ns/net", O_RDONLY), result = -1, why;

    if (there >= 0) {
        v->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        result = v->home < 0 ? -1 : setns(there, CLONE_NEWNET);
    }
    why = errno;
    if (there >= 0)
        close(there);
    if (result == 0)
        return 0;
    if (why == EACCES || why == EPERM)
        return set_error(err, RPYC_EINVAL,
                         "process %d is in a network namespace of its own (a container, say), "
                         "which only root can enter",
                         (int)place->pid);
    return set_error(err, RPYC_EINVAL, "cannot enter the network namespace of process %d: %s",
                     (int)place->pid, strerror(why));
}

/* Whether a process sees the same files as we do. Where we may not ask, we could not go there
 * either. */
static bool has_our_files(const struct address *place)
{
    struct stat ours[2], theirs[2];
    char path[2][PROC_PATH_SIZE];

    snprintf(path[0], sizeof(path[0]), "/proc/%d/task/%d/ns/mnt", (int)place->pid, (int)place->tid);
    snprintf(path[1], sizeof(path[1]), "/proc/%d/task/%d/root", (int)place->pid, (int)place->tid);
    if (stat(path[0], &theirs[0]) < 0 || stat(path[1], &theirs[1]) < 0 ||
        stat("/proc/self/ns/mnt", &ours[0]) < 0 || stat("/", &ours[1]) < 0)
        return true;
    return theirs[0].st_ino == ours[0].st_ino && theirs[1].st_ino == ours[1].st_ino &&
           theirs[1].st_dev == ours[1].st_dev;
}

/* Opens a file beneath a folder, which links with absolute paths do not leave if it is a root. */
static int open_beneath(int folder, const char *path, bool is_root)
{
#ifdef HAVE_OPENAT2
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = is_root ? RESOLVE_IN_ROOT : 0};
    long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));

    if (fd >= 0 || errno != ENOSYS)
        return (int)fd;
#endif
    return openat(folder, path + is_root, O_PATH | O_CLOEXEC);
}

/* Opens the file of a socket as that process sees it. What the visit's path leads to may then be
 * connected to, however long the path is. */
static int find_file(struct visit *v, const struct address *place)
{
    bool is_absolute = place->path[0] == '/';
    int folder;

    if (place->path[0] == '@' || (is_absolute && has_our_files(place)))
        return 0;
    folder = open_of(place, is_absolute ? "root" : "cwd", O_PATH | O_DIRECTORY);
    if (folder < 0)
        return -1;
    v->file = open_beneath(folder, place->path, is_absolute);
    close(folder);
    if (v->file < 0)
        return -1;
    snprintf(v->path, sizeof(v->path), "/proc/self/fd/%d", v->file);
    return 0;
}

/* Goes where the place is, if that is not here. */
static int go(struct visit *v, const struct address *place, struct rpyc_error *err)
{
    if (place->pid == 0)
        return 0;
    if (place->path && find_file(v, place) < 0)
        return set_error(err, RPYC_EINVAL, "cannot get at %s, a socket of process %d: %s",
                         place->path, (int)place->pid, strerror(errno));
    if (place->other_network && (!place->path || place->path[0] == '@'))
        return enter_network(v, place, err);
    return 0;
}

static const char *path_to(const struct visit *v, const struct address *place)
{
    return v->file >= 0 ? v->path : place->path;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

int address_connect(rpyc_conn **out, const struct address *place, const struct rpyc_options *how,
                    struct rpyc_error *err)
{
    struct visit visit CLEAN_VISIT = VISIT_INIT;
    struct rpyc_options checked = *how;

    checked.check = peer_check;
    checked.check_data = (void *)place;
    if (go(&visit, place, err) < 0)
        return -1;
    if (place->path)
        return rpyc_connect_unix(out, path_to(&visit, place), &checked, err);
    return rpyc_connect_tcp(out, place->host, place->port, &checked, err);
}

static bool is_connected(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(int);
    int why = 0;

    return errno == EINPROGRESS && poll(&wait, 1, timeout_ms) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 && why == 0;
}

static int open_address(const struct sockaddr *address, socklen_t len, int timeout_ms)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, address, len) == 0 || is_connected(fd, timeout_ms))
        return fd;
    close(fd);
    return -1;
}

static int open_unix(const char *path, int timeout_ms)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len >= sizeof(un.sun_path))
        return -1;
    memcpy(un.sun_path, path, len);
    len += offsetof(struct sockaddr_un, sun_path) + 1;
    if (path[0] == '@') {
        un.sun_path[0] = '\0';
        len--;
    }
    return open_address((struct sockaddr *)&un, (socklen_t)len, timeout_ms);
}

static int open_tcp(const char *host, const char *port, int timeout_ms)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *a;
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (a = list; a && fd < 0; a = a->ai_next)
        fd = open_address(a->ai_addr, a->ai_addrlen, timeout_ms);
    freeaddrinfo(list);
    return fd;
}

int address_open(const struct address *place, int timeout_ms)
{
    struct visit visit CLEAN_VISIT = VISIT_INIT;
    struct rpyc_error unused = RPYC_ERROR_INIT;
    int fd;

    if (go(&visit, place, &unused) < 0)
        return -1;
    fd = place->path ? open_unix(path_to(&visit, place), timeout_ms)
                     : open_tcp(place->host, place->port, timeout_ms);
    if (fd < 0 || peer_check(fd, (void *)place, &unused) == 0)
        return fd;
    close(fd);
    return -1;
}
