/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which of the lines that clients cause are logged, and which are only counted: a client must not
 * fill a log. Knows no Python and no clock, waits for nothing, and has a fixed size.
 *
 * A line is known by who has caused it and by its text without numbers. It is logged `burst` times
 * in PS_LOG_PERIOD_MS and counted after that. The count is logged with the next line of that kind,
 * or when another line is logged after that time. There is room for PS_LOG_KINDS kinds of lines,
 * and for PS_LOG_KINDS_OF_ONE of one source: of more, only the number is logged.
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

/* Who has caused a line: a user, or an address without its port. All zero: not known. */
struct ps_source {
    uint16_t family; /* AF_UNIX: a user of this machine, on whatever socket */
    uint8_t id[16];
};

/* One kind of line. */
struct ps_log_kind {
    struct ps_source source;
    uint64_t hash;      /* of the text without numbers */
    int64_t since;      /* when the first of those that count was logged, in ms */
    unsigned told;      /* how often it was logged since; 0: this entry is free */
    unsigned long more; /* ... and how often it was not */
    int level;
    char text[PS_LOG_LINE_SIZE];
};

/* All zero: nothing has been logged yet. */
struct ps_log_limit {
    struct ps_log_kind kinds[PS_LOG_KINDS];
    unsigned long others; /* lines for whose kind there was no room, */
    int64_t others_since; /* ... since then, */
    int others_level;     /* ... and the highest of their levels */
};

struct ps_source ps_source_of_user(uid_t uid);

/* Of IPv6 the first 64 bits count: who has one such address has all of them. */
struct ps_source ps_source_of_address(const struct sockaddr *address);

/* Whether a line is to be logged now, a time in ms. If lines like it have been counted, `text` (of
 * PS_LOG_LINE_SIZE bytes) says so from now on. */
bool ps_log_limit_admits(struct ps_log_limit *limit, const struct ps_source *source, int level,
                         unsigned burst, char *text, int64_t now);

/* Counts a line that was admitted and could not be logged. */
void ps_log_limit_left_out(struct ps_log_limit *limit, int level, int64_t now);

/* Takes a count that is to be logged: of a kind whose time is over, or of any if `at_once`. False
 * if there is none. text has PS_LOG_LINE_SIZE bytes. */
bool ps_log_limit_take(struct ps_log_limit *limit, bool at_once, int64_t now, int *level,
                       char *text);

#endif
