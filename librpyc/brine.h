/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Brine: RPyC's encoding of immutable values (rpyc/core/brine.py; every tag is in doc/protocol.md).
 *
 * To write, call one brine_put_ function for each value. For a container, the function appends the
 * number of items, and the caller then appends the items. To read, call brine_next() for each item.
 * The items point into the input. Reading allocates no memory, and writing only makes the buffer
 * grow. Neither creates objects.
 */
#ifndef RPYC_BRINE_H
#define RPYC_BRINE_H

#include "buffer.h"
#include "error.h"

/* ---- Writing --------------------------------------------------------------------------------- */

/* Each function appends one value. b->failed is set if there is no memory, or if a count or a
 * length is 2**32 or more. */
void brine_put_none(struct buffer *b);
void brine_put_bool(struct buffer *b, bool value);
void brine_put_notimplemented(struct buffer *b);
void brine_put_ellipsis(struct buffer *b);
void brine_put_int(struct buffer *b, int64_t value);
void brine_put_uint(struct buffer *b, uint64_t value);
void brine_put_float(struct buffer *b, double value);
void brine_put_complex(struct buffer *b, double real, double imag);
void brine_put_bytes(struct buffer *b, const void *bytes, size_t len);

/* Appends a str. text must be valid UTF-8. This is not checked; a stock peer closes the connection
 * when it receives invalid UTF-8. */
void brine_put_str(struct buffer *b, const char *text, size_t len);

/* Append a str of more than 255 bytes whose length is not yet known. Call brine_begin_long_str,
 * append the UTF-8 with buffer_put, then pass the result of brine_begin_long_str to
 * brine_end_long_str. */
size_t brine_begin_long_str(struct buffer *b);
void brine_end_long_str(struct buffer *b, size_t start);

/* Appends an int of any size from its ASCII digits, with "-" if it is negative. Use brine_put_int
 * for -48 to 159: stock rpyc encodes these ints in one byte. This is not checked. */
void brine_put_digits(struct buffer *b, const char *digits, size_t len);

/* Each function appends the start of a container. The caller then appends the items: `count` of
 * them, or three for a slice. */
void brine_put_tuple(struct buffer *b, size_t count);
void brine_put_frozenset(struct buffer *b, size_t count);
void brine_put_slice(struct buffer *b);

/* ---- Reading --------------------------------------------------------------------------------- */

enum brine_type {
    BRINE_NONE,
    BRINE_BOOL,
    BRINE_NOTIMPLEMENTED,
    BRINE_ELLIPSIS,
    BRINE_INT,    /* an int that fits an int64_t */
    BRINE_BIGINT, /* any other int; its digits are in data */
    BRINE_FLOAT,
    BRINE_COMPLEX,
    BRINE_BYTES,
    BRINE_STR, /* may be invalid UTF-8: check it with brine_utf8 */
    BRINE_TUPLE,
    BRINE_FROZENSET,
    BRINE_SLICE
};

/* One item that was read. data points into the reader's input. */
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
            const uint8_t *data; /* BYTES, STR; BIGINT: its digits, with "-" if negative */
            size_t len;
        };
        size_t count; /* TUPLE, FROZENSET: how many items follow. SLICE: 3 */
    };
};

#define BRINE_DEPTH_MAX 200 /* the most levels of nested containers */

/* A reader of one value. If the value is a container, the reader also reads all items in it. After
 * an error, all calls fail. It is an error if a container has more items than bytes are left, or if
 * containers are nested deeper than BRINE_DEPTH_MAX. So a caller may recurse on containers, and may
 * allocate room for the items of a container before it reads them. */
struct brine_reader {
    const uint8_t *pos;
    const uint8_t *end;
    enum rpyc_errcode failed; /* RPYC_OK, RPYC_EPROTOCOL or RPYC_ELIMIT */
    const char *problem;      /* after an error: the reason, a static text */
    size_t limit;             /* after RPYC_ELIMIT: the value of the limit that was exceeded */
    unsigned depth, max_depth;
    size_t taken, max_items; /* taken: the number of items that were read */
    size_t owed;             /* items left in all open containers; never more than the bytes left */
    uint32_t open[BRINE_DEPTH_MAX + 1]; /* items left in each open container; open[0]: 1 until the
                                         * value itself was read */
};

/* Initializes r for reading the len bytes at data, which must remain valid while r is used. */
void brine_read(struct brine_reader *r, const void *data, size_t len);

/* Lowers the limits on the depth of nested containers and on the number of items. Each container
 * counts as an item, and so does each item in it. Containers and items that were read before this
 * call count as well. 0: does not change this limit. The reader fails with RPYC_ELIMIT at the start
 * of the container that exceeds a limit. */
void brine_limit(struct brine_reader *r, unsigned max_depth, size_t max_items);

/* Reads the next item. Returns false after an error. A call after the last item is an error. */
bool brine_next(struct brine_reader *r, struct brine_item *item);

/* Skips one value. If the value is a container, skips all items in it, too. Sets *data and *len to
 * the bytes of the value. Fails if the value contains a str that is not valid UTF-8, since the
 * caller may send the bytes to a peer. */
bool brine_skip(struct brine_reader *r, const uint8_t **data, size_t *len);

/* Each function reads one item. brine_expect_tuple fails if the item is not a tuple of `count`
 * items. brine_expect_int fails if the item is not an int that fits an int64_t. */
bool brine_expect_tuple(struct brine_reader *r, size_t count);
bool brine_expect_int(struct brine_reader *r, int64_t *value);

/* Makes r fail with RPYC_EPROTOCOL, for an error that the caller has found in the value. problem: a
 * static text. An earlier error of r is kept. Returns false. */
bool brine_fail(struct brine_reader *r, const char *problem);

/* Like brine_fail, but the error is RPYC_ELIMIT, because the value exceeds a limit. problem: a
 * static text that names the limit. limit: the value of this limit. */
bool brine_fail_limit(struct brine_reader *r, const char *problem, size_t limit);

/* True if the value was read without an error, and no bytes follow it. */
bool brine_at_end(const struct brine_reader *r);

/* Fills err with the error of r. If r has no error, fills err with the error that bytes follow the
 * value. Returns -1. */
int brine_error(const struct brine_reader *r, struct rpyc_error *err);

/* True if text is UTF-8 as Python defines it: shortest form, no surrogates, up to U+10FFFF. */
bool brine_utf8(const uint8_t *text, size_t len);

#endif
