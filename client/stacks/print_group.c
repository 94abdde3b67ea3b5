/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/print_group.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "phrases.h"
#include "name_runs.h"

/* The maximum number of different notes that are printed. */
#define NOTES_SHOWN 5

/* A note, and the number of threads that have this note. */
struct counted {
    struct report_text note;
    size_t count;
};

static int compare_notes(const void *left, const void *right)
{
    return text_compare(((const struct counted *)left)->note,
                        ((const struct counted *)right)->note);
}

/* A comparison function for qsort(3) that puts the most frequent note first. */
static int compare_counts(const void *left, const void *right)
{
    const struct counted *a = left, *b = right;

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return text_compare(a->note, b->note);
}

/* Returns an array with the different notes of the threads, for free(), and sets *found to the
 * length of the array. NULL: no memory. */
static struct counted *count_notes(const struct report_process *process, const size_t *threads,
                                   size_t count, size_t *found)
{
    size_t total = 0, i, k;
    struct counted *all;

    for (i = 0; i < count; i++)
        total += process->threads.items[threads[i]].notes.count;
    all = calloc(total + 1, sizeof(*all));
    *found = 0;
    for (i = 0, total = 0; all && i < count; i++) {
        const report_texts *notes = &process->threads.items[threads[i]].notes;

        for (k = 0; k < notes->count; k++)
            all[total++] = (struct counted){notes->items[k], 1};
    }
    if (!all || total == 0)
        return all;
    qsort(all, total, sizeof(*all), compare_notes);
    for (i = 1; i < total; i++) {
        if (compare_notes(&all[*found], &all[i]) == 0)
            all[*found].count++;
        else
            all[++*found] = all[i];
    }
    qsort(all, ++*found, sizeof(*all), compare_counts);
    return all;
}

static void put_notes(const struct printer *p, const struct counted *notes, size_t found,
                      size_t threads)
{
    size_t i;

    for (i = 0; i < found && i < NOTES_SHOWN; i++) {
        fputs("  # ", p->stream);
        if (notes[i].count < threads)
            fprintf(p->stream, "%zu thread%s: ", notes[i].count, notes[i].count > 1 ? "s" : "");
        print_name(p, notes[i].note);
        fputc('\n', p->stream);
    }
    if (found > NOTES_SHOWN)
        fprintf(p->stream, "  # and %zu other notes: see --full\n", found - NOTES_SHOWN);
}

/* Writes the title of a group to *out: "990 threads: worker-0 ... worker-989". A thread without a
 * name is shown by its id. Returns false if there is no memory. */
static bool put_title(struct buffer *out, const struct report_process *process,
                      const size_t *threads, size_t count)
{
    struct report_text *names = calloc(count, sizeof(*names));
    size_t i;

    if (!names)
        return false;
    for (i = 0; i < count; i++) {
        const struct report_thread *t = &process->threads.items[threads[i]];

        names[i] = t->name.data && t->name.len > 0 ? t->name : t->id;
        if (!names[i].data)
            names[i] = (struct report_text){"?", 1};
    }
    sentence_put_number(out, (int64_t)count);
    sentence_put(out, " threads: ");
    name_runs_put(out, names, count);
    free(names);
    return !out->failed;
}

/* Returns for how long none of the stacks has changed, in ms. Returns REPORT_UNKNOWN if this is not
 * known for one of the threads. */
static int64_t unchanged_ms(const struct report_process *process, const size_t *threads,
                            size_t count)
{
    int64_t least = INT64_MAX;
    size_t i;

    for (i = 0; i < count; i++) {
        const struct report_thread *t = &process->threads.items[threads[i]];

        if (t->unchanged_ms < least)
            least = t->unchanged_ms;
    }
    return least;
}

bool print_group(const struct printer *p, const struct report_process *process,
                 const size_t *threads, size_t count)
{
    struct buffer title __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct printer group = *p;
    size_t found;
    struct counted *notes = count_notes(process, threads, count, &found);

    if (notes && p->is_brief && found == 0) {
        free(notes);
        return true;
    }
    if (!notes || !put_title(&title, process, threads, count)) {
        free(notes);
        return false;
    }
    print_thread_title(p, (struct report_text){(const char *)title.data, title.len}, "",
                       unchanged_ms(process, threads, count));
    group.no_locals = true;
    print_frames(&group, &process->threads.items[threads[0]].frames);
    put_notes(p, notes, found, count);
    fputc('\n', p->stream);
    free(notes);
    return true;
}
