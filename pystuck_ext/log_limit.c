/* SPDX-License-Identifier: BSD-3-Clause */
#include "log_limit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define IPV6_PREFIX 8 /* the first bytes of an address, which all addresses of one client share */
#define FNV_OFFSET  UINT64_C(14695981039346656037)
#define FNV_PRIME   UINT64_C(1099511628211)
#define COUNT_SIZE  64
#define MS_PER_S    1000

struct ps_source ps_source_of_user(uid_t uid)
{
    struct ps_source source = {.family = AF_UNIX};

    memcpy(source.id, &uid, sizeof(uid));
    return source;
}

struct ps_source ps_source_of_address(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    struct ps_source source = {.family = address->sa_family};

    if (address->sa_family == AF_INET)
        memcpy(source.id, &in->sin_addr, sizeof(in->sin_addr));
    else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        memcpy(source.id, &in6->sin6_addr, sizeof(source.id));
    else if (address->sa_family == AF_INET6)
        memcpy(source.id, &in6->sin6_addr, IPV6_PREFIX);
    return source;
}

static uint64_t hash_without_numbers(const char *text)
{
    uint64_t hash = FNV_OFFSET;

    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            hash = (hash ^ (unsigned char)*text) * FNV_PRIME;
    }
    return hash;
}

static bool is_over(int64_t since, int64_t now)
{
    return now - since >= PS_LOG_PERIOD_MS;
}

static bool is_same_source(const struct ps_source *one, const struct ps_source *other)
{
    return one->family == other->family && memcmp(one->id, other->id, sizeof(one->id)) == 0;
}

/* Appends " (COUNT times in N s)" to a line. ms: the time in ms. If the line is too long, cuts its
 * end before the text is appended. */
static void append_count(char *text, unsigned long count, int64_t ms)
{
    size_t len = strlen(text);
    char more[COUNT_SIZE];
    int n =
        snprintf(more, sizeof(more), " (%lu times in %lld s)", count, (long long)(ms / MS_PER_S));

    if (len + (size_t)n >= PS_LOG_LINE_SIZE)
        len = PS_LOG_LINE_SIZE - 1 - (size_t)n;
    memcpy(text + len, more, (size_t)n + 1);
}

/* Returns the entry of the kind with this source and text. If there is no such entry, returns a
 * free entry; NULL if no entry is free, or if the source has PS_LOG_KINDS_OF_ONE entries. An entry
 * becomes free when its period is over and its count has been taken. */
static struct ps_log_kind *find_kind(struct ps_log_limit *limit, const struct ps_source *source,
                                     uint64_t hash, int64_t now)
{
    struct ps_log_kind *kind, *free_one = NULL;
    size_t of_source = 0;

    for (kind = limit->kinds; kind < limit->kinds + PS_LOG_KINDS; kind++) {
        if (kind->told == 0 || (is_over(kind->since, now) && kind->more == 0)) {
            free_one = free_one ? free_one : kind;
            kind->told = 0;
        } else if (is_same_source(&kind->source, source)) {
            if (kind->hash == hash)
                return kind;
            of_source++;
        }
    }
    return of_source < PS_LOG_KINDS_OF_ONE ? free_one : NULL;
}

void ps_log_limit_left_out(struct ps_log_limit *limit, int level, int64_t now)
{
    if (limit->others++ == 0) {
        limit->others_since = now;
        limit->others_level = level;
    }
    limit->others_level = level > limit->others_level ? level : limit->others_level;
}

bool ps_log_limit_admits(struct ps_log_limit *limit, const struct ps_source *source, int level,
                         unsigned burst, char *text, int64_t now)
{
    uint64_t hash = hash_without_numbers(text);
    struct ps_log_kind *kind = find_kind(limit, source, hash, now), old;

    if (!kind) {
        ps_log_limit_left_out(limit, level, now);
        return false;
    }
    if (kind->told > 0 && !is_over(kind->since, now)) {
        if (kind->told == burst)
            kind->more++;
        else
            kind->told++;
        return kind->more == 0;
    }
    old = *kind;
    *kind = (struct ps_log_kind){*source, hash, now, 1, 0, level, ""};
    snprintf(kind->text, sizeof(kind->text), "%s", text);
    if (old.told > 0)
        append_count(text, old.more + 1, now - old.since);
    return true;
}

bool ps_log_limit_take(struct ps_log_limit *limit, bool at_once, int64_t now, int *level,
                       char *text)
{
    struct ps_log_kind *kind;

    for (kind = limit->kinds; kind < limit->kinds + PS_LOG_KINDS; kind++) {
        if (kind->more == 0 || (!at_once && !is_over(kind->since, now)))
            continue;
        *level = kind->level;
        memcpy(text, kind->text, PS_LOG_LINE_SIZE);
        append_count(text, kind->more, now - kind->since);
        kind->told = 0;
        kind->more = 0;
        return true;
    }
    if (limit->others == 0 || (!at_once && !is_over(limit->others_since, now)))
        return false;
    *level = limit->others_level;
    snprintf(text, PS_LOG_LINE_SIZE, "more lines about clients were not logged");
    append_count(text, limit->others, now - limit->others_since);
    limit->others = 0;
    return true;
}
