/* SPDX-License-Identifier: BSD-3-Clause */
#include "describe.h"

#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *describe_type(const rpyc_value *v)
{
    static const char *const names[] = {
        [RPYC_NONE] = "NoneType",
        [RPYC_BOOL] = "bool",
        [RPYC_INT] = "int",
        [RPYC_FLOAT] = "float",
        [RPYC_COMPLEX] = "complex",
        [RPYC_STR] = "str",
        [RPYC_BYTES] = "bytes",
        [RPYC_TUPLE] = "tuple",
        [RPYC_FROZENSET] = "frozenset",
        [RPYC_SLICE] = "slice",
        [RPYC_ELLIPSIS] = "ellipsis",
        [RPYC_NOTIMPLEMENTED] = "NotImplementedType",
    };
    static const char builtins[] = "builtins.";
    const char *name;

    if (!v)
        return "no value";
    if (v->type == RPYC_OBJECT)
        return v->local.ops && v->local.ops->class_name ? v->local.ops->class_name
                                                        : "librpyc.Object";
    if (v->type != RPYC_NETREF)
        return names[v->type];
    name = rpyc_class_name(v);
    return strncmp(name, builtins, strlen(builtins)) == 0 ? name + strlen(builtins) : name;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static void put_bytes(struct buffer *out, const char *text, size_t len)
{
    size_t room = out->len < DESCRIBE_MAX ? DESCRIBE_MAX - out->len : 0;

    buffer_put(out, text, len < room ? len : room);
}

static void put(struct buffer *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

static void put_int(struct buffer *out, int64_t n)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, n);
    put(out, text);
}

/* Appends one byte of a quoted text: escaped unless it is printable, or part of a character. */
static void put_quoted_byte(struct buffer *out, uint8_t byte, char quote, bool is_ascii)
{
    char text[8];

    if (byte == '\n')
        put(out, "\\n");
    else if (byte == '\r')
        put(out, "\\r");
    else if (byte == '\t')
        put(out, "\\t");
    else if (byte < ' ' || byte == 0x7f || (is_ascii && byte > 0x7f)) {
        snprintf(text, sizeof(text), "\\x%02x", byte);
        put(out, text);
    } else {
        if (byte == '\\' || byte == (uint8_t)quote)
            put(out, "\\");
        put_bytes(out, (const char *)&byte, 1);
    }
}

static void put_quoted(struct buffer *out, const char *data, size_t len, bool is_ascii)
{
    bool has_single = memchr(data, '\'', len), has_double = memchr(data, '"', len);
    char quote[] = {has_single && !has_double ? '"' : '\'', '\0'};

    put(out, quote);
    for (size_t i = 0; i < len && out->len < DESCRIBE_MAX; i++)
        put_quoted_byte(out, (uint8_t)data[i], quote[0], is_ascii);
    put(out, quote);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* The fewest digits that give the number again: how many, and the exponent of ten behind the first
 * one. The decimal point may be any character, which depends on the locale. */
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

/* Appends digits with a point behind `point` of them, filled up with zeros. */
static void put_fixed(struct buffer *out, const char *digits, int n, int point)
{
    if (point <= 0)
        put(out, "0.");
    for (int i = point; i < 0; i++)
        put(out, "0");
    for (int i = 0; i < n || i < point; i++) {
        put_bytes(out, i < n ? &digits[i] : "0", 1);
        if (i == point - 1)
            put(out, i + 1 < n ? "." : "");
    }
    if (point >= n)
        put(out, ".0");
}

/* Appends repr() of a float; within a complex number an integral one has no point. */
static void put_float(struct buffer *out, double d, bool is_part)
{
    char digits[20], text[16];
    int exponent, n;

    if (d != d || d - d != 0) {
        put(out, d != d ? "nan" : d < 0 ? "-inf" : "inf");
        return;
    }
    if (__builtin_signbit(d))
        put(out, "-");
    n = shortest_digits(d, digits, &exponent);
    if (exponent >= -4 && exponent < 16) {
        put_fixed(out, digits, n, exponent + 1);
        if (is_part && exponent + 1 >= n)
            buffer_truncate(out, out->len - 2);
        return;
    }
    put_bytes(out, digits, 1);
    put(out, n > 1 ? "." : "");
    put_bytes(out, digits + 1, (size_t)n - 1);
    snprintf(text, sizeof(text), "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    put(out, text);
}

static void put_complex(struct buffer *out, double real, double imag)
{
    bool has_real = real != 0 || __builtin_signbit(real);

    put(out, has_real ? "(" : "");
    if (has_real)
        put_float(out, real, true);
    if (has_real && !__builtin_signbit(imag))
        put(out, "+");
    put_float(out, imag, true);
    put(out, has_real ? "j)" : "j");
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void put_items(struct buffer *out, const rpyc_value *v)
{
    for (size_t i = 0; i < rpyc_length(v) && out->len < DESCRIBE_MAX; i++) {
        put(out, i > 0 ? ", " : "");
        describe_repr(out, rpyc_item(v, i));
    }
}

static void put_container(struct buffer *out, const rpyc_value *v)
{
    if (v->type == RPYC_SLICE)
        put(out, "slice");
    if (v->type == RPYC_FROZENSET)
        put(out, v->count > 0 ? "frozenset({" : "frozenset(");
    else
        put(out, "(");
    put_items(out, v);
    if (v->type == RPYC_TUPLE && v->count == 1)
        put(out, ",");
    put(out, v->type == RPYC_FROZENSET && v->count > 0 ? "})" : ")");
}

/* What stays in its process has no text here but its class. */
static void put_reference(struct buffer *out, const rpyc_value *v)
{
    put(out, "<");
    put(out, describe_type(v));
    put(out, " object>");
}

void describe_repr(struct buffer *out, const rpyc_value *v)
{
    switch (rpyc_type_of(v)) {
    case RPYC_NONE:
        put(out, "None");
        break;
    case RPYC_BOOL:
        put(out, v->boolean ? "True" : "False");
        break;
    case RPYC_INT:
        if (v->big)
            put_bytes(out, v->data, v->len);
        else
            put_int(out, v->integer);
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
        put(out, "b");
        put_quoted(out, v->data, v->len, true);
        break;
    case RPYC_TUPLE:
    case RPYC_FROZENSET:
    case RPYC_SLICE:
        put_container(out, v);
        break;
    case RPYC_ELLIPSIS:
        put(out, "Ellipsis");
        break;
    case RPYC_NOTIMPLEMENTED:
        put(out, "NotImplemented");
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
        put_bytes(out, v->data, v->len);
    else
        describe_repr(out, v);
}

/* ---- Exceptions ------------------------------------------------------------------------------ */

static const rpyc_value *argument(const struct rpyc_exception *exc, size_t i)
{
    return rpyc_item(exc->args, i);
}

static bool is_present(const rpyc_value *v)
{
    return rpyc_type_of(v) != RPYC_NONE;
}

static bool is_builtin(const struct rpyc_exception *exc, const char *name)
{
    return strcmp(exc->module, "builtins") == 0 && strcmp(exc->name, name) == 0;
}

/* What BaseException.__str__ gives. */
static void put_arguments(struct buffer *out, const struct rpyc_exception *exc)
{
    size_t count = rpyc_length(exc->args);

    if (count == 1)
        describe_str(out, argument(exc, 0));
    else if (count > 1)
        describe_repr(out, exc->args);
}

/* msg (file, line N): text */
static bool put_syntax_error(struct buffer *out, const struct rpyc_exception *exc)
{
    const rpyc_value *where = argument(exc, 1), *file, *line, *text;
    const char *name, *slash;

    if (!is_builtin(exc, "SyntaxError") && !is_builtin(exc, "IndentationError") &&
        !is_builtin(exc, "TabError"))
        return false;
    if (rpyc_length(exc->args) != 2 || rpyc_length(where) < 4)
        return false;
    file = rpyc_item(where, 0);
    line = rpyc_item(where, 1);
    text = rpyc_item(where, 3);
    describe_str(out, argument(exc, 0));
    name = rpyc_str(file, NULL);
    if (name || is_present(line))
        put(out, " (");
    slash = name ? strrchr(name, '/') : NULL;
    if (name)
        put(out, slash ? slash + 1 : name);
    if (is_present(line)) {
        put(out, name ? ", line " : "line ");
        describe_str(out, line);
    }
    if (name || is_present(line))
        put(out, ")");
    text = rpyc_type_of(text) == RPYC_STR ? text : NULL;
    if (text) {
        size_t len = text->len, start = strspn(text->data, " \t\n\f");

        while (len > start && strchr(" \t\r\n", text->data[len - 1]))
            len--;
        if (len > start) {
            put(out, ": ");
            put_bytes(out, text->data + start, len - start);
        }
    }
    return true;
}

/* [Errno 2] No such file or directory: 'a' -> 'b' */
static bool put_os_error(struct buffer *out, const struct rpyc_exception *exc)
{
    const rpyc_value *number = rpyc_exception_attribute(exc, "errno");
    const rpyc_value *text = rpyc_exception_attribute(exc, "strerror");
    const rpyc_value *file = rpyc_exception_attribute(exc, "filename");
    const rpyc_value *other = rpyc_exception_attribute(exc, "filename2");

    if (strcmp(exc->module, "builtins") != 0 && strcmp(exc->module, "socket") != 0)
        return false;
    if (!is_present(number) || rpyc_type_of(text) != RPYC_STR)
        return false;
    put(out, "[Errno ");
    describe_str(out, number);
    put(out, "] ");
    describe_str(out, text);
    if (is_present(file)) {
        put(out, ": ");
        describe_repr(out, file);
    }
    if (is_present(file) && is_present(other)) {
        put(out, " -> ");
        describe_repr(out, other);
    }
    return true;
}

/* The code point that is the i-th one of a text in UTF-8; 0 if it has less. */
static uint32_t code_point(const rpyc_value *text, int64_t i)
{
    const uint8_t *p = (const uint8_t *)text->data, *end = p + text->len;
    uint32_t c;

    for (; p < end; p++)
        if ((*p & 0xc0) != 0x80 && i-- == 0)
            break;
    if (p >= end)
        return 0;
    c = *p < 0x80 ? *p : *p < 0xe0 ? *p & 0x1f : *p < 0xf0 ? *p & 0x0f : *p & 0x07;
    while (++p < end && (*p & 0xc0) == 0x80)
        c = c << 6 | (*p & 0x3f);
    return c;
}

/* The byte or the character that a codec stumbled over. */
static void put_culprit(struct buffer *out, const rpyc_value *object, int64_t at)
{
    char text[24];
    uint32_t c;

    if (object->type == RPYC_BYTES) {
        snprintf(text, sizeof(text), "byte 0x%02x",
                 (uint64_t)at < object->len ? (uint8_t)object->data[at] : 0);
    } else {
        c = code_point(object, at);
        snprintf(text, sizeof(text),
                 c <= 0xff     ? "character '\\x%02x'"
                 : c <= 0xffff ? "character '\\u%04x'"
                               : "character '\\U%08x'",
                 (unsigned)c);
    }
    put(out, text);
}

/* 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte */
static bool put_unicode_error(struct buffer *out, const struct rpyc_exception *exc)
{
    bool decodes = is_builtin(exc, "UnicodeDecodeError");
    const rpyc_value *object = argument(exc, 1);
    int64_t start, end;

    if (!decodes && !is_builtin(exc, "UnicodeEncodeError"))
        return false;
    if (rpyc_length(exc->args) != 5 || object->type != (decodes ? RPYC_BYTES : RPYC_STR) ||
        rpyc_int64(argument(exc, 2), &start, NULL) < 0 ||
        rpyc_int64(argument(exc, 3), &end, NULL) < 0 || start < 0)
        return false;
    put(out, "'");
    describe_str(out, argument(exc, 0));
    put(out, decodes ? "' codec can't decode " : "' codec can't encode ");
    if (end - 1 == start)
        put_culprit(out, object, start);
    else
        put(out, decodes ? "bytes" : "characters");
    put(out, " in position ");
    put_int(out, start);
    if (end - 1 != start) {
        put(out, "-");
        put_int(out, end - 1);
    }
    put(out, ": ");
    describe_str(out, argument(exc, 4));
    return true;
}

static bool put_key_error(struct buffer *out, const struct rpyc_exception *exc)
{
    if (!is_builtin(exc, "KeyError") || rpyc_length(exc->args) != 1)
        return false;
    describe_repr(out, argument(exc, 0));
    return true;
}

/* Whether a line of a traceback says "module.Name: text"; *text is what follows the colon. */
static bool names_class(const char *line, const char *name, const char **text)
{
    size_t len = strcspn(line, ": \n"), n = strlen(name);

    if (line[len] != ':' || line[len + 1] != ' ' || len < n ||
        strncmp(line + len - n, name, n) != 0 || (len > n && line[len - n - 1] != '.'))
        return false;
    *text = line + len + 2;
    return true;
}

/* What Python itself says at the end of the traceback: only there is what a class of its own makes
 * of its arguments. Of a group, what it says before it shows what is in it. */
static bool put_from_traceback(struct buffer *out, const struct rpyc_exception *exc)
{
    bool is_group = strstr(exc->name, "Group") != NULL;
    const char *line = exc->traceback, *text, *found = NULL;
    size_t len;

    for (; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (names_class(line + strspn(line, is_group ? " |+" : ""), exc->name, &text) &&
            !(is_group && found))
            found = text;
    }
    if (!found)
        return false;
    len = is_group ? strcspn(found, "\n") : strlen(found);
    while (len > 0 && strchr(" \n", found[len - 1]))
        len--;
    put_bytes(out, found, len);
    return true;
}

static void put_text(struct buffer *out, const struct rpyc_exception *exc)
{
    bool is_special = put_syntax_error(out, exc) || put_os_error(out, exc) ||
                      put_unicode_error(out, exc) || put_key_error(out, exc);
    bool is_plain = strcmp(exc->module, "builtins") == 0 && rpyc_length(exc->args) == 1 &&
                    rpyc_type_of(argument(exc, 0)) == RPYC_STR;

    if (!is_special && (is_plain || !put_from_traceback(out, exc)))
        put_arguments(out, exc);
}

void describe_exception(struct buffer *out, const struct rpyc_exception *exc)
{
    size_t before;

    put(out, exc->name);
    put(out, ": ");
    before = out->len;
    put_text(out, exc);
    if (out->len == before && before >= 2)
        buffer_truncate(out, before - 2);
}
