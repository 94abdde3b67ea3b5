/* SPDX-License-Identifier: BSD-3-Clause */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "stacks/print.h"
#include "stacks/seen.h"

/* Prints the present time as the heading of the stacks that are printed next. In JSON, prints
 * nothing. */
static void print_time(const struct options *options)
{
    time_t now = time(NULL);
    char text[32] = "";
    struct tm tm;

    if (options->format == FORMAT_JSON_LINES || !localtime_r(&now, &tm))
        return;
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    stacks_print_heading(stdout, text, options->format);
}

/* Sleeps until the time at which the next round begins, and stores this time in *next. */
static void wait_for_round(struct timespec *next, int watch_ms)
{
    next->tv_sec += watch_ms / 1000;
    next->tv_nsec += watch_ms % 1000 * 1000000L;
    if (next->tv_nsec >= 1000000000) {
        next->tv_sec++;
        next->tv_nsec -= 1000000000;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL);
}

static void free_seen(struct stacks_seen **seen)
{
    stacks_seen_free(*seen);
}

int watch(struct options *options, int (*show)(rpyc_conn **conn, const struct options *options),
          rpyc_conn **conn)
{
    struct stacks_seen *seen __attribute__((cleanup(free_seen))) = stacks_seen_new();
    struct timespec round;
    int status;

    options->seen = seen;
    if (!options->seen)
        return -1;
    if (options->format == FORMAT_JSON)
        options->format = FORMAT_JSON_LINES;
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &round);
        stacks_seen_begin(options->seen);
        print_time(options);
        status = show(conn, options);
        if (status != EXIT_SUCCESS)
            return status;
        wait_for_round(&round, options->watch_ms);
    }
}
