/* SPDX-License-Identifier: BSD-3-Clause */
#include "made_elf.h"

#include <sys/mman.h>
#include <sys/procfs.h>

#include "elf_image.h"

static const unsigned char ident[EI_NIDENT] = {
    ELFMAG0,   ELFMAG1,    ELFMAG2,
    ELFMAG3,   ELFCLASS64, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
    EV_CURRENT};

static size_t put_note(unsigned char *out, const char *name, uint32_t type, const void *data,
                       size_t size)
{
    size_t name_size = strlen(name) + 1, at = sizeof(Elf64_Nhdr);
    const Elf64_Nhdr header = {(uint32_t)name_size, (uint32_t)size, type};

    memcpy(out, &header, sizeof(header));
    memcpy(out + at, name, name_size);
    at += (name_size + 3) & ~(size_t)3;
    memcpy(out + at, data, size);
    return at + ((size + 3) & ~(size_t)3);
}

void make_library(unsigned char out[LIBRARY_SIZE], const char *build_id, int filler)
{
    static const char names[] = "\0.names\0.found";
    Elf64_Ehdr header = {.e_type = ET_DYN,
                         .e_machine = elf_own_machine(),
                         .e_phoff = sizeof(header),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 1,
                         .e_shoff = LIBRARY_SECTIONS,
                         .e_shentsize = sizeof(Elf64_Shdr),
                         .e_shnum = 3,
                         .e_shstrndx = 1};
    Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = LIBRARY_NOTE, .p_align = 4};
    const Elf64_Shdr sections[3] = {
        {0},
        {.sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = LIBRARY_NAMES, .sh_size = sizeof(names)},
        {.sh_name = 8, .sh_type = SHT_PROGBITS, .sh_addr = 0x1234, .sh_size = 8},
    };

    memset(out, filler, LIBRARY_SIZE);
    memcpy(header.e_ident, ident, sizeof(ident));
    if (build_id)
        note.p_filesz = put_note(out + LIBRARY_NOTE, "GNU", NT_GNU_BUILD_ID, build_id, 20);
    memcpy(out, &header, sizeof(header));
    memcpy(out + sizeof(header), &note, sizeof(note));
    memcpy(out + LIBRARY_NAMES, names, sizeof(names));
    memcpy(out + LIBRARY_SECTIONS, sections, sizeof(sections));
}

/* ---- Core files ------------------------------------------------------------------------------ */

void made_free(struct made_core *m)
{
    buffer_free(&m->notes);
}

void made_note(struct made_core *m, const char *name, uint32_t type, const void *data, size_t size)
{
    unsigned char *note = calloc(1, size + 64);

    assert_non_null(note);
    buffer_put(&m->notes, note, put_note(note, name, type, data, size));
    free(note);
}

void made_thread(struct made_core *m, pid_t id, int signal)
{
    struct elf_prstatus status = {.pr_pid = id};

    status.pr_cursig = (short)signal;
    made_note(m, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

void made_files(struct made_core *m, const struct made_mapping *mappings, size_t count)
{
    const uint64_t head[2] = {count, 4096};
    AUTO_BUFFER note = BUFFER_INIT;
    size_t i;

    buffer_put(&note, head, sizeof(head));
    for (i = 0; i < count; i++) {
        const uint64_t entry[3] = {mappings[i].start, mappings[i].end, mappings[i].offset / 4096};

        buffer_put(&note, entry, sizeof(entry));
    }
    for (i = 0; i < count; i++)
        buffer_put(&note, mappings[i].path, strlen(mappings[i].path) + 1);
    made_note(m, "CORE", NT_FILE, note.data, note.len);
}

void made_segment(struct made_core *m, uint64_t address, size_t size, uint32_t flags,
                  const void *data, size_t saved)
{
    assert_true(m->count < 16);
    m->data[m->count] = data;
    m->segments[m->count++] = (Elf64_Phdr){.p_type = PT_LOAD,
                                           .p_flags = flags,
                                           .p_vaddr = address,
                                           .p_memsz = size,
                                           .p_filesz = saved};
}

int made_write(const struct made_core *m)
{
    Elf64_Ehdr header = {.e_type = ET_CORE,
                         .e_machine = elf_own_machine(),
                         .e_phoff = sizeof(header),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = (uint16_t)(m->count + 1)};
    Elf64_Phdr note = {.p_type = PT_NOTE, .p_filesz = m->notes.len, .p_align = 4};
    AUTO_BUFFER file = BUFFER_INIT;
    int fd = memfd_create("core", MFD_CLOEXEC);
    uint64_t offset = sizeof(header) + (m->count + 1) * sizeof(note);
    size_t i;

    memcpy(header.e_ident, ident, sizeof(ident));
    note.p_offset = offset;
    offset += m->notes.len;
    buffer_put(&file, &header, sizeof(header));
    buffer_put(&file, &note, sizeof(note));
    for (i = 0; i < m->count; i++) {
        Elf64_Phdr segment = m->segments[i];

        segment.p_offset = offset;
        offset += segment.p_filesz;
        buffer_put(&file, &segment, sizeof(segment));
    }
    buffer_put(&file, m->notes.data, m->notes.len);
    for (i = 0; i < m->count; i++)
        buffer_put(&file, m->data[i], m->segments[i].p_filesz);
    assert_true(fd >= 0 && !file.failed);
    assert_int_equal(write(fd, file.data, file.len), file.len);
    return fd;
}
