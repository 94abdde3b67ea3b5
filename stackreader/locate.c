/* SPDX-License-Identifier: BSD-3-Clause */
#include "locate.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "dicts.h"
#include "dynamic_symbols.h"
#include "elf_image.h"
#include "known_offsets.h"
#include "objects.h"
#include "python_process.h"

#define SECTION    ".PyRuntime"          /* from 3.11 on, _PyRuntime is in a section of its own */
#define COOKIE     "xdebugpy"            /* from 3.13 on, _PyRuntime begins with it */
#define CHUNK_SIZE 65536                 /* bytes that are searched at once */
#define SEARCH_MAX ((uint64_t)64 << 20)  /* the most bytes of one mapping that are searched */
#define SEARCH_ALL ((uint64_t)512 << 20) /* the most bytes of all mappings together */
#define TRIES      3 /* how many times to look for sys.hexversion, whose dict may change */

#define MINOR_UNKNOWN     0
#define VERSION_OF(minor) ((uint32_t)(0x03000000 | (minor) << 16))

struct search {
    const struct memory *memory;
    const struct mappings *mappings;
    struct located *out;
    size_t count, room;
    uint64_t left; /* how many bytes may still be searched for the cookie */
};

/* ---- Versions -------------------------------------------------------------------------------- */

/* Reads sys.hexversion of an interpreter. Returns 0 if it cannot be read. Sets *has_modules to true
 * if the interpreter has a sys.modules. */
static uint32_t read_hexversion(const struct python *py, uint64_t interpreter, bool *has_modules)
{
    uint64_t modules, number, version;
    struct dict d, sys;

    *has_modules =
        read_member(py, interpreter, py->offsets->interpreter.modules, &modules) && modules != 0;
    if (!*has_modules || !dict_open(py, modules, &d) || !module_open(py, &d, "sys", &sys) ||
        !dict_find(py, &sys, "hexversion", &number) || !object_integer(py, number, &version))
        return 0;
    return (uint32_t)version;
}

/* Sets the state of a Python whose offsets come from a table. Reads sys.hexversion with these
 * offsets. If the result is the expected version, most of the offsets are right. */
static void check_version(const struct memory *memory, struct located *python)
{
    const struct python py = {*memory, &python->offsets, python->runtime};
    int minor = python->offsets.minor, i;
    bool has_modules = false;
    uint64_t interpreter;
    uint32_t version = 0;

    python->state = PYTHON_NOT_RUNNING;
    for (i = 0; i < TRIES && version == 0; i++) {
        if (!read_member(&py, python->runtime, python->offsets.runtime.interpreters,
                         &interpreter) ||
            interpreter == 0)
            return;
        version = read_hexversion(&py, interpreter, &has_modules);
    }
    if (version == 0 && !has_modules)
        return;
    python->state = PYTHON_CONTRADICTS;
    if (version >> 16 != VERSION_OF(minor) >> 16)
        return;
    python->version = version;
    python->state = known_version(version) ? PYTHON_READABLE : PYTHON_OTHER_VERSION;
}

/* Returns the minor version of a Python that has no _Py_DebugOffsets. Finds the version by the
 * symbols that this Python exports. Returns a number below 9 for a version before 3.9. */
static int minor_by_symbols(const struct dynamic *d)
{
    uint64_t address;
    uint32_t version;

    if (dynamic_find(d, "Py_Version", &address) && /* from 3.11 on */
        memory_read(d->memory, address, &version, sizeof(version)) && version >> 24 == 3)
        return VERSION_MINOR(version);
    if (dynamic_find(d, "PyModule_AddObjectRef", &address)) /* from 3.10 on */
        return 10;
    return dynamic_find(d, "PyFrame_GetBack", &address) ? 9 : 8;
}

/* Sets state, version and offsets of a Python whose _PyRuntime begins with debug offsets. Returns
 * false if there are no debug offsets. */
static bool use_debug_offsets(const struct memory *memory, struct located *python)
{
    static const enum python_state states[] = {[KNOWN_VERSION] = PYTHON_OTHER_VERSION,
                                               [KNOWN_FREE_THREADED] = PYTHON_FREE_THREADED,
                                               [KNOWN_CONTRADICTION] = PYTHON_CONTRADICTS};
    unsigned char bytes[DEBUG_OFFSETS_SIZE];
    enum known_result result;
    uint64_t interpreter;

    if (!memory_read(memory, python->runtime, bytes, sizeof(bytes)))
        return false;
    result = known_debug_offsets(bytes, sizeof(bytes), &python->offsets, &python->version);
    if (result == KNOWN_NO_COOKIE)
        return false;
    if (result != KNOWN_OK) {
        python->state = states[result];
        return true;
    }
    python->state = PYTHON_NOT_RUNNING;
    if (memory_pointer(memory, python->runtime + (uint64_t)python->offsets.runtime.interpreters,
                       &interpreter) &&
        interpreter != 0)
        python->state = PYTHON_READABLE;
    return true;
}

/* Sets state, version and offsets of a Python of this minor version. */
static void use_table(const struct memory *memory, struct located *python, int minor)
{
    python->version = VERSION_OF(minor);
    if (known_offsets(minor, &python->offsets))
        check_version(memory, python);
    else
        python->state = PYTHON_OTHER_VERSION;
}

/* ---- Finding them ---------------------------------------------------------------------------- */

static struct located *add(struct search *s, const struct mapping *file, uint64_t runtime)
{
    size_t i;

    for (i = 0; i < s->count; i++)
        if (runtime != 0 && s->out[i].runtime == runtime)
            return NULL;
    if (s->count == s->room)
        return NULL;
    s->out[s->count] = (struct located){.file = file, .runtime = runtime};
    return &s->out[s->count++];
}

static bool is_first(const struct mapping *m)
{
    return m->offset == 0 && m->readable && m->path[0] == '/';
}

/* Adds an executable or library of 32 bits if its name begins with "python" or "libpython". */
static void look_at_class(struct search *s, const struct mapping *file)
{
    const char *name = mapping_name(file);
    unsigned char head[EI_NIDENT];
    struct located *python;

    if ((strncmp(name, "python", 6) != 0 && strncmp(name, "libpython", 9) != 0) ||
        !memory_read(s->memory, file->start, head, sizeof(head)) ||
        memcmp(head, ELFMAG, SELFMAG) != 0 || head[EI_CLASS] != ELFCLASS32)
        return;
    python = add(s, file, 0);
    if (python)
        python->state = PYTHON_32_BIT;
}

/* Adds the Python that an image contains, if the symbols that the image exports show that it
 * contains one. */
static void look_at_symbols(struct search *s, const struct mapping *file)
{
    struct dynamic d;
    struct located *python;
    uint64_t address;
    int minor;

    if (!dynamic_open(&d, s->memory, file)) {
        look_at_class(s, file);
        return;
    }
    if (dynamic_find(&d, "_PyRuntime", &address)) {
        python = add(s, file, address);
        if (!python || use_debug_offsets(s->memory, python))
            return;
        minor = minor_by_symbols(&d);
        use_table(s->memory, python, minor);
        if (minor < OFFSETS_MINOR_MIN)
            python->version = 0;
    } else if (dynamic_find(&d, "pypy_main_startup", &address)) {
        python = add(s, file, 0);
        if (python)
            python->state = PYTHON_PYPY;
    } else if (dynamic_find(&d, "PyEval_EvalFrameEx", &address)) { /* Python 3.6 and 2.7 */
        python = add(s, file, 0);
        if (python)
            python->state = PYTHON_OTHER_VERSION;
    }
}

/* Adds a Python that exports no symbols. runtime: the address of its _PyRuntime. */
static void add_hidden(struct search *s, const struct mapping *file, uint64_t runtime)
{
    struct located *python = add(s, file, runtime);
    int minor;

    if (!python || use_debug_offsets(s->memory, python))
        return;
    for (minor = 12; minor >= 11; minor--) {
        use_table(s->memory, python, minor);
        if (python->state == PYTHON_READABLE)
            return;
    }
    s->count--;
}

/* Searches a writable mapping for the cookie of _Py_DebugOffsets. */
static void search_cookie(struct search *s, const struct mapping *m)
{
    uint64_t max = SEARCH_MAX < s->left ? SEARCH_MAX : s->left;
    uint64_t end = m->end - m->start > max ? m->start + max : m->end, at;
    char chunk[CHUNK_SIZE];
    size_t size, i;

    s->left -= end - m->start;
    for (at = m->start; at < end; at += size) {
        size = end - at < sizeof(chunk) ? (size_t)(end - at) : sizeof(chunk);
        if (!memory_read(s->memory, at, chunk, size))
            continue;
        for (i = 0; i + 8 <= size; i += 8)
            if (memcmp(chunk + i, COOKIE, 8) == 0)
                add_hidden(s, m, at + i);
    }
}

/* If the file of an image has a section that contains only _PyRuntime, adds the Python to which
 * this _PyRuntime belongs. */
static void look_at_section(struct search *s, const struct locate_files *files,
                            const struct mapping *file)
{
    struct elf_section section;
    const void *data;
    struct elf elf;
    uint64_t bias;
    size_t size;

    if (!dynamic_bias(s->memory, file, &bias))
        return;
    data = files->open(files, file, &size);
    if (!data)
        return;
    if (elf_open(&elf, data, size) == ELF_OK && elf_find_section(&elf, SECTION, &section))
        add_hidden(s, file, section.address + bias);
    files->close(files, data, size);
}

/* Finds the Pythons that export no symbols. */
static void find_hidden(struct search *s, const struct locate_files *files)
{
    const struct mapping *m, *end = s->mappings->items + s->mappings->count;

    for (m = s->mappings->items; m < end; m++)
        if (m->writable && m->readable && m->path[0] == '/')
            search_cookie(s, m);
    for (m = s->mappings->items; files && m < end; m++)
        if (is_first(m))
            look_at_section(s, files, m);
}

/* Moves the readable Pythons to the front. Keeps the order of the readable Pythons, and the order
 * of the others. */
static void sort(struct located *out, size_t count)
{
    struct located one;
    size_t i, kept = 0;

    for (i = 0; i < count; i++) {
        if (out[i].state != PYTHON_READABLE)
            continue;
        one = out[i];
        memmove(out + kept + 1, out + kept, (i - kept) * sizeof(*out));
        out[kept++] = one;
    }
}

size_t locate_pythons(const struct memory *memory, const struct mappings *mappings,
                      const struct locate_files *files, struct located *out, size_t room)
{
    struct search s = {
        .memory = memory, .mappings = mappings, .out = out, .room = room, .left = SEARCH_ALL};
    size_t i;

    for (i = 0; i < mappings->count; i++)
        if (is_first(&mappings->items[i]))
            look_at_symbols(&s, &mappings->items[i]);
    if (s.count == 0)
        find_hidden(&s, files);
    sort(out, s.count);
    return s.count;
}

/* ---- Sentences ------------------------------------------------------------------------------- */

void locate_version(const struct located *python, char *out, size_t size)
{
    static const char *const levels[16] = {[0xa] = "a", [0xb] = "b", [0xc] = "rc"};
    uint32_t version = python->version;
    const char *level = levels[VERSION_LEVEL(version)];

    if (size > 0)
        out[0] = '\0';
    if (version == 0)
        return;
    if (VERSION_LEVEL(version) == 0) /* only the minor version is known */
        snprintf(out, size, "3.%d", VERSION_MINOR(version));
    else if (level)
        snprintf(out, size, "3.%d.%d%s%d", VERSION_MINOR(version), VERSION_MICRO(version), level,
                 (int)(version & 0xf));
    else
        snprintf(out, size, "3.%d.%d", VERSION_MINOR(version), VERSION_MICRO(version));
}

void locate_explain(const struct located *python, char *out, size_t size)
{
    char version[32] = "";

    if (!python) {
        snprintf(out, size, "does not run Python");
        return;
    }
    locate_version(python, version, sizeof(version));
    switch (python->state) {
    case PYTHON_READABLE:
        snprintf(out, size, "runs Python %s", version);
        return;
    case PYTHON_NOT_RUNNING:
        snprintf(out, size,
                 "has loaded Python %s, but does not run it: Python has not started yet, "
                 "or has ended",
                 version);
        return;
    case PYTHON_OTHER_VERSION:
        if (version[0])
            snprintf(out, size,
                     "runs Python %s, which pystuck cannot read: pystuck knows 3.9 to 3.15",
                     version);
        else
            snprintf(out, size, "runs a Python older than 3.9, which pystuck cannot read (%s)",
                     mapping_name(python->file));
        return;
    case PYTHON_FREE_THREADED:
        snprintf(out, size, "runs a free-threaded build of Python %s, which is not supported",
                 version);
        return;
    case PYTHON_CONTRADICTS:
        snprintf(
            out, size,
            "runs Python %s, but the memory of this Python is not laid out as expected: Python "
            "is just starting or ending, or is a modified build",
            version);
        return;
    case PYTHON_PYPY:
        snprintf(out, size, "runs PyPy, which is not supported: pystuck reads CPython only");
        return;
    case PYTHON_32_BIT:
        snprintf(out, size, "runs a 32-bit Python, which is not supported");
        return;
    }
}
