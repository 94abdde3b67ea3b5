/* SPDX-License-Identifier: BSD-3-Clause */
#include "describe.h"

#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Texts ----------------------------------------------------------------------------------- */

void describe_put_bytes(struct buffer *out, const char *text, size_t len)
{
    size_t room = out->len < DESCRIBE_MAX ? DESCRIBE_MAX - out->len : 0;

    buffer_put(out, text, len < room ? len : room);
}

void describe_put(struct buffer *out, const char *text)
{
    describe_put_bytes(out, text, strlen(text));
}

void describe_put_int(struct buffer *out, int64_t n)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, n);
    describe_put(out, text);
}

/* Appends one byte of a quoted text, escaped as in Python's repr(). is_ascii: also escapes bytes
 * above 0x7f; if false, these bytes are parts of UTF-8 characters. */
static void put_quoted_byte(struct buffer *out, uint8_t byte, char quote, bool is_ascii)
{
    char text[8];

    if (byte == '\n')
        describe_put(out, "\\n");
    else if (byte == '\r')
        describe_put(out, "\\r");
    else if (byte == '\t')
        describe_put(out, "\\t");
    else if (byte < ' ' || byte == 0x7f || (is_ascii && byte > 0x7f)) {
        snprintf(text, sizeof(text), "\\x%02x", byte);
        describe_put(out, text);
    } else {
        if (byte == '\\' || byte == (uint8_t)quote)
            describe_put(out, "\\");
        describe_put_bytes(out, (const char *)&byte, 1);
    }
}

static void put_quoted(struct buffer *out, const char *data, size_t len, bool is_ascii)
{
    bool has_single = memchr(data, '\'', len), has_double = memchr(data, '"', len);
    char quote[] = {has_single && !has_double ? '"' : '\'', '\0'};

    describe_put(out, quote);
    for (size_t i = 0; i < len && out->len < DESCRIBE_MAX; i++)
        put_quoted_byte(out, (uint8_t)data[i], quote[0], is_ascii);
    describe_put(out, quote);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* Finds the fewest digits that strtod converts back to d. Stores them in `digits` without the
 * decimal point, which depends on the locale. Returns how many digits there are. *exponent: the
 * decimal exponent of the first digit. */
static int shortest_digits(double d, char digits[20], int *exponent)
{
    char text[40];
    int precision = 0, n = 0;

    do
        snprintf(text, sizeof(text), "%.*e", precision, d);
    while (strtod(text, NULL) != d && ++precision < 17);
    *exponent = atoi(strchr(text, 'e') + 1);
    for (const char *p = text; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    return n;
}

/* Appends a number: n digits, with the decimal point after the first `point` digits. Adds zeros
 * where digits are missing. */
static void put_fixed(struct buffer *out, const char *digits, int n, int point)
{
    if (point <= 0)
        describe_put(out, "0.");
    for (int i = point; i < 0; i++)
        describe_put(out, "0");
    for (int i = 0; i < n || i < point; i++) {
        describe_put_bytes(out, i < n ? &digits[i] : "0", 1);
        if (i == point - 1)
            describe_put(out, i + 1 < n ? "." : "");
    }
    if (point >= n)
        describe_put(out, ".0");
}

/* Appends repr(d). is_part: d is the real or imaginary part of a complex; ".0" is then left out if
 * d is an integer. */
static void put_float(struct buffer *out, double d, bool is_part)
{
    char digits[20], text[16];
    int exponent, n;

    if (d != d || d - d != 0) {
        describe_put(out, d != d ? "nan" : d < 0 ? "-inf" : "inf");
        return;
    }
    if (__builtin_signbit(d))
        describe_put(out, "-");
    n = shortest_digits(d, digits, &exponent);
    if (exponent >= -4 && exponent < 16) {
        put_fixed(out, digits, n, exponent + 1);
        if (is_part && exponent + 1 >= n)
            buffer_truncate(out, out->len - 2);
        return;
    }
    describe_put_bytes(out, digits, 1);
    describe_put(out, n > 1 ? "." : "");
    describe_put_bytes(out, digits + 1, (size_t)n - 1);
    snprintf(text, sizeof(text), "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    describe_put(out, text);
}

static void put_complex(struct buffer *out, double real, double imag)
{
    bool has_real = real != 0 || __builtin_signbit(real);

    describe_put(out, has_real ? "(" : "");
    if (has_real)
        put_float(out, real, true);
    if (has_real && !__builtin_signbit(imag))
        describe_put(out, "+");
    put_float(out, imag, true);
    describe_put(out, has_real ? "j)" : "j");
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void put_items(struct buffer *out, const rpyc_value *v)
{
    for (size_t i = 0; i < rpyc_length(v) && out->len < DESCRIBE_MAX; i++) {
        describe_put(out, i > 0 ? ", " : "");
        describe_repr(out, rpyc_item(v, i));
    }
}

static void put_container(struct buffer *out, const rpyc_value *v)
{
    if (v->type == RPYC_SLICE)
        describe_put(out, "slice");
    if (v->type == RPYC_FROZENSET)
        describe_put(out, v->count > 0 ? "frozenset({" : "frozenset(");
    else
        describe_put(out, "(");
    put_items(out, v);
    if (v->type == RPYC_TUPLE && v->count == 1)
        describe_put(out, ",");
    describe_put(out, v->type == RPYC_FROZENSET && v->count > 0 ? "})" : ")");
}

/* Appends "<CLASS object>" for a netref or local object, whose repr would need a request. */
static void put_reference(struct buffer *out, const rpyc_value *v)
{
    describe_put(out, "<");
    describe_put(out, value_type_name(v));
    describe_put(out, " object>");
}

void describe_repr(struct buffer *out, const rpyc_value *v)
{
    switch (rpyc_type_of(v)) {
    case RPYC_NONE:
        describe_put(out, "None");
        break;
    case RPYC_BOOL:
        describe_put(out, v->boolean ? "True" : "False");
        break;
    case RPYC_INT:
        if (v->big)
            describe_put_bytes(out, v->data, v->len);
        else
            describe_put_int(out, v->integer);
        break;
    case RPYC_FLOAT:
        put_float(out, v->real, false);
        break;
    case RPYC_COMPLEX:
        put_complex(out, v->real, v->imag);
        break;
    case RPYC_STR:
        put_quoted(out, v->data, v->len, false);
        break;
    case RPYC_BYTES:
        describe_put(out, "b");
        put_quoted(out, v->data, v->len, true);
        break;
    case RPYC_TUPLE:
    case RPYC_FROZENSET:
    case RPYC_SLICE:
        put_container(out, v);
        break;
    case RPYC_ELLIPSIS:
        describe_put(out, "Ellipsis");
        break;
    case RPYC_NOTIMPLEMENTED:
        describe_put(out, "NotImplemented");
        break;
    case RPYC_NETREF:
    case RPYC_OBJECT:
        put_reference(out, v);
        break;
    }
}

void describe_str(struct buffer *out, const rpyc_value *v)
{
    if (rpyc_type_of(v) == RPYC_STR)
        describe_put_bytes(out, v->data, v->len);
    else
        describe_repr(out, v);
}
