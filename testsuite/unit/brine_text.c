/* SPDX-License-Identifier: BSD-3-Clause */
#include "brine_text.h"

static void show(struct brine_reader *r, FILE *out);

static void show_items(struct brine_reader *r, size_t count, FILE *out, const char *brackets)
{
    fputc(brackets[0], out);
    while (count-- > 0 && r->failed == RPYC_OK) {
        show(r, out);
        if (count > 0)
            fputc(' ', out);
    }
    fputc(brackets[1], out);
}

static void show_data(const char *prefix, const struct brine_item *item, FILE *out)
{
    fprintf(out, "%s%.*s", prefix, (int)item->len, (const char *)item->data);
}

/* Writes the next value. */
static void show(struct brine_reader *r, FILE *out)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return;
    switch (item.type) {
    case BRINE_NONE:
        fputs("None", out);
        break;
    case BRINE_BOOL:
        fputs(item.boolean ? "True" : "False", out);
        break;
    case BRINE_NOTIMPLEMENTED:
        fputs("NotImplemented", out);
        break;
    case BRINE_ELLIPSIS:
        fputs("Ellipsis", out);
        break;
    case BRINE_INT:
        fprintf(out, "%lld", (long long)item.integer);
        break;
    case BRINE_BIGINT:
        show_data("big:", &item, out);
        break;
    case BRINE_FLOAT:
        fprintf(out, "%.17g", item.real);
        break;
    case BRINE_COMPLEX:
        fprintf(out, "%.17g+%.17gj", item.real, item.imag);
        break;
    case BRINE_BYTES:
        show_data("bytes:", &item, out);
        break;
    case BRINE_STR:
        show_data("str:", &item, out);
        break;
    case BRINE_TUPLE:
        show_items(r, item.count, out, "()");
        break;
    case BRINE_FROZENSET:
        show_items(r, item.count, out, "{}");
        break;
    case BRINE_SLICE:
        show_items(r, item.count, out, "[]");
        break;
    }
}

void assert_reads(const struct bytes *brine, const char *text)
{
    struct brine_reader r;
    char *shown = NULL;
    size_t len;
    FILE *out = open_memstream(&shown, &len);

    brine_read(&r, brine->data, brine->len);
    show(&r, out);
    fclose(out);
    if (!brine_at_end(&r))
        fail_msg("%s: %s after %s", text, r.problem ? r.problem : "bytes left", shown);
    assert_string_equal(shown, text);
    free(shown);
}

bool skips(const struct bytes *brine)
{
    struct brine_reader r;
    const uint8_t *data;
    size_t len;

    brine_read(&r, brine->data, brine->len);
    return brine_skip(&r, &data, &len) && data == brine->data && len == brine->len;
}

void assert_fails(const struct bytes *brine, enum rpyc_errcode code, const char *problem)
{
    struct brine_reader r;
    const uint8_t *data;
    size_t len;
    AUTO_ERROR err = RPYC_ERROR_INIT;

    brine_read(&r, brine->data, brine->len);
    assert_false(brine_skip(&r, &data, &len));
    assert_int_equal(r.failed, code);
    assert_string_equal(r.problem, problem);
    assert_false(brine_at_end(&r));
    assert_int_equal(brine_error(&r, &err), -1);
    assert_error(&err, code, problem);
}
