/* SPDX-License-Identifier: BSD-3-Clause */
#include "format.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 50 /* the most levels of nested brackets */

struct parser {
    const char *pos;
    va_list *ap;
    unsigned depth;
    struct rpyc_error *err;
};

/* The items of a container that is being parsed. */
struct list {
    rpyc_value **items;
    size_t count, room;
};

static void free_list(struct list *list)
{
    while (list->count > 0)
        rpyc_unref(list->items[--list->count]);
    free(list->items);
}

/* Appends v. Takes the reference, even on failure. If v is NULL, returns -1, since creating the
 * value has failed and has filled err already. */
static int append(struct list *list, rpyc_value *v, struct rpyc_error *err)
{
    size_t room = list->room ? list->room * 2 : 8;
    rpyc_value **items;

    if (!v)
        return -1;
    if (list->count == list->room) {
        items = realloc(list->items, room * sizeof(*items));
        if (!items) {
            rpyc_unref(v);
            return error_nomem(err);
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = v;
    return 0;
}

/* Creates a container with the items of the list, and empties the list. */
static rpyc_value *wrap(enum rpyc_type type, struct list *list, struct rpyc_error *err)
{
    size_t count = list->count;

    list->count = 0;
    return value_container(type, list->items, count, err);
}

/* ---- Single values --------------------------------------------------------------------------- */

static rpyc_value *make_text(struct parser *p, const char *text, size_t len)
{
    rpyc_value *v;

    if (!brine_utf8((const uint8_t *)text, len)) {
        error_set(p->err, RPYC_EINVAL, "a str that is not UTF-8");
        return NULL;
    }
    v = value_new(RPYC_STR, p->err);
    if (v && value_fill_data(v, text, len, p->err) < 0) {
        free(v);
        return NULL;
    }
    return v;
}

static rpyc_value *make_bytes(struct parser *p, const void *bytes, size_t len)
{
    rpyc_value *v = value_new(RPYC_BYTES, p->err);

    if (v && value_fill_data(v, bytes, len, p->err) < 0) {
        free(v);
        return NULL;
    }
    return v;
}

static rpyc_value *make_int(struct parser *p, int64_t n)
{
    rpyc_value *v = value_new(RPYC_INT, p->err);

    if (v)
        v->integer = n;
    return v;
}

/* Creates an int of any size from its decimal digits: writes them as brine and reads the brine. */
static rpyc_value *make_digits(struct parser *p, const char *digits)
{
    struct buffer brine = BUFFER_INIT;
    struct rpyc_error why = RPYC_ERROR_INIT;
    struct brine_reader r;
    rpyc_value *v = NULL;

    brine_put_digits(&brine, digits, strlen(digits));
    if (brine.failed) {
        error_nomem(p->err);
    } else {
        brine_read(&r, brine.data, brine.len);
        v = value_read(&r, &why);
        if (!v && why.code == RPYC_ENOMEM)
            error_nomem(p->err);
        else if (!v)
            error_set(p->err, RPYC_EINVAL, "'%.40s' is not a number", digits);
    }
    buffer_free(&brine);
    return v;
}

static rpyc_value *make_uint(struct parser *p, uint64_t n)
{
    char digits[24];

    if (n <= INT64_MAX)
        return make_int(p, (int64_t)n);
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    return make_digits(p, digits);
}

static rpyc_value *make_float(struct parser *p, enum rpyc_type type, double real, double imag)
{
    rpyc_value *v = value_new(type, p->err);

    if (v) {
        v->real = real;
        v->imag = imag;
    }
    return v;
}

static rpyc_value *make_bool(struct parser *p, bool value)
{
    rpyc_value *v = value_new(RPYC_BOOL, p->err);

    if (v)
        v->boolean = value;
    return v;
}

static rpyc_value *make_optional_text(struct parser *p, const char *text)
{
    return text ? make_text(p, text, strlen(text)) : value_new(RPYC_NONE, p->err);
}

static rpyc_value *make_object(struct parser *p, rpyc_value *v)
{
    if (v)
        return rpyc_ref(v);
    error_set(p->err, RPYC_EINVAL, "format 'O': the value is NULL");
    return NULL;
}

/* Creates the value for one letter of the format, from the next C arguments. */
static rpyc_value *make_value(struct parser *p, char letter)
{
    const void *data;
    double real;

    switch (letter) {
    case 's':
        return make_optional_text(p, va_arg(*p->ap, const char *));
    case 'z':
        data = va_arg(*p->ap, const char *);
        return make_text(p, data, va_arg(*p->ap, size_t));
    case 'y':
        data = va_arg(*p->ap, const void *);
        return make_bytes(p, data, va_arg(*p->ap, size_t));
    case 'i':
        return make_int(p, va_arg(*p->ap, int));
    case 'l':
        return make_int(p, va_arg(*p->ap, int64_t));
    case 'u':
        return make_uint(p, va_arg(*p->ap, uint64_t));
    case 'n':
        return make_digits(p, va_arg(*p->ap, const char *));
    case 'd':
        return make_float(p, RPYC_FLOAT, va_arg(*p->ap, double), 0);
    case 'c':
        real = va_arg(*p->ap, double);
        return make_float(p, RPYC_COMPLEX, real, va_arg(*p->ap, double));
    case 'b':
        return make_bool(p, va_arg(*p->ap, int) != 0);
    case 'N':
        return value_new(RPYC_NONE, p->err);
    case 'E':
        return value_new(RPYC_ELLIPSIS, p->err);
    case 'X':
        return value_new(RPYC_NOTIMPLEMENTED, p->err);
    case 'O':
        return make_object(p, va_arg(*p->ap, rpyc_value *));
    default:
        error_set(p->err, RPYC_EINVAL, "unknown format letter '%c'", letter);
        return NULL;
    }
}

/* ---- Brackets -------------------------------------------------------------------------------- */

static void skip_blanks(struct parser *p)
{
    p->pos += strspn(p->pos, " ,");
}

static rpyc_value *parse_item(struct parser *p);

/* Parses the items up to the closing bracket, and creates a container with them. */
static rpyc_value *parse_container(struct parser *p, enum rpyc_type type, char closing)
{
    _cleanup_(free_list) struct list list = {0};

    if (++p->depth > DEPTH_MAX) {
        error_set(p->err, RPYC_EINVAL, "the format is nested too deeply");
        return NULL;
    }
    for (skip_blanks(p); *p->pos != closing; skip_blanks(p)) {
        if (*p->pos == '\0') {
            error_set(p->err, RPYC_EINVAL, "the format lacks a closing '%c'", closing);
            return NULL;
        }
        if (append(&list, parse_item(p), p->err) < 0)
            return NULL;
    }
    p->pos++;
    p->depth--;
    if (type == RPYC_SLICE && list.count != 3) {
        error_set(p->err, RPYC_EINVAL, "a slice in a format must have three items");
        return NULL;
    }
    return wrap(type, &list, p->err);
}

/* Parses one letter, or brackets with their items. Returns the value. */
static rpyc_value *parse_item(struct parser *p)
{
    char letter = *p->pos++;

    switch (letter) {
    case '(':
        return parse_container(p, RPYC_TUPLE, ')');
    case '{':
        return parse_container(p, RPYC_FROZENSET, '}');
    case '[':
        return parse_container(p, RPYC_SLICE, ']');
    default:
        return make_value(p, letter);
    }
}

int rpyc_build(rpyc_value **out, struct rpyc_error *err, const char *format, ...)
{
    _cleanup_(free_list) struct list list = {0};
    struct parser p = {.pos = format, .err = err};
    int result = 0;
    va_list ap;

    va_start(ap, format);
    p.ap = &ap;
    for (skip_blanks(&p); result == 0 && *p.pos; skip_blanks(&p))
        result = append(&list, parse_item(&p), err);
    va_end(ap);
    if (result < 0)
        return -1;
    if (list.count == 0)
        *out = value_new(RPYC_NONE, err);
    else if (list.count == 1)
        *out = rpyc_ref(list.items[0]);
    else
        *out = wrap(RPYC_TUPLE, &list, err);
    return *out ? 0 : -1;
}

int rpyc_pack(rpyc_value **out, rpyc_value *const *items, size_t count, struct rpyc_error *err)
{
    _cleanup_(free_list) struct list list = {0};
    size_t i;

    for (i = 0; i < count; i++)
        if (append(&list, rpyc_ref(items[i]), err) < 0)
            return -1;
    *out = wrap(RPYC_TUPLE, &list, err);
    return *out ? 0 : -1;
}

/* ---- Arguments of a call --------------------------------------------------------------------- */

/* Returns the length of the name if `format` starts with "name=", else 0. */
static size_t keyword_length(const char *format)
{
    size_t n = 0;

    while (isalnum((unsigned char)format[n]) || format[n] == '_')
        n++;
    return format[n] == '=' ? n : 0;
}

/* Parses "name=item", where the name has `length` bytes. Returns a tuple (name, value). */
static rpyc_value *parse_keyword(struct parser *p, size_t length)
{
    rpyc_value *pair[2];

    pair[0] = make_text(p, p->pos, length);
    if (!pair[0])
        return NULL;
    p->pos += length + 1;
    pair[1] = parse_item(p);
    if (!pair[1]) {
        rpyc_unref(pair[0]);
        return NULL;
    }
    return value_container(RPYC_TUPLE, pair, 2, p->err);
}

/* Appends the items of the tuple that is the next C argument: (name, value) tuples if pairs is
 * true, else positional arguments. */
static int append_items(struct parser *p, struct list *list, bool pairs)
{
    const rpyc_value *tuple = va_arg(*p->ap, rpyc_value *);
    rpyc_value *item;
    size_t i;

    if (rpyc_type_of(tuple) != RPYC_TUPLE)
        return error_set(p->err, RPYC_EINVAL, "format '*' needs a tuple");
    for (i = 0; i < rpyc_length(tuple); i++) {
        item = rpyc_item(tuple, i);
        if (pairs && (rpyc_length(item) != 2 || rpyc_type_of(rpyc_item(item, 0)) != RPYC_STR))
            return error_set(p->err, RPYC_EINVAL, "format '**' needs (name, value) tuples");
        if (append(list, rpyc_ref(item), p->err) < 0)
            return -1;
    }
    return 0;
}

/* Parses "*" or "**", whose C argument is a tuple of arguments. */
static int parse_unpacking(struct parser *p, struct list *args, struct list *kwargs)
{
    bool pairs = p->pos[1] == '*';

    p->pos += pairs ? 2 : 1;
    if (!pairs && kwargs->count > 0)
        return error_set(p->err, RPYC_EINVAL, "a positional argument follows a keyword argument");
    return append_items(p, pairs ? kwargs : args, pairs);
}

static int parse_arguments(struct parser *p, struct list *args, struct list *kwargs)
{
    size_t length;

    for (skip_blanks(p); *p->pos; skip_blanks(p)) {
        if (*p->pos == '*') {
            if (parse_unpacking(p, args, kwargs) < 0)
                return -1;
            continue;
        }
        length = keyword_length(p->pos);
        if (length == 0 && kwargs->count > 0)
            return error_set(p->err, RPYC_EINVAL,
                             "a positional argument follows a keyword argument");
        if (length > 0 && append(kwargs, parse_keyword(p, length), p->err) < 0)
            return -1;
        if (length == 0 && append(args, parse_item(p), p->err) < 0)
            return -1;
    }
    return 0;
}

int format_arguments(rpyc_value **args, rpyc_value **kwargs, const char *format, va_list *ap,
                     struct rpyc_error *err)
{
    _cleanup_(free_list) struct list positional = {0};
    _cleanup_(free_list) struct list keywords = {0};
    struct parser p = {.pos = format ? format : "", .ap = ap, .err = err};

    if (parse_arguments(&p, &positional, &keywords) < 0)
        return -1;
    *args = wrap(RPYC_TUPLE, &positional, err);
    if (!*args)
        return -1;
    *kwargs = wrap(RPYC_TUPLE, &keywords, err);
    if (*kwargs)
        return 0;
    rpyc_unref(*args);
    *args = NULL;
    return -1;
}
