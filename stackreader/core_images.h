/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The executable and the libraries of a process whose core file is read: finds their files on this
 * machine. A core file leaves out memory whose contents are in these files.
 *
 * A file is used only if it has the build ID that the core file has for it. If the core file has no
 * build ID for the file, the first page of the file must be equal to that in the core file. If the
 * core file has neither a build ID nor the first page, only a file that the user has named is used.
 * It is used for the mapped file that has the same file name. If no mapped file has this name, it
 * is used for the executable.
 */
#ifndef STACKREADER_CORE_IMAGES_H
#define STACKREADER_CORE_IMAGES_H

#include "core_file.h"
#include "elf_image.h"

enum image_state {
    IMAGE_NEW, /* the file was not searched for yet */
    IMAGE_FOUND,
    IMAGE_MISSING,  /* there is no file at its path or for its build ID */
    IMAGE_REPLACED, /* the file at its path is a different one */
    IMAGE_BLOCKED,  /* the file at its path cannot be opened in time: its disk or file server does
                     * not answer */
    IMAGE_UNCHECKED /* the core file does not show whether the file at its path is the right one */
};

/* What is known about one of core->files. */
struct core_image {
    enum image_state state;
    bool was_read; /* build_id and page are set */
    struct elf_build_id build_id;
    size_t page_size; /* bytes of the first page that the core file has */
    int fd;           /* valid if state is IMAGE_FOUND */
};

/* A file that the user has named. */
struct given_image {
    const char *path;
    int fd;
    struct elf_build_id build_id;
};

#define IMAGES_GIVEN_MAX 16

struct core_images {
    const struct core *core;
    struct core_image *items; /* an array parallel to core->files */
    struct given_image given[IMAGES_GIVEN_MAX];
    size_t given_count;
    int patience_ms; /* how long to wait for a file whose disk or file server does not answer. After
                      * the first such file, the wait is shorter */
};

#define IMAGES_PATIENCE_MS 1000

/* Makes *images empty, with a patience of IMAGES_PATIENCE_MS. Returns false if there is no memory.
 * Call core_images_close in both cases. core must stay valid. */
bool core_images_open(struct core_images *images, const struct core *core);

void core_images_close(struct core_images *images);

enum give_result {
    GIVE_OK,
    GIVE_UNREADABLE, /* errno says why */
    GIVE_NOT_ELF, /* it is not a regular file that is an executable or library for this machine */
    GIVE_OTHER,   /* no file that the process had mapped has its build ID */
    GIVE_TOO_MANY
};

/* Adds a file that the user has named. path must stay valid. */
enum give_result core_images_give(struct core_images *images, const char *path);

/* Returns the file with this index in core->files. Searches for the file if this was not done
 * before. */
const struct core_image *core_images_get(const struct core_images *images, size_t file);

/* Reads up to `size` bytes of a file that was found. Returns how many were read. */
size_t core_image_read(const struct core_image *image, uint64_t offset, void *to, size_t size);

/* Returns the build ID that the core file has for a file. If the core file has no build ID for the
 * file, the size of the result is 0. */
const struct elf_build_id *core_images_build_id(const struct core_images *images, size_t file);

#define BUILD_ID_TEXT_SIZE (2 * ELF_BUILD_ID_MAX + 1)

/* Writes a build ID in hexadecimal digits. */
void build_id_text(const struct elf_build_id *id, char out[BUILD_ID_TEXT_SIZE]);

#endif
