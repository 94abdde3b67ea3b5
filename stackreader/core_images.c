/* SPDX-License-Identifier: BSD-3-Clause */
#include "core_images.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procfs/patient.h"

#define PATH_SIZE         4352 /* PATH_MAX, and a directory in front */
#define PAGE_SIZE         4096
#define HEAD_SIZE         0x10000 /* bytes at the start of a file in which its build ID is searched for */
#define PATIENCE_AGAIN_MS 100 /* how long to wait for a file after another one has blocked */
#define REMOVED           " (deleted)"

/* ---- Files on this machine ------------------------------------------------------------------- */

/* Reads the build ID of a file. Returns false if the file is not an executable or a library for
 * this machine. */
static bool read_build_id(int fd, struct elf_build_id *out)
{
    unsigned char *head = malloc(HEAD_SIZE);
    struct elf elf;
    bool usable;

    *out = (struct elf_build_id){.size = 0};
    if (!head)
        return false;
    usable = elf_open(&elf, head, core_read_at(fd, 0, head, HEAD_SIZE)) == ELF_OK &&
             elf.machine == elf_own_machine() && (elf.type == ET_EXEC || elf.type == ET_DYN);
    if (usable)
        elf_build_id(&elf, out);
    free(head);
    return usable;
}

/* ---- What the core file says ----------------------------------------------------------------- */

/* Sets *address to the address at which the beginning of a file was mapped. Returns false if the
 * beginning was not mapped. */
static bool find_start(const struct core *core, size_t file, uint64_t *address)
{
    const struct mapping *m = core->mappings.items, *end = m + core->mappings.count;

    for (; m < end; m++) {
        if (m->inode == file + 1 && m->offset == 0) {
            *address = m->start;
            return true;
        }
    }
    return false;
}

/* Reads the first page of a mapped file from the core file. Returns how many bytes of the page the
 * core file has. */
static size_t read_first_page(const struct core *core, size_t file, void *page)
{
    uint64_t start;

    return find_start(core, file, &start) ? core_read(core, start, page, PAGE_SIZE) : 0;
}

static void read_image(const struct core_images *images, size_t file)
{
    struct core_image *image = &images->items[file];
    unsigned char page[PAGE_SIZE];
    struct elf elf;

    if (image->was_read)
        return;
    image->was_read = true;
    image->page_size = read_first_page(images->core, file, page);
    if (elf_open(&elf, page, image->page_size) == ELF_OK)
        elf_build_id(&elf, &image->build_id);
}

static bool same_first_page(const struct core_images *images, size_t file, int fd)
{
    unsigned char saved[PAGE_SIZE], own[PAGE_SIZE];
    size_t size = read_first_page(images->core, file, saved);

    return size > 0 && core_read_at(fd, 0, own, size) == size && memcmp(own, saved, size) == 0;
}

/* Compares a file of this machine, whose build ID is `id`, with a file that the process had mapped.
 */
static enum image_state compare(const struct core_images *images, size_t file, int fd,
                                const struct elf_build_id *id)
{
    const struct core_image *image = &images->items[file];

    read_image(images, file);
    if (image->build_id.size > 0)
        return elf_same_build_id(&image->build_id, id) ? IMAGE_FOUND : IMAGE_REPLACED;
    if (image->page_size > 0)
        return same_first_page(images, file, fd) ? IMAGE_FOUND : IMAGE_REPLACED;
    return IMAGE_UNCHECKED;
}

/* ---- Searching ------------------------------------------------------------------------------- */

/* A file that a separate thread opens. If opening the file blocks, this thread is left behind. */
struct opening {
    int fd;
    bool is_usable; /* the result of read_build_id() */
    struct elf_build_id id;
    char path[];
};

static void open_file(void *arg)
{
    struct opening *o = arg;

    o->fd = core_open_file(o->path);
    o->is_usable = o->fd >= 0 && read_build_id(o->fd, &o->id);
}

static void close_opening(void *arg)
{
    struct opening *o = arg;

    if (o->fd >= 0)
        close(o->fd);
    free(o);
}

static bool has_blocked(const struct core_images *images)
{
    size_t i;

    for (i = 0; i < images->core->file_count; i++) {
        if (images->items[i].state == IMAGE_BLOCKED)
            return true;
    }
    return false;
}

/* Opens the file at a path. Sets *is_usable and *id as read_build_id() does. Returns -1 with errno
 * if the file cannot be opened. errno is ETIMEDOUT if opening the file is blocked. */
static int open_patiently(const struct core_images *images, const char *path, bool *is_usable,
                          struct elf_build_id *id)
{
    size_t size = strlen(path) + 1;
    struct opening *o = calloc(1, sizeof(*o) + size);
    int patience = images->patience_ms, error = ENOMEM, fd = -1;

    if (has_blocked(images) && patience > PATIENCE_AGAIN_MS)
        patience = PATIENCE_AGAIN_MS;
    if (o) {
        memcpy(o->path, path, size);
        error = procfs_run_patiently(open_file, close_opening, o, patience);
    }
    if (error == 0) {
        fd = o->fd;
        *is_usable = o->is_usable;
        *id = o->id;
        error = ENOENT;
    }
    if (error != ETIMEDOUT)
        free(o);
    errno = error;
    return fd;
}

/* Opens the file at a path. Returns true, with the descriptor in image->fd, if the file is the one
 * that the process had mapped. Sets image->state. */
static bool try_path(const struct core_images *images, size_t file, const char *path)
{
    struct core_image *image = &images->items[file];
    enum image_state state;
    struct elf_build_id id;
    bool is_usable;
    int fd = open_patiently(images, path, &is_usable, &id);

    if (fd < 0) {
        if (errno == ETIMEDOUT)
            image->state = IMAGE_BLOCKED;
        return false;
    }
    state = is_usable ? compare(images, file, fd, &id) : IMAGE_REPLACED;
    if (state == IMAGE_FOUND)
        image->fd = fd;
    else
        close(fd);
    if (state == IMAGE_FOUND || image->state == IMAGE_MISSING)
        image->state = state;
    return state == IMAGE_FOUND;
}

static bool try_own_path(const struct core_images *images, size_t file)
{
    const char *path = images->core->files[file].path;
    size_t len = strlen(path), end = strlen(REMOVED);
    char name[PATH_SIZE];

    if (*path != '/' || len >= sizeof(name))
        return false;
    if (len > end && strcmp(path + len - end, REMOVED) == 0)
        len -= end;
    memcpy(name, path, len);
    name[len] = '\0';
    return try_path(images, file, name);
}

/* Tries the files that debuginfod-find(1) has downloaded. They are in the directory that the
 * environment variable DEBUGINFOD_CACHE_PATH names, or else in the cache directory of the user. */
static bool try_downloaded(const struct core_images *images, size_t file, const char *hex)
{
    const char *cache = getenv("DEBUGINFOD_CACHE_PATH"), *home = getenv("XDG_CACHE_HOME");
    const char *between = "/debuginfod_client";
    char path[PATH_SIZE];

    if (cache && *cache) {
        home = cache;
        between = "";
    } else if (!home || !*home) {
        home = getenv("HOME");
        between = "/.cache/debuginfod_client";
    }
    if (!home || *home != '/' ||
        snprintf(path, sizeof(path), "%s%s/%s/executable", home, between, hex) >= (int)sizeof(path))
        return false;
    return try_path(images, file, path);
}

/* Tries the directories in which files are found by their build ID. */
static bool try_build_id(const struct core_images *images, size_t file)
{
    static const char *const folders[] = {"/usr/lib/debug/.build-id", "/usr/lib/.build-id"};
    const struct elf_build_id *id = core_images_build_id(images, file);
    char hex[BUILD_ID_TEXT_SIZE], path[PATH_SIZE];
    size_t i;

    if (id->size < 2)
        return false;
    build_id_text(id, hex);
    for (i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(path, sizeof(path), "%s/%.2s/%s", folders[i], hex, hex + 2);
        if (try_path(images, file, path))
            return true;
    }
    return try_downloaded(images, file, hex);
}

/* True if both paths have the same file name at their end. */
static bool same_name(const char *a, const char *b)
{
    const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
    size_t len, end = strlen(REMOVED);

    x = x ? x + 1 : a;
    y = y ? y + 1 : b;
    len = strlen(y);
    if (len > end && strcmp(y + len - end, REMOVED) == 0)
        len -= end;
    return strlen(x) == len && memcmp(x, y, len) == 0;
}

/* Returns whether `given`, a path from the user, stands for mapped file number `file` of the core.
 * Call this function only if the core file contains neither a build ID nor the first page of the
 * mapped file. True if the names of the two files are equal. Also true if `file` is the executable
 * and no mapped file has the name of `given`. */
static bool is_meant(const struct core_images *images, size_t file, const char *given)
{
    const struct core *core = images->core;
    size_t i;

    if (same_name(given, core->files[file].path))
        return true;
    for (i = 0; i < core->file_count; i++) {
        if (same_name(given, core->files[i].path))
            return false;
    }
    return file == core_executable(core);
}

/* True if `given`, a file that the user has named, is mapped file number `file` of the core. */
static bool is_right(const struct core_images *images, size_t file, const struct given_image *given)
{
    enum image_state state = compare(images, file, given->fd, &given->build_id);

    return state == IMAGE_FOUND ||
           (state == IMAGE_UNCHECKED && is_meant(images, file, given->path));
}

/* Looks for mapped file number `file` of the core among the files that the user has named. */
static bool try_given(const struct core_images *images, size_t file)
{
    struct core_image *image = &images->items[file];
    size_t i;

    for (i = 0; i < images->given_count; i++) {
        if (!is_right(images, file, &images->given[i]))
            continue;
        image->fd = fcntl(images->given[i].fd, F_DUPFD_CLOEXEC, 0);
        image->state = image->fd >= 0 ? IMAGE_FOUND : IMAGE_MISSING;
        return image->fd >= 0;
    }
    return false;
}

const struct core_image *core_images_get(const struct core_images *images, size_t file)
{
    struct core_image *image = &images->items[file];

    if (image->state != IMAGE_NEW)
        return image;
    image->state = IMAGE_MISSING;
    if (!try_given(images, file) && !try_own_path(images, file))
        try_build_id(images, file);
    return image;
}

size_t core_image_read(const struct core_image *image, uint64_t offset, void *to, size_t size)
{
    return core_read_at(image->fd, offset, to, size);
}

const struct elf_build_id *core_images_build_id(const struct core_images *images, size_t file)
{
    read_image(images, file);
    return &images->items[file].build_id;
}

void build_id_text(const struct elf_build_id *id, char out[BUILD_ID_TEXT_SIZE])
{
    size_t i;

    out[0] = '\0';
    for (i = 0; i < id->size; i++)
        snprintf(out + 2 * i, 3, "%02x", id->bytes[i]);
}

/* ---- Opening --------------------------------------------------------------------------------- */

bool core_images_open(struct core_images *images, const struct core *core)
{
    size_t i;

    *images = (struct core_images){.core = core, .patience_ms = IMAGES_PATIENCE_MS};
    images->items = calloc(core->file_count + 1, sizeof(*images->items));
    for (i = 0; images->items && i < core->file_count; i++)
        images->items[i].fd = -1;
    return images->items;
}

void core_images_close(struct core_images *images)
{
    size_t i;

    for (i = 0; i < images->given_count; i++)
        close(images->given[i].fd);
    for (i = 0; images->items && i < images->core->file_count; i++) {
        if (images->items[i].fd >= 0)
            close(images->items[i].fd);
    }
    free(images->items);
    *images = (struct core_images){0};
}

/* True if a file that the user has named is a file that the process had mapped. */
static bool belongs(const struct core_images *images, const struct given_image *given)
{
    size_t i;

    for (i = 0; i < images->core->file_count; i++) {
        if (is_right(images, i, given))
            return true;
    }
    return false;
}

enum give_result core_images_give(struct core_images *images, const char *path)
{
    struct given_image given = {.path = path, .fd = -1};
    enum give_result result = GIVE_OK;

    if (images->given_count == IMAGES_GIVEN_MAX)
        return GIVE_TOO_MANY;
    given.fd = core_open_file(path);
    if (given.fd < 0)
        return GIVE_UNREADABLE;
    if (!read_build_id(given.fd, &given.build_id))
        result = GIVE_NOT_ELF;
    else if (!belongs(images, &given))
        result = GIVE_OTHER;
    if (result != GIVE_OK) {
        close(given.fd);
        return result;
    }
    images->given[images->given_count++] = given;
    return GIVE_OK;
}
