/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_pages.h"

#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14; before, madvise() fails and changes nothing */
#endif

#define POPULATED 32         /* for how many copies memory is allocated at once */
#define NO_PAGE   UINT64_MAX /* not the number of a page: an address has only 64 bits */

static struct memory_pages *pages_of(const struct memory *m)
{
    return (struct memory_pages *)(uintptr_t)m->source;
}

static void forget_all(struct memory_pages *p)
{
    p->generation++;
    p->count = 0;
}

/* Returns the place of a page in `kept`, or the free place to use for it. */
static size_t place_of(const struct memory_pages *p, uint64_t number)
{
    size_t i = number * UINT64_C(0x9e3779b97f4a7c15) >> 32; /* 2^64 / golden ratio */

    for (i &= PAGES_KEPT - 1; p->kept[i].generation == p->generation && p->kept[i].number != number;
         i = (i + 1) & (PAGES_KEPT - 1)) {
    }
    return i;
}

static uint64_t first_page(const struct memory_piece *piece)
{
    return piece->address / PAGE_BYTES;
}

static uint64_t last_page(const struct memory_piece *piece)
{
    return (piece->address + piece->size - 1) / PAGE_BYTES;
}

/* True if the pages of all pieces may be kept: no piece is empty or leads beyond the end of the
 * address space, and the pieces have at most PAGES_AT_ONCE pages. */
static bool are_small(const struct memory_piece *pieces, size_t count)
{
    uint64_t total = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        if (pieces[i].size == 0 || pieces[i].size > PAGE_BYTES ||
            pieces[i].address > UINT64_MAX - pieces[i].size)
            return false;
        total += last_page(&pieces[i]) - first_page(&pieces[i]) + 1;
    }
    return total <= PAGES_AT_ONCE;
}

/* Lets the kernel allocate the memory for the next copies all at once. That takes a fraction of the
 * time of a page fault for each copy. */
static void populate(struct memory_pages *p)
{
    size_t size = PAGES_COPIES - p->populated < POPULATED ? PAGES_COPIES - p->populated : POPULATED;

    madvise(p->copies[p->populated], size * PAGE_BYTES, MADV_POPULATE_WRITE);
    p->populated += size;
}

/* Adds to `wanted` each page of a piece of which there is no copy yet. Enters the page in p->kept,
 * and takes the next of p->copies for the copy. */
static void add_missing(struct memory_pages *p, const struct memory_piece *piece,
                        struct memory_piece *wanted, size_t *count)
{
    uint64_t number;
    size_t place;

    for (number = first_page(piece); number <= last_page(piece); number++) {
        place = place_of(p, number);
        if (p->kept[place].generation == p->generation)
            continue;
        if (p->count == p->populated)
            populate(p);
        p->kept[place] = (struct kept_page){number, p->generation, p->count};
        wanted[(*count)++] =
            (struct memory_piece){number * PAGE_BYTES, p->copies[p->count++], PAGE_BYTES};
    }
}

/* Reads the pages of all pieces that are not kept yet. Returns false if some cannot be read. */
static bool keep(struct memory_pages *p, const struct memory_piece *pieces, size_t count)
{
    struct memory_piece wanted[PAGES_AT_ONCE];
    size_t missing = 0, i;

    if (p->count > PAGES_COPIES - PAGES_AT_ONCE)
        forget_all(p);
    for (i = 0; i < count; i++)
        add_missing(p, &pieces[i], wanted, &missing);
    if (missing == 0 || p->memory.read(&p->memory, wanted, missing))
        return true;
    /* The places stay taken, because other pages may have been put behind them. */
    for (i = 0; i < missing; i++)
        p->kept[place_of(p, wanted[i].address / PAGE_BYTES)].number = NO_PAGE;
    return false;
}

static const unsigned char *copy_of(const struct memory_pages *p, uint64_t number)
{
    return p->copies[p->kept[place_of(p, number)].copy];
}

static void copy_piece(const struct memory_pages *p, const struct memory_piece *piece)
{
    uint64_t address = piece->address;
    size_t done = 0, start, size;

    for (; done < piece->size; done += size, address += size) {
        start = address % PAGE_BYTES;
        size = PAGE_BYTES - start < piece->size - done ? PAGE_BYTES - start : piece->size - done;
        memcpy((char *)piece->to + done, copy_of(p, address / PAGE_BYTES) + start, size);
    }
}

/* Copies a piece if it lies in one page of which a copy is kept, as most pieces do. Returns false
 * if it does not. */
static bool copy_kept(const struct memory_pages *p, const struct memory_piece *piece)
{
    size_t start = piece->address % PAGE_BYTES, place;

    if (piece->size > PAGE_BYTES - start)
        return false;
    place = place_of(p, first_page(piece));
    if (p->kept[place].generation != p->generation)
        return false;
    memcpy(piece->to, p->copies[p->kept[place].copy] + start, piece->size);
    return true;
}

static bool read_pieces(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    struct memory_pages *p = pages_of(m);
    size_t i;

    if (count == 1 && copy_kept(p, pieces))
        return true;
    if (!are_small(pieces, count) || !keep(p, pieces, count))
        return p->memory.read(&p->memory, pieces, count);
    for (i = 0; i < count; i++)
        copy_piece(p, &pieces[i]);
    return true;
}

static bool read_now(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    const struct memory *memory = &pages_of(m)->memory;

    return memory->read(memory, pieces, count);
}

static void forget(const struct memory *m)
{
    forget_all(pages_of(m));
}

static int64_t activity(const struct memory *m, pid_t thread)
{
    const struct memory *memory = &pages_of(m)->memory;

    return memory->activity(memory, thread);
}

static bool has_thread(const struct memory *m, pid_t thread)
{
    const struct memory *memory = &pages_of(m)->memory;

    return memory->has_thread(memory, thread);
}

static bool read_wait(const struct memory *m, pid_t thread, struct kernel_wait *to)
{
    const struct memory *memory = &pages_of(m)->memory;

    return memory->wait(memory, thread, to);
}

struct memory memory_pages(struct memory_pages *pages)
{
    struct memory m = pages->memory;

    forget_all(pages);
    m.read = read_pieces;
    m.read_now = read_now;
    m.forget = forget;
    m.activity = m.activity ? activity : NULL;
    m.has_thread = m.has_thread ? has_thread : NULL;
    m.wait = m.wait ? read_wait : NULL;
    m.source = pages;
    return m;
}
