/* SPDX-License-Identifier: BSD-3-Clause */
#include "stacks/print_tasks.h"

#include <string.h>

#include "buffer.h"
#include "diagnosis/loop_finding.h"
#include "diagnosis/wait_graph.h"
#include "phrases.h"
#include "stacks/print_group.h"
#include "task_tree.h"

/* The greatest depth in the tree that the indentation shows. Tasks at a greater depth are indented
 * like tasks at this depth. */
#define INDENTED_MAX 10
#define INDENTATION  2

/* The most findings that are read for each loop to find out whether the loop is blocked. There is a
 * limit because a malicious server may report very many loops and findings. */
#define FINDINGS_READ 1000

/* True if a finding says that the loop of this thread is blocked. */
static bool is_blocked(const struct report_process *process, const struct report_thread *runner)
{
    size_t i;

    for (i = 0; i < process->findings.count && i < FINDINGS_READ; i++) {
        const struct report_finding *f = &process->findings.items[i];

        if (text_is(f->kind, FINDING_LOOP) && f->members.count == 1 &&
            text_equals(f->members.items[0], runner->id))
            return true;
    }
    return false;
}

/* Prints "38 tasks of the asyncio loop of MainThread, which is blocked:". loop: what to call the
 * loop. runner: the thread that runs the loop, or NULL. count: the number of tasks of the loop. */
static void put_heading(const struct printer *p, const struct report_process *process,
                        const char *loop, const struct report_thread *runner, size_t count)
{
    struct buffer text __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    sentence_put_number(&text, (int64_t)count);
    sentence_put(&text, count == 1 ? " task of " : " tasks of ");
    if (runner) {
        sentence_put(&text, "the ");
        sentence_put(&text, loop);
        sentence_put(&text, " of ");
        sentence_put_thread(&text, runner);
        sentence_put(&text, is_blocked(process, runner) ? ", which is blocked:" : ":");
    } else {
        sentence_put(&text,
                     text_begins((struct report_text){loop, strlen(loop)}, "a") ? "an " : "a ");
        sentence_put(&text, loop);
        sentence_put(&text, " that no known thread runs:");
    }
    print_name(p, (struct report_text){(const char *)text.data, text.len});
    fputs("\n\n", p->stream);
}

static void put_task(const struct printer *p, const struct report_task *t)
{
    struct buffer title __attribute__((cleanup(buffer_free))) = BUFFER_INIT;

    sentence_put(&title, "Task ");
    sentence_put_text(&title, text_or(t->name, t->id));
    print_title(p, (struct report_text){(const char *)title.data, title.len}, "");
    print_frames(p, &t->frames);
    print_notes(p, &t->notes);
    fputc('\n', p->stream);
}

static struct group_item task_item(const struct report_process *process, size_t at)
{
    const struct report_task *t = &process->tasks.items[at];

    return (struct group_item){text_or(t->name, t->id), &t->frames, &t->notes, REPORT_UNKNOWN};
}

static void put_row(const struct printer *outer, const struct report_process *process,
                    const size_t *tasks, const struct task_row *row)
{
    const size_t depth = row->depth < INDENTED_MAX ? row->depth : INDENTED_MAX;
    struct printer p = *outer;
    size_t i;

    p.indent = (int)(depth * INDENTATION);
    if (row->count > 1 &&
        print_group(&p, "task", task_item, process, tasks + row->first, row->count))
        return;
    for (i = row->first; i < row->first + row->count; i++)
        put_task(&p, &process->tasks.items[tasks[i]]);
}

/* Counts the tasks of one loop, whose first row is `first`. A row stands for one task, or for
 * several that are alike. The rows of the loop end before the next row of depth 0 that belongs to a
 * different loop. Returns the number of tasks, and sets *rows to the number of rows. */
static size_t count_loop(const struct task_tree *tree, const struct report_process *process,
                         size_t first, size_t *rows)
{
    const struct report_task *tasks = process->tasks.items;
    const struct report_text loop = tasks[tree->tasks[tree->rows[first].first]].loop;
    size_t i, count = 0;

    for (i = first; i < tree->count; i++) {
        if (tree->rows[i].depth == 0 &&
            !text_equals(tasks[tree->tasks[tree->rows[i].first]].loop, loop))
            break;
        count += tree->rows[i].count;
    }
    *rows = i - first;
    return count;
}

/* Prints the heading above the `count` tasks of a loop. task: the index of one of these tasks. */
static void put_heading_of(const struct printer *p, const struct wait_graph *g, size_t task,
                           size_t count)
{
    const struct report_process *process = g->processes;
    const size_t node = process->threads.count + process->greenlets.count + task;
    const size_t runner = wait_graph_runner(g, node);

    put_heading(p, process, loop_words(g, node), runner == NO_NODE ? NULL : g->nodes[runner].item,
                count);
}

void print_tasks(const struct printer *p, const struct report_process *process)
{
    struct task_tree tree __attribute__((cleanup(task_tree_free))) = {0};
    struct wait_graph g __attribute__((cleanup(wait_graph_free))) = {0};
    size_t i, end, rows, count;

    if (process->tasks.count == 0 || !task_tree_make(&tree, process, !p->is_full) ||
        !wait_graph_make(&g, process, 1))
        return;
    for (i = 0; i < tree.count; i = end) {
        count = count_loop(&tree, process, i, &rows);
        put_heading_of(p, &g, tree.tasks[tree.rows[i].first], count);
        for (end = i + rows; i < end; i++)
            put_row(p, process, tree.tasks, &tree.rows[i]);
    }
}
