/* SPDX-License-Identifier: BSD-3-Clause */
#include "gil_held.h"

#include "procfs/threads.h"

/* Times in ms. */
#define HELD_MS     100  /* if the GIL is held for this time, it is held for long */
#define BUSY_CPU_MS 10   /* a thread that has used this CPU time has run */
#define PATIENCE_MS 1500 /* how long to wait for the GIL if Python code seems to run */
#define MARGIN_MS   300  /* how long a collection may continue after its budget */
#define LONG_MS     5000 /* how long to wait for a collection that has the GIL */

enum ps_gil_use ps_gil_use(const struct ps_gil_look *look)
{
    int64_t enough = HELD_MS + 3 * (int64_t)look->interval_ms;
    int state;

    if (!look->locked)
        return PS_GIL_FREE;
    if (look->by_helper)
        return PS_GIL_OWN;
    if (look->unchanged_ms < enough)
        return look->switches > 0 ? PS_GIL_PYTHON : PS_GIL_UNKNOWN;
    if (look->cpu_ms < 0 || look->cpu_ms >= BUSY_CPU_MS + 2 * (int64_t)look->interval_ms)
        return PS_GIL_C;
    state = procfs_thread_state("/proc/self", look->holder);
    return state == STATE_SLEEPING || state == STATE_DISK ? PS_GIL_C : PS_GIL_UNKNOWN;
}

bool ps_gil_is_held_too_long(const struct ps_gil_look *look, deadline_t asked, int64_t budget_ms,
                             bool running)
{
    int64_t waited = (deadline_in(0) - asked) / 1000000;
    enum ps_gil_use use;

    if (!look->known)
        return false;
    use = ps_gil_use(look);
    if (running && look->by_helper)
        return waited >= LONG_MS;
    if (running && (use == PS_GIL_PYTHON || use == PS_GIL_UNKNOWN) && budget_ms < PATIENCE_MS)
        return waited >= PATIENCE_MS + MARGIN_MS; /* the collection gets the GIL, but late */
    if (running)
        return waited >= budget_ms + MARGIN_MS;
    return waited >= PATIENCE_MS || use == PS_GIL_C;
}
