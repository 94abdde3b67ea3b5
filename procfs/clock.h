/* SPDX-License-Identifier: BSD-3-Clause
 *
 * clock: the clock of all deadlines.
 */
#ifndef PROCFS_CLOCK_H
#define PROCFS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Returns the time of CLOCK_MONOTONIC in ns. */
static inline int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Returns the time of CLOCK_MONOTONIC in ms. */
static inline int64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}

#endif
