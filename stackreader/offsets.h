/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The offsets of the members of CPython's structs, for one build of CPython. Offsets and sizes are
 * in bytes. An offset of -1 means that this version has no such member.
 */
#ifndef STACKREADER_OFFSETS_H
#define STACKREADER_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"

/* The versions that the reader supports: 3.9 to 3.15. */
#define OFFSETS_MINOR_MIN 9
#define OFFSETS_MINOR_MAX 15

struct offsets {
    int minor; /* the minor version, x in 3.x; 0: no offset is known */
    bool free_threaded;

    struct {
        int interpreters; /* the list of PyInterpreterState, the newest first */
        int gil;          /* the GIL (not a pointer), up to 3.11 */
    } runtime;
    struct {
        int next, id, threads; /* threads: the list of PyThreadState, the newest first */
        int gil;               /* a pointer to the GIL, from 3.12 on */
        int modules;           /* sys.modules, a dict */
        int sys;               /* the dict of the module sys */
    } interpreter;
    struct {
        int locked, holder;     /* their types: int, PyThreadState * */
        int switches, interval; /* unsigned long */
    } gil;
    struct {
        int next, ident, native_id; /* native_id exists from 3.11 on */
        /* frame: a pointer to the innermost frame. In 3.11 and 3.12, it is instead a pointer to a
         * struct that has the pointer to the innermost frame at the offset frame_within.
         * frame_within is -1 in other versions. */
        int frame, frame_within;
        int chunk, top; /* from 3.11 on: the newest chunk of the data stack, and the end of its used
                         * part */
    } thread;
    struct {
        int previous, code, owner; /* owner exists from 3.11 on */
        int at; /* the instruction. 3.9: an int, in bytes; 3.10: an int, in code units; from 3.11
                 * on: a pointer */
        int globals;
        int locals;        /* an array: the local variables, then cells and free variables, and from
                            * 3.11 on, then the value stack */
        int values;        /* up to 3.10: a pointer to the value stack */
        int stack_pointer; /* from 3.14 on: the end of the used part of the value stack; NULL while
                            * the interpreter executes an instruction that calls no C code */
        int block_count, blocks; /* up to 3.10: an int, and an array of PyTryBlock */
    } frame;
    struct {
        int file, name, qualname, first_line, lines; /* qualname exists from 3.11 on */
        /* Two members that exist from 3.11 on. first_traceable is an index, in code units. */
        int instructions, first_traceable;
        /* locals_count: an int; up to 3.10, without cells and free variables. stack_size: an int,
         * the number of slots of the value stack. names, local_names: tuples of str; up to 3.10,
         * local_names has neither cell_names nor free_names. */
        int locals_count, stack_size, flags, names, local_names;
        int cell_names, free_names, bytecode; /* up to 3.10. bytecode: a bytes object */
        int units;      /* from 3.11 on: the number of code units of the instructions */
        int exceptions; /* from 3.11 on: the table of handlers, a bytes object */
        int monitoring; /* from 3.12 on: a pointer, NULL without a debugger */
    } code;
    struct {
        /* From 3.12 on: two pointers to the instructions that INSTRUMENTED_LINE and
         * INSTRUMENTED_INSTRUCTION have replaced. */
        int lines, instructions;
    } monitoring;
    struct {
        int code;
    } function; /* PyFunctionObject */
    struct {
        int frame; /* up to 3.10: a pointer to the frame, or NULL; from 3.11 on: the frame itself */
    } generator;   /* PyGenObject */
    struct {
        int definition, self; /* definition: a PyMethodDef, which begins with the name */
    } builtin;                /* PyCFunctionObject */
    struct {
        int self;
    } method; /* PyMethodObject */
    struct {
        int name; /* a str */
        int more; /* the member that follows those of PyDescrObject. In a member_descriptor, it is a
                   * pointer to a PyMemberDef */
    } descriptor; /* PyDescrObject */
    struct {
        int offset; /* the member with the offset of the attribute in the object */
    } member;       /* PyMemberDef */
    struct {
        int type;
    } object;
    struct {
        int name, basicsize, dictoffset, flags, cached_keys;
        int base, dict, mro; /* mro: a tuple */
    } type;
    struct {
        int size, items;
    } tuple;
    struct {
        int size, items; /* items: a pointer to the array */
    } list;
    struct {
        int dict;
    } module;
    struct {
        /* The offset of the characters: `ascii` in an ASCII str, `compact` in any other str. */
        int length, state, ascii, compact;
    } text;
    struct {
        int size, data;
    } bytes;
    struct {
        int digits, tag; /* tag: contains the number of digits and the sign */
        int digit_size;
    } integer;
    struct {
        int keys, values;
    } dict;
};

#endif
