/* SPDX-License-Identifier: BSD-3-Clause */
#include "set_error.h"

#include <stdarg.h>
#include <stdio.h>

int set_error(struct rpyc_error *err, enum rpyc_errcode code, const char *format, ...)
{
    va_list args;

    err->code = code;
    err->sys_errno = 0;
    err->tls = RPYC_TLS_OTHER;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}
