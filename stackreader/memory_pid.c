/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_pid.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "procfs/threads.h"

#define STATE_LABEL "\nState:\t"
#define STATUS_SIZE 4096 /* bytes of the file /proc/PID/task/TID/status */

/* If the process has more threads than this, their files schedstat are not used. */
#define OPEN_MAX_THREADS 64

/* ---- Threads --------------------------------------------------------------------------------- */

/* Reads the beginning of the file `name` of a thread into `text`: at most STATUS_SIZE bytes, with a
 * NUL at the end. Returns false if there is no such thread. */
static bool read_thread(const struct memory_pid *m, pid_t thread, const char *name, char *text)
{
    char path[32];
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "%d/%s", (int)thread, name);
    fd = openat(m->folder, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, text, STATUS_SIZE - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

/* Returns the ID that a thread has in its own PID namespace: the last number after "NSpid:". */
static pid_t own_id(const char *status, pid_t thread)
{
    const char *at = strstr(status, "\nNSpid:");
    char *end;
    long id;

    if (!at)
        return thread;
    for (at += strlen("\nNSpid:"); *at == '\t' || *at == ' '; at = end) {
        id = strtol(at, &end, 10);
        if (end == at)
            break;
        thread = (pid_t)id;
    }
    return thread;
}

static int by_theirs(const void *a, const void *b)
{
    pid_t x = ((const struct memory_pid_thread *)a)->theirs,
          y = ((const struct memory_pid_thread *)b)->theirs;

    return (x > y) - (x < y);
}

static bool has_ended(const char *status)
{
    const char *state = strstr(status, STATE_LABEL);

    return state && strchr("ZX", state[strlen(STATE_LABEL)]);
}

/* True if the main thread has not ended, and has only one ID, because the process is in the PID
 * namespace of /proc. In this case, each of the other threads also has only one ID. */
static bool has_plain_ids(const struct memory_pid *m)
{
    char status[STATUS_SIZE];
    const char *ids;
    char *end;

    if (!read_thread(m, m->pid, "status", status) || has_ended(status))
        return false;
    ids = strstr(status, "\nNSpid:");
    return ids && strtol(ids + strlen("\nNSpid:"), &end, 10) == m->pid && *end == '\n';
}

/* Adds a thread to m->threads. Returns false if there is no memory. is_plain: the result of
 * has_plain_ids(). */
static bool add_thread(struct memory_pid *m, pid_t thread, bool is_plain, size_t *room)
{
    struct memory_pid_thread *longer;
    char status[STATUS_SIZE];

    if (m->thread_count == *room) {
        *room = *room ? 2 * *room : 64;
        longer = reallocarray(m->threads, *room, sizeof(*longer));
        if (!longer)
            return false;
        m->threads = longer;
    }
    if (is_plain) {
        m->threads[m->thread_count++] =
            (struct memory_pid_thread){.ours = thread, .theirs = thread, .schedstat = -1};
        m->live = m->pid;
        return true;
    }
    if (!read_thread(m, thread, "status", status))
        return true;
    m->threads[m->thread_count++] = (struct memory_pid_thread){
        .ours = thread, .theirs = own_id(status, thread), .schedstat = -1};
    if ((m->live == 0 || thread == m->pid) && !has_ended(status))
        m->live = thread;
    return true;
}

/* Lists the threads. Returns 0 or an errno. */
static int list_threads(struct memory_pid *m)
{
    int fd = openat(m->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    bool done = true, is_plain;
    size_t room = 0;

    if (!folder) {
        if (fd >= 0)
            close(fd);
        return errno == ENOENT ? ESRCH : errno;
    }
    is_plain = has_plain_ids(m);
    while (done && (entry = readdir(folder)))
        if (isdigit((unsigned char)entry->d_name[0]))
            done = add_thread(m, (pid_t)strtol(entry->d_name, NULL, 10), is_plain, &room);
    closedir(folder);
    if (!done)
        return ENOMEM;
    if (m->live == 0)
        return ESRCH;
    qsort(m->threads, m->thread_count, sizeof(*m->threads), by_theirs);
    return 0;
}

static struct memory_pid_thread *find_thread(const struct memory_pid *m, pid_t theirs)
{
    const struct memory_pid_thread key = {.theirs = theirs};

    if (m->thread_count == 0)
        return NULL;
    return bsearch(&key, m->threads, m->thread_count, sizeof(key), by_theirs);
}

pid_t memory_pid_thread(const struct memory_pid *m, pid_t theirs)
{
    const struct memory_pid_thread *found = find_thread(m, theirs);

    return found ? found->ours : 0;
}

static bool has_thread(const struct memory *m, pid_t thread)
{
    return memory_pid_thread(m->source, thread) != 0;
}

/* Returns the number after a label; -1 if the text does not contain the label. */
static int64_t number_after(const char *text, const char *label)
{
    const char *at = strstr(text, label);

    return at ? (int64_t)strtoll(at + strlen(label), NULL, 10) : -1;
}

/* Returns how many times a thread has got a CPU; 0: not known. The file schedstat is "USED WAITED
 * STARTS". Reading it takes a tenth of the time of reading `status`, if it stays open. */
static int64_t read_starts(const struct memory_pid *m, struct memory_pid_thread *t)
{
    char path[32], text[128];
    long long starts;
    ssize_t len;

    if (t->schedstat < 0 && m->thread_count > OPEN_MAX_THREADS)
        return 0;
    snprintf(path, sizeof(path), "%d/schedstat", (int)t->ours);
    if (t->schedstat < 0)
        t->schedstat = openat(m->folder, path, O_RDONLY | O_CLOEXEC);
    len = t->schedstat < 0 ? -1 : pread(t->schedstat, text, sizeof(text) - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    return sscanf(text, "%*s %*s %lld", &starts) == 1 ? starts : 0;
}

/* Returns how many times the thread has begun to wait or has lost its CPU, from its file `status`.
 * Returns -1 if the thread runs, because the kernel increases the number only when the thread stops
 * running. */
static int64_t read_stops(const struct memory_pid *m, pid_t thread)
{
    char text[STATUS_SIZE];
    const char *state;
    int64_t waited, lost;

    if (!read_thread(m, thread, "status", text))
        return -1;
    state = strstr(text, STATE_LABEL);
    if (!state || state[strlen(STATE_LABEL)] == 'R')
        return -1;
    waited = number_after(state, "\nvoluntary_ctxt_switches:");
    lost = number_after(state, "\nnonvoluntary_ctxt_switches:");
    return waited < 0 || lost < 0 ? -1 : waited + lost;
}

/* Returns how many times the thread has stopped running; -1: it runs, or this is not known.
 *
 * A thread that has stopped as many times as it has started had no CPU when both numbers were read.
 * As long as it has not started again, it has not run, and the number of stops is the same. */
static int64_t activity(const struct memory *m, pid_t thread)
{
    const struct memory_pid *source = m->source;
    struct memory_pid_thread *t = find_thread(source, thread);
    int64_t starts;

    if (!t)
        return -1;
    starts = read_starts(source, t);
    if (starts > 0 && starts == t->starts)
        return t->activity;
    t->activity = read_stops(source, t->ours);
    t->starts = starts == t->activity ? starts : 0;
    return t->activity;
}

int64_t memory_pid_switches(const struct memory_pid *m, pid_t ours)
{
    struct memory_pid_thread *t;

    if (m->thread_count > OPEN_MAX_THREADS)
        return -1;
    for (t = m->threads; t < m->threads + m->thread_count; t++)
        if (t->ours == ours)
            return t->starts > 0 && read_starts(m, t) == t->starts ? t->activity : -1;
    return -1;
}

static bool read_wait(const struct memory *m, pid_t thread, struct kernel_wait *to)
{
    const struct memory_pid *source = m->source;
    pid_t ours = memory_pid_thread(source, thread);
    char path[32], text[256];
    ssize_t len;
    int fd;

    *to = (struct kernel_wait){0};
    snprintf(path, sizeof(path), "%d/syscall", (int)ours);
    fd = ours ? openat(source->folder, path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    len = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (len <= 0)
        return false;
    text[len] = '\0';
    to->futex = procfs_futex_of(text);
    to->sleeps = procfs_is_sleep(text);
    return true;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static bool read_pieces(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    const struct memory_pid *source = m->source;
    struct iovec local[MEMORY_PIECES_MAX], remote[MEMORY_PIECES_MAX];
    size_t i, total = 0;

    if (count > MEMORY_PIECES_MAX)
        return false;
    for (i = 0; i < count; i++) {
        local[i] = (struct iovec){pieces[i].to, pieces[i].size};
        remote[i] = (struct iovec){(void *)(uintptr_t)pieces[i].address, pieces[i].size};
        total += pieces[i].size;
    }
    return process_vm_readv(source->live, local, count, remote, count, 0) == (ssize_t)total;
}

/* Reads the pieces from /proc/PID/mem, each by a system call of its own. */
static bool read_file(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    const struct memory_pid *source = m->source;
    size_t i;

    for (i = 0; i < count; i++)
        if (pieces[i].address > INT64_MAX ||
            pread(source->file, pieces[i].to, pieces[i].size, (off_t)pieces[i].address) !=
                (ssize_t)pieces[i].size)
            return false;
    return true;
}

void memory_pid_path(const struct memory_pid *m, const char *name, char *out, size_t size)
{
    snprintf(out, size, "/proc/%d/task/%d/%s", (int)m->pid, (int)m->live, name);
}

int memory_pid_try(struct memory_pid *m, uint64_t address)
{
    struct iovec local, remote = {(void *)(uintptr_t)address, 1};
    char path[64], byte;
    int error;

    local = (struct iovec){&byte, 1};
    if (process_vm_readv(m->live, &local, 1, &remote, 1, 0) == 1)
        return 0;
    error = errno;
    if (error != EPERM && error != ENOSYS)
        return error;
    /* A seccomp filter of this process may forbid process_vm_readv(2), but does not forbid reading
     * /proc/PID/mem. */
    memory_pid_path(m, "mem", path, sizeof(path));
    if (m->file < 0)
        m->file = open(path, O_RDONLY | O_CLOEXEC);
    if (m->file < 0)
        return EPERM;
    return pread(m->file, &byte, 1, (off_t)address) == 1 ? 0 : EPERM;
}

/* ---- All of it ------------------------------------------------------------------------------- */

int memory_pid_open(struct memory_pid *m, pid_t pid)
{
    char path[32];

    *m = (struct memory_pid){.pid = pid, .file = -1};
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    m->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (m->folder < 0)
        return errno == ENOENT ? ESRCH : errno;
    return list_threads(m);
}

void memory_pid_close(struct memory_pid *m)
{
    size_t i;

    for (i = 0; i < m->thread_count; i++)
        if (m->threads[i].schedstat >= 0)
            close(m->threads[i].schedstat);
    if (m->folder >= 0)
        close(m->folder);
    if (m->file >= 0)
        close(m->file);
    free(m->threads);
    *m = (struct memory_pid){.folder = -1, .file = -1};
}

struct memory memory_pid(const struct memory_pid *m)
{
    char stat[STATUS_SIZE];
    pid_t own = 0;
    size_t i;

    for (i = 0; i < m->thread_count; i++)
        if (m->threads[i].ours == m->pid)
            own = m->threads[i].theirs;
    return (struct memory){.read = m->file >= 0 ? read_file : read_pieces,
                           .activity = activity,
                           .wait = read_wait,
                           .has_thread = has_thread,
                           .pid = own,
                           .is_slow = true,
                           .is_forked =
                               read_thread(m, m->pid, "stat", stat) && procfs_is_forked(stat),
                           .source = m};
}
