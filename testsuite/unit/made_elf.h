/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Makes ELF files: small libraries, and core files of processes that never were.
 */
#ifndef MADE_ELF_H
#define MADE_ELF_H

#include <elf.h>

#include "unit.h"

/* A library of this size: a file header, a program header of a PT_NOTE segment, a note with a build
 * ID, and sections. The rest of it has the bytes that `filler` says. */
#define LIBRARY_SIZE 8192

/* Where its parts are. */
#define LIBRARY_NOTE     (sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))
#define LIBRARY_NAMES    256
#define LIBRARY_SECTIONS 512
#define LIBRARY_END      (LIBRARY_SECTIONS + 3 * sizeof(Elf64_Shdr))

/* Makes a library. build_id: 20 characters; NULL: it has no note. Its section ".found" has the
 * address 0x1234 and 8 bytes. */
void make_library(unsigned char out[LIBRARY_SIZE], const char *build_id, int filler);

/* A core file that is being made. */
struct made_core {
    struct buffer notes;
    Elf64_Phdr segments[16];
    const void *data[16];
    size_t count;
};

#define AUTO_MADE _cleanup_(made_free) struct made_core

void made_free(struct made_core *m);

void made_note(struct made_core *m, const char *name, uint32_t type, const void *data, size_t size);

/* Adds the note of a thread. The first one is that of the thread that got the signal. */
void made_thread(struct made_core *m, pid_t id, int signal);

/* A mapping of a file, for the note NT_FILE. */
struct made_mapping {
    uint64_t start, end, offset;
    const char *path;
};

void made_files(struct made_core *m, const struct made_mapping *mappings, size_t count);

/* Adds a segment of `size` bytes at an address, of which the file has `saved`. data must stay
 * valid. */
void made_segment(struct made_core *m, uint64_t address, size_t size, uint32_t flags,
                  const void *data, size_t saved);

/* Returns the descriptor of the complete core file, which has no name. */
int made_write(const struct made_core *m);

#endif
