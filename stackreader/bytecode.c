/* SPDX-License-Identifier: BSD-3-Clause */
#include "bytecode.h"

#include "objects.h"

#define LOCALS_MAX     100000
#define STACK_SIZE_MAX 100000

#define FLAG_GENERATOR       0x20
#define FLAG_COROUTINE       0x80
#define FLAG_ASYNC_GENERATOR 0x200

static bool read_int(const struct python *py, uint64_t address, int offset, int *to)
{
    int32_t value;

    if (offset < 0 || !memory_read(&py->memory, address + (uint64_t)offset, &value, sizeof(value)))
        return false;
    *to = value;
    return true;
}

/* Returns the number of items of the tuple to which a member of a code object points; -1 if the
 * tuple cannot be read. */
static int tuple_size(const struct python *py, uint64_t code, int member)
{
    uint64_t address;
    struct tuple tuple;

    if (!read_member(py, code, member, &address) || !tuple_open(py, address, LOCALS_MAX, &tuple))
        return -1;
    return (int)tuple.count;
}

/* Reads the shape in versions up to 3.10. There, the slots before the value stack are the local
 * variables, the cells and the free variables, and the instructions are a bytes object. */
static bool read_old_shape(const struct python *py, struct code_shape *s)
{
    const struct offsets *o = py->offsets;
    int cells = tuple_size(py, s->code, o->code.cell_names);
    int free_variables = tuple_size(py, s->code, o->code.free_names);
    uint64_t bytes, size;

    if (cells < 0 || free_variables < 0 ||
        !read_int(py, s->code, o->code.locals_count, &s->locals) ||
        !read_member(py, s->code, o->code.bytecode, &bytes) ||
        !read_member(py, bytes, o->bytes.size, &size))
        return false;
    s->locals += cells + free_variables;
    s->units = bytes + (uint64_t)o->bytes.data;
    s->size = size;
    s->exceptions = 0;
    return true;
}

static bool read_new_shape(const struct python *py, struct code_shape *s)
{
    const struct offsets *o = py->offsets;
    uint64_t size;

    if (!read_int(py, s->code, o->code.locals_count, &s->locals) ||
        !read_member(py, s->code, o->code.exceptions, &s->exceptions) ||
        !read_member(py, s->code, o->code.units, &size))
        return false;
    s->units = s->code + (uint64_t)o->code.instructions;
    s->size = 2 * size;
    return size <= BYTECODE_MAX;
}

bool code_shape_read(const struct python *py, uint64_t code, struct code_shape *shape)
{
    const struct offsets *o = py->offsets;

    shape->code = code;
    shape->names_acquire = 0;
    shape->names_release = 0;
    if (!read_int(py, code, o->code.stack_size, &shape->stack_size) ||
        !read_int(py, code, o->code.flags, &shape->flags))
        return false;
    if (!(o->minor >= 11 ? read_new_shape(py, shape) : read_old_shape(py, shape)))
        return false;
    return shape->locals >= 0 && shape->locals <= LOCALS_MAX && shape->stack_size >= 0 &&
           shape->stack_size <= STACK_SIZE_MAX && shape->size <= BYTECODE_MAX;
}

/* ---- Instrumented instructions --------------------------------------------------------------- */

/* Two arrays with the original opcodes of the instructions that a debugger has replaced. The opcode
 * for code unit i is stored at (address of the array) + i * (step of the array). */
struct originals {
    uint64_t lines, instructions; /* addresses of the arrays; 0: there is none */
    unsigned step;                /* the step of `lines`; the step of `instructions` is 1 */
};

/* The smallest and the largest size of an entry of `lines`, in bytes. From some release of 3.13 on,
 * a byte with the size precedes the entries. In earlier releases, there is no such byte, all
 * entries have two bytes, and the first byte is the opcode of the first instruction of the
 * function, or 0. This opcode cannot be mistaken for a size, because no function begins with an
 * instruction that has such an opcode. */
#define ENTRY_MIN 2
#define ENTRY_MAX 5

static bool find_originals(const struct python *py, uint64_t code, struct originals *to)
{
    const struct offsets *o = py->offsets;
    uint64_t monitoring;
    unsigned char step = ENTRY_MIN;

    if (!read_member(py, code, o->code.monitoring, &monitoring) || !monitoring ||
        !read_member(py, monitoring, o->monitoring.lines, &to->lines) ||
        !read_member(py, monitoring, o->monitoring.instructions, &to->instructions))
        return false;
    if (to->lines && o->minor >= 13) {
        if (!memory_read(&py->memory, to->lines, &step, 1))
            return false;
        if (step >= ENTRY_MIN && step <= ENTRY_MAX)
            to->lines++;
        else if (o->minor == 13)
            step = ENTRY_MIN;
        else
            return false;
    }
    to->step = step;
    return true;
}

/* Returns the original opcode of the instruction that INSTRUMENTED_LINE or INSTRUMENTED_INSTRUCTION
 * has replaced. i: the index of the instruction, in code units. */
static unsigned char original(const struct python *py, const struct bytecode *b,
                              const struct originals *from, size_t i)
{
    unsigned char number = b->units[2 * i];

    if (from->lines && memory_read(&py->memory, from->lines + i * from->step, &number, 1) &&
        b->opcodes[number].operation != OP_INSTRUMENTED)
        return number;
    if (from->instructions)
        memory_read(&py->memory, from->instructions + i, &number, 1);
    return number;
}

/* Puts the original instructions back into b->units, in place of the instructions with which a
 * debugger has replaced them. Returns false if the original instructions cannot be found.
 *
 * The original instructions are in two arrays. run_server cannot check the offsets of these arrays,
 * because only a debugger creates the arrays. So this function checks that the result is valid:
 * each instruction exists, and the last one ends where the code ends. */
static bool restore(const struct python *py, const struct code_shape *shape, struct bytecode *b)
{
    struct originals from;
    size_t i;
    int operation;
    bool found = false;

    for (i = 0; i < b->size / 2; i += 1 + b->opcodes[b->units[2 * i]].caches) {
        if (b->opcodes[b->units[2 * i]].operation != OP_INSTRUMENTED)
            continue;
        if (!found && !find_originals(py, shape->code, &from))
            return false;
        found = true;
        b->units[2 * i] = original(py, b, &from, i);
        operation = b->opcodes[b->units[2 * i]].operation;
        if (operation == OP_INSTRUMENTED || operation == OP_INVALID)
            return false;
    }
    return i == b->size / 2;
}

static bool read_bytecode(const struct python *py, const struct code_shape *shape,
                          struct bytecode *b)
{
    ssize_t size;

    b->opcodes = opcodes_of(py->offsets->minor);
    b->size = shape->size & ~(size_t)1;
    b->table_size = 0;
    if (!b->opcodes || b->size > BYTECODE_MAX ||
        !memory_read(&py->memory, shape->units, b->units, b->size))
        return false;
    if (shape->exceptions) {
        size = object_bytes(py, shape->exceptions, b->table, sizeof(b->table));
        if (size < 0)
            return false;
        b->table_size = (size_t)size;
    }
    return py->offsets->minor < 12 || restore(py, shape, b);
}

bool bytecode_read(const struct python *py, const struct code_shape *shape, struct bytecode *b)
{
    if (b->code == shape->code)
        return true;
    b->code = read_bytecode(py, shape, b) ? shape->code : 0;
    return b->code != 0;
}

/* ---- The table of handlers, from 3.11 on ----------------------------------------------------- */

/* An entry of the table: if an instruction from `start` to before `end` raises an exception, Python
 * continues at `target`. These three members are offsets in bytes. Before Python continues at
 * `target`, it reduces the value stack to `depth` values. Then Python pushes the offset of the
 * instruction that raised the exception, if `lasti` is set, and the exception. */
struct handler {
    int64_t start, end, target;
    int depth;
    bool lasti;
};

/* Reads a number of the table. Each byte contains six bits of the number, the highest bits first.
 * Bit 6 is set in all bytes except the last one. Returns -1 at the end of the table. */
static int64_t next_number(const struct bytecode *b, size_t *at)
{
    int64_t value = 0;
    unsigned char byte;

    do {
        if (*at >= b->table_size || value > INT32_MAX)
            return -1;
        byte = b->table[(*at)++];
        value = value << 6 | (byte & 63);
    } while (byte & 64);
    return value;
}

static bool next_handler(const struct bytecode *b, size_t *at, struct handler *h)
{
    int64_t start = next_number(b, at), length = next_number(b, at);
    int64_t target = next_number(b, at), depth = next_number(b, at);

    if (start < 0 || length < 0 || target < 0 || depth < 0 || depth > STACK_SIZE_MAX)
        return false;
    *h =
        (struct handler){2 * start, 2 * (start + length), 2 * target, (int)(depth >> 1), depth & 1};
    return true;
}

static bool find_handler(const struct bytecode *b, int64_t offset, struct handler *h)
{
    size_t at = 0;

    while (next_handler(b, &at, h)) {
        if (offset >= h->start && offset < h->end)
            return true;
    }
    return false;
}

static int operation_at(const struct bytecode *b, int64_t offset)
{
    if (offset < 0 || offset % 2 != 0 || (size_t)offset >= b->size)
        return OP_INVALID;
    return b->opcodes[b->units[offset]].operation;
}

/* True if the handler is that of a `with` block. From 3.11 on, such a handler begins with
 * PUSH_EXC_INFO and WITH_EXCEPT_START. Only WITH_EXCEPT_START is checked, because a debugger may
 * have replaced PUSH_EXC_INFO in the memory, but never replaces WITH_EXCEPT_START. */
static bool is_with_handler(const struct bytecode *b, int minor, int64_t handler)
{
    return operation_at(b, minor >= 11 ? handler + 2 : handler) == OP_WITH_EXCEPT_START;
}

/* Returns the offset of the instruction that ends at `end`; -1 if there is no such instruction. */
static int64_t instruction_before(const struct bytecode *b, int64_t end)
{
    int64_t i = 0, last = -1;

    while (i < end && (size_t)i < b->size) {
        last = i;
        i += 2 + 2 * b->opcodes[b->units[i]].caches;
    }
    return i == end ? last : -1;
}

/* Returns the offset of the instruction that enters the block whose handler is at `target`. This is
 * the instruction before the first instruction of the block. -1: there is no such instruction. */
static int64_t enter_of(const struct bytecode *b, int64_t target)
{
    struct handler h;
    int64_t first = INT64_MAX;
    size_t at = 0;

    while (next_handler(b, &at, &h)) {
        if (h.target == target && h.start < first)
            first = h.start;
    }
    return first == INT64_MAX ? -1 : instruction_before(b, first);
}

/* For each instruction, the table has only the handler of the innermost block. The instructions of
 * this handler are in the next outer block, so the handler of these instructions is the handler of
 * the outer block. */
size_t bytecode_try_blocks(const struct bytecode *b, int64_t offset,
                           struct try_block blocks[TRY_BLOCKS_MAX])
{
    struct handler h;
    size_t count = 0;

    while (count < TRY_BLOCKS_MAX && find_handler(b, offset, &h)) {
        blocks[count++] = (struct try_block){h.target, h.depth};
        offset = h.target;
    }
    return count;
}

bool bytecode_handler_between(const struct bytecode *b, int64_t since, int64_t present)
{
    struct handler h;
    size_t at = 0;

    while (next_handler(b, &at, &h)) {
        if (h.target > since && h.target <= present && h.start <= since)
            return true;
    }
    return false;
}

/* ---- Instructions ---------------------------------------------------------------------------- */

bool walk_on(const struct bytecode *b, struct walk *w)
{
    uint32_t high = w->opcode && w->opcode->operation == OP_EXTENDED_ARG ? w->argument << 8 : 0;

    w->i = w->next;
    if (2 * w->i >= b->size)
        return false;
    w->opcode = &b->opcodes[b->units[2 * w->i]];
    w->argument = high | b->units[2 * w->i + 1];
    w->next = w->i + 1 + w->opcode->caches;
    return true;
}

struct instruction bytecode_at(const struct bytecode *b, int64_t offset)
{
    struct walk w = {0};

    while (walk_on(b, &w)) {
        if ((int64_t)w.i * 2 == offset)
            return (struct instruction){w.opcode->operation, w.argument};
    }
    return (struct instruction){OP_INVALID, 0};
}

size_t jump_target(int minor, const struct walk *w)
{
    size_t distance = minor >= 10 ? w->argument : w->argument / 2;

    if (w->opcode->flow & FLOW_JUMP_TO)
        return distance;
    if (w->opcode->flow & FLOW_JUMP_FORWARD)
        return w->next + distance;
    return distance <= w->next ? w->next - distance : SIZE_MAX;
}

/* Up to 3.10: returns the offset of the SETUP_WITH whose handler is at `handler`, or -1. */
static int64_t setup_with(const struct bytecode *b, int minor, int64_t handler)
{
    struct walk w = {0};

    while (walk_on(b, &w)) {
        if (w.opcode->operation == OP_ENTER_WITH && (int64_t)jump_target(minor, &w) * 2 == handler)
            return (int64_t)w.i * 2;
    }
    return -1;
}

bool bytecode_with_block(const struct bytecode *b, int minor, const struct try_block *block,
                         struct with_block *to)
{
    if (block->depth <= 0 || !is_with_handler(b, minor, block->handler))
        return false;
    to->slot = block->depth - 1;
    to->enter = minor >= 11 ? enter_of(b, block->handler) : setup_with(b, minor, block->handler);
    return true;
}

/* ---- The depth of the value stack ------------------------------------------------------------ */

/* The result of setting the depth at an instruction. */
enum change { CHANGE_NONE, CHANGE_NEW, CHANGE_INVALID };

static enum change set_depth(const struct code_shape *shape, struct bytecode *b, size_t i,
                             int depth)
{
    if (2 * i >= b->size || depth < 0 || depth > shape->stack_size)
        return CHANGE_INVALID;
    if (b->depths[i] == depth)
        return CHANGE_NONE;
    if (b->depths[i] >= 0)
        return CHANGE_INVALID;
    b->depths[i] = (int16_t)depth;
    return CHANGE_NEW;
}

/* Sets the depths at the first instruction and at the handlers, because these depths do not follow
 * from other instructions. Sets all other depths to -1. */
static bool set_first_depths(const struct python *py, const struct code_shape *shape,
                             struct bytecode *b)
{
    bool is_generator = shape->flags & (FLAG_GENERATOR | FLAG_COROUTINE | FLAG_ASYNC_GENERATOR);
    int minor = py->offsets->minor;
    struct handler h;
    size_t at = 0;

    memset(b->depths, 0xff, sizeof(*b->depths) * (b->size / 2 + 1));
    if (b->size == 0)
        return false;
    /* In 3.10 to 3.12, the value stack of a generator is not empty when the generator begins: it
     * contains the value that was sent to the generator. */
    b->depths[0] = is_generator && minor >= 10 && minor <= 12;
    while (next_handler(b, &at, &h)) {
        if (set_depth(shape, b, (size_t)h.target / 2, h.depth + h.lasti + 1) == CHANGE_INVALID)
            return false;
    }
    return true;
}

/* Sets the depths at the instructions that may be executed next after the present instruction of w.
 */
static enum change step(const struct python *py, const struct code_shape *shape, struct bytecode *b,
                        const struct walk *w)
{
    const unsigned jumps = FLOW_JUMP_FORWARD | FLOW_JUMP_BACKWARD | FLOW_JUMP_TO;
    int depth = b->depths[w->i];
    enum change next = CHANGE_NONE, jump = CHANGE_NONE;

    if (w->opcode->effect == EFFECT_UNKNOWN)
        return CHANGE_INVALID;
    if (w->opcode->flow & FLOW_NEXT)
        next = set_depth(shape, b, w->next, depth + opcode_effect(w->opcode, w->argument));
    if (w->opcode->flow & jumps)
        jump = set_depth(shape, b, jump_target(py->offsets->minor, w), depth + w->opcode->jump);
    if (next == CHANGE_INVALID || jump == CHANGE_INVALID)
        return CHANGE_INVALID;
    return next == CHANGE_NEW || jump == CHANGE_NEW ? CHANGE_NEW : CHANGE_NONE;
}

#define PASSES_MAX 50

int bytecode_depth(const struct python *py, const struct code_shape *shape, struct bytecode *b,
                   int64_t offset)
{
    enum change change = CHANGE_NEW, result;
    int pass;

    if (offset < 0 || (size_t)offset >= b->size || shape->stack_size > INT16_MAX ||
        !set_first_depths(py, shape, b))
        return -1;
    for (pass = 0; change == CHANGE_NEW && pass < PASSES_MAX; pass++) {
        struct walk w = {0};

        for (change = CHANGE_NONE; walk_on(b, &w);) {
            if (b->depths[w.i] < 0)
                continue;
            result = step(py, shape, b, &w);
            if (result == CHANGE_INVALID)
                return -1;
            if (result == CHANGE_NEW)
                change = CHANGE_NEW;
        }
    }
    return b->depths[offset / 2];
}
