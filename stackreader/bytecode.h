/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The instructions of a code object: which `with` blocks an instruction is in, and how deep the
 * value stack is before the instruction.
 */
#ifndef STACKREADER_BYTECODE_H
#define STACKREADER_BYTECODE_H

#include "opcodes.h"
#include "python_process.h"

/* What the reader knows about a code object, besides its texts. */
struct code_shape {
    uint64_t code;       /* its address */
    int locals;          /* the number of slots of a frame before its value stack */
    int stack_size;      /* the number of slots of its value stack */
    int flags;           /* co_flags */
    uint64_t exceptions; /* the address of a bytes object, from 3.11 on: the table of handlers */
    uint64_t units;      /* the address of the first instruction */
    size_t size;         /* the size of the instructions, in bytes */
    /* 1: the code has the name "acquire" or "release"; -1: it has not; 0: not known */
    int8_t names_acquire, names_release;
    unsigned generation; /* for use by the caller */
};

/* Reads the shape of a code object. Returns false if the code object cannot be read, or if its
 * members contradict each other. */
bool code_shape_read(const struct python *py, uint64_t code, struct code_shape *shape);

/* A `with` block that an instruction is in. */
struct with_block {
    int slot;      /* the slot of the value stack with the manager or its bound method __exit__ */
    int64_t enter; /* the offset of the instruction that calls __enter__, in bytes; -1: unknown */
};

#define WITH_BLOCKS_MAX 20 /* the compiler does not allow more nested blocks */

#define BYTECODE_MAX 0x40000 /* bytes; longer instructions of a function are not read */

/* Room for the instructions of one code object at a time. */
struct bytecode {
    uint64_t code; /* the address of this code object; 0: none */
    unsigned char units[BYTECODE_MAX + 2];
    int16_t depths[BYTECODE_MAX / 2 + 1]; /* set by bytecode_depth() */
    unsigned char table[BYTECODE_MAX];    /* the table of handlers */
    size_t size, table_size;
    const struct opcode *opcodes;
};

/* Reads the instructions and the table of handlers of a code object, unless *b already has those of
 * a code object at this address. Returns false if they cannot be read or do not fit into *b. */
bool bytecode_read(const struct python *py, const struct code_shape *shape, struct bytecode *b);

/* A try, finally or `with` block that an instruction is in. */
struct try_block {
    int64_t handler; /* the offset of the instructions that handle an exception, in bytes */
    int depth;       /* the depth of the value stack outside of the block */
};

#define TRY_BLOCKS_MAX 64 /* how many nested blocks are looked at */

/* Writes the blocks that the instruction at `offset` (in bytes) is in, the innermost first. Use
 * this function only from 3.11 on. Up to 3.10, the frame stores its blocks. Returns the number of
 * blocks. */
size_t bytecode_try_blocks(const struct bytecode *b, int64_t offset,
                           struct try_block blocks[TRY_BLOCKS_MAX]);

/* True if there is a handler of exceptions that begins after the offset `since` and not after the
 * offset `present`, and that handles exceptions of an instruction at or before `since`. Both
 * offsets are those of instructions, in bytes. Up to 3.10, code has no table of handlers: this
 * function returns false, and the instructions that jump lead to the handlers. */
bool bytecode_handler_between(const struct bytecode *b, int64_t since, int64_t present);

/* Fills *to if the block is a `with` block. Returns false if it is a block of another kind. */
bool bytecode_with_block(const struct bytecode *b, int minor, const struct try_block *block,
                         struct with_block *to);

/* An instruction, and its argument together with the parts in EXTENDED_ARG instructions before it.
 */
struct instruction {
    int operation; /* enum operation */
    uint32_t argument;
};

/* The state of a walk over all instructions. Before the first walk_on(), all members must be 0. */
struct walk {
    size_t i;          /* the index of the present instruction, in units */
    size_t next;       /* the index of the next instruction */
    uint32_t argument; /* the argument, with those of the EXTENDED_ARGs before it */
    const struct opcode *opcode;
};

/* Moves *w to the next instruction. Returns false if there is no further instruction. */
bool walk_on(const struct bytecode *b, struct walk *w);

/* Returns the index of the instruction to which the present instruction jumps. */
size_t jump_target(int minor, const struct walk *w);

/* Returns the instruction at an offset. If there is no instruction at this offset, the operation of
 * the result is OP_INVALID. */
struct instruction bytecode_at(const struct bytecode *b, int64_t offset);

/* Returns the depth of the value stack before the instruction at `offset`; -1 if the depth is not
 * known. From 3.14 on, the depth is never known. */
int bytecode_depth(const struct python *py, const struct code_shape *shape, struct bytecode *b,
                   int64_t offset);

#endif
