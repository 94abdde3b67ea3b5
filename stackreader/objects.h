/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Python objects in the memory of a process. An address that is not of an object of the right type
 * gives false or an unknown text, or contents that do not make sense; no more is read than the
 * limits below.
 */
#ifndef STACKREADER_OBJECTS_H
#define STACKREADER_OBJECTS_H

#include "python_process.h"
#include "report.h"

#define TEXT_MAX  4096     /* characters of a str; a longer one is cut */
#define BYTES_MAX 0x100000 /* bytes of a table of lines */

/* Copies a str into the arena as UTF-8. Lone surrogates become \udcXX. Unknown if it cannot be
 * read. */
struct report_text object_text(const struct python *py, struct arena *arena, uint64_t address);

/* Reads an int that is not negative and fits. */
bool object_integer(const struct python *py, uint64_t address, uint64_t *to);

/* The address of an object's type, or 0. */
uint64_t object_type(const struct python *py, uint64_t address);

/* Copies the name of a type, without its module, into the arena. */
struct report_text object_type_name(const struct python *py, struct arena *arena, uint64_t type);

/* Whether an object is a str with just these ASCII characters. */
bool object_is_text(const struct python *py, uint64_t address, const char *text);

/* Reads the contents of a bytes object into a buffer of `room` bytes. Returns their number, or -1
 * if they cannot be read or do not fit. */
ssize_t object_bytes(const struct python *py, uint64_t address, void *to, size_t room);

#endif
