/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the instructions of each version of CPython do, as far as the reader needs to know it: which
 * instructions call a function or enter a `with`, and how the depth of the value stack changes.
 *
 * make_opcodes.py makes the table of the CPython version that runs it, so it must run on each
 * version.
 */
#ifndef STACKREADER_OPCODES_H
#define STACKREADER_OPCODES_H

#include <stdint.h>

enum operation {
    OP_INVALID, /* no instruction has this number */
    OP_OTHER,
    OP_LOAD_FAST,   /* a local variable */
    OP_LOAD_TWO,    /* two local variables: bits 4 to 7 and bits 0 to 3 of the argument */
    OP_LOAD_DEREF,  /* the value of a cell */
    OP_LOAD_GLOBAL, /* from 3.11 on, bit 0 of the argument is not a part of the index */
    OP_LOAD_NAME,
    OP_LOAD_ATTR,   /* from 3.12 on, bit 0 of the argument is not a part of the index. If bit 0 is
                     * set, the attribute is called as a method */
    OP_LOAD_METHOD, /* up to 3.11: an attribute that is called as a method */
    OP_POP_TOP,
    OP_FOR_ITER,
    OP_EXTENDED_ARG,
    OP_INSTRUMENTED,     /* from 3.12 on: a debugger or coverage has replaced an instruction by this
                          * one, which does not show what the original instruction is */
    OP_PRECALL,          /* 3.11: prepares the CALL that follows it */
    OP_CALL,             /* from 3.11 on */
    OP_CALL_KW,          /* from 3.13 on: CALL with a tuple of names on top */
    OP_CALL_METHOD,      /* up to 3.10 */
    OP_CALL_FUNCTION,    /* up to 3.10 */
    OP_CALL_FUNCTION_KW, /* up to 3.10: CALL_FUNCTION with a tuple of names on top */
    OP_CALL_FUNCTION_EX, /* f(*args, **kwargs) */
    OP_ENTER_WITH,       /* SETUP_WITH or BEFORE_WITH: calls __enter__. Up to 3.13 */
    OP_WITH_EXCEPT_START /* calls __exit__ after an exception */
};

/* Which instruction Python executes after an instruction. "The following instruction" is behind the
 * instruction and its caches in the code. `argument` is the argument of the instruction. */
enum flow {
    FLOW_NEXT = 1,          /* the following instruction */
    FLOW_JUMP_FORWARD = 2,  /* the start of the following instruction + `argument` units */
    FLOW_JUMP_BACKWARD = 4, /* the start of the following instruction - `argument` units */
    FLOW_JUMP_TO = 8        /* the instruction with the index `argument`, in units */
};

/* How the change of the depth of the value stack depends on the argument a of the instruction:
 * depth += base + factor * f(a). */
enum effect {
    EFFECT_UNKNOWN,
    EFFECT_LINEAR, /* f(a) = a */
    EFFECT_BIT_0,  /* f(a) = 1 if bit 0 is set, else 0 */
    EFFECT_BIT_2,  /* f(a) = 1 if bit 2 is set, else 0 */
    EFFECT_BITS,   /* f(a) = the number of bits that are set among the lowest four */
    EFFECT_IS_3,   /* f(a) = 1 if a is 3, else 0 */
    EFFECT_UNPACK, /* f(a) = the lowest byte of a, plus a / 256 */
};

struct opcode {
    uint8_t operation; /* enum operation */
    uint8_t caches;    /* how many code units of caches follow the instruction */
    uint8_t flow;      /* a sum of enum flow; 0: the function ends */
    uint8_t effect;    /* enum effect, if the instruction does not jump */
    int8_t base, factor;
    int8_t jump; /* the change of the depth of the value stack if the instruction jumps */
};

/* From 3.11 on, an instruction such as LOAD_ATTR has several opcodes: CPython replaces it in the
 * memory by faster versions, and by an instrumented version for debuggers. The entries of all these
 * opcodes are the same.
 *
 * Returns the table of a version, indexed by opcode, or NULL if the version is not known. From 3.14
 * on, the effects are unknown; they are not needed, because frames store the depth. */
const struct opcode *opcodes_of(int minor);

/* Returns the change of the depth by an instruction that does not jump. The effect of the
 * instruction must be known. */
int opcode_effect(const struct opcode *o, uint32_t argument);

#endif
