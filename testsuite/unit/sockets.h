/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What connects two streams: servers, pairs, socket files, and servers that answer no more clients.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "stream.h"
#include "unit.h"

#define AUTO_STREAM _cleanup_(stream_close) struct stream

/* Deadlines: long enough for what must succeed, short for what must fail. */
#define SOON deadline_in(60000)

/* A listening socket. */
struct server {
    int fd;
    char port[8];
};

void server_close(struct server *s);

#define AUTO_SERVER _cleanup_(server_close) struct server

/* Listens. port: 0, or one that must be free. Returns the fd, or -1. */
int listen_on(const char *address, uint16_t port, int backlog, struct rpyc_error *err);
uint16_t port_of(int fd);
/* Listens on a port that the kernel selects. */
struct server serve(const char *address, int backlog);

/* A port without a listener, reserved so that no other program can use it. */
struct server hold_port(void);
/* Prints a message if not. */
bool have_ipv6(void);

/* Two connected streams. */
struct pair {
    struct stream a, b;
};

void pair_close(struct pair *p);

#define AUTO_PAIR _cleanup_(pair_close) struct pair

struct pair unix_pair(void);
struct pair tcp_pair(void);

/* Checks that bytes sent at one end arrive at the other. */
void assert_connected(struct stream *a, struct stream *b);

/* Accepts the client, and checks that they are connected. */
void assert_accepts(int listener, struct stream *client);
bool closes_on_exec(int fd);

/* A directory for socket files. */
struct directory {
    char path[64];
    char file[80];
};

struct directory directory_make(void);
void directory_remove(struct directory *d);

#define AUTO_DIRECTORY _cleanup_(directory_remove) struct directory

int listen_unix(const char *path, int backlog, struct rpyc_error *err);

/* Returns a name for a Unix socket, the same each time. */
const char *abstract_name(void);

/* Clients that fill the backlog of a server: the next one gets no answer. */
struct crowd {
    int fds[64];
    size_t count;
};

void crowd_leave(struct crowd *c);

#define AUTO_CROWD _cleanup_(crowd_leave) struct crowd

void crowd_fill_tcp(struct crowd *c, const struct server *s);

/* A listening Unix socket whose backlog is full. */
int listen_unix_crowded(struct crowd *crowd);

#endif
