/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The values of C callers: their reference counts, and how they are read from and written as brine.
 * This file knows no connections. What a netref or a local object owns is released by a function in
 * netref.c or local.c: see `release`.
 */
#ifndef RPYC_VALUE_H
#define RPYC_VALUE_H

#include <stdatomic.h>

#include "brine.h"

/* A reference to an object of the peer: see netref.h. */
struct netref {
    rpyc_conn *conn; /* a reference */
    char *name;      /* the name of the class, NUL-terminated */
    uint8_t *pack;   /* the id pack as brine, as it arrived */
    size_t pack_len;
    uint64_t count; /* how many times the peer has sent the object; the peer counts this too */
};

/* An object or a function of this program, or a method of such an object: see local.h. */
struct local {
    const struct rpyc_ops *ops;
    void *self;
    rpyc_value *method_of;     /* of a method: its object, a reference; else NULL */
    const char *method;        /* of a method: its entry in the object's ops->methods */
    rpyc_function_fn function; /* of a function, which has no ops; else NULL */
};

struct rpyc_value {
    atomic_int refs;
    enum rpyc_type type : 8;
    bool big : 1; /* an INT that does not fit an int64_t; its digits are in data and len */
    union {
        bool boolean;
        int64_t integer;
        struct {
            double real;
            double imag;
        };
        struct { /* STR, BYTES, or the decimal digits of a big INT; NUL-terminated, owned */
            char *data;
            size_t len;
        };
        struct { /* TUPLE, FROZENSET, SLICE: references, owned */
            rpyc_value **items;
            size_t count;
        };
        struct netref ref;
        struct local local;
    };

    /* Only set for NETREF and OBJECT. For the last reference, rpyc_unref calls `release` and does
     * not free the value itself. `release` drops this reference, and frees the value if no other
     * thread has added a reference meanwhile. */
    void (*release)(rpyc_value *v);
};

/* A variable that is declared as `AUTO_VALUE *v = NULL;` drops its reference at the end of the
 * block. */
static inline void value_cleanup(rpyc_value **v)
{
    rpyc_unref(*v);
}

#define AUTO_VALUE _cleanup_(value_cleanup) rpyc_value

/* Returns a new value with one reference, for the caller to fill in; NULL with RPYC_ENOMEM. */
rpyc_value *value_new(enum rpyc_type type, struct rpyc_error *err);

/* Fills a STR, a BYTES or a big INT with a copy of data. */
int value_fill_data(rpyc_value *v, const void *data, size_t len, struct rpyc_error *err);

/* Allocates room for `count` items in an empty TUPLE, FROZENSET or SLICE. */
int value_reserve(rpyc_value *v, size_t count, struct rpyc_error *err);

/* Returns a new tuple, frozenset or slice of items. Takes their references, also at failure. */
rpyc_value *value_container(enum rpyc_type type, rpyc_value *const *items, size_t count,
                            struct rpyc_error *err);

/* True for a tuple, a frozenset and a slice. */
bool value_is_container(const rpyc_value *value);

/* True if a value can be copied to the peer. False if it is, or contains, a NETREF or an OBJECT. */
bool value_is_plain(const rpyc_value *value);

/* Reads one value. If it is a container, also reads all its items. Returns a new reference, or NULL
 * with err filled. */
rpyc_value *value_read(struct brine_reader *r, struct rpyc_error *err);

/* Appends a plain value as brine. */
void value_put(struct buffer *out, const rpyc_value *value);

/* Returns the name of a value's type as Python shows it ("int", "NoneType"); for a netref, the name
 * of its class ("list", "numpy.float64"); for NULL, "no value". The name is borrowed from value. */
const char *value_type_name(const rpyc_value *value);

#endif
