/* SPDX-License-Identifier: BSD-3-Clause */
#include "brine.h"

enum tag {
    TAG_NONE = 0x00,
    TAG_EMPTY_BYTES = 0x01,
    TAG_EMPTY_TUPLE = 0x02,
    TAG_TRUE = 0x03,
    TAG_FALSE = 0x04,
    TAG_NOTIMPLEMENTED = 0x05,
    TAG_ELLIPSIS = 0x06,
    TAG_STR = 0x08,
    TAG_LONG = 0x09, /* sent by Python 2 peers; an int with its own tag follows */
    TAG_BYTES1 = 0x0a,
    TAG_BYTES4 = 0x0d,
    TAG_BYTES_L1 = 0x0e,
    TAG_BYTES_L4 = 0x0f,
    TAG_TUPLE1 = 0x10,
    TAG_TUPLE4 = 0x13,
    TAG_TUPLE_L1 = 0x14,
    TAG_TUPLE_L4 = 0x15,
    TAG_INT_L1 = 0x16,
    TAG_INT_L4 = 0x17,
    TAG_FLOAT = 0x18,
    TAG_SLICE = 0x19,
    TAG_FROZENSET = 0x1a,
    TAG_COMPLEX = 0x1b,
    TAG_IMMEDIATE_FIRST = 0x20, /* an int in one byte: the tag minus 0x50 */
    TAG_IMMEDIATE_LAST = 0xef
};

#define IMMEDIATE_BIAS 0x50
#define IMMEDIATE_MIN  (TAG_IMMEDIATE_FIRST - IMMEDIATE_BIAS)
#define IMMEDIATE_MAX  (TAG_IMMEDIATE_LAST - IMMEDIATE_BIAS)

/* ---- Writing --------------------------------------------------------------------------------- */

void brine_put_none(struct buffer *b)
{
    buffer_put_u8(b, TAG_NONE);
}

void brine_put_bool(struct buffer *b, bool value)
{
    buffer_put_u8(b, value ? TAG_TRUE : TAG_FALSE);
}

void brine_put_notimplemented(struct buffer *b)
{
    buffer_put_u8(b, TAG_NOTIMPLEMENTED);
}

void brine_put_ellipsis(struct buffer *b)
{
    buffer_put_u8(b, TAG_ELLIPSIS);
}

/* Appends a tag and a length: tag_l1 and one byte if the length is below 256, else tag_l4 and four
 * bytes. */
static void put_length(struct buffer *b, enum tag tag_l1, enum tag tag_l4, size_t len)
{
    if (len > UINT32_MAX) {
        b->failed = true;
        return;
    }
    if (len < 256) {
        buffer_put_u8(b, tag_l1);
        buffer_put_u8(b, (uint8_t)len);
    } else {
        buffer_put_u8(b, tag_l4);
        buffer_put_u32(b, (uint32_t)len);
    }
}

void brine_put_digits(struct buffer *b, const char *digits, size_t len)
{
    put_length(b, TAG_INT_L1, TAG_INT_L4, len);
    buffer_put(b, digits, len);
}

/* Appends an int as decimal digits. magnitude: its absolute value. Every message contains such a
 * number, so this function does not use snprintf(), which is several times slower. */
static void put_decimal(struct buffer *b, uint64_t magnitude, bool negative)
{
    char digits[24], *p = digits + sizeof(digits);

    do
        *--p = (char)('0' + magnitude % 10);
    while (magnitude /= 10);
    if (negative)
        *--p = '-';
    brine_put_digits(b, p, (size_t)(digits + sizeof(digits) - p));
}

void brine_put_uint(struct buffer *b, uint64_t value)
{
    if (value <= IMMEDIATE_MAX)
        buffer_put_u8(b, (uint8_t)(value + IMMEDIATE_BIAS));
    else
        put_decimal(b, value, false);
}

void brine_put_int(struct buffer *b, int64_t value)
{
    if (value >= IMMEDIATE_MIN && value <= IMMEDIATE_MAX)
        buffer_put_u8(b, (uint8_t)(value + IMMEDIATE_BIAS));
    else
        put_decimal(b, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

static void put_double(struct buffer *b, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    buffer_put_u64(b, bits);
}

void brine_put_float(struct buffer *b, double value)
{
    buffer_put_u8(b, TAG_FLOAT);
    put_double(b, value);
}

void brine_put_complex(struct buffer *b, double real, double imag)
{
    buffer_put_u8(b, TAG_COMPLEX);
    put_double(b, real);
    put_double(b, imag);
}

void brine_put_bytes(struct buffer *b, const void *bytes, size_t len)
{
    if (len == 0)
        buffer_put_u8(b, TAG_EMPTY_BYTES);
    else if (len <= 4)
        buffer_put_u8(b, (uint8_t)(TAG_BYTES1 + len - 1));
    else
        put_length(b, TAG_BYTES_L1, TAG_BYTES_L4, len);
    buffer_put(b, bytes, len);
}

void brine_put_str(struct buffer *b, const char *text, size_t len)
{
    buffer_put_u8(b, TAG_STR);
    brine_put_bytes(b, text, len);
}

size_t brine_begin_long_str(struct buffer *b)
{
    buffer_put_u8(b, TAG_STR);
    buffer_put_u8(b, TAG_BYTES_L4);
    buffer_put_u32(b, 0);
    return b->len;
}

void brine_end_long_str(struct buffer *b, size_t start)
{
    size_t len = b->len - start;

    if (len > UINT32_MAX)
        b->failed = true;
    if (!b->failed)
        store_u32(b->data + start - 4, (uint32_t)len);
}

void brine_put_tuple(struct buffer *b, size_t count)
{
    if (count == 0)
        buffer_put_u8(b, TAG_EMPTY_TUPLE);
    else if (count <= 4)
        buffer_put_u8(b, (uint8_t)(TAG_TUPLE1 + count - 1));
    else
        put_length(b, TAG_TUPLE_L1, TAG_TUPLE_L4, count);
}

void brine_put_frozenset(struct buffer *b, size_t count)
{
    buffer_put_u8(b, TAG_FROZENSET);
    brine_put_tuple(b, count);
}

void brine_put_slice(struct buffer *b)
{
    buffer_put_u8(b, TAG_SLICE);
    brine_put_tuple(b, 3);
}

/* ---- Reading --------------------------------------------------------------------------------- */

void brine_read(struct brine_reader *r, const void *data, size_t len)
{
    r->pos = data;
    r->end = len ? r->pos + len : r->pos;
    r->failed = RPYC_OK;
    r->problem = NULL;
    r->limit = 0;
    r->depth = 1;
    r->max_depth = BRINE_DEPTH_MAX;
    r->owed = 1;
    r->taken = 0;
    r->max_items = SIZE_MAX;
    r->open[0] = 1;
}

void brine_limit(struct brine_reader *r, unsigned max_depth, size_t max_items)
{
    if (max_depth > 0 && max_depth < r->max_depth)
        r->max_depth = max_depth;
    if (max_items > 0 && max_items < r->max_items)
        r->max_items = max_items;
}

static bool fail_with(struct brine_reader *r, enum rpyc_errcode code, const char *problem,
                      size_t limit)
{
    if (r->failed == RPYC_OK) {
        r->failed = code;
        r->problem = problem;
        r->limit = limit;
    }
    return false;
}

bool brine_fail(struct brine_reader *r, const char *problem)
{
    return fail_with(r, RPYC_EPROTOCOL, problem, 0);
}

bool brine_fail_limit(struct brine_reader *r, const char *problem, size_t limit)
{
    return fail_with(r, RPYC_ELIMIT, problem, limit);
}

bool brine_at_end(const struct brine_reader *r)
{
    return r->failed == RPYC_OK && r->depth == 0 && r->pos == r->end;
}

int brine_error(const struct brine_reader *r, struct rpyc_error *err)
{
    if (r->failed == RPYC_OK)
        return error_set(err, RPYC_EPROTOCOL, "bad brine: bytes after the value");
    if (r->failed == RPYC_ELIMIT)
        return error_set(err, RPYC_ELIMIT, "a message was refused: %s (%zu)", r->problem, r->limit);
    return error_set(err, r->failed, "bad brine: %s", r->problem);
}

/* Returns the next n bytes of the input. If there are fewer, returns NULL, and r fails. */
static const uint8_t *take(struct brine_reader *r, size_t n)
{
    const uint8_t *p = r->pos;

    if ((size_t)(r->end - p) < n) {
        brine_fail(r, "the data ends inside a value");
        return NULL;
    }
    r->pos = p + n;
    return p;
}

static bool take_u8(struct brine_reader *r, size_t *n)
{
    const uint8_t *p = take(r, 1);

    if (p)
        *n = *p;
    return p != NULL;
}

static bool take_u32(struct brine_reader *r, size_t *n)
{
    const uint8_t *p = take(r, 4);

    if (p)
        *n = load_u32(p);
    return p != NULL;
}

static double load_double(const uint8_t *p)
{
    uint64_t bits = load_u64(p);
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Reads a bytes object whose tag was read already. */
static bool take_bytes(struct brine_reader *r, size_t tag, struct brine_item *item)
{
    size_t len;

    if (tag == TAG_EMPTY_BYTES)
        len = 0;
    else if (tag >= TAG_BYTES1 && tag <= TAG_BYTES4)
        len = tag - TAG_BYTES1 + 1;
    else if (tag == TAG_BYTES_L1) {
        if (!take_u8(r, &len))
            return false;
    } else if (tag == TAG_BYTES_L4) {
        if (!take_u32(r, &len))
            return false;
    } else
        return brine_fail(r, "the tag of a str is not followed by bytes");
    item->type = BRINE_BYTES;
    item->data = take(r, len);
    item->len = len;
    return item->data != NULL;
}

static bool take_str(struct brine_reader *r, struct brine_item *item)
{
    size_t tag;

    if (!take_u8(r, &tag) || !take_bytes(r, tag, item))
        return false;
    item->type = BRINE_STR;
    return true;
}

/* Reads the number of items of a container and opens the container. type: the container's type. In
 * brine, a frozenset or slice contains a tuple. tag: the tag of this tuple or, if the container is
 * a tuple, its own tag. This tag was read already. */
static bool take_tuple(struct brine_reader *r, size_t tag, enum brine_type type,
                       struct brine_item *item)
{
    size_t count;

    if (tag == TAG_EMPTY_TUPLE)
        count = 0;
    else if (tag >= TAG_TUPLE1 && tag <= TAG_TUPLE4)
        count = tag - TAG_TUPLE1 + 1;
    else if (tag == TAG_TUPLE_L1) {
        if (!take_u8(r, &count))
            return false;
    } else if (tag == TAG_TUPLE_L4) {
        if (!take_u32(r, &count))
            return false;
    } else
        return brine_fail(r, "the tag of a frozenset or slice is not followed by a tuple");
    if (r->owed + count > (size_t)(r->end - r->pos))
        return brine_fail(r, "a container has more items than there are bytes left");
    if (type == BRINE_SLICE && count != 3)
        return brine_fail(r, "a slice does not have three items");
    if (count > 0) {
        if (r->depth > r->max_depth)
            return brine_fail_limit(r, "it is nested deeper than max_depth", r->max_depth);
        if (r->taken + r->owed + count > r->max_items)
            return brine_fail_limit(r, "it has more items than max_items", r->max_items);
        r->open[r->depth++] = (uint32_t)count;
        r->owed += count;
    }
    item->type = type;
    item->count = count;
    return true;
}

static bool take_wrapped_tuple(struct brine_reader *r, enum brine_type type,
                               struct brine_item *item)
{
    size_t tag;

    return take_u8(r, &tag) && take_tuple(r, tag, type, item);
}

#define SAFE_DIGITS 18 /* each int with this number of decimal digits fits an int64_t */

/* Parses ASCII digits with an optional sign. *item becomes an INT if the number fits an int64_t,
 * else a BIGINT. */
static bool parse_digits(struct brine_reader *r, const uint8_t *text, size_t len,
                         struct brine_item *item)
{
    bool negative = len > 0 && text[0] == '-';
    size_t i = len > 0 && (text[0] == '-' || text[0] == '+');
    bool fits = true;
    int64_t value = 0;

    if (i == len)
        return brine_fail(r, "an int without digits");
    item->data = text[0] == '+' ? text + 1 : text;
    item->len = text[0] == '+' ? len - 1 : len;
    for (; i < len; i++) {
        int digit = text[i] - '0';

        if (digit < 0 || digit > 9)
            return brine_fail(r, "an int with characters other than digits");
        if (negative)
            digit = -digit;
        if (len <= SAFE_DIGITS)
            value = 10 * value + digit;
        else
            fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
                   !__builtin_add_overflow(value, digit, &value);
    }
    item->type = BRINE_BIGINT;
    if (fits) {
        item->type = BRINE_INT;
        item->integer = value;
    }
    return true;
}

static bool take_int(struct brine_reader *r, size_t tag, struct brine_item *item)
{
    const uint8_t *text;
    size_t len;

    if (tag >= TAG_IMMEDIATE_FIRST && tag <= TAG_IMMEDIATE_LAST) {
        item->type = BRINE_INT;
        item->integer = (int64_t)tag - IMMEDIATE_BIAS;
        return true;
    }
    if (tag == TAG_INT_L1) {
        if (!take_u8(r, &len))
            return false;
    } else if (tag == TAG_INT_L4) {
        if (!take_u32(r, &len))
            return false;
    } else
        return brine_fail(r, "an unknown tag");
    text = take(r, len);
    return text && parse_digits(r, text, len, item);
}

static bool take_float(struct brine_reader *r, enum brine_type type, struct brine_item *item)
{
    const uint8_t *p = take(r, type == BRINE_FLOAT ? 8 : 16);

    if (!p)
        return false;
    item->type = type;
    item->real = load_double(p);
    item->imag = type == BRINE_FLOAT ? 0 : load_double(p + 8);
    return true;
}

static bool take_singleton(enum brine_type type, struct brine_item *item)
{
    item->type = type;
    return true;
}

static bool take_bool(bool value, struct brine_item *item)
{
    item->type = BRINE_BOOL;
    item->boolean = value;
    return true;
}

static bool take_value(struct brine_reader *r, struct brine_item *item)
{
    size_t tag;

    if (!take_u8(r, &tag))
        return false;
    switch (tag) {
    case TAG_NONE:
        return take_singleton(BRINE_NONE, item);
    case TAG_NOTIMPLEMENTED:
        return take_singleton(BRINE_NOTIMPLEMENTED, item);
    case TAG_ELLIPSIS:
        return take_singleton(BRINE_ELLIPSIS, item);
    case TAG_TRUE:
        return take_bool(true, item);
    case TAG_FALSE:
        return take_bool(false, item);
    case TAG_EMPTY_BYTES:
    case TAG_BYTES1 ... TAG_BYTES_L4:
        return take_bytes(r, tag, item);
    case TAG_STR:
        return take_str(r, item);
    case TAG_EMPTY_TUPLE:
    case TAG_TUPLE1 ... TAG_TUPLE_L4:
        return take_tuple(r, tag, BRINE_TUPLE, item);
    case TAG_FROZENSET:
        return take_wrapped_tuple(r, BRINE_FROZENSET, item);
    case TAG_SLICE:
        return take_wrapped_tuple(r, BRINE_SLICE, item);
    case TAG_FLOAT:
        return take_float(r, BRINE_FLOAT, item);
    case TAG_COMPLEX:
        return take_float(r, BRINE_COMPLEX, item);
    case TAG_LONG:
        return take_u8(r, &tag) && take_int(r, tag, item);
    default:
        return take_int(r, tag, item);
    }
}

/* Closes each open container whose last item was read. */
static void close_finished(struct brine_reader *r)
{
    while (r->depth > 0 && r->open[r->depth - 1] == 0)
        r->depth--;
}

bool brine_next(struct brine_reader *r, struct brine_item *item)
{
    if (r->failed != RPYC_OK)
        return false;
    if (r->depth == 0)
        return brine_fail(r, "the data ends too early");
    r->open[r->depth - 1]--;
    r->owed--;
    r->taken++;
    if (!take_value(r, item))
        return false;
    close_finished(r);
    return true;
}

bool brine_skip(struct brine_reader *r, const uint8_t **data, size_t *len)
{
    const uint8_t *start = r->pos;
    struct brine_item item;
    size_t missing = 1;

    while (missing > 0) {
        if (!brine_next(r, &item))
            return false;
        if (item.type == BRINE_STR && !brine_utf8(item.data, item.len))
            return brine_fail(r, "a str that is not UTF-8");
        missing--;
        if (item.type == BRINE_TUPLE || item.type == BRINE_FROZENSET || item.type == BRINE_SLICE)
            missing += item.count;
    }
    *data = start;
    *len = (size_t)(r->pos - start);
    return true;
}

bool brine_expect_tuple(struct brine_reader *r, size_t count)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return false;
    if (item.type != BRINE_TUPLE || item.count != count)
        return brine_fail(r, "a value is not a tuple with the expected number of items");
    return true;
}

bool brine_expect_int(struct brine_reader *r, int64_t *value)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return false;
    if (item.type != BRINE_INT)
        return brine_fail(r, "expected an int that fits 64 bits");
    *value = item.integer;
    return true;
}

/* Returns the length of the UTF-8 character at p, where n > 0 bytes are left; 0 if the character is
 * invalid. See table 3-7 of the Unicode standard. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t len, i;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (n < len || p[1] < low || p[1] > high)
        return 0;
    for (i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    }
    return len;
}

bool brine_utf8(const uint8_t *text, size_t len)
{
    while (len > 0) {
        size_t n = utf8_length(text, len);

        if (n == 0)
            return false;
        text += n;
        len -= n;
    }
    return true;
}
