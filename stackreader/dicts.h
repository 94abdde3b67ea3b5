/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Dicts, and the attributes of objects, in the memory of a process.
 */
#ifndef STACKREADER_DICTS_H
#define STACKREADER_DICTS_H

#include "python_process.h"

/* The entries of a dict. */
struct dict {
    uint64_t entries;
    size_t count, entry_size;
    size_t key_offset;
    uint64_t values; /* an array of them; 0: they stand behind the keys */
};

#define DICT_ENTRIES_MAX 1000000

/* Opens a dict object. Returns false if it cannot be read, or is no dict. */
bool dict_open(const struct python *py, uint64_t address, struct dict *d);

/* Opens the attributes of an object, wherever its type keeps them. Returns false if it has none. */
bool dict_open_attributes(const struct python *py, uint64_t object, struct dict *d);

/* Reads entry i, below d->count. An entry that was deleted has value 0. */
bool dict_entry(const struct python *py, const struct dict *d, size_t i, uint64_t *key,
                uint64_t *value);

/* Finds the value of a key that is a str with these ASCII characters. */
bool dict_find(const struct python *py, const struct dict *d, const char *key, uint64_t *value);

#endif
