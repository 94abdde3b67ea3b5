/* SPDX-License-Identifier: BSD-3-Clause
 *
 * options: what the user asked for on the command line, and what -h says about it.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <rpyc.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "color.h"
#include "target.h"

/* Which servers the user accepts: option --server-user. Zeros: servers of the user and of root;
 * those of other users with a warning, or not at all if the user is root. */
struct trust {
    bool anyone;   /* accept the servers of all users */
    bool has_user; /* accept only the servers of this user: */
    uid_t user;
};

/* How stacks are printed: see stacks/print.h. */
enum stacks_format { FORMAT_TEXT, FORMAT_PLAIN, FORMAT_JSON };

/* What was asked for. The pointers are argv's or constants: nothing to free. */
struct options {
    struct target target; /* a path, or else a host and a port */
    struct trust trust;   /* whose servers are accepted */
    struct rpyc_tls tls;  /* how to speak TLS, if ssl says so */
    const char **code;    /* to be run there, in this order: argv's memory */
    size_t code_count;
    const char *when;           /* --color as it was given, or NULL */
    const char *timeout;        /* --timeout as it was given, or NULL */
    const char *version;        /* --rpyc as it was given, or NULL */
    struct rpyc_dialect *found; /* what connect_server found: for the next time, and for diagnose */
    struct rpyc_dialect rpyc;   /* what --rpyc says; AUTO: find out */
    int timeout_ms;             /* what --timeout says, or 0 */
    int pid;                    /* of the process whose server is wanted, wherever; 0: not given */
    enum choice stacks;         /* print the stacks */
    enum choice color;          /* print in colours */
    enum stacks_format format;
    bool somewhere; /* an address or a process was given: it is not the default address */
    bool ssl;       /* over TLS */
    bool list;      /* show the processes that have a server, and nothing else */
    bool greenlets; /* also the stacks of greenlets */
    bool prompt;    /* open the prompt afterwards, or read standard input */
    bool execute;   /* cells may run code in the program; else only chains are evaluated */
};

enum options_action {
    OPTIONS_RUN,     /* connect: *out is filled */
    OPTIONS_HELP,    /* print the help and be done */
    OPTIONS_VERSION, /* print the version and be done */
    OPTIONS_WRONG    /* a mistake, of which stderr has been told already */
};

/* Reads the command line into *out. Permutes argv, and sets argv[0] to "pystuck". */
enum options_action options_parse(struct options *out, int argc, char **argv);

/* Prints what -h prints. */
void options_help(FILE *stream);

/* Prints how a program is made a debuggee. */
void options_instructions(FILE *stream);

#endif
