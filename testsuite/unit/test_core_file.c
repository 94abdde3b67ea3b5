/* SPDX-License-Identifier: BSD-3-Clause */
#include "core_file.h"

#include <sys/mman.h>
#include <sys/procfs.h>

#include "core_arguments.h"
#include "made_elf.h"

#define PAGE       4096
#define TEXT       UINT64_C(0x400000)
#define DATA       UINT64_C(0x500000)
#define STACK      UINT64_C(0x7ff000)
#define EXECUTABLE "/opt/bin/python3"
#define LIBRARY    "/opt/lib/libpython3.so"

#define AUTO_CORE         _cleanup_(core_close) struct core
#define AUTO_ARGUMENTS    _cleanup_(core_arguments_free) struct core_arguments
#define AUXV_AT           (PAGE - 256)
#define NAME_AT           (PAGE - 32)
#define ARGUMENT_COUNT    3
#define ENVIRONMENT_COUNT 2

/* A stack page as the kernel makes it: three arguments and two variables. */
static void make_stack(unsigned char page[PAGE], const uint64_t *auxv, size_t auxv_size)
{
    static const char *const texts[ARGUMENT_COUNT + ENVIRONMENT_COUNT] = {"python3", "", "a b",
                                                                          "HOME=/", "X="};
    size_t pointers = AUXV_AT - 8 * (ARGUMENT_COUNT + ENVIRONMENT_COUNT + 3), at = PAGE - 128, i;
    uint64_t word = ARGUMENT_COUNT;

    memset(page, 0, PAGE);
    memcpy(page + pointers, &word, 8);
    for (i = 0; i < ARGUMENT_COUNT + ENVIRONMENT_COUNT; i++) {
        pointers += i == ARGUMENT_COUNT ? 16 : 8;
        word = STACK + at;
        memcpy(page + pointers, &word, 8);
        memcpy(page + at, texts[i], strlen(texts[i]) + 1);
        at += strlen(texts[i]) + 1;
    }
    memcpy(page + AUXV_AT, auxv, auxv_size);
    memcpy(page + NAME_AT, EXECUTABLE, sizeof(EXECUTABLE));
}

static const struct made_mapping mapped[] = {
    {TEXT, TEXT + 2 * PAGE, 0, EXECUTABLE},
    {TEXT + 2 * PAGE, TEXT + 3 * PAGE, 2 * PAGE, EXECUTABLE},
    {DATA - 4 * PAGE, DATA - 2 * PAGE, 0, LIBRARY},
};

static unsigned char text_page[PAGE], data_pages[2 * PAGE], stack_page[PAGE];

/* Adds the segments and notes of a process with two threads that SIGSEGV has ended. */
static void make(struct made_core *m)
{
    const uint64_t auxv[] = {AT_PAGESZ,       PAGE,    AT_PHDR, TEXT + 64, AT_EXECFN,
                             STACK + NAME_AT, AT_NULL, 0,       99,        99};
    struct elf_prpsinfo info = {.pr_pid = 70, .pr_ppid = 7, .pr_fname = "python3"};
    siginfo_t signal = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};

    signal.si_addr = (void *)8;
    memset(text_page, 't', PAGE);
    memset(data_pages, 'd', PAGE);
    memset(data_pages + PAGE, 'e', PAGE);
    make_stack(stack_page, auxv, 64);
    made_thread(m, 72, SIGSEGV);
    made_note(m, "CORE", NT_PRPSINFO, &info, sizeof(info));
    made_note(m, "CORE", NT_SIGINFO, &signal, sizeof(signal));
    made_note(m, "CORE", NT_AUXV, auxv, sizeof(auxv));
    made_files(m, mapped, 3);
    made_thread(m, 70, SIGSEGV);
    made_segment(m, TEXT, 2 * PAGE, PF_R | PF_X, text_page, PAGE);
    made_segment(m, DATA, 2 * PAGE, PF_R | PF_W, data_pages, 2 * PAGE);
    made_segment(m, DATA + 2 * PAGE, PAGE, PF_R | PF_W, text_page, PAGE);
    made_segment(m, STACK, PAGE, PF_R | PF_W, stack_page, PAGE);
}

static void open_made(struct core *core, const struct made_core *m)
{
    uint16_t machine;

    assert_int_equal(core_open(core, made_write(m), &machine), CORE_OK);
}

TEST(the_notes_say_which_process_it_was_and_what_ended_it)
{
    AUTO_MADE m = {.count = 0};
    AUTO_CORE core;

    make(&m);
    open_made(&core, &m);
    assert_int_equal(core.pid, 70);
    assert_int_equal(core.parent, 7);
    assert_string_equal(core.name, "python3");
    assert_int_equal(core.thread_count, 2);
    assert_int_equal(core.threads[0], 72);
    assert_int_equal(core.threads[1], 70);
    assert_int_equal(core.signal.number, SIGSEGV);
    assert_int_equal(core.signal.thread, 72);
    assert_true(core.signal.has_address);
    assert_int_equal(core.signal.address, 8);
    assert_int_equal(core.signal.sender, 0);
    assert_false(core_is_cut(&core));
}

TEST(the_sender_of_a_signal_is_known)
{
    siginfo_t signal = {.si_signo = SIGABRT, .si_code = SI_USER};
    AUTO_MADE m = {.count = 0};
    AUTO_CORE core;

    signal.si_pid = 4711;
    made_thread(&m, 70, SIGABRT);
    made_note(&m, "CORE", NT_SIGINFO, &signal, sizeof(signal));
    open_made(&core, &m);
    assert_int_equal(core.signal.number, SIGABRT);
    assert_false(core.signal.has_address);
    assert_int_equal(core.signal.sender, 4711);
}

TEST(a_signal_that_only_stopped_the_process_has_not_ended_it)
{
    AUTO_MADE m = {.count = 0};
    AUTO_CORE core;

    made_thread(&m, 70, SIGSTOP);
    open_made(&core, &m);
    assert_int_equal(core.signal.number, 0);
    assert_int_equal(core.signal.thread, 0);
}

TEST(the_mappings_are_those_of_the_files_and_of_the_segments)
{
    AUTO_MADE m = {.count = 0};
    const struct mapping *at;
    AUTO_CORE core;

    make(&m);
    open_made(&core, &m);
    assert_int_equal(core.file_count, 2);
    assert_string_equal(core.files[core_executable(&core)].path, EXECUTABLE);
    assert_int_equal(core.mappings.count, 6);
    at = mapping_at(&core.mappings, TEXT + 2 * PAGE);
    assert_string_equal(at->path, EXECUTABLE);
    assert_int_equal(at->offset, 2 * PAGE);
    at = mapping_at(&core.mappings, TEXT);
    assert_true(at->executable && !at->writable);
    assert_int_equal(at->inode, mapping_at(&core.mappings, TEXT + 2 * PAGE)->inode);
    at = mapping_at(&core.mappings, DATA);
    assert_true(at->writable);
    assert_string_equal(at->path, "");
    assert_int_equal(at->inode, 0);
    assert_null(mapping_at(&core.mappings, DATA - 1));
}

TEST(memory_is_read_across_segments_up_to_what_was_left_out)
{
    AUTO_MADE m = {.count = 0};
    unsigned char bytes[3 * PAGE];
    AUTO_CORE core;

    make(&m);
    open_made(&core, &m);
    assert_int_equal(core_read(&core, DATA + PAGE - 1, bytes, 3 * PAGE), 2 * PAGE + 1);
    assert_int_equal(bytes[0], 'd');
    assert_int_equal(bytes[1], 'e');
    assert_int_equal(bytes[2 * PAGE], 't');
    assert_int_equal(core_read(&core, TEXT + 1, bytes, sizeof(bytes)), PAGE - 1);
    assert_int_equal(core_read(&core, TEXT + PAGE, bytes, 1), 0);
    assert_int_equal(core_read(&core, TEXT - 1, bytes, 2), 0);
    assert_int_equal(core_read(&core, UINT64_MAX, bytes, 2), 0);
}

TEST(the_arguments_are_found_on_the_stack)
{
    static const char expected[] = "python3\0\0a b";
    AUTO_MADE m = {.count = 0};
    AUTO_ARGUMENTS arguments;
    AUTO_CORE core;

    make(&m);
    open_made(&core, &m);
    assert_true(core_arguments_read(&core, &arguments));
    assert_int_equal(arguments.count, 3);
    assert_int_equal(arguments.size, sizeof(expected));
    assert_memory_equal(arguments.text, expected, sizeof(expected));
}

TEST(the_arguments_are_not_known_if_the_stack_is_not_there)
{
    AUTO_MADE m = {.count = 0};
    AUTO_ARGUMENTS arguments;
    AUTO_CORE core;

    make(&m);
    m.count--;
    open_made(&core, &m);
    assert_false(core_arguments_read(&core, &arguments));
    assert_null(arguments.text);
}

TEST(a_segment_that_overlaps_another_one_is_left_out)
{
    AUTO_MADE m = {.count = 0};
    unsigned char byte;
    AUTO_CORE core;

    make(&m);
    made_segment(&m, DATA - PAGE, 2 * PAGE, PF_R, text_page, PAGE);
    made_segment(&m, UINT64_MAX - PAGE, 2 * PAGE, PF_R, text_page, PAGE); /* ends beyond 2^64 */
    made_segment(&m, STACK + PAGE, 0, PF_R, text_page, 0);                /* as gdb writes it */
    open_made(&core, &m);
    assert_int_equal(core.segment_count, 4);
    assert_int_equal(core_read(&core, DATA - 1, &byte, 1), 1);
    assert_int_equal(core_read(&core, DATA + PAGE, &byte, 1), 0);
    assert_int_equal(core_read(&core, UINT64_MAX - PAGE, &byte, 1), 0);
}

/* ---- Other files ----------------------------------------------------------------------------- */

/* Opens the made core file with `size` bytes at `offset` replaced, of which only `left` are left.
 */
static enum core_result open_changed(struct core *core, int fd, size_t offset, const void *bytes,
                                     size_t size)
{
    uint16_t machine;

    assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
    return core_open(core, dup(fd), &machine);
}

TEST(files_that_are_no_core_files_of_this_machine_are_told_apart)
{
    static const struct {
        size_t offset;
        unsigned char byte;
        enum core_result result;
    } cases[] = {
        {EI_CLASS, ELFCLASS32, CORE_32_BIT},
        {offsetof(Elf64_Ehdr, e_type), ET_DYN, CORE_NOT_CORE},
        {offsetof(Elf64_Ehdr, e_machine), EM_S390, CORE_OTHER_MACHINE},
        {offsetof(Elf64_Ehdr, e_phnum), 0, CORE_CUT},
        {offsetof(Elf64_Ehdr, e_phoff) + 7, 0xff, CORE_CUT},
        {EI_DATA, 0, CORE_NOT_ELF},
        {0, 0, CORE_NOT_ELF},
    };
    AUTO_MADE m = {.count = 0};
    size_t i;

    make(&m);
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        AUTO_FD fd = made_write(&m);
        AUTO_CORE core;

        assert_int_equal(open_changed(&core, fd, cases[i].offset, &cases[i].byte, 1),
                         cases[i].result);
    }
}

TEST(an_empty_file_is_no_core_file)
{
    uint16_t machine;
    AUTO_CORE core;

    assert_int_equal(core_open(&core, memfd_create("empty", MFD_CLOEXEC), &machine), CORE_NOT_ELF);
}

TEST(only_regular_files_are_opened)
{
    AUTO_FD missing = core_open_file("/nonexistent/core");

    assert_int_equal(errno, ENOENT);
    AUTO_FD folder = core_open_file("/tmp");
    assert_int_equal(errno, EISDIR);
    AUTO_FD device = core_open_file("/dev/null");
    assert_int_equal(errno, EINVAL);
    AUTO_FD file = core_open_file("/proc/self/exe");
    assert_true(missing < 0 && folder < 0 && device < 0 && file >= 0);
}

/* ---- More program headers than a file header can count --------------------------------------- */

/* Changes the core file so that its file header does not say how many program headers it has. With
 * a section header at its end, this one does. */
static int count_elsewhere(const struct made_core *m, bool has_section)
{
    int fd = made_write(m);
    off_t end = lseek(fd, 0, SEEK_END);
    Elf64_Shdr section = {.sh_info = PN_XNUM + 5};
    Elf64_Ehdr header;

    assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
    header.e_phnum = PN_XNUM;
    header.e_shoff = (uint64_t)end;
    header.e_shentsize = sizeof(section);
    header.e_shnum = 1;
    assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
    if (has_section)
        assert_int_equal(pwrite(fd, &section, sizeof(section), end), sizeof(section));
    return fd;
}

TEST(if_the_number_of_program_headers_was_cut_off_they_end_before_the_notes)
{
    AUTO_MADE m = {.count = 0};
    uint16_t machine;
    AUTO_CORE core;

    make(&m);
    assert_int_equal(core_open(&core, count_elsewhere(&m, false), &machine), CORE_OK);
    assert_int_equal(core.segment_count, 4);
}

TEST(a_large_number_of_program_headers_is_in_the_first_section_header)
{
    AUTO_MADE m = {.count = 0};
    uint16_t machine;
    AUTO_CORE core;

    make(&m);
    /* There are not that many, so the file is cut. */
    assert_int_equal(core_open(&core, count_elsewhere(&m, true), &machine), CORE_CUT);
}

/* ---- Cut and wrong files --------------------------------------------------------------------- */

/* Reads everything in a core file. Returns false if it is none. */
static bool read_all(int fd)
{
    struct core core;
    struct core_arguments arguments;
    unsigned char bytes[3 * PAGE];
    uint16_t machine;
    bool opened = core_open(&core, dup(fd), &machine) == CORE_OK;
    size_t i;

    for (i = 0; opened && i < core.segment_count; i++)
        core_read(&core, core.segments[i].start, bytes, sizeof(bytes));
    for (i = 1; opened && i < core.mappings.count; i++)
        assert_true(core.mappings.items[i].start >= core.mappings.items[i - 1].end);
    if (opened && core_executable(&core) != CORE_NO_FILE)
        assert_true(core_executable(&core) < core.file_count);
    if (opened && core_arguments_read(&core, &arguments))
        core_arguments_free(&arguments);
    core_close(&core);
    return opened;
}

TEST(a_core_file_that_is_cut_anywhere_says_so)
{
    AUTO_MADE m = {.count = 0};
    size_t headers;
    off_t size, complete;
    uint16_t machine;

    make(&m);
    headers = sizeof(Elf64_Ehdr) + (m.count + 1) * sizeof(Elf64_Phdr);
    AUTO_FD fd = made_write(&m);
    complete = lseek(fd, 0, SEEK_END);
    for (size = complete - 1; size >= 0; size -= size > (off_t)(headers + m.notes.len) ? 500 : 1) {
        AUTO_CORE core;

        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(read_all(fd), size >= (off_t)headers);
        if (core_open(&core, dup(fd), &machine) != CORE_OK)
            continue;
        assert_true(core_is_cut(&core));
        assert_int_equal(core.size, size);
        assert_int_equal(core.complete, complete);
    }
}

TEST(an_auxiliary_vector_without_an_end_is_cut)
{
    uint64_t auxv[2 * 100] = {0};
    AUTO_MADE m = {.count = 0};
    AUTO_CORE core;
    size_t i;

    for (i = 0; i < 100; i++)
        auxv[2 * i] = AT_IGNORE;
    auxv[2 * 63] = AT_EXECFN;
    auxv[2 * 63 + 1] = STACK + NAME_AT;
    auxv[2 * 64] = AT_PHDR;
    auxv[2 * 64 + 1] = TEXT + 64;
    made_note(&m, "CORE", NT_AUXV, auxv, sizeof(auxv));
    open_made(&core, &m);
    assert_int_equal(core.auxv_size, 64 * 16);
    assert_int_equal(core.file_name, STACK + NAME_AT);
    assert_int_equal(core.program_headers, 0);
}

#define NOTES_MAX ((uint64_t)1 << 28)

/* Returns the number of threads in a core file that has two segments of notes. size: the size of
 * the first one, which has one long note. The second one has the note of a thread. */
static size_t threads_behind_notes(uint64_t size)
{
    AUTO_MADE m = {.count = 0}, second = {.count = 0};
    const Elf64_Nhdr note = {.n_namesz = 5, .n_descsz = (uint32_t)size - 20, .n_type = NT_AUXV};
    Elf64_Phdr first = {.p_type = PT_NOTE, .p_filesz = size, .p_align = 4};
    uint16_t machine;
    AUTO_CORE core;

    made_thread(&second, 70, 0);
    made_segment(&m, 0, 0, 0, second.notes.data, second.notes.len);
    m.segments[0].p_type = PT_NOTE;
    AUTO_FD fd = made_write(&m);
    first.p_offset = (uint64_t)lseek(fd, 0, SEEK_END);
    assert_int_equal(ftruncate(fd, (off_t)(first.p_offset + size)), 0);
    assert_int_equal(pwrite(fd, &note, sizeof(note), (off_t)first.p_offset), sizeof(note));
    assert_int_equal(pwrite(fd, &first, sizeof(first), sizeof(Elf64_Ehdr)), sizeof(first));
    assert_int_equal(core_open(&core, dup(fd), &machine), CORE_OK);
    return core.thread_count;
}

TEST(the_limit_for_notes_is_one_for_all_segments)
{
    assert_int_equal(threads_behind_notes(NOTES_MAX - 4096), 1);
    assert_int_equal(threads_behind_notes(NOTES_MAX), 0);
}

TEST(wrong_numbers_in_a_core_file_do_no_harm)
{
    static const unsigned char values[] = {0, 0x7f, 0xff};
    AUTO_MADE m = {.count = 0};
    unsigned char before[8], wrong[8];
    size_t end, at, i, run;

    make(&m);
    end = sizeof(Elf64_Ehdr) + (m.count + 1) * sizeof(Elf64_Phdr) + m.notes.len;
    AUTO_FD fd = made_write(&m);
    for (run = 1; run <= 8; run *= 8) {
        for (at = EI_NIDENT; at + run <= end; at++) {
            assert_int_equal(pread(fd, before, run, (off_t)at), run);
            for (i = 0; i < sizeof(values); i++) {
                memset(wrong, values[i], run);
                assert_int_equal(pwrite(fd, wrong, run, (off_t)at), run);
                read_all(fd);
            }
            assert_int_equal(pwrite(fd, before, run, (off_t)at), run);
        }
    }
    assert_true(read_all(fd));
}
