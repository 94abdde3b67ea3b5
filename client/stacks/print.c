/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/print.h"

#include <inttypes.h>
#include <string.h>

#include "buffer.h"
#include "color.h"
#include "json.h"
#include "text.h"

/* How many times a recursive call is printed. Further repetitions are only counted, as
 * traceback.format_stack() does. */
#define REPEATED_MAX 3

struct printer {
    FILE *stream;
    void (*name)(FILE *stream, const char *text, size_t len);
    bool is_plain; /* FORMAT_PLAIN: no colours, and only the stacks */
};

static void put_name(const struct printer *p, struct report_text text)
{
    if (text.data)
        p->name(p->stream, text.data, text.len);
    else
        fputs("?", p->stream);
}

static void put_title(const struct printer *p, struct report_text title, const char *remark)
{
    if (!p->is_plain)
        fputs(color_begin(p->stream, COLOR_TITLE), p->stream);
    put_name(p, title);
    if (!p->is_plain)
        fputs(color_end(p->stream), p->stream);
    fprintf(p->stream, "%s\n", remark);
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

/* True if two frames have the same file, function and line, as in a recursive call. */
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

static void put_stack(const struct printer *p, struct report_text title, const char *remark,
                      const report_frames *frames)
{
    put_title(p, title, remark);
    if (frames->items)
        put_frames(p, frames);
    fputc('\n', p->stream);
}

/* Prints each finding on a line of its own, then an empty line if there are any. */
static void put_findings(const struct printer *p, const report_findings *findings)
{
    size_t i;

    for (i = 0; i < findings->count; i++) {
        fputs(color_begin(p->stream, COLOR_ERROR), p->stream);
        put_name(p, findings->items[i].text);
        fprintf(p->stream, "%s\n", color_end(p->stream));
    }
    if (findings->count > 0)
        fputc('\n', p->stream);
}

/* Prints what is missing in words that the user knows. */
static void put_missing_words(const struct printer *p, struct report_text what)
{
    static const char *const words[][2] = {
        {"source", "source lines"},
        {"repr", "the program's own __repr__"},
        {"locals", "local variables"},
        {"tasks", "asyncio tasks"},
    };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (same_text(what, (struct report_text){words[i][0], strlen(words[i][0])})) {
            fputs(words[i][1], p->stream);
            return;
        }
    }
    put_name(p, what);
}

/* Prints what is missing as one line: "not shown: source lines, greenlets (the GIL is held)". A
 * reason is printed once, after the last item that has it. */
static void put_missing(const struct printer *p, const struct report_missing *missing, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        fputs(i == 0 ? "not shown: " : ", ", p->stream);
        put_missing_words(p, missing[i].what);
        if (missing[i].why.data &&
            (i + 1 == count || !same_text(missing[i].why, missing[i + 1].why))) {
            fputs(" (", p->stream);
            put_name(p, missing[i].why);
            fputc(')', p->stream);
        }
    }
    if (count > 0)
        fputc('\n', p->stream);
}

/* Returns the remark about a stack that is not exact. In a core file no thread moves, but some of
 * its memory may be missing or wrong. */
static const char *remark_of(const struct printer *p, const struct report_process *process,
                             const struct report_thread *t)
{
    if (t->exact != BOOL_FALSE || p->is_plain)
        return "";
    return process->source == SOURCE_CORE ? " (incomplete)" : " (moving)";
}

static void print_text(const struct printer *p, const struct report_process *process)
{
    const struct report_thread *t = process->threads.items;
    const struct report_greenlet *g = process->greenlets.items;
    size_t i;

    if (!p->is_plain)
        put_findings(p, &process->findings);
    for (i = 0; i < process->threads.count; i++)
        put_stack(p, t[i].repr, remark_of(p, process, &t[i]), &t[i].frames);
    for (i = 0; i < process->greenlets.count; i++)
        put_stack(p, g[i].repr, "", &g[i].frames);
    if (!p->is_plain)
        put_missing(p, process->missing.items, process->missing.count);
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
        print_text(&(struct printer){stream, text_print_name, false}, process);
        return;
    case FORMAT_PLAIN:
        print_text(&(struct printer){stream, text_print, true}, process);
        return;
    case FORMAT_JSON:
        print_json(stream, process);
    }
}

void stacks_print_heading(FILE *stream, const char *heading, enum stacks_format format)
{
    const struct printer p = {stream, text_print_name, format == FORMAT_PLAIN};

    put_title(&p, (struct report_text){heading, strlen(heading)}, "");
    fputc('\n', stream);
}

void stacks_print_json_all(FILE *stream, const struct report *report)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    report_write_json_all(&text, report);
    if (text.failed)
        fputs("null\n", stream);
    else
        text_print(stream, (const char *)text.data, text.len);
}
