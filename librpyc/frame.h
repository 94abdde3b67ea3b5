/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames, which divide a stream of bytes into messages (rpyc/core/channel.py).
 *
 *     u32 length, big-endian | u8 compressed | payload of that length | "\n"
 *
 * No I/O happens here: the reader tells the caller where to store received bytes, and returns the
 * payloads that are complete.
 */
#ifndef RPYC_FRAME_H
#define RPYC_FRAME_H

#include "buffer.h"
#include "error.h"

#define FRAME_HEADER_SIZE 5
#define FRAME_MAX_DEFAULT ((size_t)256 * 1024 * 1024)
#define FRAME_LONG        ((size_t)1024 * 1024) /* a payload of more bytes is long: see turns.h */

/* ---- Writing -------------------------------------------------------------------------------- */

/* Begins a frame at the end of `out`. Append the payload to `out`, then pass the result of this
 * function to frame_end as `start`. */
size_t frame_begin(struct buffer *out);

/* Completes the frame that begins at `start`. If compress is true, compresses a payload of more
 * than FRAME_COMPRESS_FROM bytes if it becomes smaller, as stock peers do. Errors: RPYC_ELIMIT (the
 * payload has 4 GiB or more), RPYC_ENOMEM (also if out->failed was set before). */
int frame_end(struct buffer *out, size_t start, bool compress, struct rpyc_error *err);
#define FRAME_COMPRESS_FROM 3000

/* Returns the size of a frame with header and newline. Reads only its header. */
size_t frame_size(const uint8_t *frame);

/* ---- Reading -------------------------------------------------------------------------------- */

/* One payload, decompressed. data points into store, which owns the memory. If the payload exceeds
 * a limit, data has only its first FRAME_HEAD bytes. They are enough to read the start of the
 * message, and so to reply with an exception. */
struct frame {
    const uint8_t *data;
    size_t len;
    struct buffer store;
    size_t mapped;    /* size of the mapping, if store.data is from mmap(2); else 0 */
    const char *over; /* a static text that says which limit was exceeded; NULL: none */
    size_t limit;     /* the value of that limit */
};

#define FRAME_INIT ((struct frame){NULL, 0, BUFFER_INIT, 0, NULL, 0})
#define FRAME_HEAD 64

void frame_free(struct frame *f);

struct frame_reader {
    struct buffer in; /* received bytes; those from index `head` on were not returned yet */
    size_t head;
    size_t skip;         /* number of bytes still to be dropped: the rest of a frame over a limit */
    bool short_only;     /* set by the caller: do not return long payloads yet */
    size_t max;          /* limit for a payload as sent, in bytes */
    size_t max_inflated; /* limit for a payload after decompression */
};

/* Initializes a reader. max_payload: the most bytes in a payload, before and after decompression;
 * 0: FRAME_MAX_DEFAULT. */
void frame_reader_init(struct frame_reader *r, size_t max_payload);
void frame_reader_free(struct frame_reader *r);

/* Returns where to store received bytes. *n: how many bytes fit there, at least one. NULL: out of
 * memory. The room grows with the number of bytes that arrived, not with the length that a header
 * announces. */
uint8_t *frame_room(struct frame_reader *r, size_t *n);

/* Tells the reader that n bytes were stored where frame_room said. */
void frame_received(struct frame_reader *r, size_t n);

/* Finds the next complete frame. If a frame exceeds a limit, returns only its head, and drops the
 * rest as it arrives. Results:
 *  1: *f is filled, and the caller owns it.
 *  0: more bytes are needed.
 *  2: r->short_only is set, and the frame is long: more than FRAME_LONG bytes of the frame have
 *     arrived, or its payload inflates to more than FRAME_LONG bytes.
 * -1: an error, after which the stream cannot be used any more. RPYC_EPROTOCOL: the stream is TLS,
 *     a payload exceeds a limit and does not look like a message, the compression is unknown, or
 *     zlib data is invalid. RPYC_ENOMEM: there is no memory.
 * The newline at the end of a frame is not checked, as in stock rpyc. */
int frame_next(struct frame_reader *r, struct frame *f, struct rpyc_error *err);

/* True if part of a frame has arrived, or if the rest of a frame is being dropped. If the stream
 * ends now, the frame was truncated. */
bool frame_pending(const struct frame_reader *r);

#endif
