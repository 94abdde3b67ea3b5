/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/print.h"

#include <inttypes.h>
#include <string.h>

#include "buffer.h"
#include "color.h"
#include "json.h"
#include "shortage_text.h"
#include "text.h"

/* Like traceback.format_stack(): prints a recursive call this many times, and counts the others. */
#define REPEATED_MAX 3

struct printer {
    FILE *stream;
    void (*name)(FILE *stream, const char *text, size_t len);
    bool in_color;
};

static void put_name(const struct printer *p, struct report_text text)
{
    if (text.data)
        p->name(p->stream, text.data, text.len);
    else
        fputs("?", p->stream);
}

static void put_title(const struct printer *p, struct report_text title)
{
    if (p->in_color)
        fputs(color_begin(p->stream, COLOR_TITLE), p->stream);
    put_name(p, title);
    if (p->in_color)
        fputs(color_end(p->stream), p->stream);
    fputc('\n', p->stream);
}

static void put_frame(const struct printer *p, const struct report_frame *f)
{
    fputs("  File \"", p->stream);
    put_name(p, f->file);
    if (f->line == REPORT_UNKNOWN)
        fputs("\", line None, in ", p->stream);
    else
        fprintf(p->stream, "\", line %" PRId64 ", in ", f->line);
    put_name(p, f->function);
    fputc('\n', p->stream);
    if (!f->source.data)
        return;
    fputs("    ", p->stream);
    put_name(p, f->source);
    fputc('\n', p->stream);
}

static bool same_text(struct report_text a, struct report_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* True if two frames have the same function and line: a recursive call. */
static bool same_call(const struct report_frame *a, const struct report_frame *b)
{
    return a->line == b->line && same_text(a->file, b->file) && same_text(a->function, b->function);
}

static void put_repeated(const struct printer *p, size_t count)
{
    if (count > REPEATED_MAX)
        fprintf(p->stream, "  [Previous line repeated %zu more time%s]\n", count - REPEATED_MAX,
                count - REPEATED_MAX > 1 ? "s" : "");
}

static void put_frames(const struct printer *p, const report_frames *frames)
{
    const struct report_frame *f, *end = frames->items + frames->count;
    size_t repeated = 0;

    for (f = frames->items; f < end; f++) {
        if (f > frames->items && !same_call(f, f - 1)) {
            put_repeated(p, repeated);
            repeated = 0;
        }
        if (++repeated <= REPEATED_MAX)
            put_frame(p, f);
    }
    put_repeated(p, repeated);
}

static void put_stack(const struct printer *p, struct report_text title,
                      const report_frames *frames)
{
    put_title(p, title);
    if (frames->items)
        put_frames(p, frames);
    fputc('\n', p->stream);
}

/* Prints which resources are used up, one on each line. */
static void put_shortage(const struct printer *p, const struct report_process *process)
{
    struct buffer line __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    for (size_t i = 0; i < process->shortage.count; i++) {
        buffer_clear(&line);
        report_put_shortage(&line, &process->shortage.items[i]);
        if (line.failed || line.len == 0)
            continue;
        text_print_name(p->stream, (const char *)line.data, line.len);
        fputc('\n', p->stream);
    }
    if (process->shortage.count > 0)
        fputc('\n', p->stream);
}

static void print_text(const struct printer *p, const struct report_process *process)
{
    size_t i;

    if (p->in_color) /* not in the format of the original pystuck */
        put_shortage(p, process);
    for (i = 0; i < process->threads.count; i++)
        put_stack(p, process->threads.items[i].repr, &process->threads.items[i].frames);
    for (i = 0; i < process->greenlets.count; i++)
        put_stack(p, process->greenlets.items[i].repr, &process->greenlets.items[i].frames);
}

static void print_json(FILE *stream, const struct report_process *process)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    report_write_json(&text, process);
    if (text.failed)
        fputs("null\n", stream);
    else
        text_print(stream, (const char *)text.data, text.len);
}

void stacks_print(FILE *stream, const struct report_process *process, enum stacks_format format)
{
    switch (format) {
    case FORMAT_TEXT:
        print_text(&(struct printer){stream, text_print_name, true}, process);
        return;
    case FORMAT_PLAIN:
        print_text(&(struct printer){stream, text_print, false}, process);
        return;
    case FORMAT_JSON:
        print_json(stream, process);
    }
}
