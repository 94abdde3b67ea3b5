/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rounds: measures what a program of this folder does. For each number n on standard input, the
 * program does it n times and prints how many nanoseconds this took.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Returns how many nanoseconds run(arg, count) takes. callgrind counts what runs in this function:
 * see counts.py. */
int64_t measured(void (*run)(void *arg, size_t count), void *arg, size_t count)
    __attribute__((noinline));

int64_t measured(void (*run)(void *arg, size_t count), void *arg, size_t count)
{
    int64_t start = now_ns();

    run(arg, count);
    return now_ns() - start;
}

/* Prints "ready". Then, for each number on standard input, calls run(arg, number), and also() too
 * if it is not NULL, and prints a line with the nanoseconds of each call. */
static inline void answer_rounds(void (*run)(void *arg, size_t count),
                                 void (*also)(void *arg, size_t count), void *arg)
{
    char line[32];

    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        size_t count = strtoul(line, NULL, 10);

        printf("%" PRId64, measured(run, arg, count));
        if (also)
            printf(" %" PRId64, measured(also, arg, count));
        putchar('\n');
        fflush(stdout);
    }
}

#endif
