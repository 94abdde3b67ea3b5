/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Limits the log lines that clients cause, so that a client cannot fill the log: decides which
 * lines are logged and which are only counted. Does not use Python or a clock, never waits, and has
 * a fixed size.
 *
 * Lines are of one kind if they have the same source and the same text, apart from numbers. A kind
 * is logged `burst` times in PS_LOG_PERIOD_MS; further lines are counted. The count is logged after
 * the period, with the next line of the same kind or with a line of another kind. At most
 * PS_LOG_KINDS kinds are counted separately, and at most PS_LOG_KINDS_OF_ONE kinds of the same
 * source. Lines of further kinds are counted together, and only their number is logged.
 */
#ifndef PS_LOG_LIMIT_H
#define PS_LOG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define PS_LOG_PERIOD_MS    60000
#define PS_LOG_KINDS        60
#define PS_LOG_KINDS_OF_ONE 10
#define PS_LOG_LINE_SIZE    256

/* The `burst` of lines about clients that only connect or leave. */
#define PS_LOG_USUAL_LINES 20

/* The source of a line: a user, or an address without its port. All zero: unknown. */
struct ps_source {
    uint16_t family; /* AF_UNIX: a user of this machine, over TCP as well */
    uint8_t id[16];
};

/* One kind of line. */
struct ps_log_kind {
    struct ps_source source;
    uint64_t hash; /* a hash of the text without its numbers */
    int64_t since; /* when the first line of this period was logged, in ms */
    unsigned told; /* lines of this kind that were logged in this period; 0: this entry is free */
    unsigned long more; /* further lines of this kind in this period, which were not logged */
    int level;
    char text[PS_LOG_LINE_SIZE];
};

/* The state of the limits. Valid when filled with zeros. */
struct ps_log_limit {
    struct ps_log_kind kinds[PS_LOG_KINDS];
    unsigned long others; /* lines that were not logged, of kinds without an entry in `kinds` */
    int64_t others_since; /* when the first of these lines came, in ms */
    int others_level;     /* the highest level of these lines */
};

struct ps_source ps_source_of_user(uid_t uid);

/* Returns the source for an address; of an IPv6 address only the first 64 bits, because a client
 * can use all addresses that begin with these bits. */
struct ps_source ps_source_of_address(const struct sockaddr *address);

/* Returns true if a line must be logged. Otherwise counts the line and returns false. If lines of
 * the same kind were counted in the period before, appends the number of these lines, including
 * this line, to text, which has PS_LOG_LINE_SIZE bytes. burst: how many lines of a kind are logged
 * in a period. now: the time in ms. */
bool ps_log_limit_admits(struct ps_log_limit *limit, const struct ps_source *source, int level,
                         unsigned burst, char *text, int64_t now);

/* Counts a line that could not be logged although ps_log_limit_admits() returned true. */
void ps_log_limit_left_out(struct ps_log_limit *limit, int level, int64_t now);

/* Takes a count that must be logged. Writes the level for the count to *level, and the line with
 * the count to text, which has PS_LOG_LINE_SIZE bytes. at_once: takes the count of any kind; if
 * false, only of a kind whose period is over. Returns false if there is no such count. */
bool ps_log_limit_take(struct ps_log_limit *limit, bool at_once, int64_t now, int *level,
                       char *text);

#endif
