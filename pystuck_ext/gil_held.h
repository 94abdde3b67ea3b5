/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds out how the GIL is used, and decides whether a request is answered without the GIL. Uses
 * what the helper of the GIL has seen. Needs no GIL.
 */
#ifndef PS_GIL_HELD_H
#define PS_GIL_HELD_H

#include "gil_helper.h"

enum ps_gil_use {
    PS_GIL_FREE,    /* no thread has the GIL */
    PS_GIL_OWN,     /* the helper has the GIL, for another request */
    PS_GIL_C,       /* C code keeps the GIL */
    PS_GIL_PYTHON,  /* Python code runs: the GIL changes hands */
    PS_GIL_UNKNOWN, /* a thread keeps the GIL; it is not known whether that thread ran */
};

/* Finds out how the GIL is used. Python code releases the GIL after sys.getswitchinterval() if
 * another thread waits for it. So a thread that keeps the GIL runs C code if it has used more CPU
 * time than that interval, or if it sleeps. A thread that keeps the GIL but only waits for a CPU
 * may run Python code. */
enum ps_gil_use ps_gil_use(const struct ps_gil_look *look);

/* True if it is time to answer a request without Python, instead of waiting for the GIL. asked:
 * when the request was read. budget_ms: how long a collection of stacks with the GIL may take.
 * running: true if that collection has begun. */
bool ps_gil_is_held_too_long(const struct ps_gil_look *look, deadline_t asked, int64_t budget_ms,
                             bool running);

#endif
