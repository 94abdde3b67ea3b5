/* SPDX-License-Identifier: BSD-3-Clause */
#include "elf_image.h"

#include <elf.h>
#include <string.h>

/* Returns a pointer to `size` bytes at an offset of the image, or NULL if the image does not have
 * all of them. */
static const void *at(const struct elf *elf, uint64_t offset, uint64_t size)
{
    if (offset > elf->size || size > elf->size - offset)
        return NULL;
    return elf->data + offset;
}

/* ---- The file header ------------------------------------------------------------------------- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_ORDER ELFDATA2LSB
#else
#define OWN_ORDER ELFDATA2MSB
#endif

/* Returns e_machine. Its offset is the same in ELF images of 32 and of 64 bits. */
static uint16_t machine_of(const unsigned char *data)
{
    const unsigned char *machine = data + offsetof(Elf64_Ehdr, e_machine);

    if (data[EI_DATA] == ELFDATA2MSB)
        return (uint16_t)(machine[0] << 8 | machine[1]);
    return (uint16_t)(machine[1] << 8 | machine[0]);
}

enum elf_result elf_open(struct elf *elf, const void *data, size_t size)
{
    Elf64_Ehdr header;

    *elf = (struct elf){.data = data, .size = size};
    if (size < SELFMAG || memcmp(data, ELFMAG, SELFMAG) != 0)
        return ELF_NOT_ELF;
    if (size < offsetof(Elf64_Ehdr, e_version))
        return ELF_CUT;
    elf->machine = machine_of(data);
    if (elf->data[EI_CLASS] == ELFCLASS32)
        return ELF_32_BIT;
    if (elf->data[EI_CLASS] != ELFCLASS64 ||
        (elf->data[EI_DATA] != ELFDATA2LSB && elf->data[EI_DATA] != ELFDATA2MSB))
        return ELF_NOT_ELF;
    if (elf->data[EI_DATA] != OWN_ORDER)
        return ELF_OTHER_ENDIAN;
    if (size < sizeof(header))
        return ELF_CUT;
    memcpy(&header, data, sizeof(header));
    elf->type = header.e_type;
    elf->segments_offset = header.e_phoff;
    elf->segment_count = header.e_phentsize == sizeof(Elf64_Phdr) ? header.e_phnum : 0;
    elf->sections_offset = header.e_shoff;
    elf->section_count = header.e_shentsize == sizeof(Elf64_Shdr) ? header.e_shnum : 0;
    elf->names_section = header.e_shstrndx;
    return ELF_OK;
}

uint16_t elf_own_machine(void)
{
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#elif defined(__riscv)
    return EM_RISCV;
#elif defined(__powerpc64__)
    return EM_PPC64;
#elif defined(__s390x__)
    return EM_S390;
#elif defined(__loongarch64)
    return 258; /* EM_LOONGARCH, which older headers do not have */
#else
    return EM_NONE;
#endif
}

const char *elf_machine_name(uint16_t machine)
{
    static const struct {
        uint16_t machine;
        const char *name;
    } names[] = {
        {EM_386, "x86 (32 bits)"}, {EM_X86_64, "x86-64"}, {EM_AARCH64, "AArch64"},
        {EM_ARM, "Arm (32 bits)"}, {EM_RISCV, "RISC-V"},  {EM_PPC64, "POWER (64 bits)"},
        {EM_S390, "s390x"},        {EM_MIPS, "MIPS"},     {EM_SPARCV9, "SPARC (64 bits)"},
        {EM_PPC, "PowerPC"},       {258, "LoongArch"},
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (names[i].machine == machine)
            return names[i].name;
    }
    return NULL;
}

/* ---- Segments -------------------------------------------------------------------------------- */

void elf_parse_segment(const void *header, struct elf_segment *out)
{
    Elf64_Phdr h;

    memcpy(&h, header, sizeof(h));
    *out = (struct elf_segment){h.p_type,   h.p_flags, h.p_offset, h.p_vaddr,
                                h.p_filesz, h.p_memsz, h.p_align};
}

/* Returns a pointer to entry i of a table, or NULL if the entry is not in the image. */
static const void *entry(const struct elf *elf, uint64_t table, size_t count, size_t i, size_t size)
{
    uint64_t offset;

    if (i >= count || __builtin_mul_overflow((uint64_t)i, size, &offset) ||
        __builtin_add_overflow(offset, table, &offset))
        return NULL;
    return at(elf, offset, size);
}

bool elf_segment(const struct elf *elf, size_t i, struct elf_segment *out)
{
    const void *header = entry(elf, elf->segments_offset, elf->segment_count, i, ELF_SEGMENT_SIZE);

    if (header)
        elf_parse_segment(header, out);
    return header;
}

/* ---- Sections -------------------------------------------------------------------------------- */

static bool section_at(const struct elf *elf, size_t i, struct elf_section *out, uint32_t *name)
{
    const void *header =
        entry(elf, elf->sections_offset, elf->section_count, i, sizeof(Elf64_Shdr));
    Elf64_Shdr h;

    if (!header)
        return false;
    memcpy(&h, header, sizeof(h));
    *out = (struct elf_section){h.sh_type, h.sh_offset, h.sh_addr, h.sh_size};
    *name = h.sh_name;
    return true;
}

/* True if `texts`, a section of strings, has this text at an offset. */
static bool has_text(const struct elf *elf, const struct elf_section *texts, uint64_t offset,
                     const char *text)
{
    size_t size = strlen(text) + 1;
    const char *found;

    if (texts->type != SHT_STRTAB || offset > texts->size || size > texts->size - offset ||
        texts->offset > UINT64_MAX - offset)
        return false;
    found = at(elf, texts->offset + offset, size);
    return found && memcmp(found, text, size) == 0;
}

bool elf_find_section(const struct elf *elf, const char *name, struct elf_section *out)
{
    struct elf_section names;
    uint32_t at_name;
    size_t i;

    if (!section_at(elf, elf->names_section, &names, &at_name))
        return false;
    for (i = 0; section_at(elf, i, out, &at_name); i++) {
        if (out->type != SHT_NULL && has_text(elf, &names, at_name, name))
            return true;
    }
    return false;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

/* Takes `size` bytes from the beginning of *notes, and returns a pointer to them. Also removes the
 * padding behind these bytes, which may be missing at the end of the notes. before: the number of
 * bytes between an aligned place and the bytes that are taken. Returns NULL if fewer than `size`
 * bytes are left. */
static const unsigned char *take(struct elf_notes *notes, size_t size, size_t before)
{
    const unsigned char *start = notes->at;
    size_t padding, taken;

    if (size > notes->left)
        return NULL;
    padding = (notes->align - (before + size) % notes->align) % notes->align;
    taken = padding < notes->left - size ? size + padding : notes->left;
    notes->at += taken;
    notes->left -= taken;
    return start;
}

bool elf_next_note(struct elf_notes *notes, struct elf_note *note)
{
    const unsigned char *start;
    Elf64_Nhdr header;

    if (notes->left < sizeof(header))
        return false;
    memcpy(&header, notes->at, sizeof(header));
    notes->at += sizeof(header);
    notes->left -= sizeof(header);
    start = take(notes, header.n_namesz, sizeof(header));
    if (!start)
        return false;
    *note = (struct elf_note){.type = header.n_type,
                              .name = (const char *)start,
                              .name_size = header.n_namesz,
                              .size = header.n_descsz};
    note->value = take(notes, header.n_descsz, 0);
    return note->value;
}

bool elf_note_is(const struct elf_note *note, const char *name, uint32_t type)
{
    size_t size = strlen(name) + 1;

    return note->type == type && note->name_size == size && memcmp(note->name, name, size) == 0;
}

/* ---- Build IDs ------------------------------------------------------------------------------- */

static bool find_build_id(struct elf_notes notes, struct elf_build_id *out)
{
    struct elf_note note;

    while (elf_next_note(&notes, &note)) {
        if (!elf_note_is(&note, "GNU", NT_GNU_BUILD_ID) || note.size == 0 ||
            note.size > ELF_BUILD_ID_MAX)
            continue;
        memcpy(out->bytes, note.value, note.size);
        out->size = note.size;
        return true;
    }
    return false;
}

bool elf_build_id(const struct elf *elf, struct elf_build_id *out)
{
    struct elf_segment s;
    const void *bytes;
    size_t i;

    *out = (struct elf_build_id){.size = 0};
    for (i = 0; elf_segment(elf, i, &s); i++) {
        bytes = s.type == PT_NOTE ? at(elf, s.offset, s.file_size) : NULL;
        if (bytes && find_build_id(
                         (struct elf_notes){bytes, (size_t)s.file_size, s.align == 8 ? 8 : 4}, out))
            return true;
    }
    return false;
}

bool elf_same_build_id(const struct elf_build_id *a, const struct elf_build_id *b)
{
    return a->size > 0 && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}
