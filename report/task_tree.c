/* SPDX-License-Identifier: BSD-3-Clause */
#include "task_tree.h"

#include <stdlib.h>

#include "merge.h"
#include "stack_groups.h"

#define NO_TASK SIZE_MAX

/* A task, for sorting. run: the number of tasks with equal stacks that are one row with this task;
 * 0: the task is a row of its own. lead: the index of the first task of the row. In
 * sort_by_loops(), lead is the index of the first task of the loop. */
struct entry {
    const struct report_task *task;
    size_t index, run, lead;
};

struct making {
    const struct report_process *process;
    struct task_tree *tree;
    bool folds;
    struct entry *by_id;   /* all tasks, sorted by their ids */
    struct entry *sorting; /* room for a set */
    struct task_row *open; /* a stack: rows whose turn has not come yet */
    size_t opened;
    size_t taken; /* the number of tasks that are in tree->tasks */
    bool *is_taken, *is_awaited;
};

static int compare_ids(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = text_compare(a->task->id, b->task->id);

    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Returns the index of the task with an id, or NO_TASK. */
static size_t find(const struct making *m, struct report_text id)
{
    const struct entry *found;
    size_t low = 0, high = m->process->tasks.count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (text_compare(m->by_id[middle].task->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    found = low < m->process->tasks.count ? &m->by_id[low] : NULL;
    return found && id.data && text_compare(found->task->id, id) == 0 ? found->index : NO_TASK;
}

/* ---- Sets of tasks at the same place --------------------------------------------------------- */

static int compare_stacks(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = report_compare_stacks(&a->task->frames, &b->task->frames);

    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* A comparison function for qsort(3) that puts single tasks first, and then the runs, the shortest
 * first. */
static int compare_runs(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->run != b->run)
        return a->run < b->run ? -1 : 1;
    if (a->lead != b->lead)
        return a->lead < b->lead ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* Sorts a set. Tasks with equal stacks become adjacent if they will be one row. Sets `run` and
 * `lead` of these tasks. */
static void sort_set(struct entry *set, size_t count)
{
    size_t i, equal, k;

    qsort(set, count, sizeof(*set), compare_stacks);
    for (i = 0; i < count; i += equal) {
        equal = 1;
        while (i + equal < count &&
               report_compare_stacks(&set[i].task->frames, &set[i + equal].task->frames) == 0)
            equal++;
        for (k = i; equal >= STACK_GROUP_MIN && set[i].task->frames.items && k < i + equal; k++) {
            set[k].run = equal;
            set[k].lead = set[i].index;
        }
    }
    qsort(set, count, sizeof(*set), compare_runs);
}

/* Adds the rows of a set to the open rows, so that the first row of the set is on top. The set
 * consists of the last `count` tasks of tree->tasks. */
static void open_set(struct making *m, size_t count, size_t depth)
{
    const size_t start = m->taken - count;
    size_t *tasks = m->tree->tasks + start, i, left = count, rows;

    for (i = 0; i < count; i++)
        m->sorting[i] = (struct entry){&m->process->tasks.items[tasks[i]], tasks[i], 0, tasks[i]};
    if (m->folds)
        sort_set(m->sorting, count);
    for (i = 0; i < count; i++)
        tasks[i] = m->sorting[i].index;
    while (left > 0) {
        rows = m->sorting[left - 1].run > 0 ? m->sorting[left - 1].run : 1;
        left -= rows;
        m->open[m->opened++] = (struct task_row){start + left, rows, depth};
    }
}

static void take(struct making *m, size_t task)
{
    m->is_taken[task] = true;
    m->tree->tasks[m->taken++] = task;
}

/* Adds the tasks that the tasks of a row await to the tree, and their rows to the open rows. Leaves
 * out tasks that are already in the tree. */
static void open_children(struct making *m, const struct task_row *row)
{
    const size_t before = m->taken;
    size_t i, k, child;

    for (i = row->first; i < row->first + row->count; i++) {
        const struct report_task *t = &m->process->tasks.items[m->tree->tasks[i]];

        for (k = 0; k < t->awaits.count; k++) {
            child = find(m, t->awaits.items[k]);
            if (child != NO_TASK && !m->is_taken[child])
                take(m, child);
        }
    }
    open_set(m, m->taken - before, row->depth + 1);
}

/* Moves the open rows to the tree, each followed by the rows below it. */
static void close_rows(struct making *m)
{
    struct task_row row;

    while (m->opened > 0) {
        row = m->open[--m->opened];
        m->tree->rows[m->tree->count++] = row;
        open_children(m, &row);
    }
}

/* ---- The tree -------------------------------------------------------------------------------- */

static void mark_awaited(struct making *m)
{
    size_t i, k, other;

    for (i = 0; i < m->process->tasks.count; i++) {
        const struct report_task *t = &m->process->tasks.items[i];

        for (k = 0; k < t->awaits.count; k++) {
            other = find(m, t->awaits.items[k]);
            if (other != NO_TASK && other != i)
                m->is_awaited[other] = true;
        }
    }
}

static int compare_loops(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = text_compare(a->task->loop, b->task->loop);

    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Sorts the tasks by their loops. The order of the loops is that of their first tasks in the
 * report. */
static void sort_by_loops(struct entry *entries, size_t count)
{
    size_t i;

    qsort(entries, count, sizeof(*entries), compare_loops);
    for (i = 0; i < count; i++) {
        if (i > 0 && text_compare(entries[i - 1].task->loop, entries[i].task->loop) == 0)
            entries[i].lead = entries[i - 1].lead;
    }
    qsort(entries, count, sizeof(*entries), compare_runs);
}

/* Adds the tasks of a loop that are not in the tree yet. */
static void add_loop(struct making *m, const struct entry *entries, size_t count)
{
    const size_t before = m->taken;
    size_t i;

    for (i = 0; i < count; i++) {
        if (!m->is_taken[entries[i].index] && !m->is_awaited[entries[i].index])
            take(m, entries[i].index);
    }
    open_set(m, m->taken - before, 0);
    close_rows(m);
    for (i = 0; i < count; i++) { /* what is left is in cycles */
        if (m->is_taken[entries[i].index])
            continue;
        take(m, entries[i].index);
        open_set(m, 1, 0);
        close_rows(m);
    }
}

static void fill(struct making *m, struct entry *by_loop)
{
    const size_t count = m->process->tasks.count;
    size_t i, same;

    for (i = 0; i < count; i++)
        m->by_id[i] = by_loop[i] = (struct entry){&m->process->tasks.items[i], i, 0, i};
    qsort(m->by_id, count, sizeof(*m->by_id), compare_ids);
    mark_awaited(m);
    sort_by_loops(by_loop, count);
    for (i = 0; i < count; i += same) {
        same = 1;
        while (i + same < count && by_loop[i + same].lead == by_loop[i].lead)
            same++;
        add_loop(m, by_loop + i, same);
    }
}

bool task_tree_make(struct task_tree *tree, const struct report_process *process, bool folds)
{
    const size_t count = process->tasks.count + 1;
    struct making m = {.process = process,
                       .tree = tree,
                       .folds = folds,
                       .by_id = calloc(count, sizeof(*m.by_id)),
                       .sorting = calloc(count, sizeof(*m.sorting)),
                       .open = calloc(count, sizeof(*m.open)),
                       .is_taken = calloc(count, sizeof(*m.is_taken)),
                       .is_awaited = calloc(count, sizeof(*m.is_awaited))};
    struct entry *by_loop = calloc(count, sizeof(*by_loop));
    bool done;

    *tree = (struct task_tree){.tasks = calloc(count, sizeof(*tree->tasks)),
                               .rows = calloc(count, sizeof(*tree->rows))};
    done = tree->tasks && tree->rows && by_loop && m.by_id && m.sorting && m.open && m.is_taken &&
           m.is_awaited;
    if (done)
        fill(&m, by_loop);
    free(by_loop);
    free(m.by_id);
    free(m.sorting);
    free(m.open);
    free(m.is_taken);
    free(m.is_awaited);
    return done;
}

void task_tree_free(struct task_tree *tree)
{
    free(tree->tasks);
    free(tree->rows);
    *tree = (struct task_tree){0};
}
