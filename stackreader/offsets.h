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
    } interpreter;
    struct {
        int locked, holder;     /* their types: int, PyThreadState * */
        int switches, interval; /* unsigned long */
    } gil;
    struct {
        int next, ident, native_id; /* native_id exists from 3.11 on */
        /* frame: a pointer to the innermost frame. In 3.11 and 3.12, instead a pointer to a struct,
         * which has the pointer to the innermost frame at offset frame_within. frame_within is -1
         * in other versions. */
        int frame, frame_within;
        int chunk, top; /* from 3.11 on: the newest chunk of the data stack, and the end of its used
                         * part */
    } thread;
    struct {
        int previous, code, owner; /* owner exists from 3.11 on */
        int at; /* the instruction. 3.9: an int, in bytes; 3.10: an int, in code units; from 3.11
                 * on: a pointer */
    } frame;
    struct {
        int file, name, qualname, first_line, lines; /* qualname exists from 3.11 on */
        /* Both from 3.11 on. first_traceable is an index, in code units. */
        int instructions, first_traceable;
    } code;
    struct {
        int type;
    } object;
    struct {
        int name, basicsize, dictoffset, flags, cached_keys;
    } type;
    struct {
        int dict;
    } module;
    struct {
        /* ascii: the offset of the characters in an ASCII str. compact: in any other str. */
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
