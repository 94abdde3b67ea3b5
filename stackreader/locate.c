/* SPDX-License-Identifier: BSD-3-Clause */
#include "locate.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "dicts.h"
#include "dynamic_symbols.h"
#include "elf_image.h"
#include "known_offsets.h"
#include "memory_pages.h"
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

/* Reads sys.hexversion of an interpreter. Returns 0 if it cannot be read. Does not need
 * sys.modules, which is empty while Python ends. Sets *has_sys to true if the interpreter has a
 * module sys. */
static uint32_t read_hexversion(const struct python *py, uint64_t interpreter, bool *has_sys)
{
    uint64_t address, number, version;
    struct dict sys;

    *has_sys = read_member(py, interpreter, py->offsets->interpreter.sys, &address) && address != 0;
    if (!*has_sys || !dict_open(py, address, &sys) || !dict_find(py, &sys, "hexversion", &number) ||
        !object_integer(py, number, &version))
        return 0;
    return (uint32_t)version;
}

/* Sets the state of a Python whose offsets come from a table. Reads sys.hexversion with these
 * offsets. If the result is the expected version, most of the offsets are right. */
static void check_version(const struct memory *memory, struct located *python)
{
    const struct python py = {*memory, &python->offsets, python->runtime};
    int minor = python->offsets.minor, i;
    bool has_sys = false;
    uint64_t interpreter;
    uint32_t version = 0;

    python->state = PYTHON_NOT_RUNNING;
    for (i = 0; i < TRIES && version == 0; i++) {
        memory_forget(memory);
        if (!read_member(&py, python->runtime, python->offsets.runtime.interpreters,
                         &interpreter) ||
            interpreter == 0)
            return;
        version = read_hexversion(&py, interpreter, &has_sys);
    }
    if (version == 0 && !has_sys)
        return;
    python->state = PYTHON_CONTRADICTS;
    if (version >> 16 != VERSION_OF(minor) >> 16)
        return;
    python->version = version;
    python->state = known_version(version) ? PYTHON_READABLE : PYTHON_OTHER_VERSION;
}

/* Returns the minor version of a Python that has no _Py_DebugOffsets. Finds the version by the
 * symbols that this Python exports. Returns a number below 9 for a version before 3.9. Returns
 * MINOR_UNKNOWN for 3.11 and 3.12 if a core file does not contain the value of Py_Version. */
static int minor_by_symbols(const struct dynamic *d)
{
    uint64_t address;
    uint32_t version;

    if (dynamic_find(d, "Py_Version", &address)) { /* from 3.11 on */
        if (memory_read(d->memory, address, &version, sizeof(version)) && version >> 24 == 3)
            return VERSION_MINOR(version);
        return MINOR_UNKNOWN;
    }
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

/* Sets state, version and offsets of a Python of this minor version. 3.8 and older have no table:
 * their version is set to 0. */
static void use_table(const struct memory *memory, struct located *python, int minor)
{
    python->version = minor < OFFSETS_MINOR_MIN ? 0 : VERSION_OF(minor);
    if (known_offsets(minor, &python->offsets))
        check_version(memory, python);
    else
        python->state = PYTHON_OTHER_VERSION;
}

/* Tries the tables of the minor versions from `last` down to `first`. Returns true if the Python is
 * readable with one of them. Otherwise, its version is not known, and its state is
 * PYTHON_CONTRADICTS. */
static bool use_any_table(const struct memory *memory, struct located *python, int first, int last)
{
    int minor;

    for (minor = last; minor >= first; minor--) {
        use_table(memory, python, minor);
        if (python->state == PYTHON_READABLE)
            return true;
    }
    python->state = PYTHON_CONTRADICTS;
    python->version = 0;
    return false;
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
        if (minor == MINOR_UNKNOWN)
            use_any_table(s->memory, python, 11, 12);
        else
            use_table(s->memory, python, minor);
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

/* Adds a Python that exports no symbols, unless it cannot be read. runtime: the address at which
 * its _PyRuntime may be. */
static void add_hidden(struct search *s, const struct mapping *file, uint64_t runtime)
{
    struct located *python = add(s, file, runtime);

    if (!python || use_debug_offsets(s->memory, python) ||
        use_any_table(s->memory, python, OFFSETS_MINOR_MIN, DEBUG_OFFSETS_MINOR - 1))
        return;
    s->count--;
}

/* The beginning of _PyRuntime in 3.9 and 3.10, as far as it is the same in both. */
struct old_runtime {
    int32_t preinitializing, preinitialized, core_initialized, initialized;
    uint64_t finalizing, mutex; /* pointers */
    uint64_t newest, main;      /* pointers to interpreters */
    int64_t next_id;            /* the ID of the next interpreter */
};

static bool is_pointer(uint64_t value)
{
    return value >= 4096 && value % 8 == 0 && value <= INT64_MAX;
}

/* True if these bytes may be the beginning of the _PyRuntime of a running Python: the cookie of
 * _Py_DebugOffsets, or what 3.9 and 3.10 have there. */
static bool may_be_runtime(const char *bytes)
{
    struct old_runtime old;

    if (memcmp(bytes, COOKIE, strlen(COOKIE)) == 0)
        return true;
    memcpy(&old, bytes, sizeof(old));
    return old.preinitializing == 0 && old.preinitialized == 1 && old.core_initialized == 1 &&
           old.initialized == 1 && old.finalizing == 0 && is_pointer(old.mutex) &&
           is_pointer(old.newest) && is_pointer(old.main) && old.next_id > 0 &&
           old.next_id <= INT32_MAX;
}

/* Searches a writable mapping for _PyRuntime. */
static void search_mapping(struct search *s, const struct mapping *m)
{
    uint64_t max = SEARCH_MAX < s->left ? SEARCH_MAX : s->left;
    uint64_t end = m->end - m->start > max ? m->start + max : m->end, at;
    char chunk[CHUNK_SIZE + sizeof(struct old_runtime)];
    size_t size, i;

    s->left -= end - m->start;
    for (at = m->start; at < end; at += CHUNK_SIZE) {
        size = end - at < sizeof(chunk) ? (size_t)(end - at) : sizeof(chunk);
        if (!memory_read(s->memory, at, chunk, size))
            continue;
        for (i = 0; i < CHUNK_SIZE && i + sizeof(struct old_runtime) <= size; i += 8)
            if (may_be_runtime(chunk + i))
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

/* Finds the Pythons that export no symbols. Searches the writable data of executables and libraries
 * for _PyRuntime, and the memory behind these data, which is initialized with zeros (.bss). If
 * `files` is not NULL, also looks for the section of _PyRuntime in each file. */
static void find_hidden(struct search *s, const struct locate_files *files)
{
    const struct mapping *m, *end = s->mappings->items + s->mappings->count;
    bool is_data = false, is_bss;

    for (m = s->mappings->items; m < end; m++) {
        is_bss = is_data && m->path[0] == '\0' && m->start == m[-1].end;
        is_data = m->writable && m->readable && m->path[0] == '/';
        if (is_data || (is_bss && m->writable && m->readable))
            search_mapping(s, m);
    }
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

/* Finds the Pythons as locate_pythons does. */
static size_t find_all(const struct memory *memory, const struct mappings *mappings,
                       const struct locate_files *files, struct located *out, size_t room)
{
    struct search s = {
        .memory = memory, .mappings = mappings, .out = out, .room = room, .left = SEARCH_ALL};
    size_t i;

    for (i = 0; i < mappings->count; i++) {
        if (!is_first(&mappings->items[i]))
            continue;
        memory_forget(memory); /* no two images have a page in common, so use less memory */
        look_at_symbols(&s, &mappings->items[i]);
    }
    if (s.count == 0)
        find_hidden(&s, files);
    sort(out, s.count);
    return s.count;
}

size_t locate_pythons(const struct memory *memory, const struct mappings *mappings,
                      const struct locate_files *files, struct located *out, size_t room)
{
    const size_t size = sizeof(struct memory_pages) + (size_t)PAGES_COPIES * PAGE_BYTES;
    unsigned char(*copies)[PAGE_BYTES] = MAP_FAILED;
    struct memory_pages *pages;
    struct memory kept;
    size_t count;

    if (memory->is_slow)
        copies = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (copies == MAP_FAILED)
        return find_all(memory, mappings, files, out, room);
    pages = (struct memory_pages *)(void *)copies[PAGES_COPIES];
    pages->memory = *memory;
    pages->copies = copies;
    kept = memory_pages(pages);
    count = find_all(&kept, mappings, files, out, room);
    munmap(copies, size);
    return count;
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
        snprintf(out, size,
                 "runs Python %s, but the memory of this Python is not laid out as expected: "
                 "Python is just starting or ending, or is a modified build",
                 version[0] ? version : "3.11 or 3.12");
        return;
    case PYTHON_PYPY:
        snprintf(out, size, "runs PyPy, which is not supported: pystuck reads CPython only");
        return;
    case PYTHON_32_BIT:
        snprintf(out, size, "runs a 32-bit Python, which is not supported");
        return;
    }
}
