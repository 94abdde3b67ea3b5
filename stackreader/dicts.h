/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Dicts, and the attributes of objects, in the memory of a process.
 */
#ifndef STACKREADER_DICTS_H
#define STACKREADER_DICTS_H

#include "python_process.h"

/* A dict that was opened for reading. */
struct dict {
    uint64_t entries;
    size_t count, entry_size;
    size_t key_offset;
    uint64_t values; /* the address of the array of values; 0: each value is in its entry */
};

#define DICT_ENTRIES_MAX 1000000

/* Opens the dict at an address. Returns false if the object cannot be read or is not a dict. */
bool dict_open(const struct python *py, uint64_t address, struct dict *d);

/* Opens the attributes of an object, in any of the forms in which CPython stores them. Returns
 * false if the object has no attributes, or if they cannot be read. */
bool dict_open_attributes(const struct python *py, uint64_t object, struct dict *d);

/* Reads entry i, which must be less than d->count. Sets *value to 0 if the entry was deleted.
 * Returns false if the entry cannot be read. */
bool dict_entry(const struct python *py, const struct dict *d, size_t i, uint64_t *key,
                uint64_t *value);

/* Sets *value to the address of the value of `key`, an ASCII str. Returns false if the dict does
 * not have this key or cannot be read. */
bool dict_find(const struct python *py, const struct dict *d, const char *key, uint64_t *value);

/* Looks for `count` keys, which are ASCII texts. Sets values[k] to the address of the value of
 * keys[k], or to 0 if the dict does not have this key. Returns true if all keys were found. */
bool dict_find_all(const struct python *py, const struct dict *d, const char *const *keys,
                   size_t count, uint64_t *values);

/* Reads up to `room` entries from entry `first` on. A deleted entry has the value 0. Returns the
 * number of entries that were read. Returns 0 if there are no more entries, or if they cannot be
 * read. */
size_t dict_read(const struct python *py, const struct dict *d, size_t first, size_t room,
                 uint64_t *keys, uint64_t *values);

/* Opens sys.modules of an interpreter. Returns false if sys.modules cannot be read. */
bool modules_open(const struct python *py, uint64_t interpreter, struct dict *modules);

/* Opens the dict of the module at an address. Returns false if it cannot be read. */
bool module_open_at(const struct python *py, uint64_t module, struct dict *d);

/* Opens the dict of a module. modules: the opened sys.modules. Returns false if the module is not
 * imported or cannot be read. */
bool module_open(const struct python *py, const struct dict *modules, const char *name,
                 struct dict *d);

/* True if class_attribute_find() can find attributes of an object: the object is a class of the
 * program, or an instance of such a class. False for built-in classes such as int, and for their
 * instances. */
bool has_class_attributes(const struct python *py, uint64_t object);

/* Finds an attribute that the class of an object, or a base of this class, defines. If the object
 * is itself a class, looks in this class and its bases. If the attribute is a slot
 * (__slots__), and this slot of the object has a value, sets *value to the address of this value.
 * Else sets *value to the address of the value in the class. name: the address of the str that is
 * the key in the dict of the class. */
bool class_attribute_find(const struct python *py, uint64_t object, uint64_t name, uint64_t *value);

/* Sets *value to the address of the value of an attribute that is stored in the object itself: in
 * its dict, or in a slot (__slots__). Does not evaluate properties or __getattr__. Returns false if
 * there is no such attribute, or if it cannot be read. */
bool attribute_find(const struct python *py, uint64_t object, const char *name, uint64_t *value);

/* Opens the dict of a class: its attributes, without those of its bases. Returns false if it cannot
 * be read. */
bool type_open_attributes(const struct python *py, uint64_t type, struct dict *d);

/* True if a type is `base` or is derived from it. */
bool type_is_derived(const struct python *py, uint64_t type, uint64_t base);

#endif
