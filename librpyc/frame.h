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

/* Starts a frame at the end of `out`. Append the payload, then call frame_end with the result. */
size_t frame_begin(struct buffer *out);

/* Completes the frame that begins at `start`. compress: compress a payload of more than
 * FRAME_COMPRESS_FROM bytes if that makes it smaller, as stock peers do. Errors: RPYC_ELIMIT (4 GiB
 * or more), RPYC_ENOMEM (also if `out` had failed before). */
int frame_end(struct buffer *out, size_t start, bool compress, struct rpyc_error *err);
#define FRAME_COMPRESS_FROM 3000

/* Returns the size of the complete frame that starts there, with header and newline. */
size_t frame_size(const uint8_t *frame);

/* ---- Reading -------------------------------------------------------------------------------- */

/* One decompressed payload. data points into store, which owns it. If the payload is over a limit,
 * data has only its first FRAME_HEAD bytes: enough to read the head of the message and answer it.
 * */
struct frame {
    const uint8_t *data;
    size_t len;
    struct buffer store;
    size_t mapped;    /* size of the mapping, if store.data is one; else 0 */
    const char *over; /* the limit that was exceeded, a static text; NULL: none */
    size_t limit;     /* the value of that limit */
};

#define FRAME_INIT ((struct frame){NULL, 0, BUFFER_INIT, 0, NULL, 0})
#define FRAME_HEAD 64

void frame_free(struct frame *f);

struct frame_reader {
    struct buffer in; /* received bytes; those from `head` on were not returned yet */
    size_t head;
    size_t skip;         /* bytes still to be dropped: the rest of a payload over a limit */
    bool short_only;     /* set by the caller: do not return long payloads yet */
    size_t max;          /* limit for a payload as sent, in bytes */
    size_t max_inflated; /* limit for a payload after decompression */
};

/* max_payload: bytes, both before and after decompression; 0: FRAME_MAX_DEFAULT. */
void frame_reader_init(struct frame_reader *r, size_t max_payload);
void frame_reader_free(struct frame_reader *r);

/* Returns where to store received bytes; *n is how many fit, at least one. NULL: out of memory. The
 * room grows with the number of bytes that arrived, not with the length that a header announces. */
uint8_t *frame_room(struct frame_reader *r, size_t *n);

/* Tells the reader that n bytes were stored there. */
void frame_received(struct frame_reader *r, size_t n);

/* Returns the next complete frame, or the head of one that is over a limit, whose rest is dropped
 * as it arrives. 1: the caller owns f. 0: more bytes are needed. 2: short_only is set, and the
 * frame is long: FRAME_LONG bytes of it have arrived, or it inflates to more. -1: the stream cannot
 * be used any more: RPYC_EPROTOCOL (over a limit, and its head does not look like a message; TLS;
 * an unknown compression; invalid zlib data), RPYC_ENOMEM. The newline at the end is not checked,
 * as in stock rpyc. */
int frame_next(struct frame_reader *r, struct frame *f, struct rpyc_error *err);

/* True if the reader is inside a frame, or is dropping one: then the end of the stream means that
 * it was truncated. */
bool frame_pending(const struct frame_reader *r);

#endif
