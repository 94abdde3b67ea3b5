/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The value of an object as one line of text, made from the memory of the object: no code of the
 * program runs. Objects of built-in types are shown as their repr() shows them, but long texts are
 * cut. All other objects, also those of subclasses of built-in types, are shown as <Account object
 * at 0x7f2f61c385e0>.
 */
#ifndef STACKREADER_VALUE_TEXT_H
#define STACKREADER_VALUE_TEXT_H

#include "python_process.h"
#include "report.h"

/* The maximum length of the text, in bytes. A longer text is cut, and "..." stands for the missing
 * part. */
#define VALUE_TEXT_MAX 200

/* Returns the text of an object, in the arena. Returns an unknown text if the object cannot be
 * read, or the arena is full. */
struct report_text value_text(const struct python *py, struct arena *arena, uint64_t object);

#endif
