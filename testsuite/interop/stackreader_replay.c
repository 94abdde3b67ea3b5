/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs the fuzz target of the stack reader with inputs made from a seed.
 * Usage: FUZZ_IMAGE=FILE stackreader_replay SEED RUNS. Prints its figures as JSON.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_stackreader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t state;

static uint32_t next_number(void)
{
    state = state * 1664525 + 1013904223; /* the random number generator of Numerical Recipes */
    return state >> 16;
}

/* One to six changes. One input in four also changes memory while it is read. */
static void run_one(void)
{
    uint8_t input[1 + 8 * 6];
    size_t changes = 1 + next_number() % 6, i;
    bool later = next_number() % 4 == 0;

    for (i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)next_number();
    for (i = 0; i < changes; i++) {
        if (!later || next_number() % changes > 0)
            input[1 + 8 * i + 5] = 0;
    }
    LLVMFuzzerTestOneInput(input, 1 + 8 * changes);
}

int main(int argc, char **argv)
{
    const struct reader_figures *f = &reader_figures;
    unsigned long seed, runs, i;

    if (argc != 3)
        return 2;
    seed = strtoul(argv[1], NULL, 10);
    runs = strtoul(argv[2], NULL, 10);
    for (i = 0; i < runs; i++) {
        state = (uint32_t)(seed + i) * 2654435761; /* so that a run depends on its number alone */
        run_one();
    }
    printf("{\"runs\": %" PRIu64 ", \"none\": %" PRIu64 ", \"cut\": %" PRIu64
           ", \"exact\": %" PRIu64 ", \"moving\": %" PRIu64 ", \"unreadable\": %" PRIu64
           ", \"proved\": %" PRIu64 ", \"reads_max\": %" PRIu64 "}\n",
           f->runs, f->none, f->cut, f->exact, f->moving, f->unreadable, f->proved, f->reads_max);
    return 0;
}
