/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the fuzz targets. Each target is a program that `make fuzz` runs. The comment at the
 * top of its file describes its input, and make_seeds.py writes the first inputs.
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

/* The function that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AUTO_BUFFER _cleanup_(buffer_free) struct buffer
#define AUTO_ERROR  _cleanup_(rpyc_error_clear) struct rpyc_error

/* Reports a finding of this target: libFuzzer treats it as a crash. */
static inline void must(bool holds)
{
    if (!holds)
        abort();
}

/* Checks that a call's result matches the contents of err. */
static inline void must_agree(int result, const struct rpyc_error *err)
{
    must((result < 0) == (err->code != RPYC_OK));
    must(!strchr(err->text, '\n') && (err->remote != NULL) == (err->code == RPYC_EREMOTE));
}

/* Reads everything in a value. */
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

/* Reads everything in an exception. */
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

/* ---- Objects of the client's ----------------------------------------------------------------- */

/* The ids of objects that were shown to the server; they differ in each run. */
struct shown {
    uint64_t ids[10];
    size_t count;
};

/* Records the ids in a payload of the client. */
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

/* Replaces each placeholder with an id of the same number of digits: a placeholder is a run of '@'
 * and a digit that selects the id; one more '@' selects the first. */
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
