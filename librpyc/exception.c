/* SPDX-License-Identifier: BSD-3-Clause */
#include "exception.h"

#include "describe.h"
#include "format.h"
#include "value.h"
#include "vinegar.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Lifetime -------------------------------------------------------------------------------- */

static void exception_free(struct rpyc_exception *exc)
{
    free(exc->module);
    free(exc->name);
    free(exc->traceback);
    rpyc_unref(exc->args);
    rpyc_unref(exc->attributes);
    free(exc);
}

static void free_exception(struct rpyc_exception **exc)
{
    if (*exc)
        exception_free(*exc);
}

#define AUTO_EXCEPTION _cleanup_(free_exception) struct rpyc_exception

/* Returns an exception with copies of the module, the name and the traceback of v. Its arguments
 * and attributes are NULL. Returns NULL if there is no memory. */
static struct rpyc_exception *exception_new(const struct vinegar *v)
{
    struct rpyc_exception *exc = calloc(1, sizeof(*exc));

    if (!exc)
        return NULL;
    exc->free = exception_free;
    exc->module = strndup(v->module.data, v->module.len);
    exc->name = strndup(v->name.data, v->name.len);
    exc->traceback = strndup(v->traceback.data, v->traceback.len);
    if (exc->module && exc->name && exc->traceback)
        return exc;
    exception_free(exc);
    return NULL;
}

/* Returns *exc and sets *exc to NULL, so that AUTO_EXCEPTION does not free the exception. */
static struct rpyc_exception *take(struct rpyc_exception **exc)
{
    struct rpyc_exception *taken = *exc;

    *exc = NULL;
    return taken;
}

/* ---- Looking at exceptions ------------------------------------------------------------------- */

const char *rpyc_exception_module(const struct rpyc_exception *exc)
{
    return exc->module;
}

const char *rpyc_exception_name(const struct rpyc_exception *exc)
{
    return exc->name;
}

const char *rpyc_exception_traceback(const struct rpyc_exception *exc)
{
    return exc->traceback;
}

rpyc_value *rpyc_exception_args(const struct rpyc_exception *exc)
{
    return exc->args;
}

rpyc_value *rpyc_exception_attribute(const struct rpyc_exception *exc, const char *name)
{
    size_t i, n = rpyc_length(exc->attributes);

    for (i = 0; i < n; i++) {
        const rpyc_value *pair = rpyc_item(exc->attributes, i);
        const char *key = rpyc_length(pair) == 2 ? rpyc_str(rpyc_item(pair, 0), NULL) : NULL;

        if (key && strcmp(key, name) == 0)
            return rpyc_item(pair, 1);
    }
    return NULL;
}

bool rpyc_error_is(const struct rpyc_error *err, const char *class_name)
{
    const char *dot = strrchr(class_name, '.');
    const char *module = dot ? class_name : "builtins";
    size_t module_len = dot ? (size_t)(dot - class_name) : strlen("builtins");

    return err->remote && strcmp(err->remote->name, dot ? dot + 1 : class_name) == 0 &&
           strlen(err->remote->module) == module_len &&
           strncmp(err->remote->module, module, module_len) == 0;
}

/* ---- On the wire ----------------------------------------------------------------------------- */

/* Reads the value whose brine is in `part`. Returns a new reference, or NULL with err filled. */
static rpyc_value *read_part(const struct vinegar_part *part, struct rpyc_error *err)
{
    struct brine_reader r;

    brine_read(&r, part->data, part->len);
    return value_read(&r, err);
}

int exception_raise(struct brine_reader *r, struct rpyc_error *err)
{
    _cleanup_(buffer_free) struct buffer text = BUFFER_INIT;
    AUTO_EXCEPTION *exc = NULL;
    struct vinegar v;

    if (!vinegar_next(r, &v))
        return brine_error(r, err);
    exc = exception_new(&v);
    if (!exc)
        return error_nomem(err);
    exc->args = read_part(&v.args, err);
    exc->attributes = exc->args ? read_part(&v.attributes, err) : NULL;
    if (!exc->attributes)
        return -1;
    exception_describe(&text, exc);
    if (text.failed) /* no memory: report the class only */
        return error_remote(err, take(&exc), "%.*s", (int)v.name.len, v.name.data);
    return error_remote(err, take(&exc), "%.*s", (int)text.len, (char *)text.data);
}

const char *exception_class(enum rpyc_errcode code)
{
    switch (code) {
    case RPYC_ENOMEM:
        return "MemoryError";
    case RPYC_ETYPE:
        return "TypeError";
    case RPYC_EINVAL:
        return "ValueError";
    case RPYC_ETIMEOUT:
        return "TimeoutError";
    case RPYC_ECLOSED:
        return "EOFError";
    case RPYC_EPROTOCOL:
        return "KeyError"; /* the peer named an object to which it has no reference */
    default:
        return "RuntimeError";
    }
}

void exception_put(struct buffer *out, const struct rpyc_exception *exc)
{
    vinegar_begin(out, exc->module, exc->name);
    value_put(out, exc->args);
    value_put(out, exc->attributes);
    brine_put_str(out, exc->traceback, strlen(exc->traceback));
}

int rpyc_raise(struct rpyc_error *err, const char *class, const char *format, ...)
{
    struct vinegar v = {.module = {"builtins", strlen("builtins")},
                        .name = {class, strlen(class)},
                        .traceback = {"", 0}};
    AUTO_EXCEPTION *exc = exception_new(&v);
    char text[sizeof(err->text)];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (!exc || rpyc_build(&exc->args, NULL, "(s)", text) < 0 ||
        rpyc_build(&exc->attributes, NULL, "()") < 0)
        return error_nomem(err);
    return error_remote(err, take(&exc), "%s: %s", class, text);
}

/* ---- As text --------------------------------------------------------------------------------- */

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

/* Appends what BaseException.__str__ returns. */
static void put_arguments(struct buffer *out, const struct rpyc_exception *exc)
{
    size_t count = rpyc_length(exc->args);

    if (count == 1)
        describe_str(out, argument(exc, 0));
    else if (count > 1)
        describe_repr(out, exc->args);
}

/* Appends "invalid syntax (file.py, line 3): text" for a SyntaxError. Returns false, and appends
 * nothing, if the exception has another class or form. put_os_error, put_unicode_error and
 * put_key_error do the same for other classes. */
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
        describe_put(out, " (");
    slash = name ? strrchr(name, '/') : NULL;
    if (name)
        describe_put(out, slash ? slash + 1 : name);
    if (is_present(line)) {
        describe_put(out, name ? ", line " : "line ");
        describe_str(out, line);
    }
    if (name || is_present(line))
        describe_put(out, ")");
    text = rpyc_type_of(text) == RPYC_STR ? text : NULL;
    if (text) {
        size_t len = text->len, start = strspn(text->data, " \t\n\f");

        while (len > start && strchr(" \t\r\n", text->data[len - 1]))
            len--;
        if (len > start) {
            describe_put(out, ": ");
            describe_put_bytes(out, text->data + start, len - start);
        }
    }
    return true;
}

/* Appends "[Errno 2] No such file or directory: 'a' -> 'b'" for an OSError. */
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
    describe_put(out, "[Errno ");
    describe_str(out, number);
    describe_put(out, "] ");
    describe_str(out, text);
    if (is_present(file)) {
        describe_put(out, ": ");
        describe_repr(out, file);
    }
    if (is_present(file) && is_present(other)) {
        describe_put(out, " -> ");
        describe_repr(out, other);
    }
    return true;
}

/* Returns the i-th code point of a str; 0 beyond the end. */
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

/* Appends the item of `object` at the index `at`, where a codec failed: for a bytes "byte 0xff",
 * for a str "character '\xff'". */
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
    describe_put(out, text);
}

/* Appends "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte" for a
 * UnicodeDecodeError or UnicodeEncodeError. */
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
    describe_put(out, "'");
    describe_str(out, argument(exc, 0));
    describe_put(out, decodes ? "' codec can't decode " : "' codec can't encode ");
    if (end - 1 == start)
        put_culprit(out, object, start);
    else
        describe_put(out, decodes ? "bytes" : "characters");
    describe_put(out, " in position ");
    describe_put_int(out, start);
    if (end - 1 != start) {
        describe_put(out, "-");
        describe_put_int(out, end - 1);
    }
    describe_put(out, ": ");
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

/* True if `line`, a line of a traceback, starts with "NAME: " or "MODULE.NAME: ", where NAME is
 * `name`. Sets *text to the part of the line after this prefix. */
static bool names_class(const char *line, const char *name, const char **text)
{
    size_t len = strcspn(line, ": \n"), n = strlen(name);

    if (line[len] != ':' || line[len + 1] != ' ' || len < n ||
        strncmp(line + len - n, name, n) != 0 || (len > n && line[len - n - 1] != '.'))
        return false;
    *text = line + len + 2;
    return true;
}

/* Takes the last line of the traceback, and appends the part that follows the class name to `out`.
 * This part is the result of the class's own __str__. For an exception group, takes the line before
 * the exceptions in the group. Returns false if the traceback has no such line. */
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
    describe_put_bytes(out, found, len);
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

void exception_describe(struct buffer *out, const struct rpyc_exception *exc)
{
    size_t before;

    describe_put(out, exc->name);
    describe_put(out, ": ");
    before = out->len;
    put_text(out, exc);
    if (out->len == before && before >= 2)
        buffer_truncate(out, before - 2);
}
