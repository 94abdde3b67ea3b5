/* SPDX-License-Identifier: BSD-3-Clause
 *
 * options: parses the command line, and prints the help.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <rpyc.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "color.h"
#include "target.h"

/* Which users' servers the client accepts, from --server-user. If this option is not given,
 * all members are 0. In this case, the client accepts the servers of its own user and of root. It
 * also accepts the servers of other users, with a warning, unless the client runs as root. */
struct trust {
    bool anyone;   /* accept the servers of all users */
    bool has_user; /* accept only the servers of the user in the next member */
    uid_t user;
};

struct stacks_seen;

/* The formats of --format; see stacks/print.h. FORMAT_JSON_LINES is FORMAT_JSON with --watch. */
enum stacks_format { FORMAT_TEXT, FORMAT_PLAIN, FORMAT_JSON, FORMAT_JSON_LINES };

/* The parsed command line. Its pointers point into argv or to memory that is never freed. */
struct options {
    struct target target; /* a path, or else a host and a port */
    struct trust trust;   /* the users whose servers are accepted */
    struct rpyc_tls tls;  /* the options of TLS, if ssl is true */
    const char **code;    /* the arguments of -c, in order */
    size_t code_count;
    const char *core;  /* the argument of --core, or NULL */
    const char **exes; /* the arguments of --exe, in order */
    size_t exe_count;
    const char *when;            /* the argument of --color, or NULL */
    const char *timeout;         /* the argument of --timeout, or NULL */
    const char *watch;           /* the argument of --watch, or NULL */
    const char *version;         /* the argument of --rpyc, or NULL */
    struct rpyc_envelope *found; /* the version that connect_server() has detected; later
                                  * connections try it first */
    struct rpyc_envelope rpyc;   /* the version that --rpyc names; AUTO: detect it */
    int connect_ms;              /* how long to wait for a connection, if timeout_ms is 0; or 0 */
    int timeout_ms;              /* --timeout in ms, or 0 */
    int watch_ms;                /* --watch in ms, or 0 */
    struct stacks_seen *seen;    /* the stacks that --watch has printed; NULL: no --watch */
    int pid;                     /* --pid, or 0 */
    enum choice stacks;          /* whether to print the stacks */
    enum choice color;           /* whether to use colours */
    enum stacks_format format;
    bool full;         /* print each stack, and all of its frames */
    bool locals;       /* print local variables */
    bool check;        /* the exit status tells whether a deadlock was found; see pystuck(1) */
    bool somewhere;    /* the user gave an address or a process */
    bool ssl;          /* use TLS */
    bool subprocesses; /* also print the stacks of the child processes of `pid` */
    bool list;         /* only print the processes that have a server */
    bool greenlets;    /* print also the stacks of greenlets */
    bool prompt;       /* open the prompt, or read a script from standard input */
    bool execute;      /* code may be run in the debuggee; if false, only chains are evaluated */
};

enum options_action {
    OPTIONS_RUN,     /* connect: *out is filled */
    OPTIONS_HELP,    /* print the help and exit */
    OPTIONS_VERSION, /* print the version and exit */
    OPTIONS_WRONG    /* the command line is wrong: a message was printed on stderr */
};

/* Parses the command line into *out. Permutes argv, and sets argv[0] to "pystuck". */
enum options_action options_parse(struct options *out, int argc, char **argv);

/* True if --json or --format json is given. */
bool options_is_json(const struct options *options);

/* True if a prompt must be opened: the options allow it, and standard input and output are
 * terminals. */
bool options_opens_prompt(const struct options *options);

/* Prints the help. */
void options_help(FILE *stream);

/* Prints what a program must do so that pystuck can connect to it. */
void options_instructions(FILE *stream);

#endif
