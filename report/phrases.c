/* SPDX-License-Identifier: BSD-3-Clause */
#include "phrases.h"

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

void sentence_put_id(struct buffer *out, struct report_text id)
{
    static const char *const kinds[][2] = {{"thread:", "thread "}, {"process:", "process "}};
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const size_t len = strlen(kinds[i][0]);

        if (id.len <= len || !text_begins(id, kinds[i][0]))
            continue;
        sentence_put(out, kinds[i][1]);
        id = (struct report_text){id.data + len, id.len - len};
        break;
    }
    sentence_put_text(out, id);
}

void sentence_put_thread(struct buffer *out, const struct report_thread *thread)
{
    const bool has_native_id = thread->native_id != REPORT_UNKNOWN;

    if (thread->name.data && thread->name.len > 0) {
        sentence_put_text(out, thread->name);
    } else if (has_native_id || thread->ident != REPORT_UNKNOWN) {
        sentence_put(out, "thread ");
        sentence_put_number(out, has_native_id ? thread->native_id : thread->ident);
    } else if (thread->id.data) {
        sentence_put_id(out, thread->id);
    } else {
        sentence_put(out, "a thread that is not known");
    }
}
