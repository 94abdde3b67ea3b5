/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The layouts of a dict's keys and values are those of Objects/dictobject.c and
 * Include/internal/pycore_dict.h in CPython. The offsets in these layouts are constants of this
 * file and not members of struct offsets, because these offsets have not changed since 3.11.
 */
#include "dicts.h"

#include "objects.h"

/* Offsets in PyDictKeysObject: OLD_KEYS_ up to 3.10, KEYS_ from 3.11 on. */
#define OLD_KEYS_SIZE    8  /* the size of the hash table, a power of 2 */
#define OLD_KEYS_COUNT   32 /* the number of entries */
#define OLD_KEYS_INDICES 40
#define KEYS_LOG2_INDEX  9 /* the base-2 logarithm of the size of the hash table in bytes */
#define KEYS_KIND        10
#define KEYS_COUNT       24
#define KEYS_INDICES     32
#define KEYS_BYTES       40

enum keys_kind { KEYS_GENERAL, KEYS_UNICODE, KEYS_SPLIT };

#define ENTRY_GENERAL 24 /* bytes of an entry: hash, key, value */
#define ENTRY_UNICODE 16 /* bytes of an entry: key, value */

/* The size of the members of struct _dictvalues that precede the values, in bytes. */
#define VALUES_HEAD(minor) ((minor) >= 13 ? 8 : 0)

/* Bits of tp_flags. */
#define FLAG_INLINE_VALUES (UINT64_C(1) << 2) /* from 3.13 on */
#define FLAG_MANAGED_DICT  (UINT64_C(1) << 4) /* from 3.11 on */
#define FLAG_HEAP_TYPE     (UINT64_C(1) << 9)
#define FLAG_TYPE_SUBCLASS (UINT64_C(1) << 31)

static bool open_old_keys(const unsigned char *keys, uint64_t address, struct dict *d)
{
    uint64_t size = pointer_at(keys, OLD_KEYS_SIZE), width;

    if (size > UINT32_MAX)
        return false;
    width = size <= 0xff ? 1 : size <= 0xffff ? 2 : 4;
    d->count = pointer_at(keys, OLD_KEYS_COUNT);
    d->entries = address + OLD_KEYS_INDICES + size * width;
    d->entry_size = ENTRY_GENERAL;
    d->key_offset = 8;
    return d->count <= DICT_ENTRIES_MAX;
}

static bool open_keys(const struct python *py, uint64_t address, struct dict *d)
{
    unsigned char keys[KEYS_BYTES];

    if (!address || !memory_read(&py->memory, address, keys, sizeof(keys)))
        return false;
    if (py->offsets->minor <= 10)
        return open_old_keys(keys, address, d);
    if (keys[KEYS_LOG2_INDEX] > 40 || keys[KEYS_KIND] > KEYS_SPLIT)
        return false;
    d->count = pointer_at(keys, KEYS_COUNT);
    d->entries = address + KEYS_INDICES + (UINT64_C(1) << keys[KEYS_LOG2_INDEX]);
    d->entry_size = keys[KEYS_KIND] == KEYS_GENERAL ? ENTRY_GENERAL : ENTRY_UNICODE;
    d->key_offset = keys[KEYS_KIND] == KEYS_GENERAL ? 8 : 0;
    return d->count <= DICT_ENTRIES_MAX;
}

bool dict_open(const struct python *py, uint64_t address, struct dict *d)
{
    const struct offsets *o = py->offsets;
    uint64_t keys, values;
    struct memory_piece pieces[] = {{address + (uint64_t)o->dict.keys, &keys, sizeof(keys)},
                                    {address + (uint64_t)o->dict.values, &values, sizeof(values)}};

    if (!address || !py->memory.read(&py->memory, pieces, 2) || !open_keys(py, keys, d))
        return false;
    d->values = values ? values + VALUES_HEAD(o->minor) : 0;
    return true;
}

/* Opens the attributes of an object that has no dict, only an array of values. The keys are stored
 * in the object's type. */
static bool open_values(const struct python *py, uint64_t type, uint64_t values, struct dict *d)
{
    uint64_t keys;

    if (!values || !read_member(py, type, py->offsets->type.cached_keys, &keys) ||
        !open_keys(py, keys, d))
        return false;
    d->values = values + VALUES_HEAD(py->offsets->minor);
    return true;
}

/* Opens the attributes of an object in 3.11. Two pointers precede the object. The first pointer
 * points to the array of values, the second pointer to the dict. */
static bool open_managed_3_11(const struct python *py, uint64_t object, uint64_t type,
                              struct dict *d)
{
    uint64_t words[2]; /* the array of values, the dict */

    if (!memory_read(&py->memory, object - 32, words, sizeof(words)))
        return false;
    return words[1] ? dict_open(py, words[1], d) : open_values(py, type, words[0], d);
}

/* Opens the attributes of an object in 3.12. One pointer precedes the object. If this pointer is
 * odd, the address of the array of values is the pointer + 1. If this pointer is even, it points to
 * the dict. */
static bool open_managed_3_12(const struct python *py, uint64_t object, uint64_t type,
                              struct dict *d)
{
    uint64_t word;

    if (!memory_pointer(&py->memory, object - 24, &word))
        return false;
    return word & 1 ? open_values(py, type, word + 1, d) : dict_open(py, word, d);
}

/* Opens the attributes of an object from 3.13 on. A pointer to the dict precedes the object. If
 * this pointer is NULL, the array of values follows the object. */
static bool open_managed(const struct python *py, uint64_t object, uint64_t type, uint64_t flags,
                         struct dict *d)
{
    uint64_t dict, size;

    if (!memory_pointer(&py->memory, object - 24, &dict))
        return false;
    if (dict)
        return dict_open(py, dict, d);
    return (flags & FLAG_INLINE_VALUES) &&
           read_member(py, type, py->offsets->type.basicsize, &size) && size < 0x10000 &&
           open_values(py, type, object + size, d);
}

bool dict_open_attributes(const struct python *py, uint64_t object, struct dict *d)
{
    const struct offsets *o = py->offsets;
    uint64_t type = object_type(py, object), flags, offset, dict;

    if (!type || !read_member(py, type, o->type.flags, &flags))
        return false;
    if (o->minor >= 11 && (flags & FLAG_MANAGED_DICT)) {
        if (o->minor == 11)
            return open_managed_3_11(py, object, type, d);
        if (o->minor == 12)
            return open_managed_3_12(py, object, type, d);
        return open_managed(py, object, type, flags, d);
    }
    return read_member(py, type, o->type.dictoffset, &offset) && offset > 0 && offset < 0x10000 &&
           memory_pointer(&py->memory, object + offset, &dict) && dict_open(py, dict, d);
}

bool dict_entry(const struct python *py, const struct dict *d, size_t i, uint64_t *key,
                uint64_t *value)
{
    uint64_t entry[2]; /* key, value */

    if (!memory_read(&py->memory, d->entries + i * d->entry_size + d->key_offset, entry,
                     sizeof(entry)))
        return false;
    *key = entry[0];
    *value = entry[1];
    return !d->values || memory_pointer(&py->memory, d->values + i * sizeof(*value), value);
}

#define BATCH TEXT_COPIES_MAX /* the maximum number of entries that are read at once */

/* Some entries of a dict, and copies of the keys. */
struct batch {
    uint64_t keys[BATCH], values[BATCH];
    struct text_copy texts[BATCH];
    bool has_texts; /* `texts` was filled */
    size_t count;
};

/* Reads up to BATCH entries, from entry i on. If they cannot be read together, reads only entry i.
 */
static bool read_batch(const struct python *py, const struct dict *d, size_t i, struct batch *b)
{
    const size_t count = d->count - i < BATCH ? d->count - i : BATCH;
    unsigned char bytes[BATCH * ENTRY_GENERAL];
    uint64_t values[BATCH];
    const struct memory_piece pieces[] = {
        {d->entries + i * d->entry_size, bytes, count * d->entry_size},
        {d->values + i * sizeof(*values), values, count * sizeof(*values)}};
    size_t j;

    b->count = count;
    if (!py->memory.read(&py->memory, pieces, d->values ? 2 : 1)) {
        b->count = 1;
        return dict_entry(py, d, i, &b->keys[0], &b->values[0]);
    }
    for (j = 0; j < count; j++) {
        b->keys[j] = pointer_at(bytes + j * d->entry_size, (int)d->key_offset);
        b->values[j] =
            d->values ? values[j] : pointer_at(bytes + j * d->entry_size, (int)d->key_offset + 8);
    }
    return true;
}

/* True if entry j of the batch was not deleted, and its key is a str with this text. */
static bool is_key(const struct python *py, const struct batch *b, size_t j, const char *text)
{
    if (!b->keys[j] || !b->values[j])
        return false;
    return b->has_texts ? text_copy_is(py, &b->texts[j], text)
                        : object_is_text(py, b->keys[j], text);
}

static size_t longest(const char *const *texts, size_t count)
{
    size_t len = 0, i;

    for (i = 0; i < count; i++)
        len = strlen(texts[i]) > len ? strlen(texts[i]) : len;
    return len;
}

bool dict_find_all(const struct python *py, const struct dict *d, const char *const *keys,
                   size_t count, uint64_t *values)
{
    const size_t len = longest(keys, count);
    struct batch b;
    size_t i, j, k, left = count;

    for (k = 0; k < count; k++)
        values[k] = 0;
    for (i = 0; i < d->count && left > 0; i += b.count) {
        if (!read_batch(py, d, i, &b))
            return false;
        b.has_texts = text_copies_read(py, b.keys, b.count, len, b.texts);
        for (j = 0; j < b.count; j++) {
            for (k = 0; k < count; k++) {
                if (values[k] || !is_key(py, &b, j, keys[k]))
                    continue;
                values[k] = b.values[j];
                left--;
            }
        }
    }
    return left == 0;
}

bool dict_find(const struct python *py, const struct dict *d, const char *key, uint64_t *value)
{
    return dict_find_all(py, d, &key, 1, value);
}

bool type_open_attributes(const struct python *py, uint64_t type, struct dict *d)
{
    uint64_t dict;

    return read_member(py, type, py->offsets->type.dict, &dict) && dict_open(py, dict, d);
}

/* ---- Modules --------------------------------------------------------------------------------- */

bool modules_open(const struct python *py, uint64_t interpreter, struct dict *modules)
{
    uint64_t address;

    return read_member(py, interpreter, py->offsets->interpreter.modules, &address) &&
           dict_open(py, address, modules);
}

bool module_open_at(const struct python *py, uint64_t module, struct dict *d)
{
    uint64_t dict;

    return read_member(py, module, py->offsets->module.dict, &dict) && dict_open(py, dict, d);
}

bool module_open(const struct python *py, const struct dict *modules, const char *name,
                 struct dict *d)
{
    uint64_t module;

    return dict_find(py, modules, name, &module) && module_open_at(py, module, d);
}

/* ---- Classes --------------------------------------------------------------------------------- */

#define MRO_MAX 64

/* Reads the first MRO_MAX classes of a type's MRO. Returns their number, or 0 if they cannot be
 * read. */
static size_t read_mro(const struct python *py, uint64_t type, uint64_t mro[MRO_MAX])
{
    uint64_t address;
    struct tuple tuple;

    if (!read_member(py, type, py->offsets->type.mro, &address) ||
        !tuple_open(py, address, UINT64_MAX, &tuple))
        return 0;
    if (tuple.count > MRO_MAX)
        tuple.count = MRO_MAX;
    return memory_read(&py->memory, tuple.items, mro, tuple.count * sizeof(*mro)) ? tuple.count : 0;
}

bool type_is_derived(const struct python *py, uint64_t type, uint64_t base)
{
    uint64_t mro[MRO_MAX];
    size_t count, i;

    if (!type || !base)
        return false;
    count = read_mro(py, type, mro);
    for (i = 0; i < count; i++) {
        if (mro[i] == base)
            return true;
    }
    return false;
}

/* Reads the value of an attribute that is listed in __slots__ of the object's class. descriptor:
 * the object that the class has for this attribute. */
static bool read_slot(const struct python *py, uint64_t object, uint64_t descriptor,
                      uint64_t *value)
{
    const struct offsets *o = py->offsets;
    uint64_t member, offset;

    return object_type_is(py, object_type(py, descriptor), "member_descriptor") &&
           read_member(py, descriptor, o->descriptor.more, &member) &&
           read_member(py, member, o->member.offset, &offset) && offset < 0x10000 &&
           memory_pointer(&py->memory, object + offset, value) && *value;
}

bool attribute_find(const struct python *py, uint64_t object, const char *name, uint64_t *value)
{
    uint64_t mro[MRO_MAX], descriptor;
    struct dict d;
    size_t count, i;

    if (dict_open_attributes(py, object, &d) && dict_find(py, &d, name, value))
        return true;
    count = read_mro(py, object_type(py, object), mro);
    for (i = 0; i < count; i++) {
        if (type_open_attributes(py, mro[i], &d) && dict_find(py, &d, name, &descriptor))
            return read_slot(py, object, descriptor, value);
    }
    return false;
}

size_t dict_read(const struct python *py, const struct dict *d, size_t first, size_t room,
                 uint64_t *keys, uint64_t *values)
{
    struct batch b;

    if (first >= d->count || !read_batch(py, d, first, &b))
        return 0;
    if (b.count > room)
        b.count = room;
    memcpy(keys, b.keys, b.count * sizeof(*keys));
    memcpy(values, b.values, b.count * sizeof(*values));
    return b.count;
}

#define CLASS_ENTRIES_MAX 512

/* Sets *value to the value of an attribute in the dict of a class. Does not look in the bases of
 * the class. Returns false for built-in classes, because the program does not define their
 * attributes. */
static bool find_in_class(const struct python *py, uint64_t type, uint64_t name, uint64_t *value)
{
    uint64_t keys[BATCH], values[BATCH], flags, dict;
    size_t first, count, i;
    struct dict d;

    if (!read_member(py, type, py->offsets->type.flags, &flags) || !(flags & FLAG_HEAP_TYPE) ||
        !read_member(py, type, py->offsets->type.dict, &dict) || !dict_open(py, dict, &d))
        return false;
    for (first = 0; first < d.count && first < CLASS_ENTRIES_MAX; first += count) {
        count = dict_read(py, &d, first, BATCH, keys, values);
        if (count == 0)
            return false;
        for (i = 0; i < count; i++) {
            if (keys[i] == name && (*value = values[i]))
                return true;
        }
    }
    return false;
}

/* True if an object is a class. type: the type of the object. */
static bool is_class(const struct python *py, uint64_t type)
{
    uint64_t flags;

    return read_member(py, type, py->offsets->type.flags, &flags) && (flags & FLAG_TYPE_SUBCLASS);
}

/* Does not check the bases of the class, because all bases of a built-in class are also built-in.
 */
bool has_class_attributes(const struct python *py, uint64_t object)
{
    uint64_t type = object_type(py, object), flags;

    return type &&
           read_member(py, is_class(py, type) ? object : type, py->offsets->type.flags, &flags) &&
           (flags & FLAG_HEAP_TYPE);
}

bool class_attribute_find(const struct python *py, uint64_t object, uint64_t name, uint64_t *value)
{
    uint64_t mro[MRO_MAX], type = object_type(py, object), found;
    bool of_itself = is_class(py, type); /* the attributes of a class are in the class itself */
    size_t count = read_mro(py, of_itself ? object : type, mro), i;

    for (i = 0; i < count; i++) {
        if (!find_in_class(py, mro[i], name, &found))
            continue;
        if (!of_itself && read_slot(py, object, found, value))
            return true;
        *value = found;
        return true;
    }
    return false;
}
