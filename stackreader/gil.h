/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The GIL of an interpreter.
 */
#ifndef STACKREADER_GIL_H
#define STACKREADER_GIL_H

#include "python_process.h"

struct gil {
    bool locked;
    uint64_t holder;   /* the address of the thread state that holds the GIL or held it last; it may
                          have been freed */
    uint64_t switches; /* counts how often another thread has taken the GIL than the last time */
    uint64_t interval_us; /* a thread that runs Python code is asked to release the GIL after this
                             time, if another thread waits for it */
};

/* Reads the GIL of an interpreter. Up to 3.11 all interpreters share one GIL. */
bool gil_read(const struct python *py, uint64_t interpreter, struct gil *gil);

#endif
