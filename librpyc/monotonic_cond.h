/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Condition variables with the clock CLOCK_MONOTONIC, which does not jump when the time of day is
 * set.
 */
#ifndef RPYC_MONOTONIC_COND_H
#define RPYC_MONOTONIC_COND_H

#include <pthread.h>
#include <time.h>

/* Initializes a condition variable. pthread_cond_timedwait() then takes a time of CLOCK_MONOTONIC.
 */
static inline void monotonic_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

#endif
