/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads ELF images of this machine's byte order and of 64 bits: executables, shared libraries and
 * the headers of core files.
 *
 * The image is a block of memory. It may be cut, and every number in it may be wrong: parts outside
 * of the block are not found. For example, in the first page of a library, taken from the memory of
 * a process, the build ID is found, but no section. No function allocates memory.
 */
#ifndef STACKREADER_ELF_IMAGE_H
#define STACKREADER_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result of elf_open(). With ELF_32_BIT and ELF_OTHER_ENDIAN, only elf->machine is set. */
enum elf_result {
    ELF_OK,
    ELF_NOT_ELF,
    ELF_CUT,          /* the file header is not complete */
    ELF_32_BIT,       /* an image of a 32-bit program */
    ELF_OTHER_ENDIAN, /* an image for a machine with another byte order */
};

struct elf {
    const unsigned char *data;
    size_t size;
    uint16_t type;            /* ET_EXEC, ET_DYN or ET_CORE of <elf.h> */
    uint16_t machine;         /* EM_X86_64, EM_AARCH64, ... */
    uint64_t segments_offset; /* where the program headers are, as an offset in the file */
    size_t segment_count;     /* PN_XNUM: the count is in sh_info of the first section header */
    uint64_t sections_offset;
    size_t section_count;
    size_t names_section; /* the index of the section that has the names of sections */
};

/* Reads the file header. data must stay valid as long as *elf is used. */
enum elf_result elf_open(struct elf *elf, const void *data, size_t size);

/* The machine for which this program was compiled (EM_...). */
uint16_t elf_own_machine(void);

/* Returns a name for a machine, such as "x86-64"; NULL if the machine is not in the list. */
const char *elf_machine_name(uint16_t machine);

/* A program header. */
struct elf_segment {
    uint32_t type;    /* PT_LOAD, PT_NOTE, ... */
    uint32_t flags;   /* PF_R, PF_W, PF_X */
    uint64_t offset;  /* in the file */
    uint64_t address; /* in memory */
    uint64_t file_size, memory_size;
    uint64_t align;
};

#define ELF_SEGMENT_SIZE 56

/* Reads a program header of ELF_SEGMENT_SIZE bytes. */
void elf_parse_segment(const void *header, struct elf_segment *out);

/* Reads program header i. Returns false if this header is not in the image. */
bool elf_segment(const struct elf *elf, size_t i, struct elf_segment *out);

struct elf_section {
    uint32_t type; /* SHT_NOBITS: its bytes are not in the file */
    uint64_t offset, address, size;
};

/* Finds the first section with this name. Returns false if there is no such section. */
bool elf_find_section(const struct elf *elf, const char *name, struct elf_section *out);

#define ELF_BUILD_ID_MAX 64

struct elf_build_id {
    unsigned char bytes[ELF_BUILD_ID_MAX];
    size_t size; /* 0: there is none */
};

/* Reads the build ID. If the image has no build ID, sets out->size to 0 and returns false. */
bool elf_build_id(const struct elf *elf, struct elf_build_id *out);

/* True if two build IDs are equal. False if one of them is empty. */
bool elf_same_build_id(const struct elf_build_id *a, const struct elf_build_id *b);

/* Notes, such as those of a PT_NOTE segment. */
struct elf_notes {
    const unsigned char *at;
    size_t left;
    size_t align; /* 4 or 8: names and values begin at multiples of it */
};

struct elf_note {
    uint32_t type;
    const char *name; /* name_size bytes, with a NUL at the end in a correct file */
    size_t name_size;
    const unsigned char *value;
    size_t size;
};

/* Takes the next note. Returns false at the end, and if the next note is not complete. */
bool elf_next_note(struct elf_notes *notes, struct elf_note *note);

/* True if the note has this name and type. */
bool elf_note_is(const struct elf_note *note, const char *name, uint32_t type);

#endif
