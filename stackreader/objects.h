/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads Python objects in the memory of a process. The functions accept any address. If there is no
 * object of the right type at the address, they return false, an unknown text, or arbitrary
 * contents. They never read more than the limits below allow.
 */
#ifndef STACKREADER_OBJECTS_H
#define STACKREADER_OBJECTS_H

#include "python_process.h"
#include "report.h"

#define TEXT_MAX  4096     /* characters of a str; a longer str is truncated */
#define BYTES_MAX 0x100000 /* the size of a bytes object, such as a table of lines */

/* Copies a str into the arena as UTF-8. A lone surrogate becomes six ASCII characters like \udc80.
 * Returns an unknown text if the str cannot be read or the arena is full. */
struct report_text object_text(const struct python *py, struct arena *arena, uint64_t address);

/* Like object_text, but copies only the first `max` characters (at most TEXT_MAX). Sets *cut to
 * true if the str has more characters. */
struct report_text object_text_start(const struct python *py, struct arena *arena, uint64_t address,
                                     size_t max, bool *cut);

/* Sets *to to the absolute value of an int. Returns false if the absolute value does not fit into
 * 64 bits, or if the int cannot be read. */
bool object_magnitude(const struct python *py, uint64_t address, uint64_t *to, bool *is_negative);

/* Sets *to to the value of an int. Returns false if the int is negative, does not fit into 64 bits,
 * or cannot be read. */
bool object_integer(const struct python *py, uint64_t address, uint64_t *to);

/* Returns the address of an object's type; 0 if it cannot be read. */
uint64_t object_type(const struct python *py, uint64_t address);

/* Copies the name of a type, without its module, into the arena. Returns an unknown text if the
 * name cannot be read or the arena is full. */
struct report_text object_type_name(const struct python *py, struct arena *arena, uint64_t type);

/* True if the tp_name of a type is `name`, such as "_thread.lock". The tp_name of a class that is
 * written in Python does not contain the module. */
bool object_type_is(const struct python *py, uint64_t type, const char *name);

/* Returns the index of the tp_name of a type in an array of names; -1 if the array does not contain
 * it. */
int object_type_among(const struct python *py, uint64_t type, const char *const *names,
                      size_t count);

/* Like object_type_among, but for the type of an object, or for the first of its bases whose
 * tp_name is in the array. */
int object_is_among(const struct python *py, uint64_t address, const char *const *names,
                    size_t count);

/* True if the tp_name of the object's type, or of one of the bases of the type, is `name`. */
bool object_is_a(const struct python *py, uint64_t address, const char *name);

/* Reads a C string into a buffer of `size` bytes. Returns false if it cannot be read or does not
 * fit with its NUL. */
bool read_c_string(const struct python *py, uint64_t address, char *to, size_t size);

/* Copies an ASCII str into a buffer of `size` bytes, with a NUL. Returns false if the object is not
 * an ASCII str, or if the str does not fit. */
bool object_ascii(const struct python *py, uint64_t address, char *to, size_t size);

/* True if an object is a str and equal to an ASCII text. */
bool object_is_text(const struct python *py, uint64_t address, const char *text);

#define SHORT_TEXT_MAX  32 /* the longest text with which a str is compared */
#define TEXT_COPIES_MAX 32

/* A copy of a str: its head, and its first characters if it is a compact ASCII str. */
struct text_copy {
    unsigned char bytes[64 + SHORT_TEXT_MAX];
};

/* Copies the str at each of `count` addresses, at most TEXT_COPIES_MAX, in one read: their heads
 * and `len` characters, at most SHORT_TEXT_MAX. An address may be 0. Returns false if one of them
 * cannot be read. This also happens if a str has fewer than `len` characters and ends just before
 * memory that cannot be read. */
bool text_copies_read(const struct python *py, const uint64_t *addresses, size_t count, size_t len,
                      struct text_copy *copies);

/* True if the copied str is equal to an ASCII text of at most `len` characters. */
bool text_copy_is(const struct python *py, const struct text_copy *copy, const char *text);

/* A tuple. items: the address of the array of its items, each of which is the address of an object.
 * count: the number of items. */
struct tuple {
    uint64_t items, count;
};

/* Opens the tuple at an address. Returns false if the tuple cannot be read, or if it has more than
 * `max` items. */
bool tuple_open(const struct python *py, uint64_t address, uint64_t max, struct tuple *t);

/* Reads the items of the tuple to which a member of an object points. member: its offset. Returns
 * the number of items, or 0 if the tuple cannot be read or has more than `room` items. */
size_t tuple_read_member(const struct python *py, uint64_t object, int member, uint64_t *to,
                         size_t room);

/* Returns the index of the first item that is a str with this ASCII text, of at most SHORT_TEXT_MAX
 * characters. Returns -1 if there is none, or if the items cannot be read. */
int tuple_index(const struct python *py, const struct tuple *t, const char *text);

/* Sets *value to the object in a cell, or to 0 if the cell is empty. Returns false if the cell
 * cannot be read. */
bool cell_value(const struct python *py, uint64_t cell, uint64_t *value);

/* Reads the contents of a bytes object into a buffer of `room` bytes. Returns their size in bytes,
 * or -1 if they cannot be read or do not fit. */
ssize_t object_bytes(const struct python *py, uint64_t address, void *to, size_t room);

#endif
