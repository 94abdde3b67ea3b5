/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A server that plays a script. doc/protocol.md, "Detecting the generation", has what servers of
 * each kind send.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include "rpyc.h"
#include "unit.h"

#define ANSWERS_MAX 4
#define ACTS_MAX    4

/* What the server does on one connection. It sends frames: the hex of their payloads, with "/"
 * between them; or raw bytes, with "!" before the hex. */
struct act {
    const char *greeting;             /* sent first, or NULL */
    const char *answers[ANSWERS_MAX]; /* the n-th is sent after the n-th frame was received */
    bool hangs_up;                    /* closes at the end; else waits until the client closes */
    int after; /* the first answer waits for this number of steps: see step() */
};

/* One connection, which has its own thread. */
struct played {
    struct server *server;
    struct thread thread;
    const struct act *act;
    int fd;
    char heard[512]; /* in brackets: the payloads in hex, and "end" if the client closed */
};

struct server {
    struct thread thread;
    const struct act *acts;
    size_t count;
    struct played played[ACTS_MAX];
    atomic_int steps;
    int listener;
    bool stops_listening; /* closes the listening socket after all acts have started */
    char name[64];
    char port[8];
    char heard[2048]; /* what all connections received */
};

/* Counts a connection that has received its first frame, or has ended. */
void step(struct server *s);

/* The thread of the server. */
void run_server(void *arg);

/* Listens, on an abstract name or on a port that the kernel selects. */
void server_listen_unix(struct server *s);
void server_listen_tcp(struct server *s);

/* Listens on an abstract name, and starts the thread. */
void server_start(struct server *s, const struct act *acts, size_t count);

/* Waits for the end of the script, and checks what the server received. */
void server_end(struct server *s, const char *heard);

#define ACTS(acts) acts, sizeof(acts) / sizeof(*(acts))

/* Payloads in hex, without spaces, as in struct played. */
#define GETROOT_6 "0111501153115102"
#define GETROOT_5 "1251501153115102"
#define CLOSE_6   "0111511152115102" /* the second request */
#define CLOSE_5   "1251511152115102"
#define ROOT_REF  "115412080e06612e526f6f745357"                /* ("a.Root", 3, 7) */
#define SERVICE   "115412080e0f6275696c74696e732e6f626a656374*" /* ("builtins.object", ...) */
#define THREADS   "00007f9b828ff6c00000000000000000"
#define ANSWER_6  "021150" ROOT_REF
#define ANSWER_5  "125250" ROOT_REF
#define GOODBYE_5 "1251501152115102" /* the first of the server's */
#define GOODBYE_6 "0111501152115102"

/* Checks that the connection works, and its generation. Then closes it. */
void assert_connected(rpyc_conn *conn, enum rpyc_generation generation);

/* Connects to a server that plays these acts. */
void assert_connects(const struct act *acts, size_t count, enum rpyc_generation given,
                     enum rpyc_generation found, const char *heard);

/* Checks that connecting to a server that plays these acts fails. The error's text is "connected to
 * @name, but" and a text. */
void assert_connects_not(const struct act *acts, size_t count, int timeout_ms,
                         enum rpyc_generation given, enum rpyc_errcode code, const char *text,
                         const char *heard);

/* Checks that connecting with these options times out. */
void assert_no_answer(const struct act *acts, size_t count, const struct rpyc_options *options,
                      const char *heard);

/* Connects with a remembered envelope to a server that plays these acts. */
void assert_remembers(struct rpyc_envelope *remembered, const struct act *acts, size_t count,
                      enum rpyc_generation found, const char *heard);

#endif
