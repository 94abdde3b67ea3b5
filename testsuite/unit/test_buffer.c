/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit.h"

TEST(an_empty_buffer_owns_nothing)
{
    struct buffer b = BUFFER_INIT;

    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_false(b.failed);
    buffer_free(&b);
    buffer_free(&b);
}

TEST(puts_append_in_order)
{
    AUTO_BUFFER b = BUFFER_INIT;

    buffer_put(&b, "abc", 3);
    buffer_put_u8(&b, 0xff);
    buffer_put(&b, "d", 1);
    assert_bytes(b.data, b.len, "616263 ff 64");
}

TEST(numbers_are_big_endian)
{
    AUTO_BUFFER b = BUFFER_INIT;

    buffer_put_u32(&b, 0x01020304);
    buffer_put_u64(&b, 0x05060708090a0b0c);
    assert_bytes(b.data, b.len, "01020304 05060708090a0b0c");
    assert_int_equal(load_u32(b.data), 0x01020304);
    assert_int_equal(load_u64(b.data + 4), 0x05060708090a0b0c);
}

TEST(numbers_with_the_highest_bit_set_come_back)
{
    AUTO_BYTES bytes = from_hex("00000000 00000000 ffffffff fffffffe");

    assert_int_equal(load_u32(bytes.data + 12), 0xfffffffe);
    assert_int_equal(load_u64(bytes.data + 8), 0xfffffffffffffffe);
    store_u32(bytes.data, 0x80000001);
    store_u32(bytes.data + 4, 0xff00ff00);
    assert_int_equal(load_u64(bytes.data), 0x80000001ff00ff00);
}

TEST(nothing_is_appended_by_a_put_of_nothing)
{
    AUTO_BUFFER b = BUFFER_INIT;

    buffer_put(&b, NULL, 0);
    assert_int_equal(b.len, 0);
    buffer_put(&b, "x", 1);
    buffer_put(&b, NULL, 0);
    assert_bytes(b.data, b.len, "78");
    assert_false(b.failed);
}

TEST(the_content_survives_growing)
{
    AUTO_BUFFER b = BUFFER_INIT;
    uint32_t i;

    for (i = 0; i < 100000; i++)
        buffer_put_u32(&b, i);
    assert_false(b.failed);
    assert_int_equal(b.len, 400000);
    for (i = 0; i < 100000; i++)
        assert_int_equal(load_u32(b.data + 4 * (size_t)i), i);
}

TEST(growing_takes_few_steps)
{
    AUTO_BUFFER b = BUFFER_INIT;
    size_t steps = 0, cap = 0;

    while (b.len < (size_t)1 << 20) {
        buffer_put_u8(&b, 0);
        steps += b.cap != cap;
        cap = b.cap;
    }
    assert_true(steps < 30);
}

TEST(a_reserve_makes_room_and_leaves_the_content)
{
    AUTO_BUFFER b = BUFFER_INIT;
    uint8_t *data;

    buffer_put(&b, "abc", 3);
    assert_true(buffer_reserve(&b, 5000));
    assert_true(b.cap >= 5003);
    assert_bytes(b.data, b.len, "616263");
    data = b.data;
    memset(buffer_extend(&b, 5000), 'x', 5000);
    assert_ptr_equal(b.data, data);
    assert_int_equal(b.len, 5003);
}

TEST(an_extend_hands_out_the_new_end)
{
    AUTO_BUFFER b = BUFFER_INIT;
    uint8_t *end;

    buffer_put(&b, "abc", 3);
    end = buffer_extend(&b, 2);
    assert_ptr_equal(end, b.data + 3);
    assert_int_equal(b.len, 5);
}

TEST(a_length_that_overflows_fails_the_buffer)
{
    AUTO_BUFFER b = BUFFER_INIT;

    buffer_put(&b, "abc", 3);
    assert_false(buffer_reserve(&b, SIZE_MAX - 2));
    assert_true(b.failed);
    assert_bytes(b.data, b.len, "616263");
}

TEST(running_out_of_memory_fails_the_buffer_and_leaves_the_content)
{
    AUTO_BUFFER b = BUFFER_INIT;

    buffer_put(&b, "abc", 3);
    assert_null(buffer_extend(&b, SIZE_MAX / 4));
    assert_true(b.failed);
    assert_bytes(b.data, b.len, "616263");
}

TEST(a_failed_buffer_takes_nothing_more)
{
    AUTO_BUFFER b = BUFFER_INIT;

    buffer_put(&b, "abc", 3);
    b.failed = true;
    buffer_put(&b, "d", 1);
    buffer_put_u8(&b, 'e');
    buffer_put_u32(&b, 1);
    buffer_put_u64(&b, 1);
    assert_null(buffer_extend(&b, 1));
    assert_null(buffer_extend(&b, 1000));
    assert_false(buffer_reserve(&b, 1));
    assert_true(b.failed);
    assert_bytes(b.data, b.len, "616263");
}

TEST(a_truncation_gives_up_what_follows_and_the_error)
{
    AUTO_BUFFER b = BUFFER_INIT;

    buffer_put(&b, "abcdef", 6);
    b.failed = true;
    buffer_truncate(&b, 2);
    assert_false(b.failed);
    buffer_put_u8(&b, 'z');
    assert_bytes(b.data, b.len, "61627a");
}

TEST(a_clear_forgets_content_and_error_and_keeps_the_memory)
{
    AUTO_BUFFER b = BUFFER_INIT;
    uint8_t *data;

    buffer_put(&b, "abc", 3);
    data = b.data;
    b.failed = true;
    buffer_clear(&b);
    assert_int_equal(b.len, 0);
    assert_false(b.failed);
    assert_ptr_equal(b.data, data);
    buffer_put_u8(&b, 'z');
    assert_bytes(b.data, b.len, "7a");
}

TEST(a_clear_gives_back_much_memory)
{
    AUTO_BUFFER b = BUFFER_INIT;

    assert_true(buffer_reserve(&b, BUFFER_KEEP));
    assert_true(b.cap >= BUFFER_KEEP);
    buffer_clear(&b);
    assert_true(b.cap <= BUFFER_KEEP);
    assert_true(buffer_reserve(&b, BUFFER_KEEP + 1));
    buffer_put_u8(&b, 'z');
    buffer_clear(&b);
    assert_true(b.cap <= BUFFER_KEEP);
    assert_int_equal(b.len, 0);
    buffer_put_u8(&b, 'z');
    assert_bytes(b.data, b.len, "7a");
}
