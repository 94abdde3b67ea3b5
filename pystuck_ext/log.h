/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the server has to tell its logger: clients that come and go, those that are refused, errors.
 *
 * A logger is Python code, and what takes a lock of its own: that lock, or the GIL, may be what the
 * debuggee is stuck in. So nobody waits for it. Messages are queued, a thread that there is only
 * while there are any passes them on, and where it gets nowhere the latest ones are dropped.
 *
 * Most messages are caused by clients, and many by those that are refused. These are limited, see
 * log_limit. No thread and no timer waits for the end of a minute: counts are logged when something
 * else is, or when the server is closed.
 */
#ifndef PS_LOG_H
#define PS_LOG_H

#include "ext.h"
#include "log_limit.h"

struct ps_log;

/* Levels of the module logging. */
enum ps_log_level { PS_LOG_INFO = 20, PS_LOG_WARNING = 30, PS_LOG_ERROR = 40 };

/* A log that calls `callable(level, text)`, of which it takes a new reference; for good, as servers
 * are. NULL: MemoryError. Needs the GIL. */
struct ps_log *ps_log_new(struct ps_state *state, PyObject *callable);

/* Gives up one that no server has got. Needs the GIL. */
void ps_log_free(struct ps_log *log);

/* Queues a message that no client can cause again and again; log may be NULL. Needs no GIL, waits
 * for nothing, and does nothing in a child by fork. */
void ps_log(struct ps_log *log, enum ps_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a message that is about a client, or that clients cause: what log_limit.h says is
 * queued, and the rest counted. source: who the client is; all zero where that is not known. */
void ps_log_client(struct ps_log *log, enum ps_log_level level, const struct ps_source *source,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for how many messages were not queued, as far as that has not been said: at the end. */
void ps_log_counts(struct ps_log *log);

#endif
