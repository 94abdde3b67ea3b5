/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The GIL of an interpreter.
 */
#ifndef STACKREADER_GIL_H
#define STACKREADER_GIL_H

#include "python_process.h"

struct gil {
    bool locked;
    uint64_t holder;   /* the address of the thread state that holds the GIL, or held it last. This
                        * thread state may have been freed */
    uint64_t switches; /* how many times the GIL was taken by a thread other than the one that had
                          held it before */
    uint64_t interval_us; /* the switch interval: a thread that has waited this long for the GIL
                             asks the thread that has it to release it */
};

/* Reads the GIL of the interpreter at an address. Up to 3.11, all interpreters share one GIL.
 * Returns false if the GIL cannot be read. */
bool gil_read(const struct python *py, uint64_t interpreter, struct gil *gil);

#endif
