/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the headers and notes of a core file: what the process was, its threads, and where its
 * memory is in the file. The file may be cut, and every number in it may be wrong.
 *
 * The file is read with pread(2), so a file that becomes shorter meanwhile does no harm.
 */
#ifndef STACKREADER_CORE_FILE_H
#define STACKREADER_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mappings.h"

/* A part of the memory of the process, from a program header of the core file. */
struct core_segment {
    uint64_t start, end; /* addresses */
    uint64_t offset;     /* the offset of its bytes in the core file */
    uint64_t saved;      /* how many bytes of this part the core file has if it is not cut. The
                          * kernel left out the other bytes */
    bool readable, writable, executable;
};

/* A file that the process had mapped. */
struct core_file {
    const char *path; /* as the process saw it; "... (deleted)" if the file was removed */
};

/* The signal for which the kernel wrote the core file. */
struct core_signal {
    int number;       /* 0: none; gcore(1) wrote the file, and the process continued */
    pid_t thread;     /* the thread that got it */
    bool has_address; /* a fault: the thread accessed or executed `address` */
    uint64_t address;
    pid_t sender; /* the process that sent it; 0: the kernel, or not known */
};

struct core {
    int fd;            /* owned */
    uint64_t size;     /* the size of the core file, in bytes */
    uint64_t complete; /* the size that it has if it is not cut */

    struct core_segment *segments; /* sorted by address; they do not overlap */
    size_t segment_count;
    struct mappings mappings; /* their `inode` is the index in `files`, plus 1 */
    struct core_file *files;
    size_t file_count;
    char *paths; /* the texts of `files` */

    pid_t *threads; /* the first one is the thread that got the signal */
    size_t thread_count;
    struct core_signal signal;
    pid_t pid, parent; /* 0: not known */
    char name[17];     /* the first 16 bytes of the executable's name, or "" */

    unsigned char *auxv; /* the auxiliary vector, up to AT_NULL; NULL: not known */
    size_t auxv_size;
    uint64_t program_headers; /* AT_PHDR: the address of those of the executable; 0: not known */
    uint64_t file_name; /* AT_EXECFN: the address of the name of the executed file; 0: not known */
};

/* Reads up to `size` bytes at an offset of a file. Returns the number of bytes that were read. This
 * number is less than `size` at the end of the file and after an error. */
size_t core_read_at(int fd, uint64_t offset, void *to, size_t size);

/* Opens a regular file for reading. Has no effect on a FIFO or a device. Returns a descriptor, or
 * -1 with errno. errno is EISDIR or EINVAL if the file is not a regular file. */
int core_open_file(const char *path);

enum core_result {
    CORE_OK,
    CORE_NOT_ELF,
    CORE_NOT_CORE, /* an ELF file, but not a core file */
    CORE_CUT,      /* cut before the end of its program headers, or has none */
    CORE_32_BIT,
    CORE_OTHER_MACHINE,
    CORE_UNREADABLE, /* errno says why */
    CORE_NO_MEMORY
};

/* Reads the headers and notes of a core file. Takes ownership of fd, which must be a regular file.
 * *machine: set to the machine of the core file (EM_...) if the result is CORE_OTHER_MACHINE or
 * CORE_32_BIT. Notes that are cut or wrong are left out. Call core_close whatever the result is. */
enum core_result core_open(struct core *core, int fd, uint16_t *machine);

void core_close(struct core *core);

/* True if the file has fewer bytes than its headers say. */
bool core_is_cut(const struct core *core);

/* Returns how many of the `size` bytes of memory at an address can be read from the core file in
 * one piece. *segment: set to the segment that contains the address, or NULL. *offset: set to the
 * offset of these bytes in the core file. */
size_t core_find(const struct core *core, uint64_t address, size_t size,
                 const struct core_segment **segment, uint64_t *offset);

/* Reads up to `size` bytes at an address from the core file. Returns how many were read. */
size_t core_read(const struct core *core, uint64_t address, void *to, size_t size);

/* The index of a file that is not known. */
#define CORE_NO_FILE SIZE_MAX

/* Returns the index of the executable in core->files, or CORE_NO_FILE. */
size_t core_executable(const struct core *core);

#endif
