/* SPDX-License-Identifier: BSD-3-Clause */
#include "value_stack.h"

#include "objects.h"

#define LOCALS_MAX 1000 /* the most local variables that are searched for a name */

void value_room_clear(struct value_room *room)
{
    room->generation++;
    room->bytecode.code = 0;
}

static size_t hash_of(uint64_t code, int64_t offset)
{
    uint64_t hash = ((code >> 4) + (uint64_t)offset) * UINT64_C(0x9e3779b97f4a7c15);

    return hash >> 32 & (VALUE_CACHE_SIZE - 1);
}

struct code_shape *value_shape(const struct python *py, struct value_room *room, uint64_t code)
{
    struct code_shape *s = &room->shapes[hash_of(code, 0)];

    if (code && s->code == code && s->generation == room->generation)
        return s;
    s->generation = room->generation;
    if (code && code_shape_read(py, code, s))
        return s;
    s->code = 0;
    return NULL;
}

/* ---- Slots ----------------------------------------------------------------------------------- */

/* Returns the address of the object in a slot, or 0 if the slot contains no object. From 3.14 on,
 * the low bits of a slot are flags. If both of the lowest two bits are set, the slot contains an
 * int that is not an object. A slot without a value may also have a flag. */
static uint64_t object_of(const struct python *py, uint64_t slot)
{
    if (py->offsets->minor < 14)
        return slot;
    return (slot & 3) == 3 ? 0 : slot & ~UINT64_C(7);
}

bool value_local(const struct python *py, const struct raw_frame *frame, int index, uint64_t *value)
{
    uint64_t slots = frame->address + (uint64_t)py->offsets->frame.locals;

    if (!memory_pointer(&py->memory, slots + (uint64_t)index * sizeof(uint64_t), value))
        return false;
    *value = object_of(py, *value);
    return true;
}

int value_local_index(const struct python *py, uint64_t code, const char *name)
{
    uint64_t address;
    struct tuple names;

    if (!read_member(py, code, py->offsets->code.local_names, &address) ||
        !tuple_open(py, address, LOCALS_MAX, &names))
        return -1;
    return tuple_index(py, &names, name);
}

static bool stack_address(const struct python *py, const struct code_shape *shape,
                          const struct raw_frame *frame, uint64_t *address)
{
    const struct offsets *o = py->offsets;

    if (o->frame.values >= 0)
        return read_member(py, frame->address, o->frame.values, address);
    *address = frame->address + (uint64_t)o->frame.locals + (uint64_t)shape->locals * 8;
    return true;
}

/* Reads `count` slots of the value stack from `slot` on. Returns false if some of these slots are
 * not on the stack or cannot be read. */
static bool read_slots(const struct python *py, const struct code_shape *shape,
                       const struct raw_frame *frame, int slot, int count, uint64_t *values)
{
    uint64_t address;
    int i;

    if (slot < 0 || slot > shape->stack_size - count ||
        !stack_address(py, shape, frame, &address) ||
        !memory_read(&py->memory, address + (uint64_t)slot * 8, values, (size_t)count * 8))
        return false;
    for (i = 0; i < count; i++)
        values[i] = object_of(py, values[i]);
    return true;
}

uint64_t value_bound_to(const struct python *py, uint64_t method)
{
    const struct offsets *o = py->offsets;
    uint64_t type = object_type(py, method), self;
    int member = -1;

    if (object_type_is(py, type, "builtin_function_or_method"))
        member = o->builtin.self;
    else if (object_type_is(py, type, "method"))
        member = o->method.self;
    return read_member(py, method, member, &self) ? self : 0;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* An entry of the block stack of a frame, up to 3.10: PyTryBlock. */
struct block_entry {
    int32_t type, handler, level;
};

#define BLOCK_STACK_MAX 20 /* CO_MAXBLOCKS */

/* CPython's opcode SETUP_FINALLY. The blocks of `with`, try and finally have this opcode as their
 * type. */
#define SETUP_FINALLY 122

/* Reads the blocks of a frame from its block stack, the innermost first. */
static size_t read_block_stack(const struct python *py, const struct raw_frame *frame,
                               struct try_block to[TRY_BLOCKS_MAX])
{
    const struct offsets *o = py->offsets;
    struct block_entry entries[BLOCK_STACK_MAX];
    int32_t count, i;
    size_t found = 0;

    if (!memory_read(&py->memory, frame->address + (uint64_t)o->frame.block_count, &count,
                     sizeof(count)) ||
        count <= 0 || count > BLOCK_STACK_MAX ||
        !memory_read(&py->memory, frame->address + (uint64_t)o->frame.blocks, entries,
                     (size_t)count * sizeof(*entries)))
        return 0;
    for (i = count - 1; i >= 0; i--) {
        if (entries[i].type == SETUP_FINALLY)
            to[found++] = (struct try_block){o->minor >= 10 ? (int64_t)entries[i].handler * 2
                                                            : entries[i].handler,
                                             entries[i].level};
    }
    return found;
}

size_t value_stack_try_blocks(const struct python *py, struct value_room *room,
                              const struct raw_frame *frame,
                              struct try_block blocks[TRY_BLOCKS_MAX])
{
    const struct code_shape *shape = value_shape(py, room, frame->code);

    if (!shape || (py->offsets->minor >= 11 && !shape->exceptions) ||
        !bytecode_read(py, shape, &room->bytecode))
        return 0;
    if (py->offsets->minor >= 11)
        return bytecode_try_blocks(&room->bytecode, frame_address(py, frame), blocks);
    return read_block_stack(py, frame, blocks);
}

/* Returns the `with` blocks that a frame is in. Up to 3.10, the cache is not used, because the
 * blocks do not depend only on the instruction. */
static const struct blocks_entry *find_blocks(const struct python *py, struct value_room *room,
                                              const struct raw_frame *frame)
{
    int64_t offset = frame_address(py, frame);
    struct blocks_entry *e = &room->blocks[hash_of(frame->code, offset)];
    struct try_block blocks[TRY_BLOCKS_MAX];
    size_t count, i;

    if (py->offsets->minor >= 11 && e->generation == room->generation && e->code == frame->code &&
        e->offset == offset)
        return e;
    e->generation = room->generation;
    e->code = frame->code;
    e->offset = offset;
    e->count = 0;
    count = value_stack_try_blocks(py, room, frame, blocks);
    for (i = 0; i < count && e->count < WITH_BLOCKS_MAX; i++)
        e->count += bytecode_with_block(&room->bytecode, py->offsets->minor, &blocks[i],
                                        &e->blocks[e->count]);
    return e;
}

/* Returns the manager of a block, or 0. Up to 3.13, `slot` contains the bound method __exit__. From
 * 3.14 on, the slot below `slot` contains __exit__. If this is a function, `slot` contains the
 * manager. If it is a bound method, `slot` is empty. */
static uint64_t manager_of(const struct python *py, const struct code_shape *shape,
                           const struct raw_frame *frame, int slot)
{
    uint64_t values[2];

    if (py->offsets->minor < 14)
        return read_slots(py, shape, frame, slot, 1, values) ? value_bound_to(py, values[0]) : 0;
    if (slot < 1 || !read_slots(py, shape, frame, slot - 1, 2, values))
        return 0;
    return values[1] ? values[1] : value_bound_to(py, values[0]);
}

size_t value_stack_withs(const struct python *py, struct value_room *room,
                         const struct raw_frame *frame, struct entered_with withs[WITH_BLOCKS_MAX])
{
    const struct code_shape *shape = value_shape(py, room, frame->code);
    const struct blocks_entry *e;
    size_t i, count = 0;
    uint64_t manager;

    if (!shape)
        return 0;
    e = find_blocks(py, room, frame);
    for (i = 0; i < e->count; i++) {
        manager = manager_of(py, shape, frame, e->blocks[i].slot);
        if (manager)
            withs[count++] = (struct entered_with){manager, e->blocks[i].enter};
    }
    return count;
}

/* ---- The call -------------------------------------------------------------------------------- */

static const struct call_entry *find_call(const struct python *py, struct value_room *room,
                                          const struct code_shape *shape,
                                          const struct raw_frame *frame)
{
    int64_t offset = frame_address(py, frame);
    struct call_entry *e = &room->calls[hash_of(frame->code, offset)];

    if (e->generation == room->generation && e->code == frame->code && e->offset == offset)
        return e;
    *e = (struct call_entry){
        .generation = room->generation, .code = frame->code, .offset = offset, .depth = -1};
    if (!bytecode_read(py, shape, &room->bytecode))
        return e;
    e->instruction = bytecode_at(&room->bytecode, offset);
    if (py->offsets->frame.stack_pointer < 0 && e->instruction.operation > OP_INSTRUMENTED)
        e->depth = bytecode_depth(py, shape, &room->bytecode, offset);
    return e;
}

/* Returns the depth of the value stack before the call that a frame is in, or -1. */
static int depth_of(const struct python *py, const struct code_shape *shape,
                    const struct raw_frame *frame, const struct call_entry *e)
{
    uint64_t pointer, bottom;

    if (py->offsets->frame.stack_pointer < 0)
        return e->depth;
    if (!read_member(py, frame->address, py->offsets->frame.stack_pointer, &pointer) ||
        !stack_address(py, shape, frame, &bottom) || pointer < bottom ||
        pointer - bottom > (uint64_t)shape->stack_size * 8)
        return -1;
    return (int)((pointer - bottom) / 8);
}

/* Returns the number of slots that a call takes, or 0 if the instruction is not a call. The result
 * of the call is put into the lowest of these slots. */
static int64_t slots_of(int minor, struct instruction i)
{
    int64_t n = i.argument;

    switch (i.operation) {
    case OP_PRECALL:
    case OP_CALL:
    case OP_CALL_METHOD:
        return n + 2;
    case OP_CALL_KW:
        return n + 3;
    case OP_CALL_FUNCTION:
        return n + 1;
    case OP_CALL_FUNCTION_KW:
        return n + 2;
    case OP_CALL_FUNCTION_EX:
        return minor >= 14 ? 4 : minor >= 11 ? 3 + (n & 1) : 2 + (n & 1);
    default:
        return 0;
    }
}

/* Sets the name and self of a call. callable: the value of the slot with the callable. self: the
 * first value after `callable` that is not 0, which is the first argument. If the callable is a
 * method of a class, such as Lock.acquire, the first argument is the object whose method is called.
 */
static bool set_call(const struct python *py, uint64_t callable, uint64_t self, struct c_call *call)
{
    const struct offsets *o = py->offsets;
    uint64_t type = object_type(py, callable), definition, name;

    if (object_type_is(py, type, "builtin_function_or_method"))
        return read_member(py, callable, o->builtin.self, &call->self) &&
               read_member(py, callable, o->builtin.definition, &definition) &&
               memory_pointer(&py->memory, definition, &name) &&
               read_c_string(py, name, call->name, sizeof(call->name));
    call->self = self;
    return object_type_is(py, type, "method_descriptor") &&
           read_member(py, callable, o->descriptor.name, &name) &&
           object_ascii(py, name, call->name, sizeof(call->name));
}

static bool is_timeout(const struct python *py, uint64_t value)
{
    static const char *const types[] = {"float", "int"};
    int found = object_type_among(py, object_type(py, value), types, 2);
    uint64_t number;

    return found == 0 || (found == 1 && object_integer(py, value, &number));
}

/* Reads a call from its slots. The callable is in the lowest slot. Up to 3.12, if the callable is
 * not a method, the lowest slot is empty and the callable is in the next slot (except with
 * CALL_FUNCTION). */
static bool read_call(const struct python *py, const struct code_shape *shape,
                      const struct raw_frame *frame, int lowest, int count, struct c_call *call)
{
    uint64_t *values = call->values;
    int i;

    count = count < CALL_VALUES_MAX ? count : CALL_VALUES_MAX;
    if (!read_slots(py, shape, frame, lowest, count, values))
        return false;
    call->count = (size_t)count;
    for (i = 1; i < count; i++)
        call->is_timed = call->is_timed || (values[i] && is_timeout(py, values[i]));
    if (!values[0] && py->offsets->minor <= 12)
        return set_call(py, values[1], values[2], call);
    return set_call(py, values[0], values[1] ? values[1] : values[2], call);
}

/* Reads the call of __enter__ by a `with` statement, up to 3.13. The top slot contains the bound
 * method __exit__ up to 3.11, and the manager from 3.12 on. */
static bool read_enter(const struct python *py, const struct code_shape *shape,
                       const struct raw_frame *frame, int top, struct c_call *call)
{
    uint64_t value;

    if (!read_slots(py, shape, frame, top, 1, &value))
        return false;
    call->enters_with = true;
    call->self = py->offsets->minor <= 11 ? value_bound_to(py, value) : value;
    memcpy(call->name, "__enter__", sizeof("__enter__"));
    return call->self != 0;
}

/* True if the present instruction of the frame enters a `with` block, and the frame has already
 * entered this block. In 3.9, a thread may stop at SETUP_WITH after it has entered the block. */
static bool has_entered(const struct python *py, struct value_room *room,
                        const struct raw_frame *frame)
{
    struct entered_with withs[WITH_BLOCKS_MAX];
    size_t count = value_stack_withs(py, room, frame, withs);

    return count > 0 && withs[0].enter == frame_address(py, frame);
}

bool value_stack_call(const struct python *py, struct value_room *room,
                      const struct raw_frame *frame, struct c_call *call)
{
    const struct code_shape *shape = value_shape(py, room, frame->code);
    const struct call_entry *e = shape ? find_call(py, room, shape, frame) : NULL;
    int depth = e ? depth_of(py, shape, frame, e) : -1;
    int64_t count;

    memset(call, 0, sizeof(*call));
    if (depth < 0)
        return false;
    if (e->instruction.operation == OP_ENTER_WITH)
        return !(py->offsets->minor == 9 && has_entered(py, room, frame)) &&
               read_enter(py, shape, frame, depth - 1, call);
    count = slots_of(py->offsets->minor, e->instruction);
    return count > 0 && count <= depth &&
           read_call(py, shape, frame, depth - (int)count, (int)count, call);
}

/* ---- Loops ----------------------------------------------------------------------------------- */

/* Adds a loop to an entry. If the entry has a loop with the same slot already, only one of them can
 * be the loop that the frame is in: takes the one whose instructions contain the present one, or
 * else the later one. end: the offset behind the instructions of the loop. */
static void add_to_entry(struct loops_entry *e, int64_t enter, int64_t end, int slot)
{
    const bool contains = enter < e->offset && e->offset < end;
    size_t i;

    for (i = 0; i < e->count && e->slots[i] != slot; i++) {
    }
    if (i == LOOPS_MAX)
        return;
    if (i == e->count)
        e->ends[e->count++] = 0;
    else if (!contains && e->offset < e->ends[i])
        return;
    e->enters[i] = enter;
    e->ends[i] = end;
    e->slots[i] = slot;
}

/* True if a `for` loop begins before the instruction at `offset`. */
static bool has_loop(const struct bytecode *b, int64_t offset)
{
    struct walk w = {0};

    while (walk_on(b, &w) && (int64_t)w.i * 2 < offset) {
        if (w.opcode->operation == OP_FOR_ITER)
            return true;
    }
    return false;
}

/* Returns the depth of the value stack before the instruction at `offset`, which may also be in the
 * caches of the instruction; -1 if the depth is not known. Sets b->depths. */
static int depth_at(const struct python *py, const struct code_shape *shape, struct bytecode *b,
                    int64_t offset)
{
    struct walk w = {0};
    size_t at = 0;

    while (walk_on(b, &w) && (int64_t)w.i * 2 <= offset)
        at = w.i;
    return bytecode_depth(py, shape, b, (int64_t)at * 2);
}

/* Returns the `for` loops that a frame may be in: those of which the iterator may be on the value
 * stack at the present instruction. It is not enough to look for loops whose instructions contain
 * the present one, because the instructions of an `except` block in a loop are behind all others.
 */
static const struct loops_entry *find_loops(const struct python *py, struct value_room *room,
                                            const struct code_shape *shape,
                                            const struct raw_frame *frame)
{
    const int64_t offset = frame_address(py, frame);
    struct loops_entry *e = &room->loops[hash_of(frame->code, offset)];
    const bool has_depths = py->offsets->frame.stack_pointer < 0;
    struct walk w = {0};
    int slot, depth = 0;

    if (e->code == frame->code && e->offset == offset && e->generation == room->generation)
        return e;
    *e =
        (struct loops_entry){.code = frame->code, .offset = offset, .generation = room->generation};
    if (!bytecode_read(py, shape, &room->bytecode) || !has_loop(&room->bytecode, offset))
        return e;
    if (has_depths)
        depth = depth_at(py, shape, &room->bytecode, offset);
    while (walk_on(&room->bytecode, &w) && (int64_t)w.i * 2 < offset) {
        slot = has_depths ? room->bytecode.depths[w.i] - 1 : -1;
        if (w.opcode->operation == OP_FOR_ITER && slot < depth)
            add_to_entry(e, (int64_t)w.i * 2, (int64_t)jump_target(py->offsets->minor, &w) * 2,
                         slot);
    }
    return e;
}

/* Sets *to if `object`, the value of a slot of the value stack, is a generator. Returns the number
 * of loops that were added: 1 or 0. */
static size_t add_loop(const struct python *py, uint64_t object, int64_t enter,
                       struct generator_loop *to)
{
    uint32_t references;

    if (!object || object % 8 != 0 || !object_type_is(py, object_type(py, object), "generator") ||
        !memory_read(&py->memory, object, &references, sizeof(references)))
        return 0;
    *to = (struct generator_loop){object, enter, references == 1};
    return 1;
}

/* From 3.14 on, frames store the depth of their value stack. So this function looks for generators
 * in all slots. It is not known which loop runs which generator: `enter` of all results is that of
 * the last loop of *e. */
static size_t search_stack(const struct python *py, const struct code_shape *shape,
                           const struct raw_frame *frame, const struct loops_entry *e,
                           struct generator_loop loops[LOOPS_MAX])
{
    const struct call_entry none = {.depth = -1};
    const int depth = depth_of(py, shape, frame, &none);
    size_t count = 0;
    uint64_t value;
    int i;

    for (i = 0; i < depth && count < LOOPS_MAX; i++) {
        if (read_slots(py, shape, frame, i, 1, &value))
            count += add_loop(py, value, e->enters[e->count - 1], &loops[count]);
    }
    return count;
}

size_t value_stack_generators(const struct python *py, struct value_room *room,
                              const struct raw_frame *frame, struct generator_loop loops[LOOPS_MAX])
{
    const struct code_shape *shape = value_shape(py, room, frame->code);
    const struct loops_entry *e = shape ? find_loops(py, room, shape, frame) : NULL;
    size_t count = 0, i;
    uint64_t value;

    if (!e || e->count == 0)
        return 0;
    if (py->offsets->frame.stack_pointer >= 0)
        return search_stack(py, shape, frame, e, loops);
    for (i = 0; i < e->count; i++) {
        if (e->slots[i] >= 0 && read_slots(py, shape, frame, e->slots[i], 1, &value))
            count += add_loop(py, value, e->enters[i], &loops[count]);
    }
    return count;
}
