/* SPDX-License-Identifier: BSD-3-Clause */
#include "find.h"

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

#include "sockets.h"
#include "text.h"

#define LISTENER_NAME  "pystuck:"
#define INODE_BASE     36
#define PROC_PATH_SIZE 96
#define COMMAND_MAX    65536 /* bytes that are read of a command line */
#define COMMAND_SHOWN  60    /* columns of it in a sentence */

/* ---- Files of /proc -------------------------------------------------------------------------- */

/* Reads a file, or what of it fits, into a string. How long that is, or -1. */
static ssize_t read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return -1;
    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    out[len] = '\0';
    return (ssize_t)len;
}

/* A field of a stat file: 3 is the state. What is before it, a name, may contain anything. */
static const char *stat_field(char *stat, int number)
{
    char *field = strrchr(stat, ')');

    for (int i = 2; field && i < number; i++) {
        field = strchr(field, ' ');
        field = field ? field + 1 : NULL;
    }
    return field ? field : "";
}

/* When a thread was started. */
static time_t started(pid_t pid, pid_t tid)
{
    char path[PROC_PATH_SIZE], text[1024];
    struct timespec since_boot;
    long ticks = sysconf(_SC_CLK_TCK);

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
    if (read_file(path, text, sizeof(text)) < 0 || ticks <= 0)
        return 0;
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return time(NULL) - since_boot.tv_sec +
           (time_t)(strtoull(stat_field(text, 22), NULL, 10) / (unsigned long)ticks);
}

bool find_is_stopped(pid_t pid)
{
    char path[PROC_PATH_SIZE], text[1024];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_file(path, text, sizeof(text)) < 0)
        return false;
    return tolower((unsigned char)stat_field(text, 3)[0]) == 't';
}

/* As whom a process acts: its effective user. */
static uid_t user_of(pid_t pid)
{
    char path[PROC_PATH_SIZE], text[4096];
    const char *line;
    unsigned user;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (read_file(path, text, sizeof(text)) < 0)
        return SOCKETS_NOBODY;
    line = strstr(text, "\nUid:");
    return line && sscanf(line, "\nUid: %*u %u", &user) == 1 ? user : SOCKETS_NOBODY;
}

/* The command line: its words with blanks in between. A process that has none (it is about to end)
 * has a name. NULL: out of memory. */
static char *command_of(pid_t pid)
{
    char path[PROC_PATH_SIZE], name[64] = "", *text = malloc(COMMAND_MAX), *shorter;
    ssize_t len;

    if (!text)
        return NULL;
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    len = read_file(path, text, COMMAND_MAX);
    while (len > 0 && text[len - 1] == '\0')
        len--;
    if (len <= 0) {
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        read_file(path, name, sizeof(name));
        name[strcspn(name, "\n")] = '\0';
        len = snprintf(text, COMMAND_MAX, "[%s]", name);
    }
    for (ssize_t i = 0; i < len; i++)
        if (strchr("\t\n\v\f\r", text[i])) /* and the zeros between the words */
            text[i] = ' ';
    text[len] = '\0';
    shorter = realloc(text, (size_t)len + 1);
    return shorter ? shorter : text;
}

/* ---- Looking --------------------------------------------------------------------------------- */

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

    one->command = command_of(one->pid);
    one->user = user_of(one->pid);
    one->since = started(one->pid, one->tid);
    longer = reallocarray(to->all, to->count + 1, sizeof(*longer));
    if (longer)
        to->all = longer;
    if (!longer || !one->command) {
        free(one->command);
        return;
    }
    to->all[to->count++] = *one;
}

/* Looks at one thread. One that the listener has started is still called like it for a moment. */
static void look_at_thread(struct servers *to, pid_t pid, pid_t tid)
{
    struct server one = {.pid = pid, .tid = tid};
    char path[PROC_PATH_SIZE], name[64];

    snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)pid, (int)tid);
    if (read_file(path, name, sizeof(name)) < 0 ||
        strncmp(name, LISTENER_NAME, strlen(LISTENER_NAME)) != 0)
        return;
    one.inode = strtoul(name + strlen(LISTENER_NAME), NULL, INODE_BASE);
    if (!is_known(to, &one))
        add(to, &one);
}

/* The number that a folder of /proc is called by; 0: none. */
static pid_t number_of(const struct dirent *entry)
{
    return isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;
}

/* Looks at all threads of a process. */
static void look_into(struct servers *to, pid_t pid)
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
            look_at_thread(to, pid, number_of(entry));
    closedir(threads);
}

/* Finds the addresses: in our own tables, or else in those of the process's network namespace,
 * which is another one then. */
static void look_up(struct servers *servers)
{
    const struct listening *found;
    struct sockets ours, theirs;
    char folder[PROC_PATH_SIZE];
    struct server *s;

    if (servers->count == 0)
        return;
    sockets_read(&ours, "/proc/self/net");
    for (s = servers->all; s < servers->all + servers->count; s++) {
        theirs = (struct sockets){0};
        found = sockets_find(&ours, s->inode);
        if (!found) {
            snprintf(folder, sizeof(folder), "/proc/%d/task/%d/net", (int)s->pid, (int)s->tid);
            sockets_read(&theirs, folder);
            found = sockets_find(&theirs, s->inode);
            s->other_network = found;
        }
        s->has_address = found;
        if (found)
            s->address = found->address;
        sockets_free(&theirs);
    }
    sockets_free(&ours);
}

void find_all(struct servers *out)
{
    DIR *processes = opendir("/proc");
    struct dirent *entry;

    *out = (struct servers){0};
    if (!processes)
        return;
    while ((entry = readdir(processes)))
        if (number_of(entry) > 0)
            look_into(out, number_of(entry));
    closedir(processes);
    look_up(out);
}

/* Says why nothing was found in a process. Always -1. */
static int none_in(pid_t pid, struct rpyc_error *err)
{
    char path[PROC_PATH_SIZE], *command;

    if (kill(pid, 0) < 0 && errno == ESRCH)
        return place_error(err, RPYC_EINVAL, "there is no process %d", (int)pid);
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    if (access(path, R_OK | X_OK) < 0)
        return place_error(
            err, RPYC_EINVAL,
            "process %d is hidden here (hidepid): only root and its own user can see "
            "whether it has a server",
            (int)pid);
    command = command_of(pid);
    if (!command)
        return place_error(err, RPYC_ENOMEM, "out of memory");
    place_error(err, RPYC_EINVAL,
                "process %d (%.*s) has no server: it has to run "
                "'import pystuck; pystuck.run_server()'",
                (int)pid, find_brief(command), command);
    free(command);
    return -1;
}

int find_of_process(struct servers *out, pid_t pid, struct rpyc_error *err)
{
    *out = (struct servers){0};
    look_into(out, pid);
    look_up(out);
    if (out->count == 0)
        return none_in(pid, err);
    for (size_t i = 0; i < out->count; i++)
        if (out->all[i].has_address)
            return 0;
    return place_error(
        err, RPYC_EINVAL,
        "process %d has a server, but the kernel's tables do not say where it listens", (int)pid);
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

/* ---- Places ---------------------------------------------------------------------------------- */

void find_place(struct place *out, struct place_text *text, const struct server *server)
{
    place_of(out, text, &server->address);
    out->pid = server->pid;
    out->tid = server->tid;
    out->other_network = server->other_network;
}

static const struct server *find_address(const struct servers *servers,
                                         const struct sockaddr *address)
{
    const struct server *s;

    for (s = servers->all; s < servers->all + servers->count; s++)
        if (s->has_address && !s->other_network && sockets_is_at(&s->address, address))
            return s;
    return NULL;
}

const struct server *find_at(const struct servers *servers, const struct place *place)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *a;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const struct server *found = NULL;

    if (servers->count == 0)
        return NULL;
    if (place->path) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", place->path);
        return find_address(servers, (struct sockaddr *)&un);
    }
    if (getaddrinfo(place->host, place->port, &hints, &list) != 0)
        return NULL;
    for (a = list; a && !found; a = a->ai_next)
        found = find_address(servers, a->ai_addr);
    freeaddrinfo(list);
    return found;
}
