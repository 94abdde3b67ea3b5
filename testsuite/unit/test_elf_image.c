/* SPDX-License-Identifier: BSD-3-Clause */
#include "elf_image.h"

#include "made_elf.h"

#define BUILD_ID "0123456789abcdefghij"

TEST(the_build_id_and_the_sections_of_a_library_are_found)
{
    unsigned char library[LIBRARY_SIZE];
    struct elf_build_id id;
    struct elf_section section;
    struct elf elf;

    make_library(library, BUILD_ID, 0);
    assert_int_equal(elf_open(&elf, library, sizeof(library)), ELF_OK);
    assert_int_equal(elf.type, ET_DYN);
    assert_int_equal(elf.machine, elf_own_machine());
    assert_true(elf_build_id(&elf, &id));
    assert_int_equal(id.size, 20);
    assert_memory_equal(id.bytes, BUILD_ID, 20);
    assert_true(elf_same_build_id(&id, &id));
    assert_true(elf_find_section(&elf, ".found", &section));
    assert_int_equal(section.address, 0x1234);
    assert_int_equal(section.size, 8);
    assert_false(elf_find_section(&elf, ".foun", &section));
    assert_false(elf_find_section(&elf, "found", &section));
}

TEST(the_first_bytes_of_a_library_have_its_build_id_but_no_sections)
{
    unsigned char library[LIBRARY_SIZE];
    struct elf_build_id id;
    struct elf_section section;
    struct elf elf;

    make_library(library, BUILD_ID, 0);
    assert_int_equal(elf_open(&elf, library, LIBRARY_NAMES), ELF_OK);
    assert_true(elf_build_id(&elf, &id));
    assert_false(elf_find_section(&elf, ".found", &section));
}

TEST(a_library_without_a_build_id_has_none_that_is_equal_to_another)
{
    unsigned char library[LIBRARY_SIZE];
    struct elf_build_id id;
    struct elf elf;

    make_library(library, NULL, 0);
    assert_int_equal(elf_open(&elf, library, sizeof(library)), ELF_OK);
    assert_false(elf_build_id(&elf, &id));
    assert_int_equal(id.size, 0);
    assert_false(elf_same_build_id(&id, &id));
}

TEST(other_kinds_of_files_are_told_apart)
{
    unsigned char library[LIBRARY_SIZE];
    struct elf elf;

    make_library(library, BUILD_ID, 0);
    assert_int_equal(elf_open(&elf, "", 0), ELF_NOT_ELF);
    assert_int_equal(elf_open(&elf, "\177EL", 3), ELF_NOT_ELF);
    assert_int_equal(elf_open(&elf, library, 16), ELF_CUT);
    assert_int_equal(elf_open(&elf, library, sizeof(Elf64_Ehdr) - 1), ELF_CUT);
    library[EI_CLASS] = ELFCLASS32;
    assert_int_equal(elf_open(&elf, library, sizeof(library)), ELF_32_BIT);
    library[EI_CLASS] = 7;
    assert_int_equal(elf_open(&elf, library, sizeof(library)), ELF_NOT_ELF);
    library[EI_CLASS] = ELFCLASS64;
    library[EI_DATA] ^= 0x80;
    assert_int_equal(elf_open(&elf, library, sizeof(library)), ELF_NOT_ELF);
    library[EI_DATA] ^= 0x80 ^ ELFDATA2LSB ^ ELFDATA2MSB;
    library[18] = library[19] = 0;
    library[library[EI_DATA] == ELFDATA2MSB ? 19 : 18] = EM_S390;
    assert_int_equal(elf_open(&elf, library, sizeof(library)), ELF_OTHER_ENDIAN);
    assert_string_equal(elf_machine_name(elf.machine), "s390x");
    library[0] = 0;
    assert_int_equal(elf_open(&elf, library, sizeof(library)), ELF_NOT_ELF);
}

/* Reads everything in an image. */
static void read_all(const void *data, size_t size)
{
    struct elf_build_id id;
    struct elf_section section;
    struct elf_segment segment;
    struct elf elf;

    if (elf_open(&elf, data, size) != ELF_OK)
        return;
    elf_segment(&elf, 0, &segment);
    assert_false(elf_segment(&elf, SIZE_MAX, &segment));
    if (elf_build_id(&elf, &id))
        assert_true(id.size > 0 && id.size <= ELF_BUILD_ID_MAX);
    elf_find_section(&elf, ".found", &section);
    assert_false(elf_find_section(&elf, ".another one", &section));
}

TEST(an_image_that_is_cut_anywhere_is_not_read_beyond_its_end)
{
    unsigned char library[LIBRARY_SIZE];
    size_t size;

    make_library(library, BUILD_ID, 0);
    for (size = 0; size <= LIBRARY_END; size++) {
        AUTO_BYTES copy = bytes_copy(library, size);

        read_all(copy.data, copy.len);
    }
}

TEST(wrong_numbers_in_an_image_do_not_lead_outside)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    unsigned char library[LIBRARY_SIZE];
    size_t at, i, run;

    make_library(library, BUILD_ID, 0);
    for (run = 1; run <= 8; run *= 2) {
        for (at = EI_NIDENT; at + run <= LIBRARY_END; at++) {
            for (i = 0; i < sizeof(values); i++) {
                AUTO_BYTES copy = bytes_copy(library, LIBRARY_END);

                memset(copy.data + at, values[i], run);
                read_all(copy.data, copy.len);
            }
        }
    }
}

TEST(notes_with_an_alignment_of_8_are_read)
{
    unsigned char bytes[64] = {0};
    struct elf_notes notes = {bytes, sizeof(bytes), 8};
    const Elf64_Nhdr header = {4, 5, 7}; /* a name of 4 bytes ends at 16; 5 bytes end at 24 */
    struct elf_note note;

    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + 12, "GNU", 4);
    memcpy(bytes + 16, "value", 5);
    memcpy(bytes + 24, &header, sizeof(header));
    memcpy(bytes + 36, "GNU", 4);
    assert_true(elf_next_note(&notes, &note));
    assert_true(elf_note_is(&note, "GNU", 7));
    assert_false(elf_note_is(&note, "GN", 7));
    assert_false(elf_note_is(&note, "GNU", 8));
    assert_memory_equal(note.value, "value", 5);
    assert_true(elf_next_note(&notes, &note));
    assert_true(elf_note_is(&note, "GNU", 7));
    assert_int_equal(notes.left, 64 - 48);
}
