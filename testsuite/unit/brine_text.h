/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Brine as text, so that a test can say what it expects to read. All expected bytes were made by
 * rpyc.core.brine.dump() of rpyc 6.0.2.
 */
#ifndef BRINE_TEXT_H
#define BRINE_TEXT_H

#include "brine.h"
#include "unit.h"

/* Declares a reader of hex bytes. They are in r_bytes, if the reader is called r. */
#define READER(r, hex)                                                                             \
    AUTO_BYTES r##_bytes = from_hex(hex);                                                          \
    struct brine_reader r;                                                                         \
    brine_read(&(r), r##_bytes.data, r##_bytes.len)

/* Checks that the bytes are read as a text, in which (a b) is a tuple, {a b} a frozenset and [a b
 * c] a slice. */
void assert_reads(const struct bytes *brine, const char *text);

#define READS(hex, text)                                                                           \
    do {                                                                                           \
        AUTO_BYTES brine_ = from_hex(hex);                                                         \
        assert_reads(&brine_, text);                                                               \
    } while (0)

/* Checks that puts into `b` append the hex bytes, and that these are read as a text. */
#define BOTH(hex, text, ...)                                                                       \
    do {                                                                                           \
        AUTO_BUFFER b = BUFFER_INIT;                                                               \
        __VA_ARGS__;                                                                               \
        assert_false(b.failed);                                                                    \
        assert_bytes(b.data, b.len, hex);                                                          \
        READS(hex, text);                                                                          \
    } while (0)

/* True if the reader can skip the value. */
bool skips(const struct bytes *brine);
/* Checks that reading fails, and the reason. */
void assert_fails(const struct bytes *brine, enum rpyc_errcode code, const char *problem);

#define FAILS(hex, problem)                                                                        \
    do {                                                                                           \
        AUTO_BYTES brine_ = from_hex(hex);                                                         \
        assert_fails(&brine_, RPYC_EPROTOCOL, problem);                                            \
    } while (0)

#define ENDS_EARLY "the data ends inside a value"
#define TOO_MANY   "a container has more items than there are bytes left"

/* The example in the documentation of rpyc.core.brine, as Python 3 dumps it. */
#define DOC_EXAMPLE                                                                                \
    "140e 080b6865 57 080c6c6c6f 58 02 1603393030 00 03 06 184032333333333333 "                    \
    "1b402a0000000000004032333333333333 19 12515253 1a 12555657 05"

#endif
