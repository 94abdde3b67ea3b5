/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values from a format string and C arguments; the letters are in rpyc.h.
 */
#ifndef RPYC_FORMAT_H
#define RPYC_FORMAT_H

#include <stdarg.h>

#include "value.h"

/* The arguments of a call: *args gets a tuple, *kwargs a tuple of (name, value), both new
 * references. */
int format_arguments(rpyc_value **args, rpyc_value **kwargs, const char *format, va_list *ap,
                     struct rpyc_error *err);

#endif
