/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values and netrefs for C callers, reference counted, and how they go over the wire.
 */
#ifndef RPYC_VALUE_H
#define RPYC_VALUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "releases.h"

struct netref {
    rpyc_conn *conn; /* a reference */
    char *name;      /* of the class, NUL-terminated */
    uint8_t *pack;   /* the id pack as brine, as it came */
    size_t pack_len;
    uint64_t count; /* how often the other side counted it for us */
};

/* An object of ours, or one of its methods. */
struct local {
    const struct rpyc_ops *ops;
    void *self;
    rpyc_value *method_of;     /* a method: the object, a reference; else NULL */
    char *method;              /* ... and which one */
    rpyc_function_fn function; /* a plain function, in place of ops */
};

struct rpyc_value {
    atomic_int refs;
    enum rpyc_type type;
    union {
        bool boolean;
        int64_t integer;
        struct {
            double real;
            double imag;
        };
        struct { /* STR, BYTES; the digits of an INT that does not fit, else data is NULL */
            char *data;
            size_t len;
        };
        struct {
            rpyc_value **items;
            size_t count;
        };
        struct netref ref;
        struct local local;
    };
    bool big; /* an INT that is in data and not in integer */
};

struct rpyc_conn {
    atomic_int refs;
    struct conn *conn;
    int request_timeout_ms;
    deadline_t deadline; /* for everything, while connecting; then DEADLINE_NEVER */
    bool guessing;    /* the generation is not certain yet: the first thing that comes in tells */
    rpyc_value *root; /* from before there is anyone else who has it until it is closed */

    pthread_mutex_t lock;     /* guards what follows; no other is taken while it is held */
    rpyc_value *service;      /* what the other side gets for our root, once it asked */
    void *netrefs;            /* tsearch tree of the netrefs that are alive, by id pack */
    void *locals;             /* tsearch tree of the objects of ours that the other side holds */
    struct releases releases; /* objects to be given back with the next request */
};

void rpyc_conn_unref(rpyc_conn *conn);

/* A new value with one reference, its content still to be filled in. NULL: RPYC_ENOMEM. */
rpyc_value *value_new(enum rpyc_type type, struct rpyc_error *err);

/* Fills a STR, a BYTES, or an INT that does not fit, with a copy of data. */
int value_fill_data(rpyc_value *v, const void *data, size_t len, struct rpyc_error *err);

/* A tuple, frozenset or slice of items, whose references it takes, also when it fails. */
rpyc_value *value_container(enum rpyc_type type, rpyc_value *const *items, size_t count,
                            struct rpyc_error *err);

/* One value with all that is in it, or a box. NULL with err filled at failure. A box may hold a
 * reference to an object of ours: one that the other side does not hold is RPYC_EPROTOCOL. */
rpyc_value *value_read(struct brine_reader *r, struct rpyc_error *err);
rpyc_value *value_unbox(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err);

/* Appends a value as brine; not for references, nor for what has references in it. */
void value_put(struct buffer *out, const rpyc_value *value);

/* Whether a value can go out on a connection: RPYC_EINVAL for a netref of another one, or a
 * reference in a frozenset or slice. What value_box holds for the other side stays held if the
 * message is then given up, so a message of several values has all of them checked first. */
int value_check(const rpyc_conn *conn, const rpyc_value *value, struct rpyc_error *err);

/* Appends the box of any value; the other side then holds what of ours is in it. RPYC_EINVAL for a
 * netref of another connection. */
int value_box(rpyc_conn *conn, struct buffer *out, rpyc_value *value, struct rpyc_error *err);

/* Whether a value goes over by value, which a tuple does only with all that is in it. */
bool value_is_plain(const rpyc_value *value);

#endif
