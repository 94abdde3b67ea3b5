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
    uint64_t switches; /* how often the GIL was taken by another thread than the one that held it
                        * last */
    uint64_t interval_us; /* if another thread waits for the GIL, a thread that runs Python code is
                           * asked to release it after this time */
};

/* Reads the GIL of an interpreter, given by its address. Up to 3.11, all interpreters share one
 * GIL. Returns false if it cannot be read. */
bool gil_read(const struct python *py, uint64_t interpreter, struct gil *gil);

#endif
