/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

static bool read_pieces(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    struct iovec local[MEMORY_PIECES_MAX], remote[MEMORY_PIECES_MAX];
    size_t i, total = 0;

    if (count > MEMORY_PIECES_MAX)
        return false;
    for (i = 0; i < count; i++) {
        local[i] = (struct iovec){pieces[i].to, pieces[i].size};
        remote[i] = (struct iovec){(void *)(uintptr_t)pieces[i].address, pieces[i].size};
        total += pieces[i].size;
    }
    return process_vm_readv(m->pid, local, count, remote, count, 0) == (ssize_t)total;
}

/* The id of the thread's CPU clock is computed with the constants CPUCLOCK_SCHED and
 * CPUCLOCK_PERTHREAD_MASK of Linux (include/linux/posix-timers.h). Reading the clock needs no
 * descriptor and no privilege. The kernel has such a clock only for threads of this process. */
int64_t memory_self_cpu_time(pid_t thread)
{
    struct timespec t;

    if (thread <= 0 || clock_gettime((clockid_t)(~(unsigned)thread << 3 | 6), &t) < 0)
        return -1;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t activity(const struct memory *m, pid_t thread)
{
    (void)m;
    return memory_self_cpu_time(thread);
}

static bool has_thread(const struct memory *m, pid_t thread)
{
    return activity(m, thread) >= 0;
}

struct memory memory_self(void)
{
    return (struct memory){
        .read = read_pieces, .activity = activity, .has_thread = has_thread, .pid = getpid()};
}
