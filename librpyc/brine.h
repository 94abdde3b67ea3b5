/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Brine: RPyC's encoding of immutable values (rpyc/core/brine.py; every tag is in doc/protocol.md).
 *
 * Writing is pushing: one call a value, containers first as a count and then their items. Reading
 * is pulling: each call hands out one item, which points into the input. Neither allocates per
 * value, and neither builds objects; whoever calls does.
 */
#ifndef RPYC_BRINE_H
#define RPYC_BRINE_H

#include "buffer.h"
#include "error.h"

/* ---- Writing -------------------------------------------------------------------------------- */

/* Appends one value. Errors are the buffer's: sticky, `failed`. A count or length of 2**32 or more
 * cannot be written and fails too. */
void brine_put_none(struct buffer *b);
void brine_put_bool(struct buffer *b, bool value);
void brine_put_notimplemented(struct buffer *b);
void brine_put_ellipsis(struct buffer *b);
void brine_put_int(struct buffer *b, int64_t value);
void brine_put_uint(struct buffer *b, uint64_t value);
void brine_put_float(struct buffer *b, double value);
void brine_put_complex(struct buffer *b, double real, double imag);
void brine_put_bytes(struct buffer *b, const void *bytes, size_t len);

/* text must be UTF-8: stock peers give up the connection over anything else. Not checked here. */
void brine_put_str(struct buffer *b, const char *text, size_t len);

/* An int of any size as ASCII digits, "-" before them if negative. A number between -48 and 159 has
 * to go through brine_put_int, for stock dumps it in one byte; not checked here. */
void brine_put_digits(struct buffer *b, const char *digits, size_t len);

/* The head of a container; the caller puts its `count` items (a slice's three) behind it. */
void brine_put_tuple(struct buffer *b, size_t count);
void brine_put_frozenset(struct buffer *b, size_t count);
void brine_put_slice(struct buffer *b);

/* ---- Reading -------------------------------------------------------------------------------- */

enum brine_type {
    BRINE_NONE,
    BRINE_BOOL,
    BRINE_NOTIMPLEMENTED,
    BRINE_ELLIPSIS,
    BRINE_INT,    /* fits an int64_t */
    BRINE_BIGINT, /* does not: its digits are in data */
    BRINE_FLOAT,
    BRINE_COMPLEX,
    BRINE_BYTES,
    BRINE_STR, /* UTF-8 as the peer claims: see brine_utf8 */
    BRINE_TUPLE,
    BRINE_FROZENSET,
    BRINE_SLICE
};

/* One item. Pointers point into the reader's input. */
struct brine_item {
    enum brine_type type;
    union {
        bool boolean;
        int64_t integer;
        struct {
            double real; /* FLOAT and COMPLEX */
            double imag; /* COMPLEX */
        };
        struct {
            const uint8_t *data; /* BYTES, STR; of a BIGINT: digits, with a sign if negative */
            size_t len;
        };
        size_t count; /* TUPLE, FROZENSET: this many items follow. SLICE: 3 */
    };
};

#define BRINE_DEPTH_MAX 200 /* containers in containers */

/* One reader for one value, with everything in it. Errors are sticky. The structure is checked as
 * it is read: the number of items against the bytes that are left, and the depth against
 * BRINE_DEPTH_MAX, so a caller that recurses on containers is safe to do so, and one that makes
 * room for the items of a container too. */
struct brine_reader {
    const uint8_t *pos;
    const uint8_t *end;
    enum rpyc_errcode failed; /* RPYC_OK, RPYC_EPROTOCOL or RPYC_ELIMIT */
    const char *problem;      /* a static text that says what is wrong, once it failed */
    size_t limit;             /* with RPYC_ELIMIT: the limit that the value is over */
    unsigned depth, max_depth;
    size_t taken, max_items; /* items so far */
    size_t owed; /* items to come in all open containers together: never more than bytes are left */
    uint32_t open[BRINE_DEPTH_MAX + 1]; /* items to come in each open container; in [0]: values */
};

/* Starts to read the len bytes at data, which must stay until the reader is done. */
void brine_read(struct brine_reader *r, const void *data, size_t len);

/* Sets limits that are lower, counted from the start of the value: on containers in containers, and
 * on items, containers among them. 0: as it was. Past them the reader fails with RPYC_ELIMIT, at
 * the container that holds too much and not in the middle of it. */
void brine_limit(struct brine_reader *r, unsigned max_depth, size_t max_items);

/* The next item. False at an error; asking for more than the input holds is one. */
bool brine_next(struct brine_reader *r, struct brine_item *item);

/* Reads over one value, containers with all that is in them, and says which bytes it took. Fails at
 * a str that is not UTF-8, for the bytes may be sent on as they are. */
bool brine_skip(struct brine_reader *r, const uint8_t **data, size_t *len);

/* Shortcuts for what an envelope is made of: each reads one item, and fails if it is anything else.
 * A tuple must have just `count` items. */
bool brine_expect_tuple(struct brine_reader *r, size_t count);
bool brine_expect_int(struct brine_reader *r, int64_t *value);

/* Fails the reader on behalf of its caller, who found the value to be wrong. Returns false. */
bool brine_fail(struct brine_reader *r, const char *problem);

/* Fails it because the value is over a limit, which `problem` names. Returns false. */
bool brine_fail_limit(struct brine_reader *r, const char *problem, size_t limit);

/* Whether everything has been read and nothing failed. */
bool brine_at_end(const struct brine_reader *r);

/* Fills err from a reader that failed; returns -1. */
int brine_error(const struct brine_reader *r, struct rpyc_error *err);

/* Whether the bytes are UTF-8 as Python takes it: shortest form, no surrogates, up to U+10FFFF. */
bool brine_utf8(const uint8_t *text, size_t len);

#endif
