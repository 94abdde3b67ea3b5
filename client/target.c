/* SPDX-License-Identifier: BSD-3-Clause */
#include "target.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "set_error.h"

#define UNIX_PREFIX "unix:"
#define MAX_PORT    65535

/* The format with which messages quote an argument: at most 64 bytes of it. */
#define QUOTED "'%.64s'"

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* True if the bytes can be the name or the number of a network interface. */
static bool is_scope(const char *text, const char *end)
{
    const char *start = text;

    while (text < end && (isalnum((unsigned char)*text) || strchr("._-", *text)))
        text++;
    return start < end && text == end;
}

/* True if the len bytes are an IPv6 address, with or without a scope: fe80::1%eth0. */
static bool is_ipv6(const char *text, size_t len)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr unused;
    const char *scope = memchr(text, '%', len);

    if (scope && !is_scope(scope + 1, text + len))
        return false;
    if (scope)
        len = (size_t)(scope - text);
    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    return inet_pton(AF_INET6, address, &unused) == 1;
}

/* True if the bytes can be a host name or an IPv4 address. The resolver finds out later whether
 * they really are a name or an address. */
static bool may_be_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (isspace((unsigned char)text[i]) || iscntrl((unsigned char)text[i]) ||
            strchr("/[]@:", text[i]))
            return false;
    return len > 0;
}

/* True if the text looks like the path of a Unix socket. */
static bool is_path(const char *text)
{
    return *text && strchr("/.~@", *text);
}

static int bad_host(const char *text, struct rpyc_error *err)
{
    if (is_path(text))
        return set_error(err, RPYC_EINVAL,
                         "invalid host " QUOTED ": for a Unix socket, type " UNIX_PREFIX "%.64s",
                         text, text);
    return set_error(err, RPYC_EINVAL,
                     "invalid host " QUOTED ": expected a name or an IPv4 or IPv6 address", text);
}

/* Checks the len bytes at host, and stores them as the host. text: the whole argument, for
 * messages. */
static int take_host(struct target *out, const char *host, size_t len, const char *text,
                     struct rpyc_error *err)
{
    if (len > TARGET_HOST_MAX)
        return set_error(err, RPYC_EINVAL,
                         "invalid host '%.32s...': expected at most %d characters", host,
                         TARGET_HOST_MAX);
    if (!is_ipv6(host, len) && !may_be_name(host, len))
        return bad_host(text, err);
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    return 0;
}

int target_parse_port(struct target *out, const char *text, struct rpyc_error *err)
{
    unsigned long port = is_number(text) ? strtoul(text, NULL, 10) : 0; /* ULONG_MAX: too large */

    if (port == 0 || port > MAX_PORT)
        return set_error(err, RPYC_EINVAL, "invalid port " QUOTED ": expected 1 to %d", text,
                         MAX_PORT);
    snprintf(out->port, sizeof(out->port), "%u", (unsigned)port);
    return 0;
}

int target_parse_path(struct target *out, const char *text, struct rpyc_error *err)
{
    size_t len = strlen(text);

    if (len == 0 || strcmp(text, "@") == 0)
        return set_error(
            err, RPYC_EINVAL,
            "invalid Unix socket '%s': expected a path, or @NAME for an abstract socket", text);
    if (len >= sizeof(out->path))
        return set_error(
            err, RPYC_EINVAL,
            "invalid Unix socket '%.32s...': expected at most %zu bytes, but the path has "
            "%zu",
            text, sizeof(out->path) - 1, len);
    memcpy(out->path, text, len + 1);
    return 0;
}

/* Parses "[v6]" or "[v6]:port". */
static int parse_brackets(struct target *out, const char *text, struct rpyc_error *err)
{
    const char *end = strchr(text, ']');

    if (!end || (end[1] != '\0' && end[1] != ':') || !is_ipv6(text + 1, (size_t)(end - text - 1)))
        return set_error(err, RPYC_EINVAL,
                         "invalid address " QUOTED ": expected [IPv6 address]:port", text);
    if (take_host(out, text + 1, (size_t)(end - text - 1), text, err) < 0)
        return -1;
    return end[1] == ':' ? target_parse_port(out, end + 2, err) : 0;
}

int target_parse_host(struct target *out, const char *text, struct rpyc_error *err)
{
    size_t len = strlen(text);

    if (text[0] == '[' && text[len - 1] == ']')
        return parse_brackets(out, text, err);
    return take_host(out, text, len, text, err);
}

int target_parse(struct target *out, const char *text, struct rpyc_error *err)
{
    const char *colon = strchr(text, ':');

    *out = (struct target){0};
    if (*text == '\0')
        return set_error(
            err, RPYC_EINVAL,
            "invalid address '': expected host, host:port, [v6]:port, port or " UNIX_PREFIX "PATH");
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return target_parse_path(out, text + strlen(UNIX_PREFIX), err);
    if (is_number(text))
        return target_parse_port(out, text, err);
    if (text[0] == '[')
        return parse_brackets(out, text, err);
    if (!colon || is_ipv6(text, strlen(text)))
        return take_host(out, text, strlen(text), text, err);
    if (is_path(text))
        return bad_host(text, err);
    if (strchr(colon + 1, ':'))
        return set_error(err, RPYC_EINVAL,
                         "invalid address " QUOTED ": write an IPv6 address with a port as "
                         "[::1]:6666",
                         text);
    if (take_host(out, text, (size_t)(colon - text), text, err) < 0)
        return -1;
    return target_parse_port(out, colon + 1, err);
}
