/* SPDX-License-Identifier: BSD-3-Clause */
#include "vinegar.h"

/* ---- Writing --------------------------------------------------------------------------------- */

static void put_text(struct buffer *out, const char *text)
{
    brine_put_str(out, text, strlen(text));
}

void vinegar_begin(struct buffer *out, const char *module, const char *name)
{
    brine_put_tuple(out, 4);
    brine_put_tuple(out, 2);
    put_text(out, module);
    put_text(out, name);
}

void vinegar_put_text(struct buffer *out, const char *module, const char *name, const char *text)
{
    vinegar_begin(out, module, name);
    brine_put_tuple(out, 1);
    put_text(out, text);
    brine_put_tuple(out, 1);
    brine_put_tuple(out, 2);
    put_text(out, "_remote_version");
    put_text(out, "<version denied>");
    put_text(out, text);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const char unknown_form[] = "an exception of an unknown form";

static struct vinegar_part part(const char *text)
{
    return (struct vinegar_part){text, strlen(text)};
}

static struct vinegar stop_iteration(void)
{
    static const char empty_tuple[] = "\x02"; /* brine */

    return (struct vinegar){.module = part("builtins"),
                            .name = part("StopIteration"),
                            .args = part(empty_tuple),
                            .attributes = part(empty_tuple),
                            .traceback = part("")};
}

/* Reads a str. */
static bool next_text(struct brine_reader *r, struct vinegar_part *text)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return false;
    if (item.type != BRINE_STR)
        return brine_fail(r, unknown_form);
    if (!brine_utf8(item.data, item.len))
        return brine_fail(r, "a str that is not UTF-8");
    *text = (struct vinegar_part){(const char *)item.data, item.len};
    return true;
}

/* Reads a tuple. Sets *tuple to its brine, which includes all values in the tuple. */
static bool next_tuple(struct brine_reader *r, struct vinegar_part *tuple)
{
    const struct brine_reader before = *r;
    struct brine_item item;
    const uint8_t *data;

    if (!brine_next(r, &item))
        return false;
    if (item.type != BRINE_TUPLE)
        return brine_fail(r, unknown_form);
    *r = before;
    if (!brine_skip(r, &data, &tuple->len))
        return false;
    tuple->data = (const char *)data;
    return true;
}

/* Reads (module, class name). */
static bool next_class(struct brine_reader *r, struct vinegar *v)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return false;
    if (item.type != BRINE_TUPLE || item.count != 2)
        return brine_fail(r, unknown_form);
    if (!next_text(r, &v->module) || !next_text(r, &v->name))
        return false;
    if (v->name.len == 0 || v->name.data[0] == '\0')
        return brine_fail(r, "an exception without a class name");
    return true;
}

bool vinegar_next(struct brine_reader *r, struct vinegar *v)
{
    struct brine_item item;

    if (!brine_next(r, &item))
        return false;
    if (item.type == BRINE_INT || item.type == BRINE_BIGINT) {
        *v = stop_iteration();
        return true;
    }
    if (item.type != BRINE_TUPLE || item.count != 4)
        return brine_fail(r, unknown_form);
    return next_class(r, v) && next_tuple(r, &v->args) && next_tuple(r, &v->attributes) &&
           next_text(r, &v->traceback);
}
