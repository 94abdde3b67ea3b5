/* SPDX-License-Identifier: BSD-3-Clause */
#include "code.h"

#include "linetable.h"
#include "objects.h"

/* True if the object at an address is a class. The type of the object must be the class `type`. The
 * class `type` is recognized because it is its own type. */
static bool is_type(const struct python *py, uint64_t address)
{
    uint64_t type = object_type(py, address);

    return type && object_type(py, type) == type;
}

#define CODE_BYTES_MAX 512

/* Returns how many bytes of a code object to read. */
static size_t code_bytes(const struct offsets *o)
{
    const int members[] = {o->object.type,         o->code.file,  o->code.name,
                           o->code.qualname,       o->code.lines, o->code.first_line,
                           o->code.first_traceable};
    int last = 0;
    size_t i;

    for (i = 0; i < sizeof(members) / sizeof(*members); i++)
        last = members[i] > last ? members[i] : last;
    return (size_t)last + sizeof(uint64_t);
}

/* is_now: read the present memory of the process. */
static bool read_members(const struct python *py, uint64_t address, bool is_now,
                         struct code_members *to)
{
    const struct offsets *o = py->offsets;
    unsigned char bytes[CODE_BYTES_MAX];
    const size_t size = code_bytes(o);
    const struct memory *m = &py->memory;
    const struct memory_piece piece = {address, bytes, size};

    if (!address || size > sizeof(bytes) ||
        !(is_now ? memory_read_now(m, &piece, 1) : m->read(m, &piece, 1)))
        return false;
    *to = (struct code_members){
        .type = pointer_at(bytes, o->object.type),
        .file = pointer_at(bytes, o->code.file),
        .name = pointer_at(bytes, o->code.name),
        .qualname = o->code.qualname < 0 ? 0 : pointer_at(bytes, o->code.qualname),
        .lines = pointer_at(bytes, o->code.lines),
        .first_line = int_at(bytes, o->code.first_line),
        .first_traceable = o->code.first_traceable < 0 ? 0 : int_at(bytes, o->code.first_traceable),
    };
    return true;
}

/* True if `type` is the type of code objects, which has the name "code". In a core file, the name
 * may be missing, because it is in a file that was not found. If so, any class is accepted. */
static bool is_code_type(const struct python *py, struct code_cache *cache, uint64_t type)
{
    uint64_t name;
    char text[5];

    if (type && type == cache->type)
        return true;
    if (!type || !read_member(py, type, py->offsets->type.name, &name))
        return false;
    if (!memory_read(&py->memory, name, text, sizeof(text)))
        return py->memory.has_gaps && is_type(py, type);
    if (memcmp(text, "code", sizeof(text)) != 0)
        return false;
    cache->type = type;
    return true;
}

static bool read_code(const struct python *py, struct code_cache *cache, struct arena *arena,
                      struct code *c)
{
    const struct code_members *m = &c->members;

    if (!read_members(py, c->address, false, &c->members) || !is_code_type(py, cache, m->type))
        return false;
    if (cache->in_order)
        memory_forget(&py->memory);
    c->file = object_text(py, arena, m->file);
    c->name = object_text(py, arena, m->name);
    c->qualname = (struct report_text){NULL, 0};
    if (m->qualname)
        c->qualname = m->qualname == m->name ? c->name : object_text(py, arena, m->qualname);
    return c->file.data && c->name.data;
}

void code_cache_clear(struct code_cache *cache)
{
    cache->generation++;
    cache->count = 0;
}

/* Returns the place of the cache that contains a code object. If the cache does not contain it,
 * returns a free place. */
static struct code *find_place(const struct code_cache *cache, uint64_t address)
{
    uint64_t hash = (address >> 4) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
    size_t i = hash >> 51 & (CODE_CACHE_SIZE - 1);

    while (cache->codes[i].generation == cache->generation && cache->codes[i].address != address)
        i = (i + 1) % CODE_CACHE_SIZE;
    return &cache->codes[i];
}

struct code *code_read(const struct python *py, struct code_cache *cache, struct arena *arena,
                       uint64_t address, bool *added)
{
    struct code *c = find_place(cache, address);
    bool is_new = c->generation != cache->generation;

    if (!is_new && c->valid)
        return c;
    if (added)
        *added = true;
    if (is_new && cache->count >= (size_t)CODE_CACHE_SIZE / 4 * 3)
        return NULL;
    cache->count += is_new;
    *c = (struct code){
        .address = address, .generation = cache->generation, .line_offset = INT64_MIN};
    c->valid = read_code(py, cache, arena, c);
    return c;
}

bool code_is_same(const struct python *py, struct code *code)
{
    struct code_members now;

    if (code->valid && read_members(py, code->address, true, &now) &&
        memcmp(&now, &code->members, sizeof(now)) == 0)
        return true;
    code->valid = false;
    return false;
}

int64_t code_line(const struct python *py, struct code_cache *cache, struct code *code,
                  int64_t offset)
{
    ssize_t size;
    int64_t line;

    if (!code->valid)
        return REPORT_UNKNOWN;
    if (code->line_offset == offset)
        return code->line;
    size = object_bytes(py, code->members.lines, cache->lines, LINES_ROOM);
    if (size < 0)
        return REPORT_UNKNOWN;
    line = linetable_line(py->offsets->minor, cache->lines, (size_t)size, code->members.first_line,
                          offset);
    code->line_offset = offset;
    code->line = line == LINE_UNKNOWN ? REPORT_UNKNOWN : line;
    return code->line;
}
