/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames for tests. The golden frames were made by Channel.send() of rpyc 6.0.2.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include "frame.h"
#include "unit.h"

#define HEADER_OF_MAX   "10000000 00" /* 256 MiB */
#define HEADER_OVER_MAX "10000001 00"
#define ZLIB_OF_4000_X                                                                             \
    "7801edd03101000000c2a0da8b6f0c1f884061c0800103060c183060c0800103060cbc070683d1536a"
#define ZLIB_OF_BRINE   "78014b2acacc4b050006330211"
#define ZLIB_OF_NOTHING "7801030000000001"

#define AUTO_READER _cleanup_(frame_reader_free) struct frame_reader
#define AUTO_FRAME  _cleanup_(frame_free) struct frame

/* Returns a reader with a limit that has received hex bytes. */
struct frame_reader reader_of(size_t max, const char *hex);

/* Give the reader bytes. */
void feed(struct frame_reader *r, const void *data, size_t len);
void feed_hex(struct frame_reader *r, const char *hex);

/* Checks that the next frame is complete and has this payload. */
void assert_next(struct frame_reader *r, const void *payload, size_t len);
void assert_incomplete(struct frame_reader *r);
void assert_refused(struct frame_reader *r, enum rpyc_errcode code, const char *text);

/* Checks that these bytes are refused with this limit, before any more arrive. */
void refuses(const char *hex, size_t max, enum rpyc_errcode code, const char *text);

/* Bytes that look random and are the same in each run (xorshift). */
struct bytes noise(size_t len);
struct bytes zeros(size_t len);

/* A frame that the writer makes of the payload. */
struct buffer written(const struct bytes *payload, bool compress);

/* A frame with a payload that is compressed here. */
struct buffer deflated(const struct bytes *payload, int level);
struct buffer compressed(const struct bytes *payload);

/* Feeds a frame that is over a limit, and the frame "brine" behind it. Checks that the head of the
 * first is returned as early as possible without its rest, and that the second is complete. */
void assert_head_alone(struct frame_reader *r, const struct buffer *over,
                       const struct bytes *payload, const char *limit);

#endif
