/* SPDX-License-Identifier: BSD-3-Clause */
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE  4096
#define PAGES_MAX  20000
#define PIECES_MAX 200000

struct page {
    uint64_t address;
    unsigned char bytes[PAGE_SIZE];
};

/* The beginning of a file; the pages follow. */
struct head {
    char magic[8];
    struct offsets offsets;
    uint64_t runtime, pid, count;
};

static const char magic[8] = "pyimage1";

static struct head head;
static struct page *pages; /* sorted by address, once it was written or loaded */

static int compare_pages(const void *a, const void *b)
{
    uint64_t left = ((const struct page *)a)->address, right = ((const struct page *)b)->address;

    return (left > right) - (left < right);
}

/* ---- Recording ------------------------------------------------------------------------------- */

static bool is_recorded(uint64_t address)
{
    uint64_t i;

    for (i = head.count; i > 0; i--) {
        if (pages[i - 1].address == address)
            return true;
    }
    return false;
}

static void record_page(uint64_t address)
{
    struct memory self = memory_self();
    struct page *page = &pages[head.count];

    if (head.count == PAGES_MAX || is_recorded(address))
        return;
    page->address = address;
    if (self.read(&self, &(struct memory_piece){address, page->bytes, PAGE_SIZE}, 1))
        head.count++;
}

static bool read_and_record(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    struct memory self = memory_self();
    uint64_t address;
    size_t i;

    if (!self.read(m, pieces, count))
        return false;
    for (i = 0; i < count; i++) {
        address = pieces[i].address & ~(uint64_t)(PAGE_SIZE - 1);
        for (; pieces[i].size > 0 && address < pieces[i].address + pieces[i].size;
             address += PAGE_SIZE)
            record_page(address);
    }
    return true;
}

struct memory image_begin(void)
{
    struct memory memory = memory_self();

    if (!pages)
        pages = calloc(PAGES_MAX, sizeof(*pages));
    if (!pages)
        abort();
    head = (struct head){.pid = (uint64_t)memory.pid};
    memory.read = read_and_record;
    return memory;
}

bool image_write(const char *path, const struct offsets *offsets, uint64_t runtime)
{
    FILE *file = fopen(path, "wb");
    bool written;

    if (!file)
        return false;
    memcpy(head.magic, magic, sizeof(magic));
    head.offsets = *offsets;
    head.runtime = runtime;
    qsort(pages, head.count, sizeof(*pages), compare_pages);
    written = fwrite(&head, sizeof(head), 1, file) == 1 &&
              fwrite(pages, sizeof(*pages), head.count, file) == head.count;
    return fclose(file) == 0 && written;
}

/* ---- Replaying ------------------------------------------------------------------------------- */

static struct page *original;                  /* a copy of `pages`, without changes */
static bool *changed;                          /* for each page */
static struct memory_piece *learned, *several; /* `several`: the pieces that were read together with
                                                * others, which are those of stacks */
static size_t learned_count, several_count;
static bool learning;
static const struct image_change *scheduled;
static size_t scheduled_count;
static uint64_t reads, ticks;

bool image_load(const char *path)
{
    FILE *file = fopen(path, "rb");
    bool loaded = file && fread(&head, sizeof(head), 1, file) == 1 &&
                  memcmp(head.magic, magic, sizeof(magic)) == 0 && head.count <= PAGES_MAX;

    if (loaded) {
        pages = calloc(head.count, sizeof(*pages));
        original = calloc(head.count, sizeof(*pages));
        changed = calloc(head.count, sizeof(*changed));
        learned = calloc(PIECES_MAX, sizeof(*learned));
        several = calloc(PIECES_MAX, sizeof(*several));
        if (!pages || !original || !changed || !learned || !several)
            abort();
        loaded = fread(pages, sizeof(*pages), head.count, file) == head.count;
        memcpy(original, pages, head.count * sizeof(*pages));
    }
    if (file)
        fclose(file);
    return loaded;
}

const struct offsets *image_offsets(void)
{
    return &head.offsets;
}

uint64_t image_runtime(void)
{
    return head.runtime;
}

uint64_t image_reads(void)
{
    return reads;
}

void image_learn(void)
{
    learned_count = several_count = 0;
    learning = true;
}

static struct page *find_page(uint64_t address)
{
    uint64_t low = 0, high = head.count, middle;

    while (low < high) {
        middle = (low + high) / 2;
        if (pages[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || address - pages[low - 1].address >= PAGE_SIZE)
        return NULL;
    return &pages[low - 1];
}

/* Copies bytes from the image, or into it if `write` is set. Returns false if it lacks one of them.
 */
static bool copy(uint64_t address, unsigned char *bytes, size_t size, bool write)
{
    struct page *page;
    size_t at, part;

    for (; size > 0; address += part, bytes += part, size -= part) {
        page = find_page(address);
        if (!page)
            return false;
        at = address - page->address;
        part = PAGE_SIZE - at < size ? PAGE_SIZE - at : size;
        if (write) {
            memcpy(page->bytes + at, bytes, part);
            changed[page - pages] = true;
        } else {
            memcpy(bytes, page->bytes + at, part);
        }
    }
    return true;
}

static void remember(const struct memory_piece *piece, size_t count)
{
    if (learned_count < PIECES_MAX)
        learned[learned_count++] = *piece;
    if (count > 1 && several_count < PIECES_MAX)
        several[several_count++] = *piece;
}

static bool read_image(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    size_t i;

    (void)m;
    reads++;
    for (; scheduled_count > 0 && reads >= 4 * (uint64_t)scheduled->when; scheduled_count--)
        image_change(scheduled++);
    for (i = 0; i < count; i++) {
        if (learning && pieces[i].size > 0)
            remember(&pieces[i], count);
        if (!copy(pieces[i].address, pieces[i].to, pieces[i].size, false))
            return false;
    }
    return true;
}

static int64_t standing_clock(const struct memory *m, pid_t thread)
{
    (void)m;
    return thread > 0 ? 1 : -1;
}

static int64_t running_clock(const struct memory *m, pid_t thread)
{
    (void)m;
    return thread > 0 ? (int64_t)++ticks : -1;
}

struct memory image_memory(enum image_clock clock)
{
    struct memory memory = {.read = read_image, .pid = (pid_t)head.pid};

    if (clock != CLOCK_UNKNOWN)
        memory.activity = clock == CLOCK_RUNS ? running_clock : standing_clock;
    return memory;
}

/* ---- Changing -------------------------------------------------------------------------------- */

/* The kinds of changes. The upper half of the kinds changes the pieces in `several`. */
enum { XOR_BYTE, SET_WORD, SET_ADDRESS, MOVE_WORD, SET_INT, COPY_WORD, FILL, CHANGE_BIT };

static const uint64_t words[] = {
    0,           1,          UINT64_MAX, INT64_MAX,          (uint64_t)INT64_MIN, 0x10000,
    0x100000000, 0x7fffffff, 8,          0xfffffffffffff000, 0x4141414141414141,  100000};

/* Returns the word at an address of the image, or 0. */
static uint64_t word_at(uint64_t address)
{
    uint64_t word = 0;

    copy(address, (unsigned char *)&word, sizeof(word), false);
    return word;
}

void image_change(const struct image_change *c)
{
    bool of_stacks = c->kind >= 128 && several_count > 0;
    const struct memory_piece *list = of_stacks ? several : learned, *piece, *other;
    size_t count = of_stacks ? several_count : learned_count;
    uint64_t address, aligned, word;
    unsigned char byte, fill[64];

    if (count == 0)
        return;
    piece = &list[c->piece % count];
    other = &list[c->operand % count];
    address = piece->address + c->place % piece->size;
    aligned = address & ~UINT64_C(7);
    word = word_at(aligned);
    byte = (unsigned char)word_at(address);
    switch (c->kind % 8) {
    case XOR_BYTE:
    case CHANGE_BIT:
        byte ^= c->kind % 8 == XOR_BYTE ? (unsigned char)c->operand : 1U << c->operand % 8;
        copy(address, &byte, 1, true);
        return;
    case SET_WORD:
        word = words[c->operand % (sizeof(words) / sizeof(*words))];
        break;
    case SET_ADDRESS:
        word = other->address;
        break;
    case MOVE_WORD:
        word += 8 * (uint64_t)(int16_t)c->operand;
        break;
    case SET_INT:
        word = (word & ~UINT64_C(0xffffffff)) | (uint32_t)(int16_t)c->operand;
        break;
    case COPY_WORD:
        word = word_at((other->address + c->place % other->size) & ~UINT64_C(7));
        break;
    case FILL:
        memset(fill, c->operand, sizeof(fill));
        copy(address, fill, sizeof(fill) - address % sizeof(fill), true);
        return;
    }
    copy(aligned, (unsigned char *)&word, sizeof(word), true);
}

void image_schedule(const struct image_change *changes, size_t count)
{
    scheduled = changes;
    scheduled_count = count;
}

void image_restore(void)
{
    uint64_t i;

    for (i = 0; i < head.count; i++) {
        if (changed[i])
            pages[i] = original[i];
        changed[i] = false;
    }
    learning = false;
    scheduled_count = 0;
    reads = ticks = 0;
}
