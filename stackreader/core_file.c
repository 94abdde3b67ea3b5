/* SPDX-License-Identifier: BSD-3-Clause */
#include "core_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_image.h"

/* The maximum numbers of segments, of bytes in all notes, of threads, and of entries of the
 * auxiliary vector. There are limits because the numbers in the file may be wrong. SEGMENTS_MAX is
 * the largest vm.max_map_count that is in use. The kernel writes about 25 entries of the auxiliary
 * vector. */
#define SEGMENTS_MAX 4000000
#define NOTES_MAX    ((uint64_t)1 << 28)
#define THREADS_MAX  1000000
#define AUXV_MAX     64

int core_open_file(const char *path)
{
    int found = open(path, O_PATH | O_CLOEXEC), fd = -1, error = 0;
    char link[32];
    struct stat st;

    if (found < 0)
        return -1;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
    if (fstat(found, &st) < 0)
        error = errno;
    else if (!S_ISREG(st.st_mode))
        error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    else
        fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && error == 0)
        error = errno;
    close(found);
    errno = error;
    return fd;
}

size_t core_read_at(int fd, uint64_t offset, void *to, size_t size)
{
    size_t done = 0;
    ssize_t n;

    if (offset > INT64_MAX || size > INT64_MAX - offset)
        return 0;
    while (done < size) {
        n = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    return done;
}

/* Reads up to `size` bytes at an offset of the core file. Returns how many were read. */
static size_t read_file(const struct core *core, uint64_t offset, void *to, size_t size)
{
    if (offset >= core->size)
        return 0;
    if (size > core->size - offset)
        size = (size_t)(core->size - offset);
    return core_read_at(core->fd, offset, to, size);
}

/* ---- Program headers ------------------------------------------------------------------------- */

/* A growing array of program headers. */
struct headers {
    struct elf_segment *items;
    size_t count, room;
};

static bool headers_add(struct headers *list, const struct elf_segment *s)
{
    struct elf_segment *items;

    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 256;
        items = realloc(list->items, list->room * sizeof(*items));
        if (!items)
            return false;
        list->items = items;
    }
    list->items[list->count++] = *s;
    return true;
}

static void headers_free(struct headers *list)
{
    free(list->items);
}

/* Returns the number of program headers. If the number does not fit into the file header, the first
 * section header contains it. If the section header is cut off, computes the number from the offset
 * of the notes, because the notes begin right behind the program headers. */
static uint64_t count_headers(const struct core *core, const struct elf *elf)
{
    unsigned char bytes[ELF_SEGMENT_SIZE];
    struct elf_segment first;
    Elf64_Shdr section;

    if (elf->segment_count != PN_XNUM)
        return elf->segment_count;
    if (read_file(core, elf->sections_offset, &section, sizeof(section)) == sizeof(section) &&
        section.sh_info >= PN_XNUM)
        return section.sh_info;
    if (read_file(core, elf->segments_offset, bytes, sizeof(bytes)) < sizeof(bytes))
        return 0;
    elf_parse_segment(bytes, &first);
    if (first.type != PT_NOTE || first.offset < elf->segments_offset)
        return 0;
    return (first.offset - elf->segments_offset) / ELF_SEGMENT_SIZE;
}

/* Reads the program headers of segments and notes. *all: set to false if some program headers are
 * cut off. Returns false if there is no memory. */
static bool read_headers(const struct core *core, const struct elf *elf, struct headers *out,
                         bool *all)
{
    unsigned char bytes[64 * ELF_SEGMENT_SIZE];
    uint64_t count = count_headers(core, elf), i;
    struct elf_segment s;
    size_t size, k;

    if (count > SEGMENTS_MAX)
        count = SEGMENTS_MAX;
    *all = true;
    for (i = 0; i < count && *all; i += 64) {
        size = (size_t)(count - i < 64 ? count - i : 64) * ELF_SEGMENT_SIZE;
        k = read_file(core, elf->segments_offset + i * ELF_SEGMENT_SIZE, bytes, size);
        *all = k == size;
        for (size = k / ELF_SEGMENT_SIZE, k = 0; k < size; k++) {
            elf_parse_segment(bytes + k * ELF_SEGMENT_SIZE, &s);
            if ((s.type == PT_LOAD || s.type == PT_NOTE) && !headers_add(out, &s))
                return false;
        }
    }
    return true;
}

/* ---- Segments -------------------------------------------------------------------------------- */

static int compare_segments(const void *a, const void *b)
{
    const struct core_segment *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

static struct core_segment segment_of(const struct elf_segment *s)
{
    return (struct core_segment){.start = s->address,
                                 .end = s->address + s->memory_size,
                                 .offset = s->offset,
                                 .saved = s->file_size,
                                 .readable = s->flags & PF_R,
                                 .writable = s->flags & PF_W,
                                 .executable = s->flags & PF_X};
}

/* True if a program header describes a part of the memory, and its numbers are valid. False for a
 * segment of size 0: gdb writes such a segment for each mapping that it leaves out of the core
 * file. */
static bool is_segment(const struct elf_segment *s)
{
    return s->type == PT_LOAD && s->memory_size > 0 && s->memory_size <= UINT64_MAX - s->address &&
           s->file_size <= s->memory_size && s->file_size <= UINT64_MAX - s->offset;
}

/* Stores the segments, sorted by address. Leaves out segments that overlap an earlier segment. */
static bool set_segments(struct core *core, const struct headers *headers)
{
    size_t count = 0, kept = 0, i;

    core->segments = calloc(headers->count + 1, sizeof(*core->segments));
    if (!core->segments)
        return false;
    for (i = 0; i < headers->count; i++) {
        if (is_segment(&headers->items[i]))
            core->segments[count++] = segment_of(&headers->items[i]);
    }
    qsort(core->segments, count, sizeof(*core->segments), compare_segments);
    for (i = 0; i < count; i++) {
        if (kept == 0 || core->segments[i].start >= core->segments[kept - 1].end)
            core->segments[kept++] = core->segments[i];
    }
    core->segment_count = kept;
    return true;
}

static void set_complete(struct core *core, const struct headers *headers)
{
    const struct elf_segment *s;
    size_t i;

    core->complete = 0;
    for (i = 0; i < headers->count; i++) {
        s = &headers->items[i];
        if (s->file_size > 0 && s->file_size <= UINT64_MAX - s->offset &&
            s->offset + s->file_size > core->complete)
            core->complete = s->offset + s->file_size;
    }
}

/* Returns the last segment that begins at or before an address, or NULL. */
static const struct core_segment *segment_before(const struct core *core, uint64_t address)
{
    size_t low = 0, high = core->segment_count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (core->segments[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &core->segments[low - 1] : NULL;
}

size_t core_find(const struct core *core, uint64_t address, size_t size,
                 const struct core_segment **segment, uint64_t *offset)
{
    const struct core_segment *s = segment_before(core, address);
    uint64_t within;

    *segment = s && address < s->end ? s : NULL;
    if (!*segment)
        return 0;
    within = address - s->start;
    if (within >= s->saved)
        return 0;
    *offset = s->offset + within;
    if (*offset >= core->size)
        return 0;
    if (size > s->saved - within)
        size = (size_t)(s->saved - within);
    return size <= core->size - *offset ? size : (size_t)(core->size - *offset);
}

size_t core_read(const struct core *core, uint64_t address, void *to, size_t size)
{
    const struct core_segment *segment;
    size_t done = 0, n;
    uint64_t offset;

    while (done < size && address <= UINT64_MAX - done) {
        n = core_find(core, address + done, size - done, &segment, &offset);
        n = n > 0 ? read_file(core, offset, (char *)to + done, n) : 0;
        if (n == 0)
            break;
        done += n;
    }
    return done;
}

/* ---- Mapped files ---------------------------------------------------------------------------- */

/* An entry of the note NT_FILE. */
struct file_entry {
    uint64_t start, end, page;
};

static int compare_mappings(const void *a, const void *b)
{
    const struct mapping *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct core_file *)a)->path, ((const struct core_file *)b)->path);
}

static void keep(void *unused)
{
    (void)unused;
}

/* Returns the number of the file with this path. The first file has the number 1. Adds the file if
 * it is new. tree: a tsearch tree of the files, sorted by path. Returns 0 if there is no memory. */
static size_t file_number(struct core *core, void **tree, const char *path)
{
    struct core_file *file = &core->files[core->file_count], **node;

    file->path = path;
    node = tsearch(file, tree, compare_files);
    if (!node)
        return 0;
    if (*node == file)
        core->file_count++;
    return (size_t)(*node - core->files) + 1;
}

/* Adds the mappings of files. entries: `count` entries of the note. paths: the path of each entry,
 * with a NUL at its end. end: the end of all paths. If there is no memory, adds only some of the
 * mappings. */
static void add_mappings(struct core *core, const unsigned char *entries, size_t count,
                         uint64_t page_size, const char *paths, const char *end)
{
    struct mapping *m = core->mappings.items;
    struct file_entry e;
    void *tree = NULL;
    const char *nul;
    size_t i;

    for (i = 0; i < count && (nul = memchr(paths, '\0', (size_t)(end - paths))); i++) {
        memcpy(&e, entries + i * sizeof(e), sizeof(e));
        *m = (struct mapping){.start = e.start, .end = e.end, .readable = true, .path = paths};
        paths = nul + 1;
        if (m->start >= m->end || __builtin_mul_overflow(e.page, page_size, &m->offset))
            continue;
        m->inode = file_number(core, &tree, m->path);
        if (m->inode == 0)
            break;
        m++;
    }
    core->mappings.count = (size_t)(m - core->mappings.items);
    tdestroy(tree, keep);
}

/* Reads the note NT_FILE. The note contains the number of entries, the size of a page, the entries,
 * and the path of each entry. Returns false if there is no memory. */
static bool read_files(struct core *core, const struct elf_note *note)
{
    struct {
        uint64_t count, page_size;
    } head;
    const char *paths;

    if (core->paths || note->size < sizeof(head))
        return true;
    memcpy(&head, note->value, sizeof(head));
    if (head.count > (note->size - sizeof(head)) / sizeof(struct file_entry))
        return true;
    core->paths = malloc(note->size);
    core->files = calloc((size_t)head.count + 1, sizeof(*core->files));
    core->mappings.items = calloc((size_t)head.count + 1, sizeof(*core->mappings.items));
    if (!core->paths || !core->files || !core->mappings.items)
        return false;
    memcpy(core->paths, note->value, note->size);
    paths = core->paths + sizeof(head) + head.count * sizeof(struct file_entry);
    add_mappings(core, note->value + sizeof(head), (size_t)head.count, head.page_size, paths,
                 core->paths + note->size);
    return true;
}

/* Sets the access rights of a mapping to those of the segment that contains it, because the note
 * NT_FILE does not contain access rights. */
static void set_access(const struct core *core, struct mapping *m)
{
    const struct core_segment *s = segment_before(core, m->start);

    if (!s || s->end <= m->start)
        return;
    m->readable = s->readable;
    m->writable = s->writable;
    m->executable = s->executable;
}

static struct mapping mapping_of(const struct core_segment *s)
{
    return (struct mapping){.start = s->start,
                            .end = s->end,
                            .readable = s->readable,
                            .writable = s->writable,
                            .executable = s->executable,
                            .path = ""};
}

/* Adds the segments that are not mappings of files to the mappings, and sorts the mappings. Returns
 * false if there is no memory. */
static bool complete_mappings(struct core *core)
{
    size_t named = core->mappings.count, count = named, kept = 0, i;
    struct mapping *all = calloc(named + core->segment_count + 1, sizeof(*all));

    if (!all)
        return false;
    if (named > 0)
        qsort(core->mappings.items, named, sizeof(*all), compare_mappings);
    for (i = 0; i < named; i++) {
        all[i] = core->mappings.items[i];
        set_access(core, &all[i]);
    }
    for (i = 0; i < core->segment_count; i++) {
        if (!mapping_at(&core->mappings, core->segments[i].start))
            all[count++] = mapping_of(&core->segments[i]);
    }
    qsort(all, count, sizeof(*all), compare_mappings);
    for (i = 0; i < count; i++) {
        if (kept == 0 || all[i].start >= all[kept - 1].end)
            all[kept++] = all[i];
    }
    free(core->mappings.items);
    core->mappings = (struct mappings){all, kept};
    return true;
}

/* ---- The process and its threads ------------------------------------------------------------- */

static bool add_thread(struct core *core, const struct elf_note *note)
{
    struct elf_prstatus status;
    pid_t *threads;

    if (note->size < sizeof(status) || core->thread_count == THREADS_MAX)
        return true;
    memcpy(&status, note->value, sizeof(status));
    if (core->thread_count == 0)
        core->signal.number = status.pr_cursig;
    if ((core->thread_count & (core->thread_count - 1)) == 0) { /* 0 or a power of 2: full */
        size_t room = core->thread_count > 0 ? 2 * core->thread_count : 1;

        threads = realloc(core->threads, room * sizeof(*threads));
        if (!threads)
            return false;
        core->threads = threads;
    }
    core->threads[core->thread_count++] = status.pr_pid;
    return true;
}

static void read_process(struct core *core, const struct elf_note *note)
{
    struct elf_prpsinfo info;

    if (note->size < sizeof(info))
        return;
    memcpy(&info, note->value, sizeof(info));
    core->pid = info.pr_pid;
    core->parent = info.pr_ppid;
    memcpy(core->name, info.pr_fname, sizeof(info.pr_fname));
}

/* Reads the kernel's description of the signal from an NT_SIGINFO note. If the core file has
 * several such notes, the first one belongs to the thread that got the signal. */
static void read_signal(struct core *core, const struct elf_note *note)
{
    struct core_signal *s = &core->signal;
    siginfo_t info;

    if (note->size < sizeof(info) || s->has_address || s->sender)
        return;
    memcpy(&info, note->value, sizeof(info));
    if (info.si_signo != s->number)
        return;
    s->has_address = info.si_code > 0 && info.si_code != SI_KERNEL &&
                     (info.si_signo == SIGSEGV || info.si_signo == SIGBUS ||
                      info.si_signo == SIGILL || info.si_signo == SIGFPE);
    if (s->has_address)
        s->address = (uint64_t)(uintptr_t)info.si_addr;
    else if (info.si_code == SI_USER || info.si_code == SI_TKILL || info.si_code == SI_QUEUE)
        s->sender = info.si_pid;
}

/* Copies the auxiliary vector, up to AUXV_MAX entries. Sets the members of *core that are entries
 * of the auxiliary vector. Returns false if there is no memory. */
static bool read_auxv(struct core *core, const struct elf_note *note)
{
    Elf64_auxv_t entry = {.a_type = AT_IGNORE};
    size_t i;

    for (i = 0; i < note->size / sizeof(entry) && i < AUXV_MAX && entry.a_type != AT_NULL; i++) {
        memcpy(&entry, note->value + i * sizeof(entry), sizeof(entry));
        if (entry.a_type == AT_PHDR)
            core->program_headers = entry.a_un.a_val;
        if (entry.a_type == AT_EXECFN)
            core->file_name = entry.a_un.a_val;
    }
    if (core->auxv || i == 0)
        return true;
    core->auxv_size = i * sizeof(entry);
    core->auxv = malloc(core->auxv_size);
    if (core->auxv)
        memcpy(core->auxv, note->value, core->auxv_size);
    return core->auxv;
}

static bool read_note(struct core *core, const struct elf_note *note)
{
    if (elf_note_is(note, "CORE", NT_FILE))
        return read_files(core, note);
    if (elf_note_is(note, "CORE", NT_PRSTATUS))
        return add_thread(core, note);
    if (elf_note_is(note, "CORE", NT_AUXV))
        return read_auxv(core, note);
    if (elf_note_is(note, "CORE", NT_PRPSINFO))
        read_process(core, note);
    else if (elf_note_is(note, "CORE", NT_SIGINFO))
        read_signal(core, note);
    return true;
}

/* Reads the notes of a segment. *left: how many bytes of notes may still be read. Returns false if
 * there is no memory. */
static bool read_notes(struct core *core, const struct elf_segment *s, uint64_t *left)
{
    uint64_t size = s->offset < core->size ? core->size - s->offset : 0;
    struct elf_notes notes = {.align = s->align == 8 ? 8 : 4};
    struct elf_note note;
    unsigned char *bytes;
    bool enough = true;

    size = size < s->file_size ? size : s->file_size;
    size = size < *left ? size : *left;
    *left -= size;
    bytes = malloc(size > 0 ? size : 1);
    if (!bytes)
        return false;
    notes.at = bytes;
    notes.left = read_file(core, s->offset, bytes, (size_t)size);
    while (enough && elf_next_note(&notes, &note))
        enough = read_note(core, &note);
    free(bytes);
    return enough;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* True if the kernel writes a core file when this signal ends a process. A core file with another
 * signal was written by gdb, which had stopped the process with this signal. */
static bool is_fatal(int number)
{
    static const int fatal[] = {SIGQUIT, SIGILL, SIGABRT, SIGFPE,  SIGSEGV,
                                SIGBUS,  SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ};
    size_t i;

    for (i = 0; i < sizeof(fatal) / sizeof(*fatal); i++) {
        if (fatal[i] == number)
            return true;
    }
    return false;
}

static void settle_signal(struct core *core)
{
    if (core->thread_count == 0 || !is_fatal(core->signal.number))
        core->signal = (struct core_signal){0};
    else
        core->signal.thread = core->threads[0];
}

static enum core_result read_header(const struct core *core, struct elf *elf, void *bytes)
{
    switch (elf_open(elf, bytes, read_file(core, 0, bytes, sizeof(Elf64_Ehdr)))) {
    case ELF_OK:
        break;
    case ELF_NOT_ELF:
        return CORE_NOT_ELF;
    case ELF_CUT:
        return CORE_CUT;
    case ELF_32_BIT:
        return CORE_32_BIT;
    case ELF_OTHER_ENDIAN:
        return CORE_OTHER_MACHINE;
    }
    if (elf->type != ET_CORE)
        return CORE_NOT_CORE;
    return elf->machine == elf_own_machine() ? CORE_OK : CORE_OTHER_MACHINE;
}

static enum core_result read_all(struct core *core, const struct elf *elf, struct headers *headers)
{
    uint64_t left = NOTES_MAX;
    bool all;
    size_t i;

    if (!read_headers(core, elf, headers, &all) || !set_segments(core, headers))
        return CORE_NO_MEMORY;
    if (!all || headers->count == 0)
        return CORE_CUT;
    set_complete(core, headers);
    for (i = 0; i < headers->count; i++) {
        if (headers->items[i].type == PT_NOTE && !read_notes(core, &headers->items[i], &left))
            return CORE_NO_MEMORY;
    }
    settle_signal(core);
    return complete_mappings(core) ? CORE_OK : CORE_NO_MEMORY;
}

enum core_result core_open(struct core *core, int fd, uint16_t *machine)
{
    struct headers headers __attribute__((cleanup(headers_free))) = {0};
    unsigned char bytes[sizeof(Elf64_Ehdr)] = {0};
    enum core_result result;
    struct elf elf;
    struct stat st;

    *core = (struct core){.fd = fd};
    if (fstat(fd, &st) < 0)
        return CORE_UNREADABLE;
    core->size = (uint64_t)st.st_size;
    errno = 0;
    result = read_header(core, &elf, bytes);
    *machine = elf.machine;
    if (result == CORE_NOT_ELF && errno)
        return CORE_UNREADABLE;
    return result == CORE_OK ? read_all(core, &elf, &headers) : result;
}

void core_close(struct core *core)
{
    if (core->fd >= 0)
        close(core->fd);
    free(core->segments);
    free(core->mappings.items);
    free(core->files);
    free(core->paths);
    free(core->threads);
    free(core->auxv);
    *core = (struct core){.fd = -1};
}

bool core_is_cut(const struct core *core)
{
    return core->size < core->complete;
}

size_t core_executable(const struct core *core)
{
    const struct mapping *m = mapping_at(&core->mappings, core->program_headers);

    return m && m->inode > 0 ? (size_t)m->inode - 1 : CORE_NO_FILE;
}
