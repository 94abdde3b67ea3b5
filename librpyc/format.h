/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Creates values from a format string and C arguments. rpyc.h describes the letters.
 */
#ifndef RPYC_FORMAT_H
#define RPYC_FORMAT_H

#include <stdarg.h>

#include "value.h"

/* Creates the arguments of a call from a format: in *args a tuple, in *kwargs a tuple of (name,
 * value) tuples. Both are new references. format NULL: there are no arguments. */
int format_arguments(rpyc_value **args, rpyc_value **kwargs, const char *format, va_list *ap,
                     struct rpyc_error *err);

#endif
