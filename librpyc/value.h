/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values and netrefs for C callers, reference counted, and how they go over the wire.
 */
#ifndef RPYC_VALUE_H
#define RPYC_VALUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "drops.h"

struct netref {
    rpyc_conn *conn; /* a reference */
    char *name;      /* of the class, NUL-terminated */
    uint8_t *pack;   /* the id pack as brine, as it came */
    size_t pack_len;
    uint64_t count; /* how often the other side counted it for us */
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
    };
    bool big; /* an INT that is in data and not in integer */
};

struct rpyc_conn {
    atomic_int refs;
    struct conn *conn;
    int request_timeout_ms;
    deadline_t deadline; /* for everything, while connecting; then DEADLINE_NEVER */
    bool guessing; /* the generation is not certain yet: the first thing that comes in tells */
    rpyc_value *root;

    pthread_mutex_t lock; /* guards what follows */
    void *netrefs;        /* tsearch tree of the netrefs that are alive, by id pack */
    struct drops drops;   /* objects to be given back with the next request */
};

void rpyc_conn_unref(rpyc_conn *conn);

/* One value with all that is in it, or a box. NULL with err filled at failure. */
rpyc_value *value_read(struct brine_reader *r, struct rpyc_error *err);
rpyc_value *value_unbox(rpyc_conn *conn, struct brine_reader *r, struct rpyc_error *err);

/* Appends a value as brine; not for netrefs nor tuples with netrefs in them. */
void value_put(struct buffer *out, const rpyc_value *value);

/* Appends the box of any value. */
void value_box(struct buffer *out, const rpyc_value *value);

#endif
