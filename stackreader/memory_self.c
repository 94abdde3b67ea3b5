/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memory.h"
#include "procfs/read.h"
#include "procfs/threads.h"

/* ---- By two sockets -------------------------------------------------------------------------- */

/* True if a filter of system calls forbids process_vm_readv(2), as in old versions of Docker. Such
 * a filter may also be installed while the program runs. */
static atomic_bool forbidden;

/* Two connected sockets of this process. The kernel copies the bytes that are sent on one of them,
 * and sending from an invalid address fails with EFAULT. They are sockets and not a pipe so that no
 * SIGPIPE is raised, and so that their inodes identify them. */
static struct {
    pthread_mutex_t lock;
    pid_t pid;  /* the process that they belong to; 0: they were never opened */
    int fds[2]; /* -1: not open */
    ino_t inodes[2];
} sockets = {.lock = PTHREAD_MUTEX_INITIALIZER, .fds = {-1, -1}};

#define COPY_MAX ((size_t)32 << 10) /* bytes that fit into the buffer of a socket */

/* True if a descriptor still is the socket that was opened: the program may have closed the
 * descriptor, and may have opened another file with the same number. */
static bool is_ours(int i)
{
    struct stat st;

    return sockets.fds[i] >= 0 && fstat(sockets.fds[i], &st) == 0 && S_ISSOCK(st.st_mode) &&
           st.st_ino == sockets.inodes[i];
}

static void close_sockets(void)
{
    for (int i = 0; i < 2; i++) {
        if (is_ours(i))
            close(sockets.fds[i]);
        sockets.fds[i] = -1;
    }
}

/* Call with the lock held. Opens the sockets unless they are open. Returns false if no descriptors
 * are free. */
static bool open_sockets(void)
{
    struct stat st;

    if (is_ours(0) && is_ours(1))
        return true;
    close_sockets();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets.fds) < 0) {
        sockets.fds[0] = sockets.fds[1] = -1;
        return false;
    }
    for (int i = 0; i < 2; i++)
        sockets.inodes[i] = fstat(sockets.fds[i], &st) == 0 ? st.st_ino : 0;
    return true;
}

/* Copies a piece of memory through the sockets. Call with the lock held and the sockets open. On
 * failure, closes the sockets, because bytes may be left in their buffer, and returns false. */
static bool copy(const struct memory_piece *piece)
{
    size_t done = 0, step;
    ssize_t sent = 0, got = 0;

    while (done < piece->size && sent == got && sent >= 0) {
        step = piece->size - done < COPY_MAX ? piece->size - done : COPY_MAX;
        sent = send(sockets.fds[0], (const void *)(uintptr_t)(piece->address + done), step,
                    MSG_NOSIGNAL);
        got = sent < 0 ? -1 : recv(sockets.fds[1], (char *)piece->to + done, (size_t)sent, 0);
        done += got > 0 ? (size_t)got : 0;
    }
    if (sent != got)
        close_sockets();
    return done == piece->size;
}

static bool read_by_sockets(const struct memory_piece *pieces, size_t count)
{
    bool done;
    size_t i;

    pthread_mutex_lock(&sockets.lock);
    done = open_sockets();
    for (i = 0; i < count && done; i++)
        done = copy(&pieces[i]);
    pthread_mutex_unlock(&sockets.lock);
    return done;
}

/* ---- By process_vm_readv --------------------------------------------------------------------- */

static bool read_at_once(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    struct iovec local[MEMORY_PIECES_MAX], remote[MEMORY_PIECES_MAX];
    size_t i, total = 0;
    ssize_t got;

    for (i = 0; i < count; i++) {
        local[i] = (struct iovec){pieces[i].to, pieces[i].size};
        remote[i] = (struct iovec){(void *)(uintptr_t)pieces[i].address, pieces[i].size};
        total += pieces[i].size;
    }
    got = process_vm_readv(m->pid, local, count, remote, count, 0);
    if (got < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS))
        atomic_store(&forbidden, true);
    return got == (ssize_t)total;
}

static bool read_pieces(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    if (count > MEMORY_PIECES_MAX)
        return false;
    if (!atomic_load(&forbidden) && read_at_once(m, pieces, count))
        return true;
    return atomic_load(&forbidden) && read_by_sockets(pieces, count);
}

/* ---- The memory ------------------------------------------------------------------------------ */

static int64_t activity(const struct memory *m, pid_t thread)
{
    (void)m;
    return procfs_own_cpu_ns(thread);
}

static bool has_thread(const struct memory *m, pid_t thread)
{
    return activity(m, thread) >= 0;
}

static bool read_wait(const struct memory *m, pid_t thread, struct kernel_wait *to)
{
    char folder[40], text[256];

    (void)m;
    *to = (struct kernel_wait){0};
    if (thread <= 0)
        return false;
    snprintf(folder, sizeof(folder), "/proc/self/task/%d", (int)thread);
    if (procfs_read_in(folder, "syscall", text, sizeof(text)) < 0)
        return false;
    to->futex = procfs_futex_of(text);
    to->sleeps = procfs_is_sleep(text);
    return true;
}

/* In the child of a fork, closes the sockets, which the parent uses, and initializes the lock,
 * because the thread that held it may not exist in the child. pid: the calling process. */
static void leave_parent(pid_t pid)
{
    if (sockets.pid == pid)
        return;
    if (sockets.pid != 0) {
        close_sockets();
        pthread_mutex_init(&sockets.lock, NULL);
    }
    sockets.pid = pid;
}

static bool is_forked(void)
{
    char text[512];

    return procfs_read("/proc/self/stat", text, sizeof(text)) > 0 && procfs_is_forked(text);
}

struct memory memory_self(void)
{
    struct memory m = {.read = read_pieces,
                       .activity = activity,
                       .has_thread = has_thread,
                       .wait = read_wait,
                       .pid = getpid(),
                       .is_slow = true,
                       .is_forked = is_forked()};
    char from = 1, to;

    leave_parent(m.pid);
    memory_read(&m, (uint64_t)(uintptr_t)&from, &to, sizeof(to)); /* may open the sockets */
    return m;
}
