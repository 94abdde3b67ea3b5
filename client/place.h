/* SPDX-License-Identifier: BSD-3-Clause
 *
 * place: where a server is, and how to get there: also into a container.
 */
#ifndef CLIENT_PLACE_H
#define CLIENT_PLACE_H

#include <rpyc.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Either of two, and maybe of another process's view of the machine. */
struct place {
    const char *host, *port; /* a name or an address, and decimal digits */
    const char *path;        /* of a Unix socket, or "@name"; NULL: host and port */
    pid_t pid, tid;          /* a thread whose paths they are; 0: ours */
    bool other_network;      /* ... and whose network namespace is not ours */
};

/* What a found socket's address is, for who wants to connect to it: 0.0.0.0 and :: are reached by
 * loopback. Keeps the strings in text, and points to them. */
struct place_text {
    char host[46], port[6], path[sizeof(struct sockaddr_storage)];
};
void place_of(struct place *out, struct place_text *text, const struct sockaddr_storage *address);

/* "127.0.0.1 port 6666", or a path: for messages. */
void place_describe(char *out, size_t size, const struct place *place);

/* Connects. Errors: those of rpyc_connect_tcp; RPYC_EINVAL, with a whole sentence, where we can not
 * get into the other process's namespaces. */
int place_connect(rpyc_conn **out, const struct place *place, const struct rpyc_options *how,
                  struct rpyc_error *err);

/* Just a socket, non-blocking, that is connected within some ms; -1 if not. */
int place_open(const struct place *place, int timeout_ms);

/* Fills err. Always -1. */
int place_error(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
