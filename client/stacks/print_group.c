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

/* Returns an array with the different notes of the items, for free(), and sets *found to the
 * length of the array. NULL: no memory. */
static struct counted *count_notes(const struct group_item *items, size_t count, size_t *found)
{
    size_t total = 0, i, k;
    struct counted *all;

    for (i = 0; i < count; i++)
        total += items[i].notes->count;
    all = calloc(total + 1, sizeof(*all));
    *found = 0;
    for (i = 0, total = 0; all && i < count; i++) {
        for (k = 0; k < items[i].notes->count; k++)
            all[total++] = (struct counted){items[i].notes->items[k], 1};
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

/* Prints at most NOTES_SHOWN of the `found` notes. If not all threads or tasks have a note, prints
 * before the note how many have it. count: the number of all threads or tasks. */
static void put_notes(const struct printer *p, const char *noun, const struct counted *notes,
                      size_t found, size_t count)
{
    size_t i;

    for (i = 0; i < found && i < NOTES_SHOWN; i++) {
        fprintf(p->stream, "%*s  # ", p->indent, "");
        if (notes[i].count < count)
            fprintf(p->stream, "%zu %s%s: ", notes[i].count, noun, notes[i].count > 1 ? "s" : "");
        print_name(p, notes[i].note);
        fputc('\n', p->stream);
    }
    if (found > NOTES_SHOWN)
        fprintf(p->stream, "%*s  # and %zu other notes: see --full\n", p->indent, "",
                found - NOTES_SHOWN);
}

/* Writes the title of a group to *out: "990 threads: worker-0 ... worker-989". Returns false if
 * there is no memory. */
static bool put_title(struct buffer *out, const char *noun, const struct group_item *items,
                      size_t count)
{
    struct report_text *names = calloc(count, sizeof(*names));
    size_t i;

    if (!names)
        return false;
    for (i = 0; i < count; i++)
        names[i] = items[i].name.data ? items[i].name : (struct report_text){"?", 1};
    sentence_put_number(out, (int64_t)count);
    buffer_put_u8(out, ' ');
    sentence_put(out, noun);
    sentence_put(out, "s: ");
    name_runs_put(out, names, count);
    free(names);
    return !out->failed;
}

/* Returns for how long none of the stacks has changed, in ms. Returns REPORT_UNKNOWN if this is not
 * known for one of them. */
static int64_t unchanged_ms(const struct group_item *items, size_t count)
{
    int64_t least = INT64_MAX;
    size_t i;

    for (i = 0; i < count; i++) {
        if (items[i].unchanged_ms < least)
            least = items[i].unchanged_ms;
    }
    return least;
}

static bool put_items(const struct printer *p, const char *noun, const struct group_item *items,
                      size_t count)
{
    struct buffer title __attribute__((cleanup(buffer_free))) = BUFFER_INIT;
    struct printer group = *p;
    size_t found;
    struct counted *notes = count_notes(items, count, &found);

    if (notes && p->is_brief && found == 0) {
        free(notes);
        return true;
    }
    if (!notes || !put_title(&title, noun, items, count)) {
        free(notes);
        return false;
    }
    print_thread_title(p, (struct report_text){(const char *)title.data, title.len}, "",
                       unchanged_ms(items, count));
    group.no_locals = true;
    print_frames(&group, items[0].frames);
    put_notes(p, noun, notes, found, count);
    fputc('\n', p->stream);
    free(notes);
    return true;
}

bool print_group(const struct printer *p, const char *noun, group_item_of *item_of,
                 const struct report_process *process, const size_t *members, size_t count)
{
    struct group_item *items = calloc(count, sizeof(*items));
    bool done;
    size_t i;

    for (i = 0; items && i < count; i++)
        items[i] = item_of(process, members[i]);
    done = items && put_items(p, noun, items, count);
    free(items);
    return done;
}
