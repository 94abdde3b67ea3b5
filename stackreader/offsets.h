/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where the members of CPython's structs are, for one build of CPython. Offsets and sizes are in
 * bytes; -1: this version has no such member.
 */
#ifndef STACKREADER_OFFSETS_H
#define STACKREADER_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory.h"

/* The versions that the reader knows: 3.9 to 3.15. */
#define OFFSETS_MINOR_MIN 9
#define OFFSETS_MINOR_MAX 15

struct offsets {
    int minor; /* of 3.minor; 0: nothing is known */
    bool free_threaded;

    struct {
        int interpreters; /* PyInterpreterState *, the newest first */
        int gil;          /* the GIL itself, up to 3.11 */
    } runtime;
    struct {
        int next, id, threads; /* PyThreadState *, the newest first */
        int gil;               /* a pointer to the GIL, from 3.12 on */
        int modules;           /* sys.modules, a dict */
    } interpreter;
    struct {
        int locked, holder, switches; /* int, PyThreadState *, unsigned long */
    } gil;
    struct {
        int next, ident, native_id; /* native_id from 3.11 on */
        int frame; /* the innermost frame; 3.11 and 3.12: a pointer to a struct that has it */
        int frame_within; /* ... and where in that struct */
        int chunk, top;   /* the newest chunk of the data stack, and its end; from 3.11 on */
    } thread;
    struct {
        int previous, code, owner; /* owner from 3.11 on */
        int at; /* 3.9, 3.10: int, bytes or code units; then a pointer to an instruction */
    } frame;
    struct {
        int file, name, qualname, first_line, lines; /* qualname from 3.11 on */
        int instructions, first_traceable; /* from 3.11 on; first_traceable counts code units */
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
        int length, state, ascii, compact; /* the last two: where the characters begin */
    } text;
    struct {
        int size, data;
    } bytes;
    struct {
        int digits, tag; /* tag: the number of digits, and the sign */
        int digit_size;
    } integer;
    struct {
        int keys, values;
    } dict;
};

#endif
