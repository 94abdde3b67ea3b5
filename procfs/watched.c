/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/watched.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "procfs/read.h"

#define POLL_MAX   1024 /* a poll(2) with more descriptors is not looked at */
#define SELECT_MAX 1024 /* a select(2) with more descriptors is not looked at */

static bool is_one_of(const struct report_syscall *call, const char *const *names)
{
    for (; *names; names++) {
        if (text_is(call->name, *names))
            return true;
    }
    return false;
}

static const char *events_of(bool input, bool output)
{
    if (input && output)
        return "input and output";
    if (output)
        return "output";
    return input ? "input" : "errors";
}

/* ---- poll ------------------------------------------------------------------------------------ */

/* Finds the descriptors of a poll(2). args: the arguments of the system call. Reads the array of
 * struct pollfd in parts, because this file uses no heap memory and little stack. */
static int find_polled(const struct target_process *from, const int64_t *args, struct watched *out)
{
    struct pollfd fds[WATCHED_MAX];
    uint32_t given = (uint32_t)args[1], at, i, n;
    int count = 0;

    if (!from->read_memory || given > POLL_MAX)
        return -1;
    for (at = 0; at < given && count < WATCHED_MAX; at += n) {
        n = given - at < WATCHED_MAX ? given - at : WATCHED_MAX;
        if (!from->read_memory(from->arg, (uint64_t)args[0] + at * sizeof(*fds), fds,
                               n * sizeof(*fds)))
            return -1;
        for (i = 0; i < n && count < WATCHED_MAX; i++)
            if (fds[i].fd >= 0) /* poll(2) ignores the others */
                out[count++] = (struct watched){
                    fds[i].fd, 0, events_of(fds[i].events & POLLIN, fds[i].events & POLLOUT)};
    }
    return count > 0 ? count : -1; /* without descriptors, it is a sleep */
}

/* ---- select ---------------------------------------------------------------------------------- */

/* Reads a set of descriptors. Reads whole words, because the kernel also reads and writes whole
 * words of the set. */
static bool read_set(const struct target_process *from, int64_t address, size_t count,
                     unsigned char *set)
{
    size_t words = (count + 63) / 64;

    memset(set, 0, SELECT_MAX / 8);
    return address == 0 || count == 0 ||
           from->read_memory(from->arg, (uint64_t)address, set, words * 8);
}

/* Finds the descriptors of a select(2). args: the arguments of the system call. Returns -1 on
 * big-endian machines: the place of a bit on these machines depends on the size that unsigned long
 * has in the process, and this size is not known. */
static int find_selected(const struct target_process *from, const int64_t *args,
                         struct watched *out)
{
    unsigned char sets[3][SELECT_MAX / 8], any;
    size_t given = (uint32_t)args[0], i;
    int count = 0;

    if (!from->read_memory || given > SELECT_MAX || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return -1;
    for (i = 0; i < 3; i++)
        if (!read_set(from, args[1 + i], given, sets[i]))
            return -1;
    for (i = 0; i < given && count < WATCHED_MAX; i++) {
        any = sets[0][i / 8] | sets[1][i / 8] | sets[2][i / 8];
        if (any & 1 << i % 8)
            out[count++] = (struct watched){
                (int)i, 0, events_of(sets[0][i / 8] & 1 << i % 8, sets[1][i / 8] & 1 << i % 8)};
    }
    return count > 0 ? count : -1;
}

/* ---- epoll ----------------------------------------------------------------------------------- */

/* "tfd:        5 events:       19 data:                5  pos:0 ino:4d6 sdev:9" */
bool watched_parse(const char *line, struct watched *out)
{
    unsigned events;
    int fd;
    const char *inode;

    if (sscanf(line, "tfd: %d events: %x", &fd, &events) != 2)
        return false;
    inode = strstr(line, " ino:");
    *out = (struct watched){fd, 0, events_of(events & EPOLLIN, events & EPOLLOUT)};
    if (inode && sscanf(inode, " ino:%" SCNx64, &out->inode) != 1)
        out->inode = 0;
    return true;
}

static int find_registered(const struct target_process *from, int fd, struct watched *out)
{
    char path[PROCFS_PATH_SIZE], text[4096], *line, *end;
    int count = 0;

    snprintf(path, sizeof(path), "%s/fdinfo/%d", from->folder, fd);
    if (procfs_read(path, text, sizeof(text)) <= 0)
        return -1;
    for (line = text; count < WATCHED_MAX && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (watched_parse(line, &out[count]))
            count++;
    }
    return count;
}

int watched_find(const struct target_process *from, const struct report_syscall *call,
                 struct watched *out)
{
    static const char *const polls[] = {"poll", "ppoll", NULL};
    static const char *const selects[] = {"select", "pselect6", NULL};
    static const char *const epolls[] = {"epoll_wait", "epoll_pwait", "epoll_pwait2", NULL};

    if (!call->name.data || call->args.count < 4)
        return -1;
    if (is_one_of(call, polls))
        return find_polled(from, call->args.items, out);
    if (is_one_of(call, selects))
        return find_selected(from, call->args.items, out);
    if (is_one_of(call, epolls) && call->fd != REPORT_UNKNOWN)
        return find_registered(from, (int)call->fd, out);
    return -1;
}
