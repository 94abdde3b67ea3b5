/* SPDX-License-Identifier: BSD-3-Clause */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replaces control characters in the text by blanks. A text that fills its array of `size` bytes
 * was perhaps cut off inside a UTF-8 character. So if such a text ends with a character of several
 * bytes, or with a part of one, removes that character. */
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

int error_tls(struct rpyc_error *err, enum rpyc_tls_reason reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, RPYC_ETLS, 0, format, args);
    va_end(args);
    if (err)
        err->tls = reason;
    return -1;
}

int error_copy(struct rpyc_error *err, const struct rpyc_error *why)
{
    if (!err)
        return -1;
    rpyc_error_clear(err);
    *err = *why;
    err->remote = NULL;
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
        exc->free(exc);
    return -1;
}

void rpyc_error_clear(struct rpyc_error *err)
{
    if (!err)
        return;
    if (err->remote)
        err->remote->free(err->remote);
    *err = (struct rpyc_error)RPYC_ERROR_INIT;
}

bool rpyc_error_is_fatal(const struct rpyc_error *err)
{
    return err->code == RPYC_ESYSTEM || err->code == RPYC_ECLOSED || err->code == RPYC_EPROTOCOL ||
           err->code == RPYC_ETLS;
}
