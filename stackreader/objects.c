/* SPDX-License-Identifier: BSD-3-Clause */
#include "objects.h"

/* Bit fields in the state of a str: how many bytes each character has, and where the characters are
 * stored. */
#define STATE_KIND(state)    ((state) >> 2 & 7)
#define STATE_COMPACT(state) ((state) >> 5 & 1)
#define STATE_ASCII(state)   ((state) >> 6 & 1)

/* Writes the character c as UTF-8, or as six ASCII characters like \udc80 if it is a lone
 * surrogate. Returns the number of bytes, at most 6. Returns 0 if c is not a valid character. */
static size_t put_character(char *to, uint32_t c)
{
    static const char digits[] = "0123456789abcdef";

    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c >= 0xd800 && c < 0xe000) {
        to[0] = '\\';
        to[1] = 'u';
        to[2] = digits[c >> 12];
        to[3] = digits[c >> 8 & 15];
        to[4] = digits[c >> 4 & 15];
        to[5] = digits[c & 15];
        return 6;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    if (c > 0x10ffff)
        return 0;
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static uint32_t character_at(const unsigned char *data, unsigned kind, size_t i)
{
    uint16_t two;
    uint32_t four;

    if (kind == 1)
        return data[i];
    if (kind == 2) {
        memcpy(&two, data + 2 * i, sizeof(two));
        return two;
    }
    memcpy(&four, data + 4 * i, sizeof(four));
    return four;
}

static struct report_text convert(struct arena *arena, const unsigned char *data, unsigned kind,
                                  size_t count)
{
    char character[6], *text;
    size_t i, len, total = 0;

    for (i = 0; i < count; i++) {
        len = put_character(character, character_at(data, kind, i));
        if (len == 0)
            return (struct report_text){NULL, 0};
        total += len;
    }
    text = arena_alloc(arena, total + 1);
    if (!text)
        return (struct report_text){NULL, 0};
    for (i = 0, len = 0; i < count; i++)
        len += put_character(text + len, character_at(data, kind, i));
    return (struct report_text){text, total};
}

struct report_text object_text(const struct python *py, struct arena *arena, uint64_t address)
{
    bool cut;

    return object_text_start(py, arena, address, TEXT_MAX, &cut);
}

/* Reads the start of a str: the number of its characters, and its state. */
static bool read_text_head(const struct python *py, uint64_t address, uint64_t *count,
                           uint32_t *state)
{
    const struct offsets *o = py->offsets;
    unsigned char head[64];

    if (!address || (size_t)o->text.ascii > sizeof(head) ||
        !memory_read(&py->memory, address, head, (size_t)o->text.ascii))
        return false;
    *count = pointer_at(head, o->text.length);
    *state = (uint32_t)int_at(head, o->text.state);
    return true;
}

struct report_text object_text_start(const struct python *py, struct arena *arena, uint64_t address,
                                     size_t max, bool *cut)
{
    static const struct report_text unknown = {NULL, 0};
    const struct offsets *o = py->offsets;
    unsigned char data[4 * TEXT_MAX];
    uint64_t count, at;
    uint32_t state;
    unsigned kind;

    *cut = false;
    if (!read_text_head(py, address, &count, &state))
        return unknown;
    kind = STATE_KIND(state);
    if (!STATE_COMPACT(state) || (kind != 1 && kind != 2 && kind != 4) || count > INT32_MAX ||
        (STATE_ASCII(state) && kind != 1))
        return unknown;
    *cut = count > max;
    if (*cut)
        count = max;
    at = address + (uint64_t)(STATE_ASCII(state) ? o->text.ascii : o->text.compact);
    if (count > 0 && !memory_read(&py->memory, at, data, count * kind))
        return unknown;
    return convert(arena, data, kind, count);
}

ssize_t object_bytes(const struct python *py, uint64_t address, void *to, size_t room)
{
    const struct offsets *o = py->offsets;
    uint64_t size;

    if (!address || !read_member(py, address, o->bytes.size, &size) || size > room ||
        size > BYTES_MAX)
        return -1;
    if (size > 0 && !memory_read(&py->memory, address + (uint64_t)o->bytes.data, to, size))
        return -1;
    return (ssize_t)size;
}

/* Reads the number of digits of an int, and its sign. */
static bool read_sign(const struct python *py, uint64_t address, uint64_t *count, bool *is_negative)
{
    uint64_t tag;

    if (!read_member(py, address, py->offsets->integer.tag, &tag))
        return false;
    if (py->offsets->minor >= 12) {
        *is_negative = (tag & 3) == 2;
        *count = tag >> 3;
        return true;
    }
    *is_negative = (int64_t)tag < 0; /* the number of digits of a negative int is negative */
    *count = *is_negative ? -tag : tag;
    return true;
}

bool object_magnitude(const struct python *py, uint64_t address, uint64_t *to, bool *is_negative)
{
    const struct offsets *o = py->offsets;
    unsigned bits = o->integer.digit_size == 4 ? 30 : 15;
    uint64_t count, i;
    uint32_t digit;

    if (!address || (o->integer.digit_size != 2 && o->integer.digit_size != 4) ||
        !read_sign(py, address, &count, is_negative) || count > 5)
        return false;
    *to = 0;
    for (i = 0; i < count; i++) {
        digit = 0;
        if (!memory_read(&py->memory,
                         address + (uint64_t)o->integer.digits +
                             i * (uint64_t)o->integer.digit_size,
                         &digit, (size_t)o->integer.digit_size))
            return false;
        if (i * bits >= 64 || (i * bits > 0 && (uint64_t)digit >> (64 - i * bits)))
            return digit == 0;
        *to |= (uint64_t)digit << (i * bits);
    }
    return true;
}

bool object_integer(const struct python *py, uint64_t address, uint64_t *to)
{
    bool is_negative;

    return object_magnitude(py, address, to, &is_negative) && !is_negative;
}

uint64_t object_type(const struct python *py, uint64_t address)
{
    uint64_t type;

    return address && read_member(py, address, py->offsets->object.type, &type) ? type : 0;
}

#define TYPE_NAME_MAX 256
#define BASES_MAX     100

/* The string may end just before a page that cannot be read, so the function first reads up to the
 * end of the page. */
bool read_c_string(const struct python *py, uint64_t address, char *to, size_t size)
{
    uint64_t room = 4096 - address % 4096;

    if (!address || !memory_read(&py->memory, address, to, room < size ? room : size))
        return false;
    if (room < size && !memchr(to, 0, room) &&
        !memory_read(&py->memory, address + room, to + room, size - room))
        return false;
    return memchr(to, 0, size) != NULL;
}

/* Reads the tp_name and the base of a type. to: a buffer of TYPE_NAME_MAX bytes for the tp_name. */
static bool read_type(const struct python *py, uint64_t type, char *to, uint64_t *base)
{
    uint64_t name;
    const struct memory_piece pieces[] = {
        {type + (uint64_t)py->offsets->type.name, &name, sizeof(name)},
        {type + (uint64_t)py->offsets->type.base, base, sizeof(*base)},
    };

    return type && py->memory.read(&py->memory, pieces, 2) &&
           read_c_string(py, name, to, TYPE_NAME_MAX);
}

static int index_of(const char *name, const char *const *names, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return (int)i;
    }
    return -1;
}

int object_type_among(const struct python *py, uint64_t type, const char *const *names,
                      size_t count)
{
    char name[TYPE_NAME_MAX];
    uint64_t base;

    return read_type(py, type, name, &base) ? index_of(name, names, count) : -1;
}

bool object_type_is(const struct python *py, uint64_t type, const char *name)
{
    return object_type_among(py, type, &name, 1) == 0;
}

int object_is_among(const struct python *py, uint64_t address, const char *const *names,
                    size_t count)
{
    uint64_t type = object_type(py, address);
    char name[TYPE_NAME_MAX];
    int i, found = -1;

    for (i = 0; type && i < BASES_MAX && found < 0; i++) {
        if (!read_type(py, type, name, &type))
            return -1;
        found = index_of(name, names, count);
    }
    return found;
}

bool object_is_a(const struct python *py, uint64_t address, const char *name)
{
    return object_is_among(py, address, &name, 1) == 0;
}

bool object_ascii(const struct python *py, uint64_t address, char *to, size_t size)
{
    const struct offsets *o = py->offsets;
    uint64_t count;
    uint32_t state;

    if (!read_text_head(py, address, &count, &state) || !STATE_ASCII(state) ||
        !STATE_COMPACT(state) || count >= size ||
        (count > 0 && !memory_read(&py->memory, address + (uint64_t)o->text.ascii, to, count)))
        return false;
    to[count] = 0;
    return true;
}

/* True if a text is valid UTF-8. This is checked because the memory may contain something else than
 * a name, and only UTF-8 may be sent to a client. */
static bool is_utf8(const char *text, size_t len)
{
    const unsigned char *c = (const unsigned char *)text, *end = c + len;
    size_t more;

    for (; c < end; c += more + 1) {
        more = *c < 0x80 ? 0 : *c >= 0xc2 && *c < 0xe0 ? 1 : *c >= 0xe0 && *c < 0xf0 ? 2 : 3;
        if ((*c >= 0x80 && *c < 0xc2) || *c > 0xf4 || (size_t)(end - c) <= more)
            return false;
        if ((more > 0 && (c[1] & 0xc0) != 0x80) || (more > 1 && (c[2] & 0xc0) != 0x80) ||
            (more > 2 && (c[3] & 0xc0) != 0x80))
            return false;
        if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) ||
            (*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] > 0x8f))
            return false;
    }
    return true;
}

struct report_text object_type_name(const struct python *py, struct arena *arena, uint64_t type)
{
    static const struct report_text unknown = {NULL, 0};
    char name[TYPE_NAME_MAX], *end, *start;
    uint64_t address;

    if (!type || !read_member(py, type, py->offsets->type.name, &address) ||
        !read_c_string(py, address, name, sizeof(name)))
        return unknown;
    end = name + strlen(name);
    start = memrchr(name, '.', (size_t)(end - name));
    start = start ? start + 1 : name;
    if (!is_utf8(start, (size_t)(end - start)))
        return unknown;
    return report_text_in(arena, start, (size_t)(end - start));
}

bool text_copies_read(const struct python *py, const uint64_t *addresses, size_t count, size_t len,
                      struct text_copy *copies)
{
    struct memory_piece pieces[TEXT_COPIES_MAX];
    size_t size = (size_t)py->offsets->text.ascii + len, used = 0, i;

    if (len > SHORT_TEXT_MAX || size > sizeof(copies->bytes) || count > TEXT_COPIES_MAX)
        return false;
    for (i = 0; i < count; i++) {
        if (addresses[i])
            pieces[used++] = (struct memory_piece){addresses[i], copies[i].bytes, size};
        else
            memset(copies[i].bytes, 0, size); /* not a compact ASCII str */
    }
    return used == 0 || py->memory.read(&py->memory, pieces, used);
}

bool text_copy_is(const struct python *py, const struct text_copy *copy, const char *text)
{
    const struct offsets *o = py->offsets;
    uint32_t state = (uint32_t)int_at(copy->bytes, o->text.state);
    size_t len = strlen(text);

    return pointer_at(copy->bytes, o->text.length) == len && STATE_ASCII(state) &&
           STATE_COMPACT(state) && memcmp(copy->bytes + o->text.ascii, text, len) == 0;
}

bool object_is_text(const struct python *py, uint64_t address, const char *text)
{
    struct text_copy copy;

    return address && text_copies_read(py, &address, 1, strlen(text), &copy) &&
           text_copy_is(py, &copy, text);
}

bool tuple_open(const struct python *py, uint64_t address, uint64_t max, struct tuple *t)
{
    const struct offsets *o = py->offsets;

    t->items = address + (uint64_t)o->tuple.items;
    return address && read_member(py, address, o->tuple.size, &t->count) && t->count <= max;
}

size_t tuple_read_member(const struct python *py, uint64_t object, int member, uint64_t *to,
                         size_t room)
{
    uint64_t address;
    struct tuple tuple;

    if (!read_member(py, object, member, &address) || !tuple_open(py, address, room, &tuple) ||
        !memory_read(&py->memory, tuple.items, to, tuple.count * 8))
        return 0;
    return tuple.count;
}

/* Returns the index of the first str that is equal to `text`; -1 if there is no such str. items:
 * the addresses of `count` objects. */
static int place_of(const struct python *py, const uint64_t *items, size_t count, const char *text)
{
    struct text_copy copies[TEXT_COPIES_MAX];
    bool copied = text_copies_read(py, items, count, strlen(text), copies);
    size_t i;

    for (i = 0; i < count; i++) {
        if (copied ? text_copy_is(py, &copies[i], text) : object_is_text(py, items[i], text))
            return (int)i;
    }
    return -1;
}

int tuple_index(const struct python *py, const struct tuple *t, const char *text)
{
    uint64_t items[TEXT_COPIES_MAX], first, count;
    int found;

    for (first = 0; first < t->count; first += count) {
        count = t->count - first < TEXT_COPIES_MAX ? t->count - first : TEXT_COPIES_MAX;
        if (!memory_read(&py->memory, t->items + first * 8, items, count * 8))
            return -1;
        found = place_of(py, items, count, text);
        if (found >= 0)
            return (int)first + found;
    }
    return -1;
}

#define CELL_VALUE 16 /* the offset of the value in a cell: it is the first member */

bool cell_value(const struct python *py, uint64_t cell, uint64_t *value)
{
    return memory_pointer(&py->memory, cell + CELL_VALUE, value);
}
