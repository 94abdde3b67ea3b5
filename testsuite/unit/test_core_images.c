/* SPDX-License-Identifier: BSD-3-Clause */
#include "core_images.h"

#include <sys/stat.h>

#include "made_elf.h"
#include "memory_core.h"

#define RIGHT "0123456789abcdefghij"
#define OTHER "jihgfedcba9876543210"
#define START UINT64_C(0x400000)
#define PAGE  4096

/* A folder with a library, and the core file of a process that had mapped it. */
struct scene {
    char folder[32], path[64], named[64];
    char mapped[80]; /* the path in the core file */
    struct core core;
    struct core_images images;
};

static void write_library(const char *path, const char *build_id, int filler)
{
    unsigned char library[LIBRARY_SIZE];
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    make_library(library, build_id, filler);
    assert_int_equal(write(fd, library, sizeof(library)), sizeof(library));
}

/* Opens the core file. saved: how many bytes of the library, which has this build ID, are in it.
 * flags: of its only segment. */
static void open_core_of(struct scene *s, const char *build_id, size_t saved, uint32_t flags)
{
    const struct made_mapping mapping = {START, START + LIBRARY_SIZE, 0, s->mapped};
    const uint64_t auxv[] = {AT_PHDR, START + 64, AT_NULL, 0};
    unsigned char library[LIBRARY_SIZE];
    AUTO_MADE m = {.count = 0};
    uint16_t machine;

    make_library(library, build_id, 'a');
    made_thread(&m, 70, 0);
    made_note(&m, "CORE", NT_AUXV, auxv, sizeof(auxv));
    made_files(&m, &mapping, 1);
    made_segment(&m, START, LIBRARY_SIZE, flags, library, saved);
    assert_int_equal(core_open(&s->core, made_write(&m), &machine), CORE_OK);
    assert_true(core_images_open(&s->images, &s->core));
}

static void scene_open(struct scene *s)
{
    strcpy(s->folder, "/tmp/pystuck-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof(s->path), "%s/library.so", s->folder);
    snprintf(s->named, sizeof(s->named), "%s/named.so", s->folder);
    snprintf(s->mapped, sizeof(s->mapped), "%s", s->path);
    s->core = (struct core){.fd = -1};
    s->images = (struct core_images){.core = NULL};
}

static void scene_close(struct scene *s)
{
    core_images_close(&s->images);
    core_close(&s->core);
    unlink(s->path);
    unlink(s->named);
    rmdir(s->folder);
}

#define AUTO_SCENE _cleanup_(scene_close) struct scene

/* Makes the scene with the library at s->path, and opens the core file. The build IDs are those of
 * the library and of the core file. saved: see open_core_of(). */
static void scene_with_library(struct scene *s, const char *build_id, const char *wanted,
                               size_t saved)
{
    scene_open(s);
    write_library(s->path, build_id, 'a');
    open_core_of(s, wanted, saved, PF_R);
}

/* Forgets which files were found. */
static void forget_files(struct scene *s)
{
    core_images_close(&s->images);
    assert_true(core_images_open(&s->images, &s->core));
}

static enum image_state state_of(struct scene *s, size_t image)
{
    return core_images_get(&s->images, image)->state;
}

TEST(a_file_with_the_build_id_of_the_core_file_is_used)
{
    AUTO_SCENE s;
    unsigned char bytes[8];

    scene_with_library(&s, RIGHT, RIGHT, PAGE);
    assert_int_equal(state_of(&s, 0), IMAGE_FOUND);
    assert_int_equal(core_image_read(core_images_get(&s.images, 0), LIBRARY_SIZE - 4, bytes, 8), 4);
    assert_memory_equal(bytes, "aaaa", 4);
}

TEST(a_file_that_was_removed_and_is_there_again_is_used)
{
    AUTO_SCENE s;

    scene_open(&s);
    write_library(s.path, RIGHT, 'a');
    snprintf(s.mapped, sizeof(s.mapped), "%s (deleted)", s.path);
    open_core_of(&s, RIGHT, PAGE, PF_R);
    assert_int_equal(state_of(&s, 0), IMAGE_FOUND);
}

TEST(a_file_with_another_build_id_is_not_used)
{
    AUTO_SCENE s;

    scene_with_library(&s, OTHER, RIGHT, PAGE);
    assert_int_equal(state_of(&s, 0), IMAGE_REPLACED);
    assert_int_equal(core_images_give(&s.images, s.path), GIVE_OTHER);
}

TEST(a_file_that_is_not_there_is_missing_until_the_user_names_another_one)
{
    AUTO_SCENE s;
    char hex[BUILD_ID_TEXT_SIZE];

    scene_open(&s);
    write_library(s.named, RIGHT, 'a');
    open_core_of(&s, RIGHT, PAGE, PF_R);
    assert_int_equal(state_of(&s, 0), IMAGE_MISSING);
    build_id_text(core_images_build_id(&s.images, 0), hex);
    assert_string_equal(hex, "303132333435363738396162636465666768696a");
    forget_files(&s);
    assert_int_equal(core_images_give(&s.images, s.named), GIVE_OK);
    assert_int_equal(state_of(&s, 0), IMAGE_FOUND);
}

TEST(without_a_build_id_the_first_page_must_be_equal)
{
    AUTO_SCENE s;

    scene_open(&s);
    write_library(s.path, NULL, 'a');
    write_library(s.named, NULL, 'b');
    open_core_of(&s, NULL, PAGE, PF_R);
    assert_int_equal(state_of(&s, 0), IMAGE_FOUND);
    assert_int_equal(core_images_give(&s.images, s.named), GIVE_OTHER);
}

TEST(a_file_that_cannot_be_checked_is_used_only_if_the_user_names_it)
{
    AUTO_SCENE s;

    scene_with_library(&s, RIGHT, RIGHT, 0);
    assert_int_equal(state_of(&s, 0), IMAGE_UNCHECKED);
    forget_files(&s);
    assert_int_equal(core_images_give(&s.images, s.path), GIVE_OK);
    assert_int_equal(state_of(&s, 0), IMAGE_FOUND);
}

/* Opens a core file that has no bytes of the executable and of the library that the process had
 * mapped. */
static void open_unchecked(struct scene *s)
{
    const struct made_mapping mappings[] = {
        {START, START + PAGE, 0, "/nonexistent/python"},
        {START + PAGE, START + 2 * PAGE, 0, "/nonexistent/library.so"},
    };
    const uint64_t auxv[] = {AT_PHDR, START + 64, AT_NULL, 0};
    AUTO_MADE m = {.count = 0};
    uint16_t machine;

    made_thread(&m, 70, 0);
    made_note(&m, "CORE", NT_AUXV, auxv, sizeof(auxv));
    made_files(&m, mappings, 2);
    assert_int_equal(core_open(&s->core, made_write(&m), &machine), CORE_OK);
    assert_true(core_images_open(&s->images, &s->core));
}

TEST(a_file_that_cannot_be_checked_is_used_for_the_one_with_its_name_or_as_the_executable)
{
    AUTO_SCENE s;

    scene_open(&s);
    write_library(s.path, RIGHT, 'a');
    write_library(s.named, OTHER, 'a');
    open_unchecked(&s);
    assert_int_equal(core_images_give(&s.images, s.path), GIVE_OK);
    assert_int_equal(state_of(&s, 0), IMAGE_MISSING);
    assert_int_equal(state_of(&s, 1), IMAGE_FOUND);
    forget_files(&s);
    assert_int_equal(core_images_give(&s.images, s.named), GIVE_OK);
    assert_int_equal(state_of(&s, 0), IMAGE_FOUND);
    assert_int_equal(state_of(&s, 1), IMAGE_MISSING);
}

TEST(a_file_that_is_downloaded_by_its_build_id_is_found)
{
    AUTO_SCENE s;
    char folder[128], path[256];

    scene_open(&s);
    snprintf(folder, sizeof(folder), "%s/303132333435363738396162636465666768696a", s.folder);
    snprintf(path, sizeof(path), "%s/executable", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_library(path, RIGHT, 'a');
    open_core_of(&s, RIGHT, PAGE, PF_R);
    setenv("DEBUGINFOD_CACHE_PATH", s.folder, 1);
    assert_int_equal(state_of(&s, 0), IMAGE_FOUND);
    unsetenv("DEBUGINFOD_CACHE_PATH");
    unlink(path);
    rmdir(folder);
}

TEST(what_is_no_library_cannot_be_named)
{
    AUTO_SCENE s;

    scene_open(&s);
    open_core_of(&s, RIGHT, PAGE, PF_R);
    assert_int_equal(core_images_give(&s.images, "/etc/passwd"), GIVE_NOT_ELF);
    assert_int_equal(core_images_give(&s.images, s.path), GIVE_UNREADABLE);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(core_images_give(&s.images, "/dev/zero"), GIVE_UNREADABLE);
    assert_int_equal(errno, EINVAL);
}

TEST(memory_that_the_core_file_leaves_out_is_read_from_the_file)
{
    AUTO_SCENE s;
    unsigned char bytes[16];
    struct memory_core source;
    struct memory memory;
    int64_t activity;

    scene_open(&s);
    write_library(s.path, RIGHT, 'b');
    open_core_of(&s, RIGHT, PAGE, PF_R);
    source = (struct memory_core){&s.core, &s.images};
    memory = memory_core(&source);
    assert_true(memory_read(&memory, START + PAGE - 8, bytes, 16));
    assert_memory_equal(bytes, "aaaaaaaabbbbbbbb", 16);
    assert_false(memory_read(&memory, START + LIBRARY_SIZE - 8, bytes, 16));
    assert_false(memory_read(&memory, START - 8, bytes, 16));
    assert_false(memory_read(&memory, UINT64_MAX - 7, bytes, 16));
    activity = memory.activity(&memory, 70);
    assert_true(activity >= 0); /* known */
    assert_int_equal(memory.activity(&memory, 70), activity);
    assert_true(memory.has_thread(&memory, 70));
    assert_false(memory.has_thread(&memory, 71));
}

/* Reads the second page of the library from a core file that is cut behind the first one. */
static bool read_cut(uint32_t flags)
{
    AUTO_SCENE s;
    unsigned char byte;
    struct memory_core source;
    struct memory memory;

    scene_open(&s);
    write_library(s.path, RIGHT, 'b');
    open_core_of(&s, RIGHT, LIBRARY_SIZE, flags);
    s.core.size -= PAGE;
    source = (struct memory_core){&s.core, &s.images};
    memory = memory_core(&source);
    return memory_read(&memory, START + PAGE, &byte, 1);
}

TEST(memory_that_the_process_has_written_is_not_read_from_the_file_if_it_was_cut_off)
{
    assert_true(read_cut(PF_R));
    assert_false(read_cut(PF_R | PF_W));
}
