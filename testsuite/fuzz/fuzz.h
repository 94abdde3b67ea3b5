/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the fuzz targets share. Each is a program of its own, run by `make fuzz`; what its input
 * means is said at its top, and make_seeds.py writes inputs to start from.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "request.h"

/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AUTO_BUFFER _cleanup_(buffer_free) struct buffer
#define AUTO_ERROR  _cleanup_(rpyc_error_clear) struct rpyc_error
#define AUTO_VALUE  _cleanup_(unref_value) rpyc_value

static inline void unref_value(rpyc_value **v)
{
    rpyc_unref(*v);
}

/* A finding of ours, which libFuzzer takes for a crash. */
static inline void must(bool holds)
{
    if (!holds)
        abort();
}

/* That a call's result and what it left in err agree. */
static inline void must_agree(int result, const struct rpyc_error *err)
{
    must((result < 0) == (err->code != RPYC_OK));
    must(!strchr(err->text, '\n') && (err->remote != NULL) == (err->code == RPYC_EREMOTE));
}

/* Looks at everything that a value holds. */
static inline void look_at(const rpyc_value *v)
{
    double real, imag;
    size_t i, len = 0;
    int64_t n;

    if (rpyc_str(v, &len))
        must(brine_utf8((const uint8_t *)rpyc_str(v, NULL), len) && !rpyc_str(v, NULL)[len]);
    if (rpyc_bytes(v, &len))
        must(!((const char *)rpyc_bytes(v, NULL))[len]);
    must(!rpyc_int_digits(v) || strlen(rpyc_int_digits(v)) > 0);
    must((rpyc_class_name(v) != NULL) == (rpyc_type_of(v) == RPYC_NETREF));
    rpyc_int64(v, &n, NULL);
    rpyc_complex(v, &real, &imag, NULL);
    for (i = 0; i < rpyc_length(v); i++)
        look_at(rpyc_item(v, i));
}

/* And at an exception. */
static inline void look_at_error(const struct rpyc_error *err)
{
    const struct rpyc_exception *exc = err->remote;

    if (!exc)
        return;
    must(rpyc_exception_module(exc) && rpyc_exception_name(exc) && rpyc_exception_traceback(exc));
    if (rpyc_exception_args(exc))
        look_at(rpyc_exception_args(exc));
    if (rpyc_exception_attribute(exc, "_remote_tb"))
        look_at(rpyc_exception_attribute(exc, "_remote_tb"));
    rpyc_error_is(err, "KeyError");
    rpyc_error_is(err, "binascii.Error");
}

#endif
