/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/print_stack.h"

#include <inttypes.h>
#include <string.h>

#include "buffer.h"
#include "color.h"
#include "diagnosis/place.h"
#include "phrases.h"

/* How many times a recursive call is printed. Of the further repetitions, only the number is
 * printed, as traceback.format_stack() does. */
#define REPEATED_MAX 3

void print_name(const struct printer *p, struct report_text text)
{
    if (text.data)
        p->name(p->stream, text.data, text.len);
    else
        fputs("?", p->stream);
}

void print_title(const struct printer *p, struct report_text title, const char *remark)
{
    fprintf(p->stream, "%*s", p->indent, "");
    if (!p->is_plain)
        fputs(color_begin(p->stream, COLOR_TITLE), p->stream);
    print_name(p, title);
    if (!p->is_plain)
        fputs(color_end(p->stream), p->stream);
    fprintf(p->stream, "%s\n", remark);
}

void print_thread_title(const struct printer *p, struct report_text title, const char *remark,
                        int64_t unchanged_ms)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    sentence_put(&text, remark);
    if (unchanged_ms > 0 && !p->is_plain) {
        sentence_put(&text, " (same stack for ");
        sentence_put_duration(&text, unchanged_ms);
        sentence_put(&text, ")");
    }
    buffer_put_u8(&text, '\0');
    print_title(p, title, text.failed ? remark : (const char *)text.data);
}

/* Prints each local variable on a line: "      name = value". */
static void put_locals(const struct printer *p, const struct report_frame *f)
{
    static const char unreadable[] = "<not readable>";
    size_t i;

    for (i = 0; i < f->locals.count; i++) {
        const struct report_local *local = &f->locals.items[i];

        fprintf(p->stream, "%*s      ", p->indent, "");
        print_name(p, local->name);
        fputs(" = ", p->stream);
        print_name(p, local->text.data ? local->text
                                       : (struct report_text){unreadable, sizeof(unreadable) - 1});
        fputc('\n', p->stream);
    }
}

static void put_frame(const struct printer *p, const struct report_frame *f)
{
    fprintf(p->stream, "%*s  File \"", p->indent, "");
    print_name(p, f->file);
    if (f->line == REPORT_UNKNOWN)
        fputs("\", line None, in ", p->stream);
    else
        fprintf(p->stream, "\", line %" PRId64 ", in ", f->line);
    print_name(p, f->function);
    fputc('\n', p->stream);
    if (f->source.data) {
        fprintf(p->stream, "%*s    ", p->indent, "");
        print_name(p, f->source);
        fputc('\n', p->stream);
    }
    if (!p->is_plain && !p->no_locals && !p->is_brief)
        put_locals(p, f);
}

/* True if two frames have the same file, function and line, as in a recursive call. */
static bool same_call(const struct report_frame *a, const struct report_frame *b)
{
    return a->line == b->line && text_equals(a->file, b->file) &&
           text_equals(a->function, b->function);
}

static void put_repeated(const struct printer *p, size_t count)
{
    if (count > REPEATED_MAX)
        fprintf(p->stream, "%*s  [Previous line repeated %zu more time%s]\n", p->indent, "",
                count - REPEATED_MAX, count - REPEATED_MAX > 1 ? "s" : "");
}

static bool is_call_of(const struct report_frame *f, const char *module, const char *function)
{
    return text_is(f->function, function) && place_is_in(f->file, module);
}

/* Returns how many of the outermost frames only start the thread: Thread._bootstrap,
 * _bootstrap_inner and run of the module threading. */
static size_t count_thread_start(const report_frames *frames)
{
    static const char *const start[] = {"_bootstrap", "_bootstrap_inner", "run"};
    size_t count = 0;

    while (count < 3 && count < frames->count &&
           is_call_of(&frames->items[count], "threading", start[count]))
        count++;
    return count >= 2 ? count : 0;
}

/* True if the code of a frame is in pystuck/__main__.py, which runs a program. */
static bool is_of_pystuck(const struct report_frame *f)
{
    static const char file[] = "/pystuck/__main__.py";
    const size_t len = sizeof(file) - 1;

    return f->file.len > len && memcmp(f->file.data + f->file.len - len, file, len) == 0;
}

/* Returns how many of the outermost frames only start the program: those of runpy, which `python
 * -m` calls, and those of `python -m pystuck`. */
static size_t count_program_start(const report_frames *frames)
{
    size_t count = 0;

    while (count < frames->count &&
           (is_call_of(&frames->items[count], "runpy", "_run_module_as_main") ||
            is_call_of(&frames->items[count], "runpy", "_run_code") ||
            (count > 0 && is_of_pystuck(&frames->items[count]))))
        count++;
    return count;
}

/* Returns how many of the outermost frames are left out, because they only start the thread or the
 * program. Returns 0 if the stack has no other frames. */
static size_t count_start(const report_frames *frames)
{
    const size_t thread = count_thread_start(frames), program = count_program_start(frames);
    const size_t count = thread > program ? thread : program;

    return count < frames->count ? count : 0;
}

void print_frames(const struct printer *p, const report_frames *frames)
{
    const struct report_frame *f, *first, *end = frames->items + frames->count;
    size_t repeated = 0;

    if (!frames->items || frames->count == 0)
        return;
    if (p->is_brief) {
        put_frame(p, place_own_frame(frames));
        return;
    }
    first = frames->items + (p->is_plain || p->is_full ? 0 : count_start(frames));
    for (f = first; f < end; f++) {
        if (f > first && !same_call(f, f - 1)) {
            put_repeated(p, repeated);
            repeated = 0;
        }
        if (++repeated <= REPEATED_MAX)
            put_frame(p, f);
    }
    put_repeated(p, repeated);
}

void print_notes(const struct printer *p, const report_texts *notes)
{
    size_t i;

    for (i = 0; i < notes->count && !p->is_plain; i++) {
        fprintf(p->stream, "%*s  # ", p->indent, "");
        print_name(p, notes->items[i]);
        fputc('\n', p->stream);
    }
}
