/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_core.h"

/* Reads up to `size` bytes at an address from the file that was mapped there. Returns how many were
 * read. */
static size_t read_mapped(const struct memory_core *m, uint64_t address, void *to, size_t size)
{
    const struct mapping *at = mapping_at(&m->core->mappings, address);
    const struct core_image *image;
    uint64_t offset;

    if (!at || at->inode == 0 || __builtin_add_overflow(at->offset, address - at->start, &offset))
        return 0;
    image = core_images_get(m->images, (size_t)at->inode - 1);
    if (image->state != IMAGE_FOUND)
        return 0;
    if (size > at->end - address)
        size = (size_t)(at->end - address);
    return core_image_read(image, offset, to, size);
}

/* Reads up to `size` bytes at an address, from the core file or from a mapped file. Returns how
 * many were read; 0: none. A mapped file does not contain the changes that the process made in
 * memory. So if the core file is cut, this function returns 0 for writable memory whose bytes are
 * in the missing part. */
static size_t read_some(const struct memory_core *m, uint64_t address, void *to, size_t size)
{
    const struct core_segment *segment;
    uint64_t offset;
    size_t n = core_find(m->core, address, size, &segment, &offset);

    if (n > 0)
        return core_read(m->core, address, to, n);
    if (segment && segment->writable && address - segment->start < segment->saved)
        return 0;
    return read_mapped(m, address, to, size);
}

static bool read_piece(const struct memory_core *m, const struct memory_piece *piece)
{
    size_t done = 0, n;

    if (piece->size > 0 && piece->address > UINT64_MAX - (piece->size - 1))
        return false;
    for (; done < piece->size; done += n) {
        n = read_some(m, piece->address + done, (char *)piece->to + done, piece->size - done);
        if (n == 0)
            return false;
    }
    return true;
}

static bool read_pieces(const struct memory *memory, const struct memory_piece *pieces,
                        size_t count)
{
    size_t i;

    if (count > MEMORY_PIECES_MAX)
        return false;
    for (i = 0; i < count; i++) {
        if (!read_piece(memory->source, &pieces[i]))
            return false;
    }
    return true;
}

static int64_t no_activity(const struct memory *memory, pid_t thread)
{
    (void)memory;
    (void)thread;
    return 0;
}

static bool has_thread(const struct memory *memory, pid_t thread)
{
    const struct core *core = ((const struct memory_core *)memory->source)->core;
    size_t i;

    for (i = 0; i < core->thread_count; i++) {
        if (core->threads[i] == thread)
            return true;
    }
    return false;
}

struct memory memory_core(const struct memory_core *m)
{
    return (struct memory){.read = read_pieces,
                           .activity = no_activity,
                           .has_thread = m->core->thread_count > 0 ? has_thread : NULL,
                           .pid = m->core->pid,
                           .source = m,
                           .has_gaps = true};
}
