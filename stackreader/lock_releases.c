/* SPDX-License-Identifier: BSD-3-Clause */
#include "lock_releases.h"

#include "dicts.h"
#include "objects.h"

#define NAME_MAX_SIZE 64
#define NAMES_MAX     10000

#define FLAG_NEW_LOCALS 2 /* CO_NEWLOCALS: the code of a function */

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

/* True if the names of the code include `name`. known: the member of the code's shape that stores
 * the answer, because this function is often called for the same code: once for each lock that a
 * frame of this code, or a caller of the frame, holds. */
static bool has_name(const struct python *py, const struct tuple *names, const char *name,
                     int8_t *known)
{
    if (*known == 0)
        *known = tuple_index(py, names, name) >= 0 ? 1 : -1;
    return *known > 0;
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

/* True if an instruction accesses an attribute, perhaps in order to call it as a method. */
static bool is_attribute(const struct walk *w)
{
    return w->opcode->operation == OP_LOAD_ATTR || w->opcode->operation == OP_LOAD_METHOD;
}

/* True if an instruction that accesses an attribute prepares a call of the attribute as a method.
 */
static bool is_method(int minor, const struct walk *w)
{
    return w->opcode->operation == OP_LOAD_METHOD ||
           (w->opcode->operation == OP_LOAD_ATTR && minor >= 12 && (w->argument & 1));
}

/* Copies the name of the attribute that an instruction accesses. */
static bool copy_attribute(const struct python *py, const struct tuple *names, const struct walk *w,
                           char *to)
{
    return is_attribute(w) &&
           copy_name(py, names, py->offsets->minor >= 12 ? w->argument >> 1 : w->argument, to);
}

/* Returns the value of the attribute of `object` that the instruction *w accesses; 0: not known. If
 * only the class of the object has the attribute, its value is known only if it is a Lock or RLock:
 * it could also be a property, whose value is not stored. */
static uint64_t attribute(const struct python *py, const struct tuple *names, const struct walk *w,
                          uint64_t object)
{
    static const char *const types[] = {"_thread.lock", "_thread.RLock"};
    uint64_t i = py->offsets->minor >= 12 ? w->argument >> 1 : w->argument, name, value;
    char text[NAME_MAX_SIZE];

    if (!object || !copy_name(py, names, i, text))
        return 0;
    if (attribute_find(py, object, text, &value))
        return value;
    if (!memory_pointer(&py->memory, names->items + i * 8, &name) ||
        !has_class_attributes(py, object) || !class_attribute_find(py, object, name, &value) ||
        object_type_among(py, object_type(py, value), types, 2) < 0)
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
    case OP_LOAD_NAME: /* in a module, where local variables are global variables */
        return shape->flags & FLAG_NEW_LOCALS  ? 0
               : copy_name(py, names, a, name) ? global(py, frame, name)
                                               : 0;
    case OP_LOAD_ATTR:
    case OP_LOAD_METHOD:
        return attribute(py, names, w, value);
    default:
        return 0;
    }
}

/* True if an instruction accesses the attribute with this name. */
static bool accesses(const struct python *py, const struct tuple *names, const struct walk *w,
                     const char *attribute)
{
    char name[NAME_MAX_SIZE];

    return copy_attribute(py, names, w, name) && strcmp(name, attribute) == 0;
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
    if (!has_name(py, &names, "release", &shape->names_release))
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

static bool is_call(const struct walk *w)
{
    return w->opcode->operation >= OP_CALL && w->opcode->operation <= OP_CALL_FUNCTION_EX;
}

/* Moves *w to the first call after the instruction *at. Returns false if a jump or the end of the
 * function comes before a call. */
static bool walk_to_call(const struct bytecode *b, const struct walk *at, struct walk *w)
{
    *w = *at;
    while (walk_on(b, w) && w->opcode->flow == FLOW_NEXT && !is_call(w)) {
    }
    return is_call(w);
}

/* Looks for instructions that access the attribute `acquire` of `object`. Returns the offset of the
 * last one for which the next call is also before the present instruction; -1 if there is none. */
static int64_t acquired_at(const struct python *py, const struct value_room *room,
                           const struct code_shape *shape, const struct raw_frame *frame,
                           const struct tuple *names, uint64_t object)
{
    struct walk w = {0}, call;
    int64_t present = frame_address(py, frame), found = -1;
    uint64_t value = 0;

    while (walk_on(&room->bytecode, &w) && (int64_t)w.i * 2 < present) {
        if (w.opcode->operation == OP_EXTENDED_ARG)
            continue;
        if (value == object && accesses(py, names, &w, "acquire") &&
            walk_to_call(&room->bytecode, &w, &call) && (int64_t)call.i * 2 < present)
            found = (int64_t)w.i * 2;
        value = evaluate(py, shape, frame, names, &w, value);
    }
    return found;
}

/* Adds the locks that the frame will release in a `finally` block. Returns their number. */
static size_t until_finally(const struct python *py, struct value_room *room,
                            const struct raw_frame *frame, const struct tuple *names,
                            struct acquired found[ACQUIRED_MAX])
{
    struct code_shape *shape = value_shape(py, room, frame->code);
    struct try_block blocks[TRY_BLOCKS_MAX];
    size_t count, i, n = 0;

    if (!shape || !has_name(py, names, "release", &shape->names_release))
        return 0;
    count = value_stack_try_blocks(py, room, frame, blocks);
    for (i = 0; i < count && n < ACQUIRED_MAX; i++) {
        struct acquired *a = &found[n];

        a->object = released_at(py, room, shape, frame, names, blocks[i].handler);
        a->since = a->object ? acquired_at(py, room, shape, frame, names, a->object) : -1;
        if (a->since >= 0 && !may_release(py, room, frame, a->since, a->object))
            n++;
    }
    return n;
}

/* True if the instruction `at`, which accesses an attribute, is part of a statement such as
 * `lock.acquire()`, without arguments, and the frame has executed this statement. present: the
 * offset of the present instruction. */
static bool is_statement(const struct bytecode *b, int minor, const struct walk *at,
                         int64_t present)
{
    struct walk w;

    return is_method(minor, at) && walk_to_call(b, at, &w) && w.argument == 0 && walk_on(b, &w) &&
           w.opcode->operation == OP_POP_TOP && (int64_t)w.i * 2 < present;
}

/* True if every way to the present instruction goes through the instruction at `since`: no jump and
 * no handler of exceptions leads past it. */
static bool is_on_each_way(const struct bytecode *b, int minor, int64_t since, int64_t present)
{
    const unsigned jumps = FLOW_JUMP_FORWARD | FLOW_JUMP_BACKWARD | FLOW_JUMP_TO;
    struct walk w = {0};
    int64_t target;

    while (walk_on(b, &w) && (int64_t)w.i * 2 < since) {
        if (!(w.opcode->flow & jumps))
            continue;
        target = (int64_t)jump_target(minor, &w) * 2;
        if (target > since && target <= present)
            return false;
    }
    return !bytecode_handler_between(b, since, present);
}

/* Adds the locks that the frame has acquired by a statement `lock.acquire()`. Returns their number.
 */
static size_t by_statement(const struct python *py, struct value_room *room,
                           const struct raw_frame *frame, const struct tuple *names,
                           struct acquired found[ACQUIRED_MAX])
{
    const struct code_shape *shape = value_shape(py, room, frame->code);
    const int64_t present = frame_address(py, frame);
    const int minor = py->offsets->minor;
    const struct bytecode *b = &room->bytecode;
    struct walk w = {0};
    uint64_t value = 0;
    size_t n = 0;

    if (!shape || !bytecode_read(py, shape, &room->bytecode))
        return 0;
    while (n < ACQUIRED_MAX && walk_on(b, &w) && (int64_t)w.i * 2 < present) {
        if (w.opcode->operation == OP_EXTENDED_ARG)
            continue;
        if (value && accesses(py, names, &w, "acquire") && is_statement(b, minor, &w, present) &&
            is_on_each_way(b, minor, (int64_t)w.i * 2, present))
            found[n++] = (struct acquired){value, (int64_t)w.i * 2};
        value = evaluate(py, shape, frame, names, &w, value);
    }
    return n;
}

size_t acquired_by_calls(const struct python *py, struct value_room *room,
                         const struct raw_frame *frame, struct acquired found[ACQUIRED_MAX])
{
    struct code_shape *shape = value_shape(py, room, frame->code);
    struct acquired calls[ACQUIRED_MAX];
    struct tuple names;
    size_t n, count, i;

    if (!shape || shape->names_acquire < 0 || !read_names(py, frame->code, &names) ||
        !has_name(py, &names, "acquire", &shape->names_acquire))
        return 0;
    n = until_finally(py, room, frame, &names, found);
    count = by_statement(py, room, frame, &names, calls);
    for (i = 0; i < count && n < ACQUIRED_MAX; i++) {
        if (!may_release(py, room, frame, calls[i].since, calls[i].object))
            found[n++] = calls[i];
    }
    return n;
}

size_t released_by_calls(const struct python *py, struct value_room *room,
                         const struct raw_frame *frame, uint64_t found[RELEASED_BY_CALLS_MAX])
{
    struct code_shape *shape = value_shape(py, room, frame->code);
    const int64_t present = frame_address(py, frame);
    struct tuple names;
    struct walk w = {0};
    uint64_t value = 0;
    size_t n = 0;

    if (!shape || shape->names_release < 0 || !read_names(py, frame->code, &names) ||
        !has_name(py, &names, "release", &shape->names_release) ||
        has_name(py, &names, "acquire", &shape->names_acquire) ||
        !bytecode_read(py, shape, &room->bytecode))
        return 0;
    while (n < RELEASED_BY_CALLS_MAX && walk_on(&room->bytecode, &w) &&
           (int64_t)w.i * 2 < present) {
        if (w.opcode->operation == OP_EXTENDED_ARG)
            continue;
        if (value && accesses(py, &names, &w, "release"))
            found[n++] = value;
        value = evaluate(py, shape, frame, &names, &w, value);
    }
    return n;
}
