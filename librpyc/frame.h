/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames: what cuts a stream of bytes into messages (rpyc/core/channel.py).
 *
 *     u32 length, big-endian | u8 compressed | payload of that length | "\n"
 *
 * No I/O happens here: the reader says where received bytes shall go and hands out the payloads
 * that are complete.
 */
#ifndef RPYC_FRAME_H
#define RPYC_FRAME_H

#include "buffer.h"
#include "error.h"

#define FRAME_HEADER_SIZE 5
#define FRAME_MAX_DEFAULT ((size_t)256 * 1024 * 1024)
#define FRAME_LONG        ((size_t)1024 * 1024) /* more bytes of a payload are a long one */

/* ---- Writing -------------------------------------------------------------------------------- */

/* Starts a frame at the end of out; the payload is what gets appended until frame_end. Returns
 * where it starts, for frame_end. */
size_t frame_begin(struct buffer *out);

/* Completes the frame that starts at `start`. With compress, payloads over FRAME_COMPRESS_FROM
 * bytes are compressed where that makes them smaller, as stock peers do. Errors: RPYC_ELIMIT for 4
 * GiB and more, RPYC_ENOMEM, also for an out that had failed before. */
int frame_end(struct buffer *out, size_t start, bool compress, struct rpyc_error *err);
#define FRAME_COMPRESS_FROM 3000

/* How many bytes the complete frame takes that starts there. */
size_t frame_size(const uint8_t *frame);

/* ---- Reading -------------------------------------------------------------------------------- */

/* One payload, decompressed. data points into store, which owns it.
 *
 * Of a payload that is longer than a limit there are only the first FRAME_HEAD bytes: enough to
 * read the head of its message, so that it can be answered. */
struct frame {
    const uint8_t *data;
    size_t len;
    struct buffer store;
    size_t mapped;    /* bytes, where store.data is a mapping; else 0 */
    const char *over; /* the limit that it is over, as a static text, or NULL; */
    size_t limit;     /* ... and the value of that */
};

#define FRAME_INIT ((struct frame){NULL, 0, BUFFER_INIT, 0, NULL, 0})
#define FRAME_HEAD 64

void frame_free(struct frame *f);

struct frame_reader {
    struct buffer in; /* received, from `head` on not yet handed out */
    size_t head;
    size_t skip;         /* bytes that follow and are dropped: the rest of a payload over a limit */
    bool short_only;     /* long payloads are not taken for now; set by the caller */
    size_t max;          /* bytes in a payload as it is sent */
    size_t max_inflated; /* ... and once it is decompressed */
};

/* max_payload: bytes, before and after decompression; 0 is FRAME_MAX_DEFAULT. */
void frame_reader_init(struct frame_reader *r, size_t max_payload);
void frame_reader_free(struct frame_reader *r);

/* Where to put bytes that come in, and how many fit, at least one; NULL if there is no memory. The
 * room grows with what has arrived and not with what a length promises. */
uint8_t *frame_room(struct frame_reader *r, size_t *n);

/* Says that n bytes have been put there. */
void frame_received(struct frame_reader *r, size_t n);

/* Takes the next complete frame, or the head of one that is longer than a limit, whose rest is
 * dropped as it arrives. 1: f holds it, owned by the caller. 0: more bytes are needed. 2: it is a
 * long one, of which FRAME_LONG bytes have arrived, or that inflates to more; short_only is set.
 * -1: the stream is beyond repair: RPYC_ELIMIT (over a limit, and the head does not look like a
 * message's), RPYC_EPROTOCOL (TLS, or an unknown compression, or bytes that are not what zlib
 * makes), RPYC_ENOMEM. The newline at the end is not looked at; stock never does. */
int frame_next(struct frame_reader *r, struct frame *f, struct rpyc_error *err);

/* Whether it is in the middle of a frame, one that is dropped included: then an end of file is a
 * truncated stream. */
bool frame_pending(const struct frame_reader *r);

#endif
