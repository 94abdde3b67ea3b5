/* SPDX-License-Identifier: BSD-3-Clause */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes a text one line, and cuts off a character that did not fit whole. */
static void tidy(char *text, size_t size)
{
    size_t len = strlen(text), start = len;

    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ')
            *p = ' ';
    }
    if (len < size - 1)
        return;
    while (start > 0 && (text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && (text[start - 1] & 0xc0) == 0xc0)
        text[start - 1] = '\0';
}

static void fill(struct rpyc_error *err, enum rpyc_errcode code, int number, const char *format,
                 va_list args)
{
    int n;

    if (!err)
        return;
    rpyc_error_clear(err);
    err->code = code;
    err->sys_errno = number;
    n = vsnprintf(err->text, sizeof(err->text), format, args);
    if (number != 0 && n >= 0 && (size_t)n < sizeof(err->text))
        snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", strerror(number));
    tidy(err->text, sizeof(err->text));
}

int error_set(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, code, 0, format, args);
    va_end(args);
    return -1;
}

int error_system(struct rpyc_error *err, int number, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, RPYC_ESYSTEM, number, format, args);
    va_end(args);
    return -1;
}

int error_nomem(struct rpyc_error *err)
{
    return error_set(err, RPYC_ENOMEM, "out of memory");
}

int error_remote(struct rpyc_error *err, struct rpyc_exception *exc, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, RPYC_EREMOTE, 0, format, args);
    va_end(args);
    if (err)
        err->remote = exc;
    else
        exception_free(exc);
    return -1;
}

struct rpyc_exception *exception_new(const char *module, const char *name, const char *traceback)
{
    struct rpyc_exception *exc = calloc(1, sizeof(*exc));

    if (!exc)
        return NULL;
    exc->module = strdup(module);
    exc->name = strdup(name);
    exc->traceback = strdup(traceback);
    if (exc->module && exc->name && exc->traceback && rpyc_build(&exc->args, NULL, "()") == 0 &&
        rpyc_build(&exc->attributes, NULL, "()") == 0)
        return exc;
    exception_free(exc);
    return NULL;
}

void exception_free(struct rpyc_exception *exc)
{
    if (!exc)
        return;
    free(exc->module);
    free(exc->name);
    free(exc->traceback);
    rpyc_unref(exc->args);
    rpyc_unref(exc->attributes);
    free(exc);
}

void rpyc_error_clear(struct rpyc_error *err)
{
    if (!err)
        return;
    exception_free(err->remote);
    *err = (struct rpyc_error)RPYC_ERROR_INIT;
}

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
