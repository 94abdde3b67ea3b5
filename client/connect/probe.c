/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect/probe.h"

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "connect/dial.h"
#include "procfs/clock.h"

#define CONNECT_MS 500
#define BANNER_MS  200 /* how long to wait for a server that sends first */
#define ANSWER_MS  1000
#define ENOUGH     16 /* the number of bytes that are enough to recognise a protocol */

/* The first message of a TLS 1.2 client (ClientHello), with a few common ciphers and no extensions.
 * A TLS server accepts or refuses this message, and answers in TLS in both cases. Servers of text
 * protocols wait for an empty line before they answer, so the 32 random bytes contain an empty
 * line. */
static const char client_hello[] = "\x16\x03\x01\x00\x3b"                 /* a record of 59 bytes */
                                   "\x01\x00\x00\x37"                     /* a ClientHello of 55 */
                                   "\x03\x03"                             /* TLS 1.2 */
                                   "pystuck asks who listens\r\n\r\n...." /* 32 bytes */
                                   "\x00"                                 /* no session */
                                   "\x00\x10"                             /* 8 ciphers */
                                   "\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30"
                                   "\x00\x9c\x00\x2f\x00\x35\x00\xff"
                                   "\x01\x00"; /* no compression */

/* Recognises a protocol by its first bytes. */
static enum spoken recognise(const char *bytes, size_t len)
{
    static const struct {
        const char *start;
        enum spoken is;
    } known[] = {
        {"\x15\x03", SPOKEN_TLS},   {"\x16\x03", SPOKEN_TLS}, {"HTTP/", SPOKEN_HTTP},
        {"<!doctype", SPOKEN_HTTP}, {"<html", SPOKEN_HTTP}, /* HTTP 0.9 has no status line */
        {"SSH-", SPOKEN_SSH},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (len >= strlen(known[i].start) &&
            strncasecmp(bytes, known[i].start, strlen(known[i].start)) == 0)
            return known[i].is;
    return SPOKEN_OTHER;
}

/* Reads until the protocol is recognised, ENOUGH bytes have been read, or timeout_ms have passed in
 * total. */
static enum spoken listen_to(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int64_t deadline = clock_ms() + timeout_ms, left = timeout_ms;
    enum spoken spoken = SPOKEN_NOTHING;
    char bytes[ENOUGH];
    size_t len = 0;
    ssize_t n;

    while (len < sizeof(bytes) && left > 0 && poll(&wait, 1, (int)left) > 0) {
        n = recv(fd, bytes + len, sizeof(bytes) - len, 0);
        if (n <= 0)
            return len > 0 ? spoken : SPOKEN_CLOSED;
        len += (size_t)n;
        spoken = recognise(bytes, len);
        if (spoken != SPOKEN_OTHER)
            break;
        left = deadline - clock_ms();
    }
    return spoken;
}

enum spoken probe(const struct address *address)
{
    int fd = dial_socket(address, CONNECT_MS);
    enum spoken spoken;

    if (fd < 0)
        return SPOKEN_CLOSED;
    spoken = listen_to(fd, BANNER_MS);
    if (spoken == SPOKEN_NOTHING) {
        if (send(fd, client_hello, sizeof(client_hello) - 1, MSG_NOSIGNAL) > 0)
            spoken = listen_to(fd, ANSWER_MS);
        else
            spoken = SPOKEN_CLOSED;
    }
    close(fd);
    return spoken;
}
