/* SPDX-License-Identifier: BSD-3-Clause */
#include "procfs/sleeps.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "procfs/read.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define MS_PER_S  1000
#define NS_PER_MS 1000000
#define NS_PER_S  1000000000

/* Looks for an argument of the call which is the address of a time: the time at which the call
 * ends. Sets *address to this argument (0: the call has no time limit), and *clock to the clock of
 * the time. Returns false if the call has no such argument. */
static bool find_end(const struct report_syscall *call, clockid_t *clock, uint64_t *address)
{
    const int64_t *args = call->args.items;

    if (text_is(call->name, "clock_nanosleep")) {
        *clock = (clockid_t)args[0];
        *address = (uint64_t)args[2];
        return ((int)args[1] & TIMER_ABSTIME) != 0;
    }
    if (!text_is(call->name, "futex"))
        return false;
    *address = (uint64_t)args[3];
    *clock = ((int)args[1] & FUTEX_CLOCK_REALTIME) ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    switch ((int)args[1] & FUTEX_CMD_MASK) {
    case FUTEX_LOCK_PI:
        *clock = CLOCK_REALTIME;
        return true;
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_LOCK_PI2:
        return true;
    default:
        return false; /* FUTEX_WAIT is given a duration */
    }
}

/* True if the clock shows the same time in the process as in this process. A time namespace can
 * move all clocks except CLOCK_REALTIME. */
static bool has_our_clock(const struct target_process *from, clockid_t clock)
{
    char path[PROCFS_PATH_SIZE], its[64], ours[64];
    ssize_t len, our_len;

    if (from->is_own || clock == CLOCK_REALTIME)
        return true;
    snprintf(path, sizeof(path), "%s/ns/time", from->folder);
    our_len = readlink("/proc/self/ns/time", ours, sizeof(ours));
    if (our_len < 0 && errno == ENOENT)
        return true; /* the kernel has no time namespaces */
    len = readlink(path, its, sizeof(its));
    return len > 0 && len == our_len && memcmp(its, ours, (size_t)len) == 0;
}

int64_t sleep_left_ms(const struct target_process *from, const struct report_syscall *call)
{
    struct timespec end, now;
    uint64_t address;
    clockid_t clock;
    int64_t left;

    if (!from->read_memory || !call->name.data || call->args.count < 4 ||
        !find_end(call, &clock, &address) || address == 0)
        return REPORT_UNKNOWN;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
        return REPORT_UNKNOWN;
    if (!has_our_clock(from, clock) || clock_gettime(clock, &now) < 0 ||
        !from->read_memory(from->arg, address, &end, sizeof(end)))
        return REPORT_UNKNOWN;
    if (end.tv_sec < 0 || end.tv_sec > INT64_MAX / (INT64_C(2) * MS_PER_S) || end.tv_nsec < 0 ||
        end.tv_nsec >= NS_PER_S)
        return REPORT_UNKNOWN;
    left = ((int64_t)end.tv_sec - now.tv_sec) * MS_PER_S + (end.tv_nsec - now.tv_nsec) / NS_PER_MS;
    return left > 0 ? left : 0;
}
