/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include <elf.h>

#include "dynamic_symbols.h"
#include "known_offsets.h"
#include "locate.h"

#define PAGE 4096

/* A process with one mapping, whose contents are `image`. */
static unsigned char image[8 * PAGE];
static struct mapping only = {.start = 0x10000,
                              .end = 0x10000 + sizeof(image),
                              .inode = 7,
                              .readable = true,
                              .path = "/lib/libx.so"};
static const struct mappings mappings = {&only, 1};
static size_t reads;

static bool read_image(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    (void)m;
    reads++;
    for (size_t i = 0; i < count; i++) {
        uint64_t at = pieces[i].address - only.start;

        if (pieces[i].address < only.start || at > sizeof(image) ||
            pieces[i].size > sizeof(image) - at)
            return false;
        memcpy(pieces[i].to, image + at, pieces[i].size);
    }
    return true;
}

static const struct memory memory = {.read = read_image};

static void *at(uint64_t offset)
{
    return image + offset;
}

#define DYNAMIC 0x1000
#define SYMBOLS 0x2000
#define NAMES   0x3000
#define HASHES  0x4000
#define RUNTIME 0x6000

/* Makes an image that exports one symbol, in a hash table of the old kind. */
static void make_image(const char *symbol)
{
    Elf64_Phdr *segments = at(sizeof(Elf64_Ehdr));
    Elf64_Sym *symbols = at(SYMBOLS);
    uint32_t *hashes = at(HASHES);

    memset(image, 0, sizeof(image));
    *(Elf64_Ehdr *)at(0) = (Elf64_Ehdr){.e_phoff = sizeof(Elf64_Ehdr),
                                        .e_phentsize = sizeof(Elf64_Phdr),
                                        .e_phnum = 2,
                                        .e_type = ET_DYN};
    memcpy(image, ELFMAG, SELFMAG);
    image[EI_CLASS] = ELFCLASS64;
    image[EI_DATA] = ELFDATA2LSB;
    segments[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_memsz = sizeof(image)};
    segments[1] =
        (Elf64_Phdr){.p_type = PT_DYNAMIC, .p_vaddr = DYNAMIC, .p_memsz = 4 * sizeof(Elf64_Dyn)};
    memcpy(at(DYNAMIC),
           (Elf64_Dyn[]){
               {DT_SYMTAB, {SYMBOLS}}, {DT_STRTAB, {NAMES}}, {DT_HASH, {HASHES}}, {DT_NULL, {0}}},
           4 * sizeof(Elf64_Dyn));
    memcpy(at(NAMES + 1), symbol, strlen(symbol) + 1);
    symbols[1] = (Elf64_Sym){.st_name = 1, .st_shndx = 1, .st_value = RUNTIME};
    memcpy(hashes, (uint32_t[]){1, 2, 1, 0, 0}, 20); /* one bucket, two symbols */
}

static size_t locate(struct located *out)
{
    return locate_pythons(&memory, &mappings, NULL, out, LOCATE_MAX);
}

TEST(a_symbol_is_found_in_the_memory_of_a_process)
{
    struct dynamic d;
    uint64_t address = 0;

    make_image("something");
    assert_true(dynamic_open(&d, &memory, &only));
    assert_true(dynamic_find(&d, "something", &address));
    assert_int_equal(address, only.start + RUNTIME);
    assert_false(dynamic_find(&d, "somethin", &address));
    assert_false(dynamic_find(&d, "something2", &address));
}

TEST(a_symbol_that_the_image_only_uses_is_not_found)
{
    struct dynamic d;
    uint64_t address;

    make_image("something");
    ((Elf64_Sym *)at(SYMBOLS))[1].st_shndx = SHN_UNDEF;
    assert_true(dynamic_open(&d, &memory, &only));
    assert_false(dynamic_find(&d, "something", &address));
}

TEST(a_chain_of_symbols_that_is_a_circle_ends)
{
    struct dynamic d;
    uint64_t address;

    make_image("something");
    ((uint32_t *)at(HASHES))[4] = 1; /* behind symbol 1 comes symbol 1 */
    assert_true(dynamic_open(&d, &memory, &only));
    assert_false(dynamic_find(&d, "other", &address));
}

TEST(a_process_without_python_has_none)
{
    struct located found[LOCATE_MAX];
    char text[LOCATE_TEXT_SIZE];

    make_image("something");
    assert_int_equal(locate(found), 0);
    memset(image, 0, sizeof(image));
    assert_int_equal(locate(found), 0);
    locate_explain(NULL, text, sizeof(text));
    assert_string_equal(text, "does not run Python");
}

TEST(kinds_of_python_that_cannot_be_read_are_told_apart)
{
    static const struct {
        const char *symbol, *text;
    } cases[] = {
        {"pypy_main_startup", "runs PyPy"},
        {"PyEval_EvalFrameEx", "older than 3.9"},
        {"_PyRuntime", "older than 3.9"},
    };
    struct located found[LOCATE_MAX];
    char text[LOCATE_TEXT_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        make_image(cases[i].symbol);
        assert_int_equal(locate(found), 1);
        assert_int_not_equal(found[0].state, PYTHON_READABLE);
        locate_explain(&found[0], text, sizeof(text));
        assert_non_null(strstr(text, cases[i].text));
    }
}

TEST(a_32_bit_python_is_told_apart_by_its_name)
{
    struct located found[LOCATE_MAX];
    char text[LOCATE_TEXT_SIZE];

    make_image("_PyRuntime");
    image[EI_CLASS] = ELFCLASS32;
    assert_int_equal(locate(found), 0);
    only.path = "/usr/bin/python3.11";
    assert_int_equal(locate(found), 1);
    only.path = "/lib/libx.so";
    locate_explain(&found[0], text, sizeof(text));
    assert_non_null(strstr(text, "32-bit"));
}

TEST(a_new_version_is_refused_with_its_number)
{
    struct located found[LOCATE_MAX];
    char text[LOCATE_TEXT_SIZE];

    make_image("_PyRuntime");
    memcpy(at(RUNTIME), "xdebugpy", 8);
    *(uint64_t *)at(RUNTIME + 8) = 0x031000a2;
    assert_int_equal(locate(found), 1);
    assert_int_equal(found[0].state, PYTHON_OTHER_VERSION);
    locate_explain(&found[0], text, sizeof(text));
    assert_non_null(strstr(text, "3.16.0a2"));
    assert_non_null(strstr(text, "3.9 to 3.15"));
}

TEST(a_python_that_exports_nothing_is_found_by_its_cookie)
{
    struct located found[LOCATE_MAX];

    make_image("something");
    memcpy(at(RUNTIME), "xdebugpy", 8);
    *(uint64_t *)at(RUNTIME + 8) = 0x030e00f0;
    *(uint64_t *)at(RUNTIME + 16) = 1;
    assert_int_equal(locate(found), 0);
    only.writable = true;
    assert_int_equal(locate(found), 1);
    only.writable = false;
    assert_int_equal(found[0].state, PYTHON_FREE_THREADED);
    assert_int_equal(found[0].runtime, only.start + RUNTIME);
}

TEST(images_that_are_invalid_do_no_harm)
{
    static const uint64_t unusual[] = {0, 1, UINT64_MAX, INT64_MAX, 0xffffffff, 0x10000, 0x17fff};
    struct located found[LOCATE_MAX];
    uint32_t random = 1;

    for (int i = 0; i < 20000; i++) {
        if (i % 50 == 0)
            make_image(i % 100 == 0 ? "_PyRuntime" : "something");
        random = random * 1664525 + 1013904223;
        /* one word of the parts that are used, changed to an unusual value */
        memcpy(at((random >> 16) % 5 * PAGE + (random >> 8) % 32 * 8), &unusual[(random >> 4) % 7],
               8);
        reads = 0;
        locate(found);
        assert_true(reads < 100000);
    }
}

TEST(only_a_part_of_large_mappings_is_searched_for_the_cookie)
{
    const uint64_t size = (uint64_t)65 << 20, searched = (uint64_t)64 << 20, chunk = 65536;
    struct mapping many[20];
    struct mappings all = {many, 3};
    struct located found[LOCATE_MAX];

    for (uint64_t i = 0; i < 20; i++)
        many[i] = (struct mapping){.start = (i + 1) << 32,
                                   .end = ((i + 1) << 32) + size,
                                   .offset = 4096,
                                   .readable = true,
                                   .writable = true,
                                   .path = "/data"};
    reads = 0;
    assert_int_equal(locate_pythons(&memory, &all, NULL, found, LOCATE_MAX), 0);
    assert_int_equal(reads, 3 * searched / chunk);
    all.count = 20;
    reads = 0;
    assert_int_equal(locate_pythons(&memory, &all, NULL, found, LOCATE_MAX), 0);
    assert_int_equal(reads, 8 * searched / chunk); /* 512 MB of all */
}

#define INTERPRETER 0x5000
#define DICT        0x5800
#define KEYS        0x5900
#define KEY         0x5a00
#define NUMBER      0x5b00

static void put_pointer(uint64_t offset, uint64_t to)
{
    *(uint64_t *)at(offset) = only.start + to;
}

/* Puts the state of a Python at RUNTIME: an interpreter whose dict of sys has only hexversion. */
static void put_python(int minor)
{
    static const char name[] = "hexversion";
    struct offsets o;

    assert_true(known_offsets(minor, &o));
    put_pointer(RUNTIME + (uint64_t)o.runtime.interpreters, INTERPRETER);
    put_pointer(INTERPRETER + (uint64_t)o.interpreter.sys, DICT);
    put_pointer(DICT + (uint64_t)o.dict.keys, KEYS);
    if (minor <= 10) {
        *(uint64_t *)at(KEYS + 8) = 8; /* the size of the hash table */
        *(uint64_t *)at(KEYS + 32) = 1;
        put_pointer(KEYS + 48 + 8, KEY);
        put_pointer(KEYS + 48 + 16, NUMBER);
    } else {
        image[KEYS + 9] = 3;  /* the same as a power of 2 */
        image[KEYS + 10] = 1; /* all keys are str */
        *(uint64_t *)at(KEYS + 24) = 1;
        put_pointer(KEYS + 40, KEY);
        put_pointer(KEYS + 48, NUMBER);
    }
    *(uint64_t *)at(KEY + (uint64_t)o.text.length) = strlen(name);
    *(uint32_t *)at(KEY + (uint64_t)o.text.state) = 1 << 2 | 1 << 5 | 1 << 6; /* compact ASCII */
    memcpy(at(KEY + (uint64_t)o.text.ascii), name, sizeof(name));
    *(uint64_t *)at(NUMBER + (uint64_t)o.integer.tag) = minor >= 12 ? 1 << 3 : 1; /* one digit */
    *(uint32_t *)at(NUMBER + (uint64_t)o.integer.digits) = 0x030001f0U | (unsigned)minor << 16;
}

TEST(a_python_that_exports_nothing_is_found_by_the_form_of_its_state)
{
    struct mapping parts[] = {only, only};
    const struct mappings both = {parts, 2};
    struct located found[LOCATE_MAX];
    int32_t *flags = at(RUNTIME + 128);

    parts[0].end = parts[1].start = only.start + RUNTIME;
    parts[0].writable = parts[1].writable = true;
    parts[1].path = "";
    for (int minor = 9; minor <= 10; minor++) {
        make_image("something");
        put_python(minor);
        memmove(at(RUNTIME + 128), at(RUNTIME), 256);
        memset(at(RUNTIME), 0, 128);
        put_pointer(RUNTIME + 128 + 24, DICT); /* a lock */
        put_pointer(RUNTIME + 128 + 40, INTERPRETER);
        *(uint64_t *)at(RUNTIME + 128 + 48) = 1;
        assert_int_equal(locate_pythons(&memory, &both, NULL, found, LOCATE_MAX), 0);
        flags[1] = flags[2] = flags[3] = 1; /* it is initialized */
        assert_int_equal(locate_pythons(&memory, &both, NULL, found, LOCATE_MAX), 1);
        assert_int_equal(found[0].state, PYTHON_READABLE);
        assert_int_equal(found[0].runtime, only.start + RUNTIME + 128);
        assert_int_equal(found[0].version, 0x030001f0U | (unsigned)minor << 16);
        parts[1].start++; /* it is not behind the data of the file */
        assert_int_equal(locate_pythons(&memory, &both, NULL, found, LOCATE_MAX), 0);
        parts[1].start--;
    }
}

TEST(the_version_of_a_python_is_found_without_the_value_of_py_version)
{
    struct located found[LOCATE_MAX];
    Elf64_Sym *symbols = at(SYMBOLS);

    for (int minor = 11; minor <= 12; minor++) {
        make_image("_PyRuntime");
        memcpy(at(NAMES + 100), "Py_Version", sizeof("Py_Version"));
        symbols[2] = (Elf64_Sym){.st_name = 100, .st_shndx = 1, .st_value = sizeof(image)};
        memcpy(at(HASHES), (uint32_t[]){1, 3, 1, 0, 2, 0}, 24);
        put_python(minor);
        assert_int_equal(locate(found), 1);
        assert_int_equal(found[0].state, PYTHON_READABLE);
        assert_int_equal(found[0].version, 0x030001f0U | (unsigned)minor << 16);
        memset(at(KEY), 0, 256);
        assert_int_equal(locate(found), 1);
        assert_int_equal(found[0].state, PYTHON_CONTRADICTS);
        assert_int_equal(found[0].version, 0);
    }
}
