/* SPDX-License-Identifier: BSD-3-Clause */
#include "code.h"

#include "linetable.h"
#include "objects.h"

/* True if the object at an address is a class. Its type must be the class `type`, which is
 * recognized because it is its own type. */
static bool is_type(const struct python *py, uint64_t address)
{
    uint64_t type = object_type(py, address);

    return type && object_type(py, type) == type;
}

/* True if the object at an address is a code object: the name of its type is "code". If the name
 * cannot be read, any type is accepted: in a core file, the name may be missing, because it is in a
 * file that was not found. */
static bool is_code(const struct python *py, struct code_cache *cache, uint64_t address)
{
    uint64_t type = object_type(py, address), name;
    char text[5];

    if (type && type == cache->type)
        return true;
    if (!type || !read_member(py, type, py->offsets->type.name, &name))
        return false;
    if (!memory_read(&py->memory, name, text, sizeof(text)))
        return is_type(py, type);
    if (memcmp(text, "code", sizeof(text)) != 0)
        return false;
    cache->type = type;
    return true;
}

static bool read_int(const struct python *py, uint64_t address, int offset, int *to)
{
    int32_t value;

    if (!memory_read(&py->memory, address + (uint64_t)offset, &value, sizeof(value)))
        return false;
    *to = value;
    return true;
}

static bool read_code(const struct python *py, struct code_cache *cache, struct arena *arena,
                      struct code *c)
{
    const struct offsets *o = py->offsets;
    uint64_t file, name, qualname = 0;

    if (!is_code(py, cache, c->address) || !read_member(py, c->address, o->code.file, &file) ||
        !read_member(py, c->address, o->code.name, &name) ||
        !read_member(py, c->address, o->code.lines, &c->lines) ||
        !read_int(py, c->address, o->code.first_line, &c->first_line))
        return false;
    c->first_traceable = 0;
    if (o->code.first_traceable >= 0 &&
        !read_int(py, c->address, o->code.first_traceable, &c->first_traceable))
        return false;
    c->file = object_text(py, arena, file);
    c->name = object_text(py, arena, name);
    c->qualname = (struct report_text){NULL, 0};
    if (o->code.qualname >= 0 && read_member(py, c->address, o->code.qualname, &qualname))
        c->qualname = qualname == name ? c->name : object_text(py, arena, qualname);
    return c->file.data && c->name.data;
}

const struct code *code_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                             uint64_t address)
{
    uint64_t hash = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
    struct code *c = &cache->codes[hash >> 54 & (CODE_CACHE_SIZE - 1)];

    if (c->address == address && c->valid)
        return c;
    c->address = address;
    c->valid = read_code(py, cache, arena, c);
    return c;
}

int64_t code_line(const struct python *py, struct code_cache *cache, const struct code *code,
                  int64_t offset)
{
    ssize_t size = object_bytes(py, code->lines, cache->lines, LINES_ROOM);
    int64_t line;

    if (size < 0)
        return REPORT_UNKNOWN;
    line = linetable_line(py->offsets->minor, cache->lines, (size_t)size, code->first_line, offset);
    return line == LINE_UNKNOWN ? REPORT_UNKNOWN : line;
}

void code_fill(const struct python *py, struct code_cache *cache, const struct code *code,
               const struct raw_frame *from, struct report_frame *frame)
{
    frame->source_status = STATUS_SKIPPED;
    if (!code->valid)
        return;
    frame->file = code->file;
    frame->function = code->name;
    frame->qualname = code->qualname;
    frame->line = code_line(py, cache, code, frame_address(py, from));
}
