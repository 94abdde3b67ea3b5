/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/display_netrefs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"

/* The longest text that is shown, in characters. */
#define SHOWN_MAX (1 << 20)

/* ---- Plain values, formatted like repr() ----------------------------------------------------- */

static void put_value(FILE *out, const rpyc_value *value);

/* Returns the escape sequence that repr() writes for a newline, a carriage return, a tab or a
 * backslash. NULL: c is another character. */
static const char *letter_escape(unsigned char c)
{
    switch (c) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

/* Prints a str or bytes in quotes. In a str, escapes only quotes, backslashes and control
 * characters; in bytes, also the bytes from 0x80 on. */
static void put_quoted(FILE *out, const char *text, size_t len, bool is_bytes)
{
    char quote = memchr(text, '\'', len) && !memchr(text, '"', len) ? '"' : '\'';
    size_t i;

    fputc(quote, out);
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_c1 = !is_bytes && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;

        if (letter_escape(c))
            fputs(letter_escape(c), out);
        else if (c == (unsigned char)quote)
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f || (is_bytes && c >= 0x80))
            fprintf(out, "\\x%02x", c);
        else if (is_c1)
            fprintf(out, "\\x%02x", (unsigned char)text[++i]);
        else
            fputc(c, out);
    }
    fputc(quote, out);
}

/* Prints a float with the fewest digits from which the same number can be read again. is_part: the
 * float is a part of a complex number, so ".0" is not added. */
static void put_double(FILE *out, double number, bool is_part)
{
    char text[40];
    int digits;

    if (isnan(number) || isinf(number)) {
        fputs(isnan(number) ? "nan" : number < 0 ? "-inf" : "inf", out);
        return;
    }
    for (digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    if (fabs(number) >= 1e16 || (number != 0 && fabs(number) < 1e-4))
        snprintf(text, sizeof(text), "%.*e", digits - 1, number);
    else if (strpbrk(text, "e"))
        snprintf(text, sizeof(text), "%.0f", number);
    fputs(text, out);
    if (!is_part && !strpbrk(text, ".e"))
        fputs(".0", out);
}

static void put_complex(FILE *out, const rpyc_value *value)
{
    double real = 0, imag = 0;

    rpyc_complex(value, &real, &imag, NULL);
    if (real == 0 && !signbit(real)) {
        put_double(out, imag, true);
        fputc('j', out);
        return;
    }
    fputc('(', out);
    put_double(out, real, true);
    if (!signbit(imag) || isnan(imag))
        fputc('+', out);
    put_double(out, imag, true);
    fputs("j)", out);
}

static void put_items(FILE *out, const rpyc_value *value, const char *open, const char *close)
{
    size_t i, n = rpyc_length(value);

    fputs(open, out);
    for (i = 0; i < n; i++) {
        if (i > 0)
            fputs(", ", out);
        put_value(out, rpyc_item(value, i));
    }
    if (n == 1 && rpyc_type_of(value) == RPYC_TUPLE)
        fputc(',', out);
    fputs(close, out);
}

static void put_int(FILE *out, const rpyc_value *value)
{
    const char *digits = rpyc_int_digits(value);
    int64_t number = 0;

    if (digits) {
        fputs(digits, out);
        return;
    }
    rpyc_int64(value, &number, NULL);
    fprintf(out, "%" PRId64, number);
}

static void put_value(FILE *out, const rpyc_value *value)
{
    bool is_true = false;
    double number = 0;
    size_t len = 0;
    const char *text;

    switch (rpyc_type_of(value)) {
    case RPYC_NONE:
        fputs("None", out);
        break;
    case RPYC_BOOL:
        rpyc_truth((rpyc_value *)value, &is_true, NULL);
        fputs(is_true ? "True" : "False", out);
        break;
    case RPYC_INT:
        put_int(out, value);
        break;
    case RPYC_FLOAT:
        rpyc_double(value, &number, NULL);
        put_double(out, number, false);
        break;
    case RPYC_COMPLEX:
        put_complex(out, value);
        break;
    case RPYC_STR:
        text = rpyc_str(value, &len);
        put_quoted(out, text, len, false);
        break;
    case RPYC_BYTES:
        text = rpyc_bytes(value, &len);
        fputc('b', out);
        put_quoted(out, text, len, true);
        break;
    case RPYC_TUPLE:
        put_items(out, value, "(", ")");
        break;
    case RPYC_FROZENSET:
        if (rpyc_length(value) > 0)
            put_items(out, value, "frozenset({", "})");
        else
            fputs("frozenset()", out);
        break;
    case RPYC_SLICE:
        put_items(out, value, "slice(", ")");
        break;
    case RPYC_ELLIPSIS:
        fputs("Ellipsis", out);
        break;
    case RPYC_NOTIMPLEMENTED:
        fputs("NotImplemented", out);
        break;
    default: /* a netref, which may be in a tuple */
        text = rpyc_class_name(value);
        fprintf(out, "<%s object>", text ? text : "unknown");
    }
}

/* Closes the stream, makes a str of its text, and frees the text. */
static int finish(FILE *copy, char **text, size_t *len, rpyc_value **out, struct rpyc_error *err)
{
    int status = fclose(copy) == 0 ? rpyc_build(out, err, "z", *text, *len)
                                   : rpyc_raise(err, "MemoryError", "out of memory");

    free(*text);
    return status;
}

static int repr_here(const rpyc_value *value, rpyc_value **out, struct rpyc_error *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *copy = open_memstream(&text, &len);

    if (!copy)
        return rpyc_raise(err, "MemoryError", "out of memory");
    put_value(copy, value);
    return finish(copy, &text, &len, out, err);
}

/* ---- Netrefs --------------------------------------------------------------------------------- */

/* Prints the value with pprint into a StringIO on the server. Fetches only as much text as is
 * shown. */
static int print_there(rpyc_conn *conn, rpyc_value *value, int width, const struct proxy_host *host,
                       rpyc_value **out, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *pprint = NULL;
    CLEAN_VALUE rpyc_value *io = NULL;
    CLEAN_VALUE rpyc_value *file = NULL;
    CLEAN_VALUE rpyc_value *none = NULL;
    rpyc_pending *pending;
    int status;

    if (rpyc_module(conn, "pprint", &pprint, err) < 0 || rpyc_module(conn, "io", &io, err) < 0 ||
        rpyc_callattr(io, "StringIO", &file, err, "") < 0 ||
        rpyc_start_callattr(pprint, "pprint", &pending, err, "O, stream=O, width=i", value, file,
                            width) < 0)
        return -1;
    status = host->wait(host->arg, pending, &none, err);
    rpyc_pending_free(pending);
    if (status < 0 || rpyc_callattr(file, "seek", NULL, err, "i", 0) < 0)
        return -1;
    return rpyc_callattr(file, "read", out, err, "i", SHOWN_MAX + 1);
}

/* Makes the text to show: the printed text without its last newline. If the text was cut off, adds
 * a note. */
static int tidy(const rpyc_value *printed, rpyc_value **out, struct rpyc_error *err)
{
    size_t printed_len = 0, len = 0;
    const char *from = rpyc_str(printed, &printed_len);
    bool is_whole = printed_len > 0 && from[printed_len - 1] == '\n';
    char *text = NULL;
    FILE *copy = open_memstream(&text, &len);

    if (!copy)
        return rpyc_raise(err, "MemoryError", "out of memory");
    if (is_whole)
        fwrite(from, 1, printed_len - 1, copy);
    else
        fprintf(copy, "%s\n... (cut off)", from ? from : "");
    return finish(copy, &text, &len, out, err);
}

/* Makes the text for an object whose repr() raised the exception in err. Clears err. */
static int describe(rpyc_value *value, rpyc_value **out, struct rpyc_error *err)
{
    const char *class = rpyc_class_name(value);
    const char *exception = rpyc_exception_name(err->remote);
    char text[256];

    snprintf(text, sizeof(text), "<%s object> (its repr raised %s)", class ? class : "unknown",
             exception);
    rpyc_error_clear(err);
    return rpyc_build(out, err, "s", text);
}

static int show_object(rpyc_conn *conn, rpyc_value *value, int width, const struct proxy_host *host,
                       rpyc_value **out, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *printed = NULL;

    if (print_there(conn, value, width, host, &printed, err) == 0)
        return tidy(printed, out, err);
    if (err->code != RPYC_EREMOTE)
        return -1;
    rpyc_error_clear(err);
    if (rpyc_type_of(value) != RPYC_NETREF)
        return repr_here(value, out, err);
    if (rpyc_repr(value, out, err) == 0)
        return 0;
    return err->code == RPYC_EREMOTE ? describe(value, out, err) : -1;
}

int display_value(rpyc_conn *conn, rpyc_value *value, int width, const struct proxy_host *host,
                  rpyc_value **out, struct rpyc_error *err)
{
    enum rpyc_type type = rpyc_type_of(value);

    /* pprint on the server divides containers and long texts into lines. Other values need no
     * pprint. */
    if (type == RPYC_NETREF || type == RPYC_TUPLE || type == RPYC_STR || type == RPYC_BYTES ||
        type == RPYC_FROZENSET)
        return show_object(conn, value, width, host, out, err);
    return repr_here(value, out, err);
}
