/* SPDX-License-Identifier: BSD-3-Clause
 *
 * options: the command line: its options, their help, and what they mean.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <rpyc.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "color.h"
#include "target.h"

/* The servers that the user accepts, from --server-user. All zeros: servers of the user and of
 * root; those of other users with a warning, or not at all if the user is root. */
struct trust {
    bool anyone;   /* accept the servers of all users */
    bool has_user; /* accept only the servers of this user: */
    uid_t user;
};

/* The formats of --format; see stacks/print.h. */
enum stacks_format { FORMAT_TEXT, FORMAT_PLAIN, FORMAT_JSON };

/* The parsed command line. Its pointers lead to argv or constants: nothing to free. */
struct options {
    struct target target; /* a path, or else a host and a port */
    struct trust trust;   /* the users whose servers are accepted */
    struct rpyc_tls tls;  /* the options of TLS, if ssl is true */
    const char **code;    /* the arguments of -c, in order */
    size_t code_count;
    const char *when;            /* the argument of --color, or NULL */
    const char *timeout;         /* the argument of --timeout, or NULL */
    const char *version;         /* the argument of --rpyc, or NULL */
    struct rpyc_envelope *found; /* the version of rpyc that connect_server() detected; used again
                                  * for later connections */
    struct rpyc_envelope rpyc;   /* the version of --rpyc; AUTO: detect it */
    int timeout_ms;              /* --timeout in ms, or 0 */
    int pid;                     /* --pid, or 0 */
    enum choice stacks;          /* print the stacks */
    enum choice color;           /* print in colours */
    enum stacks_format format;
    bool somewhere; /* the user gave an address or a process */
    bool ssl;       /* use TLS */
    bool list;      /* only print the processes that have a server */
    bool greenlets; /* print also the stacks of greenlets */
    bool prompt;    /* open the prompt, or read standard input */
    bool execute;   /* code may be run in the program; else only chains are evaluated */
};

enum options_action {
    OPTIONS_RUN,     /* connect: *out is filled */
    OPTIONS_HELP,    /* print the help and exit */
    OPTIONS_VERSION, /* print the version and exit */
    OPTIONS_WRONG    /* the command line is wrong: a message was printed on stderr */
};

/* Parses the command line into *out. Permutes argv, and sets argv[0] to "pystuck". */
enum options_action options_parse(struct options *out, int argc, char **argv);

/* Prints the help. */
void options_help(FILE *stream);

/* Prints what a program must do so that pystuck can connect to it. */
void options_instructions(FILE *stream);

#endif
