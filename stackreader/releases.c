/* SPDX-License-Identifier: BSD-3-Clause */
#include "releases.h"

#include "dicts.h"
#include "objects.h"

#define NAME_MAX_SIZE 64
#define NAMES_MAX     10000

static bool read_names(const struct python *py, uint64_t code, struct tuple *names)
{
    uint64_t address;

    return read_member(py, code, py->offsets->code.names, &address) &&
           tuple_open(py, address, NAMES_MAX, names);
}

/* Copies name i of a code object. Returns false if it cannot be read or is too long. */
static bool copy_name(const struct python *py, const struct tuple *names, uint64_t i, char *to)
{
    uint64_t name;

    return i < names->count && memory_pointer(&py->memory, names->items + i * 8, &name) &&
           object_ascii(py, name, to, NAME_MAX_SIZE);
}

/* True if the names of the code include "release". Stores the answer in *shape, because this
 * function is often called for the same code: once for each lock that a frame of this code, or a
 * caller of the frame, holds. */
static bool names_release(const struct python *py, struct code_shape *shape,
                          const struct tuple *names)
{
    if (shape->names_release == 0)
        shape->names_release = tuple_index(py, names, "release") >= 0 ? 1 : -1;
    return shape->names_release > 0;
}

/* Returns the value of a local variable, or 0. */
static uint64_t local(const struct python *py, const struct raw_frame *frame, uint32_t index,
                      bool is_cell)
{
    uint64_t value;

    if (index > 10000 || !value_local(py, frame, (int)index, &value) || !value)
        return 0;
    if (is_cell && !cell_value(py, value, &value))
        return 0;
    return value;
}

static uint64_t global(const struct python *py, const struct raw_frame *frame, const char *name)
{
    uint64_t globals, value;
    struct dict d;

    return read_member(py, frame->address, py->offsets->frame.globals, &globals) &&
                   dict_open(py, globals, &d) && dict_find(py, &d, name, &value)
               ? value
               : 0;
}

/* Returns the value that an instruction puts on the value stack, or 0 if this value is not known.
 * value: the value that the preceding instruction has put on the value stack. */
static uint64_t evaluate(const struct python *py, const struct code_shape *shape,
                         const struct raw_frame *frame, const struct tuple *names,
                         const struct walk *w, uint64_t value)
{
    int minor = py->offsets->minor;
    uint32_t a = w->argument;
    char name[NAME_MAX_SIZE];

    switch (w->opcode->operation) {
    case OP_LOAD_FAST:
        return local(py, frame, a, false);
    case OP_LOAD_TWO:
        return local(py, frame, a & 15, false);
    case OP_LOAD_DEREF: /* up to 3.10, the index does not count the local variables */
        return minor >= 11 && (int)a < shape->locals ? local(py, frame, a, true) : 0;
    case OP_LOAD_GLOBAL:
        return copy_name(py, names, minor >= 11 ? a >> 1 : a, name) ? global(py, frame, name) : 0;
    case OP_LOAD_ATTR:
        return value && copy_name(py, names, minor >= 12 ? a >> 1 : a, name) &&
                       attribute_find(py, value, name, &value)
                   ? value
                   : 0;
    default:
        return 0;
    }
}

/* True if an instruction accesses the attribute with this name. */
static bool accesses(const struct python *py, const struct tuple *names, const struct walk *w,
                     const char *attribute)
{
    char name[NAME_MAX_SIZE];

    return w->opcode->operation == OP_LOAD_ATTR &&
           copy_name(py, names, py->offsets->minor >= 12 ? w->argument >> 1 : w->argument, name) &&
           strcmp(name, attribute) == 0;
}

/* Returns the offset of the last instruction that may have been executed since the instruction at
 * `since`. This is the present instruction, or the last instruction of a loop that contains the
 * present instruction and begins after `since`. */
static int64_t end_of_executed(const struct bytecode *b, int minor, int64_t since, int64_t present)
{
    const unsigned jumps = FLOW_JUMP_BACKWARD | FLOW_JUMP_TO;
    int64_t end = present, target;
    struct walk w = {0};

    while (walk_on(b, &w)) {
        if (!(w.opcode->flow & jumps) || (int64_t)w.i * 2 <= end)
            continue;
        target = (int64_t)jump_target(minor, &w) * 2;
        if (target > since && target <= present)
            end = (int64_t)w.i * 2;
    }
    return end;
}

bool may_release(const struct python *py, struct value_room *room, const struct raw_frame *frame,
                 int64_t since, uint64_t object)
{
    struct code_shape *shape = value_shape(py, room, frame->code);
    struct tuple names;
    struct walk w = {0};
    uint64_t value = 0;
    int64_t end;

    if (shape && shape->names_release < 0)
        return false;
    if (!shape || !read_names(py, frame->code, &names))
        return true;
    if (!names_release(py, shape, &names))
        return false;
    if (!bytecode_read(py, shape, &room->bytecode))
        return true;
    end = end_of_executed(&room->bytecode, py->offsets->minor, since, frame_address(py, frame));
    while (walk_on(&room->bytecode, &w) && (int64_t)w.i * 2 <= end) {
        if (w.opcode->operation == OP_EXTENDED_ARG)
            continue;
        if ((int64_t)w.i * 2 > since && accesses(py, &names, &w, "release") &&
            (!value || value == object))
            return true;
        value = evaluate(py, shape, frame, &names, &w, value);
    }
    return false;
}

/* Returns the object whose attribute `release` is accessed by the instructions from `handler` up to
 * the first jump. Returns 0 if these instructions do not access such an attribute, or if the object
 * is not known. */
static uint64_t released_at(const struct python *py, const struct value_room *room,
                            const struct code_shape *shape, const struct raw_frame *frame,
                            const struct tuple *names, int64_t handler)
{
    struct walk w = {.next = (size_t)handler / 2};
    uint64_t value = 0;

    while (walk_on(&room->bytecode, &w) && w.opcode->flow == FLOW_NEXT) {
        if (w.opcode->operation == OP_EXTENDED_ARG)
            continue;
        if (accesses(py, names, &w, "release"))
            return value;
        value = evaluate(py, shape, frame, names, &w, value);
    }
    return 0;
}

/* Returns the offset of the last instruction that accesses the attribute `acquire` of `object` and
 * precedes the present instruction; -1 if there is no such instruction. */
static int64_t acquired_at(const struct python *py, const struct value_room *room,
                           const struct code_shape *shape, const struct raw_frame *frame,
                           const struct tuple *names, uint64_t object)
{
    struct walk w = {0};
    int64_t present = frame_address(py, frame), found = -1;
    uint64_t value = 0;

    while (walk_on(&room->bytecode, &w) && (int64_t)w.i * 2 < present) {
        if (w.opcode->operation == OP_EXTENDED_ARG)
            continue;
        if (value == object && accesses(py, names, &w, "acquire"))
            found = (int64_t)w.i * 2;
        value = evaluate(py, shape, frame, names, &w, value);
    }
    return found;
}

size_t acquired_until_finally(const struct python *py, struct value_room *room,
                              const struct raw_frame *frame, struct acquired found[ACQUIRED_MAX])
{
    struct code_shape *shape = value_shape(py, room, frame->code);
    struct try_block blocks[TRY_BLOCKS_MAX];
    struct tuple names;
    size_t count, i, n = 0;

    if (!shape || shape->names_release < 0 || !read_names(py, frame->code, &names) ||
        !names_release(py, shape, &names))
        return 0;
    count = value_stack_try_blocks(py, room, frame, blocks);
    for (i = 0; i < count && n < ACQUIRED_MAX; i++) {
        struct acquired *a = &found[n];

        a->object = released_at(py, room, shape, frame, &names, blocks[i].handler);
        a->since = a->object ? acquired_at(py, room, shape, frame, &names, a->object) : -1;
        if (a->since >= 0 && !may_release(py, room, frame, a->since, a->object))
            n++;
    }
    return n;
}
