/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the server has to tell its logger: clients that come and go, those that are refused, errors.
 *
 * A logger is Python code, and what takes a lock of its own: that lock, or the GIL, may be what the
 * debuggee is stuck in. So nobody waits for it. Messages are queued, a thread that there is only
 * while there are any passes them on, and where it gets nowhere the latest ones are dropped.
 */
#ifndef PS_LOG_H
#define PS_LOG_H

#include "ext.h"

struct ps_log;

/* Levels of the module logging. */
enum ps_log_level { PS_LOG_INFO = 20, PS_LOG_WARNING = 30, PS_LOG_ERROR = 40 };

/* A log that calls `callable(level, text)`, of which it takes a new reference; for good, as servers
 * are. NULL: MemoryError. Needs the GIL. */
struct ps_log *ps_log_new(struct ps_state *state, PyObject *callable);

/* Gives up one that no server has got. Needs the GIL. */
void ps_log_free(struct ps_log *log);

/* Queues a message; log may be NULL. Needs no GIL, waits for nothing, and does nothing in a child
 * by fork. */
void ps_log(struct ps_log *log, enum ps_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
