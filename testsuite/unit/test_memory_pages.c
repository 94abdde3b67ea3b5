/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

#include "known_offsets.h"
#include "memory_pages.h"
#include "stack.h"

#define PAGES 1000
#define HOLE  500 /* the index of a page that cannot be read */
#define START UINT64_C(0x100000)
#define AT(i) (START + (uint64_t)(i)*PAGE_BYTES)

static unsigned char bytes[PAGES][PAGE_BYTES]; /* the memory from START on */
static unsigned reads;
static char events[16]; /* what was called: f: forget, a: activity, r: read */

static void note(char event)
{
    if (strlen(events) < sizeof(events) - 1)
        events[strlen(events)] = event;
}

static bool read_bytes(const struct memory *m, const struct memory_piece *pieces, size_t count)
{
    (void)m;
    reads++;
    note('r');
    for (size_t i = 0; i < count; i++) {
        const struct memory_piece *p = &pieces[i];

        if (p->address < START || p->size > sizeof(bytes) ||
            p->address - START > sizeof(bytes) - p->size ||
            (p->address < AT(HOLE + 1) && p->address + p->size > AT(HOLE)))
            return false;
        memcpy(p->to, &bytes[0][0] + (p->address - START), p->size);
    }
    return true;
}

/* Returns the memory, of which pages are kept. Each byte is the number of its page. */
static struct memory keep(void)
{
    static struct memory_pages pages;
    static unsigned char copies[PAGES_COPIES][PAGE_BYTES];

    for (size_t i = 0; i < PAGES; i++)
        memset(bytes[i], (int)i, PAGE_BYTES);
    reads = 0;
    pages.memory = (struct memory){.read = read_bytes};
    pages.copies = copies;
    return memory_pages(&pages);
}

static int byte_at(const struct memory *m, uint64_t address)
{
    unsigned char byte;

    return memory_read(m, address, &byte, 1) ? byte : -1;
}

TEST(a_page_is_read_once_until_it_is_forgotten)
{
    const struct memory m = keep();
    unsigned char byte = 0;

    assert_int_equal(byte_at(&m, AT(3)), 3);
    bytes[3][100] = 77;
    assert_int_equal(byte_at(&m, AT(3) + 100), 3);
    assert_int_equal(reads, 1);
    assert_true(memory_read_now(&m, &(struct memory_piece){AT(3) + 100, &byte, 1}, 1));
    assert_int_equal(byte, 77);
    memory_forget(&m);
    assert_int_equal(byte_at(&m, AT(3) + 100), 77);
}

TEST(the_pages_of_several_pieces_are_read_at_once)
{
    const struct memory m = keep();
    unsigned char to[3][8];
    const struct memory_piece pieces[] = {
        {AT(8) - 4, to[0], 8}, {AT(7), to[1], 8}, {AT(20), to[2], 8}};

    assert_true(m.read(&m, pieces, 3));
    assert_int_equal(reads, 1);
    assert_memory_equal(to[0], "\7\7\7\7\10\10\10\10", 8);
    assert_memory_equal(to[1], "\7\7\7\7\7\7\7\7", 8);
    assert_int_equal(to[2][7], 20);
}

TEST(a_page_that_cannot_be_read_makes_only_its_own_pieces_fail)
{
    const struct memory m = keep();
    unsigned char to[2][8];
    const struct memory_piece pieces[] = {{AT(HOLE - 1), to[0], 8}, {AT(HOLE) - 4, to[1], 8}};

    assert_int_equal(byte_at(&m, AT(HOLE)), -1);
    assert_false(m.read(&m, pieces, 2));
    assert_true(m.read(&m, pieces, 1));
    assert_int_equal(to[0][0], (unsigned char)(HOLE - 1));
    assert_int_equal(byte_at(&m, AT(HOLE)), -1);
    assert_int_equal(byte_at(&m, START - 1), -1);
    assert_int_equal(byte_at(&m, UINT64_MAX), -1);
    assert_false(m.read(&m, &(struct memory_piece){UINT64_MAX - 3, to[0], 8}, 1));
}

TEST(more_pages_than_can_be_kept_are_read)
{
    const struct memory m = keep();

    for (int i = 0; i < 3 * PAGES; i++) {
        if (i % PAGES != HOLE)
            assert_int_equal(byte_at(&m, AT(i % PAGES) + 9), (unsigned char)(i % PAGES));
    }
}

TEST(a_large_piece_is_read_without_keeping_it)
{
    const struct memory m = keep();
    static unsigned char to[100 * PAGE_BYTES];

    assert_true(memory_read(&m, AT(1), to, sizeof(to)));
    bytes[2][0] = 99;
    assert_int_equal(to[PAGE_BYTES], 2);
    assert_int_equal(byte_at(&m, AT(2)), 99);
}

static void note_forget(const struct memory *m)
{
    (void)m;
    note('f');
}

static int64_t note_activity(const struct memory *m, pid_t thread)
{
    (void)m;
    note('a');
    return thread;
}

/* The thread may have run before its activity was read, but not since then without being noticed.
 * So what the memory has kept must be forgotten after that. */
TEST(the_memory_forgets_after_the_activity_and_before_the_frames_are_read)
{
    struct offsets offsets;
    const struct python py = {
        .memory = {.read = read_bytes, .forget = note_forget, .activity = note_activity},
        .offsets = &offsets};
    struct raw_stack stack = {.room = 0};

    assert_true(known_offsets(12, &offsets));
    memset(events, 0, sizeof(events));
    frames_read(&py, 8, 1, &stack);
    assert_string_equal(events, "afr");
    assert_int_equal(stack.state, FRAMES_UNREADABLE);
    memset(events, 0, sizeof(events));
    frames_read_since(&py, 8, 1, &stack);
    assert_string_equal(events, "r");
    assert_int_equal(stack.activity, 1);
}
