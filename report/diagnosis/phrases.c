/* SPDX-License-Identifier: BSD-3-Clause */
#include "diagnosis/phrases.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void sentence_put(struct buffer *out, const char *text)
{
    buffer_put(out, text, strlen(text));
}

size_t sentence_fitting(struct report_text text)
{
    size_t len = NAME_MAX_BYTES;

    if (text.len <= len)
        return text.len;
    while (len > 0 && ((uint8_t)text.data[len] & 0xc0) == 0x80)
        len--;
    return len;
}

void sentence_put_text(struct buffer *out, struct report_text text)
{
    size_t len = text.data ? sentence_fitting(text) : 0;

    buffer_put(out, text.data, len);
    if (text.data && len < text.len)
        sentence_put(out, "...");
}

void sentence_put_number(struct buffer *out, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    sentence_put(out, text);
}

void sentence_put_duration(struct buffer *out, int64_t ms)
{
    sentence_put_number(out, ms < 100 ? ms : ms / 1000);
    if (ms >= 100 && ms < 10000) {
        buffer_put_u8(out, '.');
        sentence_put_number(out, ms % 1000 / 100);
    }
    sentence_put(out, ms < 100 ? " ms" : " s");
}

void sentence_put_thread(struct buffer *out, const struct report_thread *thread)
{
    if (thread->name.data && thread->name.len > 0) {
        sentence_put_text(out, thread->name);
        return;
    }
    sentence_put(out, "thread ");
    sentence_put_number(out,
                        thread->native_id != REPORT_UNKNOWN ? thread->native_id : thread->ident);
}
