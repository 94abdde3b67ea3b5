/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/print.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "color.h"
#include "diagnosis/thread_notes.h"
#include "json.h"
#include "stack_groups.h"
#include "stacks/print_group.h"
#include "stacks/print_stack.h"
#include "stacks/print_tasks.h"
#include "text.h"

/* Prints at most FINDINGS_SHOWN findings with their further lines, the number of findings that are
 * left out, and an empty line. Prints nothing if there are no findings. */
static void put_findings(const struct printer *p, const report_findings *findings)
{
    size_t shown = findings->count < FINDINGS_SHOWN ? findings->count : FINDINGS_SHOWN, i, j;

    for (i = 0; i < shown; i++) {
        const struct report_finding *f = &findings->items[i];

        fputs(color_begin(p->stream, COLOR_ERROR), p->stream);
        print_name(p, f->text);
        fprintf(p->stream, "%s\n", color_end(p->stream));
        for (j = 0; j < f->lines.count; j++) {
            fputs("  ", p->stream);
            print_name(p, f->lines.items[j]);
            fputc('\n', p->stream);
        }
        if (f->lines.count > 0 && f->lines.count < f->members.count)
            fprintf(p->stream, "  ... and %zu more\n", f->members.count - f->lines.count);
    }
    if (shown < findings->count)
        fprintf(p->stream, "... and %zu more findings: see --json\n", findings->count - shown);
    if (findings->count > 0)
        fputc('\n', p->stream);
}

/* Prints the name of a missing part of the report, in words that the user knows. */
static void put_missing_words(const struct printer *p, struct report_text what)
{
    static const char *const words[][2] = {
        {"source", "source lines"},
        {"repr", "the program's own __repr__"},
        {"locals", "local variables"},
        {"tasks", "asyncio tasks"},
        {"locks", "what threads wait for and hold"},
    };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (text_is(what, words[i][0])) {
            fputs(words[i][1], p->stream);
            return;
        }
    }
    print_name(p, what);
}

/* Prints the missing parts of the report as one line: "not shown: source lines, greenlets (the GIL
 * is held)". If several items in a row have the same reason, prints the reason once, after the last
 * of them. */
static void put_missing(const struct printer *p, const struct report_missing *missing, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        fputs(i == 0 ? "not shown: " : ", ", p->stream);
        put_missing_words(p, missing[i].what);
        if (missing[i].why.data &&
            (i + 1 == count || !text_equals(missing[i].why, missing[i + 1].why))) {
            fputs(" (", p->stream);
            print_name(p, missing[i].why);
            fputc(')', p->stream);
        }
    }
    if (count > 0)
        fputc('\n', p->stream);
}

/* Returns the remark about the stack of a thread; "" if the stack is exact. In a core file no
 * thread moves, but a stack may be incomplete, because some of the memory may be missing or wrong.
 */
static const char *remark_of(const struct printer *p, const struct report_process *process,
                             const struct report_thread *t)
{
    if (t->exact != BOOL_FALSE || p->is_plain)
        return "";
    return process->source == SOURCE_CORE ? " (incomplete)" : " (moving)";
}

static void put_thread(const struct printer *p, const struct report_process *process,
                       const struct report_thread *t)
{
    if (p->is_brief && t->notes.count == 0)
        return;
    print_thread_title(p, t->repr, remark_of(p, process, t), t->unchanged_ms);
    print_frames(p, &t->frames);
    print_notes(p, &t->notes);
    fputc('\n', p->stream);
}

static void put_all_threads(const struct printer *p, const struct report_process *process)
{
    size_t i;

    for (i = 0; i < process->threads.count; i++)
        put_thread(p, process, &process->threads.items[i]);
}

static struct group_item thread_item(const struct report_process *process, size_t at)
{
    const struct report_thread *t = &process->threads.items[at];

    return (struct group_item){text_or(t->name, t->id), &t->frames, &t->notes, t->unchanged_ms};
}

/* Prints all threads. Prints many threads with equal stacks as one group. */
static void put_threads(const struct printer *p, const struct report_process *process)
{
    struct stack_groups groups __attribute__((cleanup(stack_groups_free))) = {0};
    size_t i, k;

    if (p->is_plain || p->is_full || !stack_groups_make(&groups, process)) {
        put_all_threads(p, process);
        return;
    }
    for (i = 0; i < groups.count; i++) {
        const size_t *threads = groups.threads + groups.items[i].first;

        if (groups.items[i].count > 1 &&
            print_group(p, "thread", thread_item, process, threads, groups.items[i].count))
            continue;
        for (k = 0; k < groups.items[i].count; k++)
            put_thread(p, process, &process->threads.items[threads[k]]);
    }
}

static void put_greenlet(const struct printer *p, const struct report_greenlet *g)
{
    if (p->is_brief && g->notes.count == 0)
        return;
    print_title(p, g->repr, "");
    print_frames(p, &g->frames);
    print_notes(p, &g->notes);
    fputc('\n', p->stream);
}

static void print_text(const struct printer *p, const struct report_process *process)
{
    size_t i;

    if (!p->is_plain)
        put_findings(p, &process->findings);
    put_threads(p, process);
    for (i = 0; i < process->greenlets.count; i++)
        put_greenlet(p, &process->greenlets.items[i]);
    if (p->is_plain)
        return;
    if (!p->is_brief)
        print_tasks(p, process);
    put_missing(p, process->missing.items, process->missing.count);
}

static void print_document(FILE *stream, const struct buffer *text)
{
    if (text->failed)
        fputs("null\n", stream);
    else
        text_print(stream, (const char *)text->data, text->len);
}

static void print_json(FILE *stream, const struct report_process *process, bool is_line)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    if (is_line)
        report_write_json_line(&text, process);
    else
        report_write_json(&text, process);
    print_document(stream, &text);
}

void stacks_print(FILE *stream, const struct report_process *process, enum stacks_format format,
                  bool is_full)
{
    switch (format) {
    case FORMAT_TEXT:
        print_text(&(struct printer){.stream = stream, .name = text_print_name, .is_full = is_full},
                   process);
        return;
    case FORMAT_PLAIN:
        print_text(
            &(struct printer){
                .stream = stream, .name = text_print, .is_plain = true, .is_full = true},
            process);
        return;
    case FORMAT_JSON:
    case FORMAT_JSON_LINES:
        print_json(stream, process, format == FORMAT_JSON_LINES);
    }
}

void stacks_print_tasks(FILE *stream, const struct report_process *process, bool is_full)
{
    const struct printer p = {.stream = stream, .name = text_print_name, .is_full = is_full};
    size_t i;

    if (process->tasks.count == 0 && process->tasks.items)
        fputs("The program has no asyncio tasks.\n", stream);
    print_tasks(&p, process);
    for (i = 0; i < process->missing.count; i++) {
        if (text_is(process->missing.items[i].what, "tasks") ||
            text_is(process->missing.items[i].what, "tasks of trio"))
            put_missing(&p, &process->missing.items[i], 1);
    }
}

void stacks_print_heading(FILE *stream, const char *heading, enum stacks_format format)
{
    const struct printer p = {
        .stream = stream, .name = text_print_name, .is_plain = format == FORMAT_PLAIN};

    print_title(&p, (struct report_text){heading, strlen(heading)}, "");
    fputc('\n', stream);
}

void stacks_print_json_all(FILE *stream, const struct report *report, enum stacks_format format)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    if (format == FORMAT_JSON_LINES)
        report_write_json_line_all(&text, report);
    else
        report_write_json_all(&text, report);
    print_document(stream, &text);
}

void stacks_print_findings(FILE *stream, const report_findings *findings, enum stacks_format format)
{
    if (format == FORMAT_TEXT)
        put_findings(&(struct printer){.stream = stream, .name = text_print_name}, findings);
}

static bool has_notes(const struct report_process *process)
{
    size_t notes = 0, i;

    for (i = 0; i < process->threads.count; i++)
        notes += process->threads.items[i].notes.count;
    for (i = 0; i < process->greenlets.count; i++)
        notes += process->greenlets.items[i].notes.count;
    return notes > 0;
}

void stacks_print_why(FILE *stream, const struct report_process *process, bool is_full)
{
    const struct printer p = {
        .stream = stream, .name = text_print_name, .is_full = is_full, .is_brief = true};

    if (process->findings.count == 0 && !has_notes(process))
        fputs("It is not known what the threads wait for: see %threads\n", stream);
    print_text(&p, process);
}

void stacks_print_locks(FILE *stream, const lock_list *locks)
{
    const struct printer p = {.stream = stream, .name = text_print_name};
    size_t i, k;

    if (locks->count == 0)
        fputs("No thread is known to hold a lock or to wait for one\n", stream);
    for (i = 0; i < locks->count; i++) {
        const struct lock_entry *entry = &locks->items[i];

        print_title(&p, entry->title, "");
        for (k = 0; k < entry->lines.count; k++) {
            fputs("  ", stream);
            print_name(&p, entry->lines.items[k]);
            fputc('\n', stream);
        }
        fputc('\n', stream);
    }
}
