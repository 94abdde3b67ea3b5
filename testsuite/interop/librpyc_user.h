/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of librpyc_user share.
 */
#ifndef LIBRPYC_USER_H
#define LIBRPYC_USER_H

#include "rpyc.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* The arguments of the program. */
extern const char *the_case, *host, *port;

/* The connection of the case, made before the case runs. */
extern rpyc_conn *conn;

/* The error of the main thread. */
extern struct rpyc_error err;

/* Defines a case, and enters it in the list. */
struct user_case {
    const char *name;
    void (*run)(void);
    struct user_case *next;
};
void case_add(struct user_case *one);

#define CASE(name)                                                                                 \
    static void name(void);                                                                        \
    static void __attribute__((constructor)) add_##name(void)                                      \
    {                                                                                              \
        static struct user_case one = {#name, name, NULL};                                         \
        case_add(&one);                                                                            \
    }                                                                                              \
    static void name(void)

/* Prints where and why the case failed, and exits. */
void stop(int line, const char *what, const struct rpyc_error *why) __attribute__((noreturn));

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            stop(__LINE__, #condition, &err);                                                      \
    } while (0)

/* Checks that a call returns 0. */
#define OK(call) CHECK((call) == 0)

/* Checks that a call fails with a code. */
#define FAILS(call, errcode)                                                                       \
    do {                                                                                           \
        CHECK((call) == -1);                                                                       \
        CHECK(err.code == (errcode));                                                              \
        CHECK(err.text[0] != '\0' && !strchr(err.text, '\n'));                                     \
    } while (0)

/* Checks that a call fails with a remote exception of a class. */
#define RAISES(call, class_name)                                                                   \
    do {                                                                                           \
        FAILS(call, RPYC_EREMOTE);                                                                 \
        CHECK(rpyc_error_is(&err, class_name));                                                    \
    } while (0)

/* Opens one more connection to the server. */
int connect_anew(rpyc_conn **out, const struct rpyc_options *options);

/* Evaluates an expression, or executes statements, in the server's process. */
rpyc_value *eval(const char *text);
void execute(const char *text);

/* Returns the int in v. Drops the reference to v. */
int64_t take_int(rpyc_value *v);

/* True if v is this str. Drops the reference to v. */
bool take_str_is(rpyc_value *v, const char *wanted);

/* True if an expression is true in the server's process. */
bool is_true(const char *text);

/* Waits until an expression is true in the server's process. */
void wait_until_true(const char *text);

int64_t now_ms(void);

/* Creates a value for a function. Stops the case at an error. */
rpyc_value *function(rpyc_function_fn f, void *arg);

/* A function for the server: returns twice its argument. */
int twice(void *arg, rpyc_value *args, rpyc_value *kwargs, rpyc_value **out, struct rpyc_error *e);

/* Adds 1 to the atomic_int at arg. */
void count_up(void *arg);

/* wait(n) in the server's process returns n after `other` has opened the gate (sets the event). */
struct gate {
    rpyc_conn *other; /* a second connection, with which the case sets the event */
    rpyc_value *event, *wait;
};
struct gate gate_new(void);
void gate_open(struct gate *g);
void gate_free(struct gate *g);

#endif
