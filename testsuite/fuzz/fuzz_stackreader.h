/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What fuzz_stackreader.c has counted, for programs that call it with inputs of their own.
 */
#ifndef FUZZ_STACKREADER_H
#define FUZZ_STACKREADER_H

#include <stdint.h>

struct reader_figures {
    uint64_t runs, none, cut; /* answers; those with no thread; those with not all of them */
    uint64_t exact, moving, unreadable; /* threads */
    uint64_t proved;                    /* exact threads that were compared with the image */
    uint64_t reads_max;                 /* of one answer */
};

extern struct reader_figures reader_figures;

#endif
