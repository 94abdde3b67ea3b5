/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory_limit.h"

static const struct memory *limited(const struct memory *m)
{
    return &((const struct memory_limit *)m->source)->memory;
}

/* Subtracts what a read costs from what is left. Returns false if too little is left. */
static bool pay(struct memory_limit *limit, const struct memory_piece *pieces, size_t count)
{
    size_t i;

    limit->left -= READ_COST;
    for (i = 0; i < count && limit->left >= 0; i++) {
        if (pieces[i].size > (uint64_t)limit->left)
            limit->left = -1;
        else
            limit->left -= (int64_t)pieces[i].size;
    }
    return limit->left >= 0;
}

static bool read_pieces(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    struct memory_limit *limit = (struct memory_limit *)(uintptr_t)m->source;

    return pay(limit, pieces, count) && limit->memory.read(&limit->memory, pieces, count);
}

static bool read_now(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    struct memory_limit *limit = (struct memory_limit *)(uintptr_t)m->source;

    return pay(limit, pieces, count) && memory_read_now(&limit->memory, pieces, count);
}

static void forget(const struct memory *m)
{
    memory_forget(limited(m));
}

static int64_t activity(const struct memory *m, pid_t thread)
{
    return limited(m)->activity(limited(m), thread);
}

static bool has_thread(const struct memory *m, pid_t thread)
{
    return limited(m)->has_thread(limited(m), thread);
}

static bool read_wait(const struct memory *m, pid_t thread, struct kernel_wait *to)
{
    return limited(m)->wait(limited(m), thread, to);
}

struct memory memory_limit(struct memory_limit *limit)
{
    const struct memory *m = &limit->memory;

    return (struct memory){.read = read_pieces,
                           .read_now = read_now,
                           .forget = forget,
                           .activity = m->activity ? activity : NULL,
                           .has_thread = m->has_thread ? has_thread : NULL,
                           .wait = m->wait ? read_wait : NULL,
                           .pid = m->pid,
                           .source = limit,
                           .is_forked = m->is_forked,
                           .has_gaps = m->has_gaps,
                           .is_slow = m->is_slow};
}

int64_t memory_limit_left(const struct memory *m)
{
    return ((const struct memory_limit *)m->source)->left;
}
