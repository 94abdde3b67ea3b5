/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the value stack of a frame tells: the managers of the `with` blocks that the frame has
 * entered and not left, and the C function that the innermost frame calls.
 *
 * "Entered and not left" is not "held": code inside the block may have released the lock.
 */
#ifndef STACKREADER_VALUE_STACK_H
#define STACKREADER_VALUE_STACK_H

#include "bytecode.h"
#include "frames.h"

/* A `with` block that a frame has entered and not left. */
struct entered_with {
    uint64_t manager; /* the address of the object whose __exit__ the block calls */
    int64_t enter; /* the offset of the instruction that called __enter__, in bytes; -1: unknown */
};

#define CALL_VALUES_MAX 6 /* the most values of a call that are looked at */

/* A call of a C function that has not returned yet. */
struct c_call {
    uint64_t
        values[CALL_VALUES_MAX]; /* the callable and the arguments, in the order of the stack */
    size_t count;                /* the number of values; 0: not known */
    char name[32];               /* the name of the function, or "" if it is not known */
    uint64_t self;               /* the address of the object whose method is called; 0: none */
    bool enters_with;            /* a `with` statement calls __enter__ */
    bool is_timed;               /* an argument is a number that is not negative: a timeout */
};

#define VALUE_CACHE_SIZE 512 /* a power of 2 */

/* A cache entry: the `with` blocks that an instruction is in. */
struct blocks_entry {
    unsigned generation;
    uint64_t code;
    int64_t offset;
    size_t count;
    struct with_block blocks[WITH_BLOCKS_MAX];
};

/* A cache entry: the instruction of a call, and the depth of the value stack before this
 * instruction. */
struct call_entry {
    unsigned generation;
    uint64_t code;
    int64_t offset;
    struct instruction instruction;
    int depth; /* -1: not known */
};

#define LOOPS_MAX 8 /* the most `for` loops of one function that are looked at */

/* A `for` loop over a generator. */
struct generator_loop {
    uint64_t generator; /* the address of the generator */
    int64_t enter;      /* the offset of the instruction that gets the next value, in bytes */
    bool is_only;       /* no other object refers to the generator, so only this loop runs it */
};

/* A cache entry: the `for` loops that an instruction may be in. */
struct loops_entry {
    uint64_t code;
    int64_t offset;
    unsigned generation;
    size_t count;
    int64_t enters[LOOPS_MAX]; /* the offsets of the instructions that get the next values */
    int64_t ends[LOOPS_MAX];   /* the offsets behind the instructions of the loops */
    int slots[LOOPS_MAX];      /* the slots of the value stack with the iterators; -1: not known */
};

/* Room for one code object, and caches. Clear the caches before each report, and whenever a thread
 * has run, because a code object may have been freed, and another code object may be at its
 * address. An entry is valid if its generation is that of the room. */
struct value_room {
    unsigned generation;
    struct bytecode bytecode;
    struct code_shape shapes[VALUE_CACHE_SIZE];
    struct blocks_entry blocks[VALUE_CACHE_SIZE];
    struct call_entry calls[VALUE_CACHE_SIZE];
    struct loops_entry loops[VALUE_CACHE_SIZE];
};

void value_room_clear(struct value_room *room);

/* Returns the shape of a frame's code, or NULL if the shape cannot be read. */
struct code_shape *value_shape(const struct python *py, struct value_room *room, uint64_t code);

/* Finds the try, finally and `with` blocks that a frame is in, the innermost first. Returns the
 * number of blocks. If the frame is in a block, room->bytecode contains the instructions of the
 * frame when the function returns. */
size_t value_stack_try_blocks(const struct python *py, struct value_room *room,
                              const struct raw_frame *frame,
                              struct try_block blocks[TRY_BLOCKS_MAX]);

/* Finds the `with` blocks that a frame is in, the innermost first. Returns their number. */
size_t value_stack_withs(const struct python *py, struct value_room *room,
                         const struct raw_frame *frame, struct entered_with withs[WITH_BLOCKS_MAX]);

/* Finds the `for` loops over generators that a frame is in. Returns their number. */
size_t value_stack_generators(const struct python *py, struct value_room *room,
                              const struct raw_frame *frame,
                              struct generator_loop loops[LOOPS_MAX]);

/* Finds the C function that a frame calls. frame: the innermost frame of a thread. Returns false if
 * the frame is not in a call of a C function, or if this is not known. If the callable is neither a
 * C function nor a method of C, but for example a functools.partial, also returns false, but sets
 * the members `values`, `count` and `is_timed` of *call. A thread that has just returned from the
 * call, and has not executed the next instruction yet, is not in the call. */
bool value_stack_call(const struct python *py, struct value_room *room,
                      const struct raw_frame *frame, struct c_call *call);

/* Reads a local variable (index < shape->locals) of a frame: the address of an object, or 0 if the
 * variable has no value. For a variable that an inner function uses, the object is a cell. Returns
 * false if the variable cannot be read. */
bool value_local(const struct python *py, const struct raw_frame *frame, int index,
                 uint64_t *value);

/* Returns the index of the local variable with this name, or -1. Up to 3.10, cells and free
 * variables are not found. */
int value_local_index(const struct python *py, uint64_t code, const char *name);

/* Returns the object to which a method is bound, or 0 if `method` is not a bound method. */
uint64_t value_bound_to(const struct python *py, uint64_t method);

#endif
