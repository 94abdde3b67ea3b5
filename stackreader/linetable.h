/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the line of an instruction in the table of lines of a code object.
 */
#ifndef STACKREADER_LINETABLE_H
#define STACKREADER_LINETABLE_H

#include <stddef.h>
#include <stdint.h>

#define LINE_UNKNOWN INT64_MIN

/* Returns the line of the instruction at `address`, an offset in bytes from the first instruction.
 * Returns LINE_UNKNOWN if the instruction has no line or the table is invalid. minor: the minor
 * version of the CPython that made the table. There are three formats: co_lnotab up to 3.9
 * (Objects/lnotab_notes.txt in CPython's sources), co_linetable of 3.10 (PEP 626), and the
 * locations from 3.11 on (InternalDocs/code_objects.md). first_line: co_firstlineno. If `address`
 * is negative, returns first_line. */
int64_t linetable_line(int minor, const uint8_t *table, size_t size, int first_line,
                       int64_t address);

#endif
