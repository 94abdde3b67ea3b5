/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: a byte, then a stream of frames. The byte is the size of the pieces in which the stream
 * arrives. Each payload is written as a frame and read again, and must be the same.
 */
#include "fuzz.h"

#define PAYLOAD_MAX ((size_t)256 * 1024)

/* Passes n bytes to the reader, in as many parts as it has room for. */
static void receive(struct frame_reader *r, const uint8_t *data, size_t n)
{
    while (n > 0) {
        size_t room = 0;
        uint8_t *to = frame_room(r, &room);

        must(to && room > 0);
        if (room > n)
            room = n;
        memcpy(to, data, room);
        frame_received(r, room);
        data += room;
        n -= room;
    }
}

static void free_reader(struct frame_reader *r)
{
    frame_reader_free(r);
}

static void free_frame(struct frame *f)
{
    frame_free(f);
}

static void there_and_back(const struct frame *f, bool compress)
{
    _cleanup_(free_reader) struct frame_reader r;
    _cleanup_(free_frame) struct frame again = FRAME_INIT;
    AUTO_BUFFER out = BUFFER_INIT;
    size_t start = frame_begin(&out);

    buffer_put(&out, f->data, f->len);
    must(frame_end(&out, start, compress, NULL) == 0);
    frame_reader_init(&r, PAYLOAD_MAX);
    receive(&r, out.data, out.len);
    must(frame_next(&r, &again, NULL) == 1);
    must(again.len == f->len && (f->len == 0 || memcmp(again.data, f->data, f->len) == 0));
    must(!frame_pending(&r));
}

/* Reads all complete frames. False at the end of the stream. */
static bool take_frames(struct frame_reader *r)
{
    AUTO_ERROR err = RPYC_ERROR_INIT;
    int result;

    do {
        _cleanup_(free_frame) struct frame f = FRAME_INIT;

        result = frame_next(r, &f, &err);
        must_agree(result, &err);
        if (result == 1) {
            must(f.len <= PAYLOAD_MAX);
            there_and_back(&f, f.len % 2);
        }
    } while (result == 1);
    return result == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(free_reader) struct frame_reader r;
    size_t piece, at, n;

    frame_reader_init(&r, PAYLOAD_MAX);
    if (size < 1)
        return 0;
    piece = data[0] ? data[0] : size;
    for (at = 1; at < size; at += n) {
        n = size - at < piece ? size - at : piece;
        receive(&r, data + at, n);
        if (!take_frames(&r))
            break;
    }
    return 0;
}
