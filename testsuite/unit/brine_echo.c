/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads brine and writes it again, for the cross-check with stock rpyc in interop/test_brine.py.
 *
 *     stdin   records of  u32 length, big-endian | one value as brine
 *     stdout  for each    u8 status | u32 length | the value as we write it, or a text
 *
 * status is 0, or the rpyc_errcode for an invalid value. The program ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>

#include "brine.h"

/* Appends one item; the items of a container follow. Returns false at an error. */
static bool put_item(struct buffer *out, const struct brine_item *item)
{
    switch (item->type) {
    case BRINE_NONE:
        brine_put_none(out);
        return true;
    case BRINE_BOOL:
        brine_put_bool(out, item->boolean);
        return true;
    case BRINE_NOTIMPLEMENTED:
        brine_put_notimplemented(out);
        return true;
    case BRINE_ELLIPSIS:
        brine_put_ellipsis(out);
        return true;
    case BRINE_INT:
        brine_put_int(out, item->integer);
        return true;
    case BRINE_BIGINT:
        brine_put_digits(out, (const char *)item->data, item->len);
        return true;
    case BRINE_FLOAT:
        brine_put_float(out, item->real);
        return true;
    case BRINE_COMPLEX:
        brine_put_complex(out, item->real, item->imag);
        return true;
    case BRINE_BYTES:
        brine_put_bytes(out, item->data, item->len);
        return true;
    case BRINE_STR:
        brine_put_str(out, (const char *)item->data, item->len);
        return brine_utf8(item->data, item->len);
    case BRINE_TUPLE:
        brine_put_tuple(out, item->count);
        return true;
    case BRINE_FROZENSET:
        brine_put_frozenset(out, item->count);
        return true;
    case BRINE_SLICE:
        brine_put_slice(out);
        return true;
    }
    return false;
}

static bool is_container(const struct brine_item *item)
{
    return item->type == BRINE_TUPLE || item->type == BRINE_FROZENSET || item->type == BRINE_SLICE;
}

/* Copies the value in the input. */
static int copy_value(struct brine_reader *r, struct buffer *out, struct rpyc_error *err)
{
    struct brine_item item;
    size_t missing;

    for (missing = 1; missing > 0; missing--) {
        if (!brine_next(r, &item))
            return brine_error(r, err);
        if (!put_item(out, &item))
            return error_set(err, RPYC_EPROTOCOL, "a str that is not UTF-8");
        if (is_container(&item))
            missing += item.count;
    }
    if (!brine_at_end(r))
        return brine_error(r, err);
    return out->failed ? error_nomem(err) : 0;
}

static bool write_record(enum rpyc_errcode status, const void *bytes, size_t len)
{
    uint8_t head[5] = {(uint8_t)status};

    store_u32(head + 1, (uint32_t)len);
    return fwrite(head, 1, sizeof(head), stdout) == sizeof(head) &&
           fwrite(bytes, 1, len, stdout) == len && fflush(stdout) == 0;
}

static bool echo(const void *brine, size_t len)
{
    struct brine_reader r;
    _cleanup_(buffer_free) struct buffer out = BUFFER_INIT;
    _cleanup_(rpyc_error_clear) struct rpyc_error err = RPYC_ERROR_INIT;

    brine_read(&r, brine, len);
    if (copy_value(&r, &out, &err) < 0)
        return write_record(err.code, err.text, strlen(err.text));
    return write_record(RPYC_OK, out.data, out.len);
}

int main(void)
{
    uint8_t head[4];

    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        size_t len = load_u32(head);
        uint8_t *brine = malloc(len + 1); /* of exactly this size, for AddressSanitizer */
        bool done = brine && fread(brine + 1, 1, len, stdin) == len && echo(brine + 1, len);

        free(brine);
        if (!done)
            return 1;
    }
    return 0;
}
