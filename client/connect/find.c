/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "set_error.h"
#include "process.h"
#include "procfs/read.h"
#include "connect/sockets.h"
#include "text.h"
#include "user.h"

#define LISTENER_NAME  "pystuck:"
#define INODE_BASE     36
#define PROC_PATH_SIZE 96
#define COMMAND_SHOWN  60 /* columns of a command line in a sentence */

/* ---- Processes ------------------------------------------------------------------------------- */

static bool is_known(const struct servers *servers, const struct server *one)
{
    for (size_t i = 0; i < servers->count; i++)
        if (servers->all[i].pid == one->pid && servers->all[i].inode == one->inode)
            return true;
    return false;
}

static void add(struct servers *to, struct server *one)
{
    struct server *longer;

    one->command = process_command(one->pid);
    one->user = process_user(one->pid);
    one->since = process_started(one->pid, one->tid);
    longer = reallocarray(to->all, to->count + 1, sizeof(*longer));
    if (longer)
        to->all = longer;
    if (!longer || !one->command) {
        free(one->command);
        return;
    }
    to->all[to->count++] = *one;
}

/* Adds the server of a thread that has the name of a listener. threads: the open folder of the
 * threads of the process. A thread that a listener has just started still has the listener's name.
 * So a second thread with the same name adds no server. */
static void add_thread(struct servers *to, pid_t pid, int threads, pid_t tid)
{
    struct server one = {.pid = pid, .tid = tid};
    char path[PROC_PATH_SIZE], name[64];
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "%d/comm", (int)tid);
    fd = openat(threads, path, O_RDONLY | O_CLOEXEC);
    len = fd >= 0 ? read(fd, name, sizeof(name) - 1) : -1;
    if (fd >= 0)
        close(fd);
    name[len > 0 ? len : 0] = '\0';
    if (strncmp(name, LISTENER_NAME, strlen(LISTENER_NAME)) != 0)
        return;
    one.inode = strtoul(name + strlen(LISTENER_NAME), NULL, INODE_BASE);
    if (!is_known(to, &one))
        add(to, &one);
}

/* Returns the number that is the name of a folder of /proc. 0: the name is not a number. */
static pid_t number_of(const struct dirent *entry)
{
    return isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;
}

/* Adds the servers of a process. If the client has no permission to read the threads of the
 * process, counts the process as hidden. */
static void add_process(struct servers *to, pid_t pid)
{
    char path[PROC_PATH_SIZE];
    struct dirent *entry;
    DIR *threads;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    threads = opendir(path);
    if (!threads) {
        to->hidden += errno == EACCES || errno == EPERM;
        return;
    }
    while ((entry = readdir(threads)))
        if (number_of(entry) > 0)
            add_thread(to, pid, dirfd(threads), number_of(entry));
    closedir(threads);
}

/* Finds the address of a server's socket in *ours, the sockets of the client's own network
 * namespace. If the socket is not in *ours, searches in the network namespace of the server's
 * thread. */
static void find_socket(struct server *s, const struct sockets *ours)
{
    struct sockets theirs = {0};
    const struct listening *found = sockets_find(ours, s->inode);
    char folder[PROC_PATH_SIZE];

    if (!found) {
        snprintf(folder, sizeof(folder), "/proc/%d/task/%d/net", (int)s->pid, (int)s->tid);
        sockets_read(&theirs, folder);
        found = sockets_find(&theirs, s->inode);
        s->other_network = found;
    }
    s->has_address = found;
    s->owner = found ? found->user : SOCKETS_NO_USER;
    if (found)
        s->address = found->address;
    sockets_free(&theirs);
}

/* True if the name of a thread of another process contains the inode of the socket of *s. */
static bool is_disputed(const struct servers *servers, const struct server *s)
{
    for (size_t i = 0; i < servers->count; i++)
        if (servers->all[i].inode == s->inode && servers->all[i].pid != s->pid)
            return true;
    return false;
}

/* Decides whether the socket whose inode is in the name of a thread belongs to the process of this
 * thread. A program can give a thread any name, so the name alone proves nothing. If the client has
 * no permission to read the descriptors of the process, it compares the user who created the socket
 * with the user of the process:
 *   - The users are equal. The socket belongs to the process.
 *   - Root created the socket. The process may have run as root at that time. The result is
 *     SERVER_IS_OWN if the process now has the client's user, else SERVER_IS_LIKELY. It is
 *     SERVER_IS_NONE if a thread of another process names the same socket.
 *   - Otherwise, the socket does not belong to the process. */
static enum server_is judge(const struct servers *servers, const struct server *s)
{
    switch (process_has_socket(s->pid, s->tid, s->inode)) {
    case PROCESS_HAS:
        return SERVER_IS_OWN;
    case PROCESS_HAS_NOT:
        return SERVER_IS_NONE;
    case PROCESS_UNKNOWN:
        break;
    }
    if (s->owner == SOCKETS_NO_USER || s->user == SOCKETS_NO_USER || user_is_anyone(s->owner))
        return SERVER_IS_NONE;
    if (s->owner == s->user)
        return SERVER_IS_OWN;
    if (s->owner != 0 || is_disputed(servers, s))
        return SERVER_IS_NONE;
    return s->user == geteuid() ? SERVER_IS_OWN : SERVER_IS_LIKELY;
}

/* Finds the addresses of the servers. Then keeps only the servers that judge() rates at least as
 * high as `least`. */
static void find_sockets(struct servers *servers, enum server_is least)
{
    struct sockets ours;
    struct server *s;
    size_t kept = 0;

    if (servers->count == 0)
        return;
    sockets_read_own(&ours);
    for (s = servers->all; s < servers->all + servers->count; s++)
        find_socket(s, &ours);
    for (s = servers->all; s < servers->all + servers->count; s++)
        s->is = judge(servers, s);
    for (s = servers->all; s < servers->all + servers->count; s++) {
        if (s->is >= least)
            servers->all[kept++] = *s;
        else
            free(s->command);
    }
    servers->dropped = servers->count - kept;
    servers->count = kept;
    sockets_free(&ours);
}

static void find(struct servers *out, enum server_is least)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;

    *out = (struct servers){0};
    if (!processes)
        return;
    while ((entry = readdir(processes)))
        if (number_of(entry) > 0)
            add_process(out, number_of(entry));
    closedir(processes);
    find_sockets(out, least);
}

void find_all(struct servers *out)
{
    find(out, SERVER_IS_OWN);
}

void find_likely(struct servers *out)
{
    find(out, SERVER_IS_LIKELY);
}

/* Fills *err with the reason why a process has no server. Returns -1. */
static int none_in(pid_t pid, struct rpyc_error *err)
{
    char path[PROC_PATH_SIZE], *command;

    if (kill(pid, 0) < 0 && errno == ESRCH)
        return set_error(err, RPYC_EINVAL, "there is no process %d", (int)pid);
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    if (access(path, R_OK | X_OK) < 0)
        return set_error(
            err, RPYC_EINVAL,
            "process %d is hidden (/proc has the option hidepid): only root and the process's user "
            "can see whether the process has a server: run 'sudo pystuck --pid %d'",
            (int)pid, (int)pid);
    command = process_command(pid);
    if (!command)
        return set_error(err, RPYC_EINVAL, "process %d has ended", (int)pid);
    set_error(err, RPYC_EINVAL,
              "process %d (%.*s) has no pystuck server: it must run "
              "'import pystuck; pystuck.run_server()'",
              (int)pid, find_brief(command), command);
    free(command);
    return -1;
}

int find_of_process(struct servers *out, pid_t pid, struct rpyc_error *err)
{
    *out = (struct servers){0};
    add_process(out, pid);
    find_sockets(out, SERVER_IS_OWN);
    if (out->count == 0 && out->dropped > 0)
        return set_error(
            err, RPYC_EINVAL,
            "process %d has no pystuck server: one of its threads is named like a server's thread, "
            "but the socket in this name belongs to another process",
            (int)pid);
    if (out->count == 0)
        return none_in(pid, err);
    for (size_t i = 0; i < out->count; i++)
        if (out->all[i].has_address)
            return 0;
    return set_error(
        err, RPYC_EINVAL,
        "process %d has a server, but the server's address is not in the kernel's list of "
        "sockets",
        (int)pid);
}

bool find_is_served(pid_t pid)
{
    struct servers found = {0};
    bool result;

    add_process(&found, pid);
    find_sockets(&found, SERVER_IS_OWN);
    result = found.count > 0;
    find_free(&found);
    return result;
}

int find_brief(const char *command)
{
    return (int)text_fitting(command, strlen(command), COMMAND_SHOWN);
}

void find_free(struct servers *servers)
{
    for (size_t i = 0; i < servers->count; i++)
        free(servers->all[i].command);
    free(servers->all);
    *servers = (struct servers){0};
}

/* ---- Addresses ------------------------------------------------------------------------------- */

void find_address(struct address *out, struct address_text *text, const struct server *server)
{
    address_of_socket(out, text, &server->address);
    out->pid = server->pid;
    out->tid = server->tid;
    out->user = server->user;
    out->inode = server->inode;
    out->other_network = server->other_network;
}

static const struct server *server_at(const struct servers *servers, const struct sockaddr *address)
{
    const struct server *s;

    for (s = servers->all; s < servers->all + servers->count; s++)
        if (s->has_address && !s->other_network && sockets_is_at(&s->address, address))
            return s;
    return NULL;
}

const struct server *find_at(const struct servers *servers, const struct address *address)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *a;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct server *found = NULL;

    if (servers->count == 0)
        return NULL;
    if (address->path) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", address->path);
        return server_at(servers, (struct sockaddr *)&un);
    }
    if (getaddrinfo(address->host, address->port, &hints, &list) != 0)
        return NULL;
    for (a = list; a && !found; a = a->ai_next)
        found = server_at(servers, a->ai_addr);
    freeaddrinfo(list);
    return found;
}
