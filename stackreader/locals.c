/* SPDX-License-Identifier: BSD-3-Clause */
#include "locals.h"

#include "objects.h"
#include "schema.h"
#include "value_text.h"

/* Up to 3.10, the names are in three tuples. */
size_t locals_names(const struct python *py, const struct code_shape *shape, uint64_t *to)
{
    const struct offsets *o = py->offsets;
    const uint64_t code = shape->code;
    size_t count = tuple_read_member(py, code, o->code.local_names, to, LOCAL_NAMES_MAX);

    count += tuple_read_member(py, code, o->code.cell_names, to + count, LOCAL_NAMES_MAX - count);
    count += tuple_read_member(py, code, o->code.free_names, to + count, LOCAL_NAMES_MAX - count);
    return count == (size_t)shape->locals ? count : 0;
}

bool locals_value(const struct python *py, const struct raw_frame *frame, size_t index,
                  uint64_t *value)
{
    if (!value_local(py, frame, (int)index, value) || !*value)
        return false;
    if (!object_type_is(py, object_type(py, *value), "cell"))
        return true;
    return cell_value(py, *value, value) && *value;
}

static bool set_local(const struct python *py, struct arena *arena, struct report_local *to,
                      uint64_t name, uint64_t value)
{
    to->name = object_text(py, arena, name);
    to->type = object_type_name(py, arena, object_type(py, value));
    to->text = value_text(py, arena, value);
    to->status = to->text.data ? STATUS_OK : STATUS_ERROR;
    /* Leave out ".0", which is the iterator of a comprehension. */
    return to->name.len > 0 && to->name.data[0] != '.';
}

void locals_read(const struct python *py, struct value_room *room, struct arena *arena,
                 const struct raw_frame *frame, struct report_frame *to)
{
    const struct code_shape *shape = value_shape(py, room, frame->code);
    uint64_t names[LOCAL_NAMES_MAX], value;
    size_t count, i, found = 0;
    struct report_local *items;

    count = shape ? locals_names(py, shape, names) : 0;
    if (!shape || count != (size_t)shape->locals)
        return;
    items = schema_make(arena, &schema_local, count);
    for (i = 0; items && i < count; i++) {
        if (locals_value(py, frame, i, &value))
            found += set_local(py, arena, &items[found], names[i], value);
    }
    to->locals.items = items;
    to->locals.count = found;
}
