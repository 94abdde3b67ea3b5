/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/target.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brine.h"
#include "procfs/children.h"
#include "procfs/clock.h"
#include "procfs/file_locks.h"
#include "procfs/mounts.h"
#include "procfs/other_ends.h"
#include "procfs/peers.h"
#include "procfs/read.h"
#include "procfs/sleeps.h"
#include "procfs/threads.h"
#include "procfs/watched.h"
#include "schema.h"

/* There is room for one descriptor of each thread, and for this many more descriptors: a thread may
 * wait for several descriptors, in poll(2) and similar calls. */
#define MORE_ITEMS 256

/* What is found out about one descriptor in a system call. */
struct item {
    const struct report_syscall *call;
    int fd;
    struct report_target *target; /* NULL: nothing is known */
    uint32_t socket;              /* the inode of a socket that was not found yet; 0: none */
    uint32_t peer;                /* of a Unix socket: the inode of its other end; 0: not known */
    char local[PEER_TEXT_SIZE], remote[PEER_TEXT_SIZE]; /* of a TCP socket */
};

/* What is found out about one thread. */
struct explained {
    int64_t activity; /* procfs_thread_activity(), before anything was read */
    int64_t fd, left_ms;
    struct report_target *target;
    struct report_watched *watched;
    int watched_count; /* -1: not known */
};

struct search {
    const struct target_process *from;
    struct arena *arena;
    struct item *items;
    struct other_end *ends; /* one for each item */
    size_t count, max;
    int64_t deadline;
};

/* ---- Texts ----------------------------------------------------------------------------------- */

static struct report_text constant(const char *text)
{
    return (struct report_text){text, strlen(text)};
}

/* Copies a name that the kernel reports. If the name is not UTF-8, all its bytes that are not ASCII
 * become '?'. NUL becomes '@', as in the names of abstract sockets that ss(8) and /proc/net/unix
 * show. */
static struct report_text copy(struct arena *arena, const char *text, size_t len)
{
    bool is_utf8 = brine_utf8((const uint8_t *)text, len);
    char *data = arena_alloc(arena, len + 1);
    size_t i;

    if (!data)
        return (struct report_text){NULL, 0};
    for (i = 0; i < len; i++) {
        data[i] = text[i] == '\0' ? '@' : text[i];
        if (!is_utf8 && (unsigned char)data[i] >= 0x80)
            data[i] = '?';
    }
    return (struct report_text){data, len};
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* Returns the inode in a link like "pipe:[4711]"; 0 if the link does not begin with `type`. */
static uint32_t inode_in(const char *link, const char *type)
{
    size_t len = strlen(type);

    return strncmp(link, type, len) == 0 ? (uint32_t)strtoul(link + len, NULL, 10) : 0;
}

/* Returns the kind of a descriptor that has no file. name: the name in the descriptor's link, such
 * as "[eventpoll]" or "inotify". */
static struct report_text anonymous_kind(struct arena *arena, const char *name)
{
    size_t len = strcspn(name + (*name == '['), "]");

    if (strcmp(name, "[eventpoll]") == 0)
        return constant("epoll");
    return copy(arena, name + (*name == '['), len);
}

/* Fills *end for the search for the other end of a pipe. path: the link in /proc/PID/fd of the
 * descriptor that has the near end. link: the text of this link. Does nothing if the descriptor
 * has both ends. */
static void seek_pipe_end(struct other_end *end, const char *path, const char *link)
{
    struct stat st;

    if (lstat(path, &st) < 0 || (st.st_mode & (S_IRUSR | S_IWUSR)) == (S_IRUSR | S_IWUSR))
        return;
    end->access = (st.st_mode & S_IRUSR) ? S_IWUSR : S_IRUSR;
    snprintf(end->link, sizeof(end->link), "%.39s", link);
}

static void explain_link(struct search *s, struct item *item, const char *path, const char *link)
{
    static const char anonymous[] = "anon_inode:";
    struct report_target *t = item->target;

    if (inode_in(link, "pipe:[")) {
        t->kind = constant("pipe");
        seek_pipe_end(&s->ends[item - s->items], path, link);
        return;
    }
    item->socket = inode_in(link, "socket:[");
    if (item->socket) {
        t->kind = constant("socket"); /* until find_sockets() has found it */
    } else if (strncmp(link, anonymous, sizeof(anonymous) - 1) == 0) {
        t->kind = anonymous_kind(s->arena, link + sizeof(anonymous) - 1);
    } else if (link[0] == '/') {
        t->kind = constant(strncmp(link, "/dev/", 5) == 0 ? "device" : "file");
        t->path = copy(s->arena, link, strlen(link));
    }
}

/* Finds out which process holds the lock for which the call waits. */
static void explain_lock(struct search *s, struct item *item)
{
    const struct report_syscall *call = item->call;
    const char *kind = NULL;
    pid_t holder;

    if (text_is(call->name, "flock"))
        kind = "FLOCK";
    else if (text_is(call->name, "fcntl") && call->args.items[1] == F_SETLKW)
        kind = "POSIX";
    if (!kind)
        return;
    holder =
        file_lock_holder(kind, s->from->pid, file_inode(s->from->folder, item->fd), s->deadline);
    if (holder > 0)
        item->target->peer_pid = holder;
}

/* Finds out what a descriptor refers to. Returns NULL if this is not known. Some members of the
 * target are set later, by find_sockets() and find_other_ends(). */
static struct report_target *explain_descriptor(struct search *s, const struct report_syscall *call,
                                                int fd)
{
    char path[PROCFS_PATH_SIZE], link[4096];
    struct item *item = &s->items[s->count];
    ssize_t len;

    snprintf(path, sizeof(path), "%s/fd/%d", s->from->folder, fd);
    len = readlink(path, link, sizeof(link) - 1);
    if (len <= 0 || len == sizeof(link) - 1 || s->count == s->max)
        return NULL;
    link[len] = '\0';
    *item = (struct item){.call = call, .fd = fd};
    item->target = schema_make(s->arena, &schema_target, 1);
    if (!item->target)
        return NULL;
    s->count++;
    explain_link(s, item, path, link);
    explain_lock(s, item);
    return item->target;
}

/* Lists the descriptors for which the call waits, and what these descriptors refer to. */
static void explain_watched(struct search *s, const struct report_syscall *call,
                            struct explained *to)
{
    struct watched found[WATCHED_MAX];
    int i, count = watched_find(s->from, call, found);

    if (count < 0)
        return;
    to->watched = schema_make(s->arena, &schema_watched, (size_t)count);
    to->watched_count = to->watched ? count : -1;
    for (i = 0; i < to->watched_count; i++) {
        to->watched[i].fd = found[i].fd;
        to->watched[i].events = constant(found[i].events);
        if (!found[i].inode || file_inode(s->from->folder, found[i].fd) == found[i].inode)
            to->watched[i].target = explain_descriptor(s, call, found[i].fd);
    }
}

/* ---- Children -------------------------------------------------------------------------------- */

/* Returns the child for which wait4(2) or waitid(2) waits; NULL if the call waits for any of
 * several children, or if this process has another ID for the child. */
static struct report_target *explain_child(struct search *s, const struct report_syscall *call)
{
    const int64_t *args = call->args.items;
    struct report_target *target;
    pid_t children[CHILDREN_MAX], child = 0;
    char folder[32];

    if (s->from->is_contained)
        return NULL;
    if (text_is(call->name, "wait4"))
        child = (pid_t)args[0];
    else if (text_is(call->name, "waitid") && args[0] == P_PID)
        child = (pid_t)args[1];
    snprintf(folder, sizeof(folder), "/proc/%d", (int)s->from->pid);
    if (child <= 0 && children_of_call(folder, call, children, s->deadline) == 1)
        child = children[0];
    if (child <= 0)
        return NULL;
    target = schema_make(s->arena, &schema_target, 1);
    if (!target)
        return NULL;
    target->kind = constant("process");
    target->peer_pid = child;
    return target;
}

/* ---- Files that are being opened ------------------------------------------------------------- */

#define PIECE 64 /* the path is read in pieces of this size, none of which is in two pages */

/* Reads a string of the process. Returns its length, or -1 if it cannot be read or does not fit. */
static ssize_t read_string(const struct target_process *from, uint64_t address, char *to,
                           size_t size)
{
    size_t len = 0, piece;
    const char *end;

    while (len < size) {
        piece = PIECE - (address + len) % PIECE;
        if (piece > size - len || !from->read_memory(from->arg, address + len, to + len, piece))
            return -1;
        end = memchr(to + len, '\0', piece);
        if (end)
            return end - to;
        len += piece;
    }
    return -1;
}

/* Returns the file that openat(2) opens, such as a FIFO that no process has open for writing; NULL
 * if it is not known. */
static struct report_target *explain_open(struct search *s, const struct report_syscall *call)
{
    struct report_target *target;
    char path[4096];
    ssize_t len;

    if (!text_is(call->name, "openat") || !s->from->read_memory)
        return NULL;
    len = read_string(s->from, (uint64_t)call->args.items[1], path, sizeof(path));
    target = len > 0 ? schema_make(s->arena, &schema_target, 1) : NULL;
    if (!target)
        return NULL;
    target->kind = constant("file");
    target->path = copy(s->arena, path, (size_t)len);
    return target;
}

/* ---- Uninterruptible sleep ------------------------------------------------------------------- */

static void explain_kernel(struct search *s, const struct target_thread *thread,
                           struct explained *to)
{
    char name[64], text[1024];
    ssize_t len;

    if (!to->target)
        to->target = schema_make(s->arena, &schema_target, 1);
    if (!to->target)
        return;
    if (to->target->path.data && to->fd != REPORT_UNKNOWN &&
        mount_point_find(s->from->folder, (int)to->fd, text, sizeof(text)))
        to->target->mount = copy(s->arena, text, strlen(text));
    snprintf(name, sizeof(name), "task/%d/wchan", (int)thread->thread);
    len = procfs_read_in(s->from->folder, name, text, sizeof(text));
    if (len > 0 && strcmp(text, "0") != 0)
        to->target->wchan = copy(s->arena, text, (size_t)len);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static const char *state_name(uint8_t state)
{
    static const char *const names[] = {
        [TCP_ESTABLISHED] = "ESTABLISHED",
        [TCP_SYN_SENT] = "SYN_SENT",
        [TCP_SYN_RECV] = "SYN_RECV",
        [TCP_FIN_WAIT1] = "FIN_WAIT1",
        [TCP_FIN_WAIT2] = "FIN_WAIT2",
        [TCP_TIME_WAIT] = "TIME_WAIT",
        [TCP_CLOSE] = "CLOSE",
        [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [TCP_LAST_ACK] = "LAST_ACK",
        [TCP_LISTEN] = "LISTEN",
        [TCP_CLOSING] = "CLOSING",
    };

    return state < sizeof(names) / sizeof(*names) ? names[state] : NULL;
}

static void set_tcp(struct search *s, struct item *item, const struct peer_socket *one)
{
    struct report_target *t = item->target;
    const char *state = state_name(one->state);

    t->kind = constant("tcp");
    if (state)
        t->tcp_state = constant(state);
    peers_format(item->local, &one->local);
    t->local = copy(s->arena, item->local, strlen(item->local));
    if (one->state == TCP_LISTEN || one->state == TCP_CLOSE)
        return; /* the socket is not connected */
    peers_format(item->remote, &one->remote);
    t->remote = copy(s->arena, item->remote, strlen(item->remote));
}

/* Sets the facts about a socket that the kernel has reported. Ignores sockets with inode 0, which
 * no process has open. */
static void found_socket(void *arg, const struct peer_socket *one)
{
    struct search *s = arg;
    struct item *item;

    for (item = s->items; one->inode && item < s->items + s->count; item++) {
        if (item->socket != one->inode)
            continue;
        if (one->family != AF_UNIX) {
            set_tcp(s, item, one);
            continue;
        }
        item->peer = one->peer;
        item->target->kind = constant("unix");
        if (one->path)
            item->target->path =
                copy(s->arena, one->path, strnlen(one->path + 1, one->path_len - 1) + 1);
    }
}

static void seek_socket(struct other_end *end, uint32_t inode)
{
    snprintf(end->link, sizeof(end->link), "socket:[%u]", inode);
}

/* Finds out whether a socket is the other end of a socket that a call waits for. The other end of a
 * Unix socket is recognized by its inode, the other end of a TCP connection within this machine by
 * its addresses. */
static void found_other_end(void *arg, const struct peer_socket *one)
{
    char local[PEER_TEXT_SIZE], remote[PEER_TEXT_SIZE];
    struct search *s = arg;
    size_t i;

    if (!one->inode)
        return;
    if (one->family != AF_UNIX) {
        peers_format(local, &one->local);
        peers_format(remote, &one->remote);
    }
    for (i = 0; i < s->count; i++) {
        struct item *item = &s->items[i];

        if (one->family == AF_UNIX && item->peer == one->inode) {
            seek_socket(&s->ends[i], one->inode);
            if (one->path && !item->target->path.data)
                item->target->path =
                    copy(s->arena, one->path, strnlen(one->path + 1, one->path_len - 1) + 1);
        } else if (one->family != AF_UNIX && item->remote[0] && strcmp(item->local, remote) == 0 &&
                   strcmp(item->remote, local) == 0) {
            seek_socket(&s->ends[i], one->inode);
        }
    }
}

static void find_sockets(struct search *s)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
    bool has_sockets = false;
    size_t i;

    for (i = 0; i < s->count; i++)
        has_sockets = has_sockets || s->items[i].socket;
    for (i = 0; has_sockets && i < 3; i++)
        peers_read(families[i], s->deadline, found_socket, s);
    for (i = 0; has_sockets && i < 3; i++)
        peers_read(families[i], s->deadline, found_other_end, s);
}

static void find_other_ends(struct search *s)
{
    bool has_ends = false;
    pid_t process;
    size_t i;

    for (i = 0; i < s->count; i++)
        has_ends = has_ends || s->ends[i].link[0];
    if (!has_ends || !other_ends_search(s->ends, s->count, s->from->pid, s->deadline))
        return;
    for (i = 0; i < s->count; i++) {
        process = s->ends[i].link[0] ? other_end_process(&s->ends[i], s->from->pid) : 0;
        if (process <= 0)
            continue;
        s->items[i].target->peer_pid = process;
        s->items[i].target->own_end = s->ends[i].is_own ? BOOL_TRUE : BOOL_FALSE;
    }
}

/* ---- All threads ----------------------------------------------------------------------------- */

static void explain(struct search *s, const struct target_thread *thread, struct explained *to)
{
    const struct report_syscall *call = thread->call;

    *to = (struct explained){.fd = call->fd, .left_ms = REPORT_UNKNOWN, .watched_count = -1};
    to->activity =
        thread->activity >= 0 ? thread->activity : procfs_thread_activity(s->from, thread->thread);
    if (call->args.count < 4)
        return;
    explain_watched(s, call, to);
    if (to->fd == REPORT_UNKNOWN && to->watched_count == 1) {
        to->fd = to->watched[0].fd;
        to->target = to->watched[0].target;
    } else if (to->fd != REPORT_UNKNOWN) {
        to->target = explain_descriptor(s, call, (int)to->fd);
    } else {
        to->target = explain_child(s, call);
        if (!to->target)
            to->target = explain_open(s, call);
    }
    if (thread->state == STATE_DISK)
        explain_kernel(s, thread, to);
    to->left_ms = sleep_left_ms(s->from, call);
}

/* True if the thread is still in its call, and has not run since the descriptors of the call were
 * read. */
static bool has_not_run(const struct search *s, const struct target_thread *thread,
                        const struct explained *from)
{
    if (from->activity < 0 || procfs_thread_activity(s->from, thread->thread) != from->activity)
        return false;
    return thread->activity >= 0 ||
           procfs_thread_is_in(s->from->folder, thread->thread, thread->call);
}

/* Keeps what was found, if the thread has not run meanwhile. */
static void keep(struct search *s, const struct target_thread *thread, const struct explained *from)
{
    struct report_syscall *call = thread->call;

    if (!has_not_run(s, thread, from))
        return;
    call->fd = from->fd;
    call->target = from->target;
    call->left_ms = from->left_ms;
    if (from->watched_count >= 0) {
        call->watched.items = from->watched;
        call->watched.count = (size_t)from->watched_count;
    }
}

void targets_find(const struct target_process *from, const struct target_thread *threads,
                  size_t count, struct arena *arena, int64_t deadline)
{
    struct search s = {
        .from = from, .arena = arena, .max = count + MORE_ITEMS, .deadline = deadline};
    struct explained *found;
    size_t i, done;

    if (count == 0)
        return;
    found = arena_array(arena, count, sizeof(*found));
    s.items = arena_array(arena, s.max, sizeof(*s.items));
    s.ends = arena_array(arena, s.max, sizeof(*s.ends));
    if (!found || !s.items || !s.ends)
        return;
    for (done = 0; done < count && clock_ms() < deadline; done++)
        explain(&s, &threads[done], &found[done]);
    find_sockets(&s);
    find_other_ends(&s);
    for (i = 0; i < done; i++)
        keep(&s, &threads[i], &found[i]);
}
