/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The line of an instruction, from a code object's table of lines.
 */
#ifndef STACKREADER_LINETABLE_H
#define STACKREADER_LINETABLE_H

#include <stddef.h>
#include <stdint.h>

#define LINE_UNKNOWN INT64_MIN

/* Returns the line of the instruction at `address`, in bytes from the first instruction, or
 * LINE_UNKNOWN if it has none or the table is not valid. minor: of the CPython that made the table,
 * which has one of three formats: co_lnotab up to 3.9 (Objects/lnotab_notes.txt in its sources),
 * co_linetable of 3.10 (PEP 626), locations from 3.11 on (InternalDocs/code_objects.md).
 * first_line: co_firstlineno, which is the line of an address before the first instruction. */
int64_t linetable_line(int minor, const uint8_t *table, size_t size, int first_line,
                       int64_t address);

#endif
