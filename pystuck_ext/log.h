/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages for the program's logger: clients that connect, leave or are refused, and errors.
 *
 * The logger is Python code and takes locks. The program may be stuck while it holds the GIL or one
 * of these locks, so the server's threads do not wait for the logger: messages are queued, and a
 * thread that runs only while there are messages calls the logger. If the queue is full, new
 * messages are dropped.
 *
 * Messages about clients are limited, see log_limit. No thread or timer waits for the end of a
 * period: counts are logged together with other messages, or when the server is closed.
 */
#ifndef PS_LOG_H
#define PS_LOG_H

#include "ext.h"
#include "log_limit.h"

struct ps_log;

/* Levels of the module logging. */
enum ps_log_level { PS_LOG_INFO = 20, PS_LOG_WARNING = 30, PS_LOG_ERROR = 40 };

/* Returns a log that calls callable(level, text), and that holds a reference to callable. Returns
 * NULL with MemoryError if there is no memory. Needs the GIL. */
struct ps_log *ps_log_new(struct ps_state *state, PyObject *callable);

/* Frees a log; NULL is allowed. If there are messages in the queue, they are still logged, and the
 * thread that calls the logger frees the log. No other thread may use the log. Needs the GIL. */
void ps_log_free(struct ps_log *log);

/* Queues a message. If clients can cause the message many times, call ps_log_client() instead. log
 * may be NULL. Needs no GIL, does not wait, and does nothing in a forked child. */
void ps_log(struct ps_log *log, enum ps_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like ps_log(), but for a message that clients cause: log_limit decides whether the message is
 * queued, or only counted. source: the client's user or address; all zero if both are unknown. */
void ps_log_client(struct ps_log *log, enum ps_log_level level, const struct ps_source *source,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Call at the end of a server. Queues all counts of messages that were not logged. */
void ps_log_counts(struct ps_log *log);

#endif
