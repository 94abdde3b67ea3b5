/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the fuzz targets share. Each is a program of its own, run by `make fuzz`; what its input
 * means is said at its top, and make_seeds.py writes inputs to start from.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box.h"
#include "handlers.h"
#include "request.h"

/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AUTO_BUFFER _cleanup_(buffer_free) struct buffer
#define AUTO_ERROR  _cleanup_(rpyc_error_clear) struct rpyc_error

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

/* ---- Objects of the client's ------------------------------------------------------------------
 */

/* Their ids, which are others each time: those that were shown to the server. */
struct shown {
    uint64_t ids[10];
    size_t count;
};

/* Notes those that are in a payload of the client's. */
static inline void shown_note(struct shown *shown, const uint8_t *payload, size_t len)
{
    static const char box[] = {0x11, 0x50 + LABEL_REMOTE_REF};
    const uint8_t *end = payload + len, *at;
    struct brine_reader r;
    struct id_pack pack;

    while ((at = memmem(payload, (size_t)(end - payload), box, sizeof(box)))) {
        payload = at + sizeof(box);
        brine_read(&r, payload, (size_t)(end - payload));
        if (id_pack_next(&r, &pack) && shown->count < sizeof(shown->ids) / sizeof(*shown->ids))
            shown->ids[shown->count++] = pack.instance_id;
    }
}

/* Puts their ids, in as many digits, in all the places that are kept for them: '@'s, and a digit
 * that says which of them; one more '@' is the first. */
static inline void shown_put(const struct shown *shown, struct buffer *said)
{
    static const char place[] = "@@@@@@@@@@@@@@";
    uint8_t *at = said->data, *end = said->data + said->len;
    const size_t len = sizeof(place) - 1;
    char digits[32];
    size_t which;

    while (shown->count > 0 && (at = memmem(at, (size_t)(end - at), place, len)) &&
           at + len < end) {
        which = at[len] == '@' ? 0 : (size_t)at[len] % 16 % shown->count;
        snprintf(digits, sizeof(digits), "%015" PRIu64, shown->ids[which]);
        if (strlen(digits) != len + 1)
            return;
        memcpy(at, digits, len + 1);
        at += len + 1;
    }
}

#endif
