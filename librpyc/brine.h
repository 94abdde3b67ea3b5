/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Brine: RPyC's encoding of immutable values (rpyc/core/brine.py; every tag is in doc/protocol.md).
 *
 * The writer appends one value for each call; for a container it appends the number of items, and
 * the caller then appends the items. The reader returns one item for each call, with pointers into
 * the input. Neither allocates memory for a value or creates objects.
 */
#ifndef RPYC_BRINE_H
#define RPYC_BRINE_H

#include "buffer.h"
#include "error.h"

/* ---- Writing --------------------------------------------------------------------------------- */

/* Each appends one value. Errors are kept in the buffer, in `failed`. A count or a length of 2**32
 * or more is an error, too. */
void brine_put_none(struct buffer *b);
void brine_put_bool(struct buffer *b, bool value);
void brine_put_notimplemented(struct buffer *b);
void brine_put_ellipsis(struct buffer *b);
void brine_put_int(struct buffer *b, int64_t value);
void brine_put_uint(struct buffer *b, uint64_t value);
void brine_put_float(struct buffer *b, double value);
void brine_put_complex(struct buffer *b, double real, double imag);
void brine_put_bytes(struct buffer *b, const void *bytes, size_t len);

/* text must be UTF-8, which is not checked: a stock peer closes the connection after invalid UTF-8.
 */
void brine_put_str(struct buffer *b, const char *text, size_t len);

/* Appends an int of any size from its ASCII digits, with "-" if it is negative. Use brine_put_int
 * for -48 to 159, which stock encodes in one byte; this is not checked. */
void brine_put_digits(struct buffer *b, const char *digits, size_t len);

/* Appends the start of a container. The caller then appends its `count` items, three for a slice.
 */
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
    BRINE_BIGINT, /* an int that does not; its digits are in data */
    BRINE_FLOAT,
    BRINE_COMPLEX,
    BRINE_BYTES,
    BRINE_STR, /* not checked to be UTF-8: see brine_utf8 */
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
            const uint8_t *data; /* BYTES, STR; BIGINT: its digits, with "-" if negative */
            size_t len;
        };
        size_t count; /* TUPLE, FROZENSET: this many items follow. SLICE: 3 */
    };
};

#define BRINE_DEPTH_MAX 200 /* of nested containers */

/* Reads one value, a container with all its items. After an error all calls fail. The reader checks
 * the number of items against the bytes left, and the depth against BRINE_DEPTH_MAX. So a caller
 * may recurse on containers, and may allocate room for the items of a container before it reads
 * them. */
struct brine_reader {
    const uint8_t *pos;
    const uint8_t *end;
    enum rpyc_errcode failed; /* RPYC_OK, RPYC_EPROTOCOL or RPYC_ELIMIT */
    const char *problem;      /* after a failure: why, a static text */
    size_t limit;             /* with RPYC_ELIMIT: the limit that the value exceeds */
    unsigned depth, max_depth;
    size_t taken, max_items; /* items that were read */
    size_t owed; /* items missing in all open containers; at most the number of bytes left */
    uint32_t open[BRINE_DEPTH_MAX + 1]; /* the same for each of them; [0]: outside of all */
};

/* Starts to read len bytes at data, which must remain valid while r is used. */
void brine_read(struct brine_reader *r, const void *data, size_t len);

/* Sets lower limits, counted from the start of the value: on the depth of nested containers, and on
 * the number of items, including containers. 0: no change. The reader fails with RPYC_ELIMIT at the
 * start of the container that exceeds a limit. */
void brine_limit(struct brine_reader *r, unsigned max_depth, size_t max_items);

/* Reads the next item. Returns false at an error, and after the last item. */
bool brine_next(struct brine_reader *r, struct brine_item *item);

/* Skips one value, a container with all its items. *data and *len: its bytes. Fails at a str that
 * is not UTF-8, since the caller may send the bytes. */
bool brine_skip(struct brine_reader *r, const uint8_t **data, size_t *len);

/* Each reads one item, and fails if the item has another type, or a tuple has not `count` items. */
bool brine_expect_tuple(struct brine_reader *r, size_t count);
bool brine_expect_int(struct brine_reader *r, int64_t *value);

/* Lets r fail because the caller has found an error in the value. Returns false. */
bool brine_fail(struct brine_reader *r, const char *problem);

/* Lets r fail because the value exceeds a limit, which `problem` names. Returns false. */
bool brine_fail_limit(struct brine_reader *r, const char *problem, size_t limit);

/* True if all input was read without an error. */
bool brine_at_end(const struct brine_reader *r);

/* Fills err with the failure of r. Returns -1. */
int brine_error(const struct brine_reader *r, struct rpyc_error *err);

/* True if text is UTF-8 as Python defines it: shortest form, no surrogates, up to U+10FFFF. */
bool brine_utf8(const uint8_t *text, size_t len);

#endif
