/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "color.h"
#include "interrupt.h"
#include "prompt/complete.h"
#include "prompt/complete_cells.h"
#include "prompt/complete_netrefs.h"
#include "prompt/editor.h"
#include "prompt/help.h"
#include "prompt/inspection.h"
#include "prompt/magic.h"
#include "prompt/magic_files.h"
#include "prompt/magic_reconnect.h"
#include "prompt/magic_stacks.h"
#include "prompt/shell.h"
#include "text.h"

struct repl {
    struct shell shell;
    struct editor *editor;
    const char *typed; /* the lines of the cell that precede the one being typed, or NULL */
    char prompt[64];
};

/* Writes the prompt to r->prompt: "In [3]: " for the first line of a cell, and "...: " with the
 * same width for its other lines. If no cell can run, writes "held> " if the shell is blocked, and
 * "gone> " if there is no connection. */
static void make_prompt(struct repl *r, bool is_first)
{
    const struct evaluator *evaluator = r->shell.evaluator;
    char text[32];
    int width =
        snprintf(text, sizeof(text), "In [%d]:", evaluator ? evaluator_number(evaluator) : 0);

    if (!evaluator)
        snprintf(text, sizeof(text), "%s", shell_is_blocked(&r->shell) ? "held>" : "gone>");
    else if (!is_first)
        snprintf(text, sizeof(text), "%*s", width, "...:");
    snprintf(r->prompt, sizeof(r->prompt),
             EDITOR_HIDDEN "%s" EDITOR_HIDDEN "%s" EDITOR_HIDDEN "%s" EDITOR_HIDDEN " ",
             color_begin(stdout, COLOR_IN), text, color_end(stdout));
}

/* ---- While the user types -------------------------------------------------------------------- */

static int fd_of(void *arg)
{
    const struct repl *r = arg;

    return r->shell.conn ? rpyc_fd(r->shell.conn) : -1;
}

/* Handles messages from the server while the user types. Changes the prompt if the connection has
 * ended, or if the program can run Python again. Returns true if there may be more messages. */
static bool serve(void *arg)
{
    struct repl *r = arg;
    const bool could_run = r->shell.evaluator;
    bool is_more = shell_serve(&r->shell);

    if ((bool)r->shell.evaluator != could_run || !r->shell.conn)
        make_prompt(r, true);
    return is_more;
}

/* Finds candidates. text: the text before the cursor; rest: the text after the cursor. Uses cells
 * to find candidates if the connection allows cells, else netrefs. Finds nothing if the program
 * cannot run code. */
static int find_candidates(struct repl *r, const char *text, const char *rest,
                           struct completions *out, struct rpyc_error *err)
{
    struct evaluator *evaluator = r->shell.evaluator;
    struct complete_cells cells = {evaluator ? evaluator_cells(evaluator) : NULL, r->shell.conn};
    struct complete_netrefs netrefs = {r->shell.conn,
                                       evaluator ? evaluator_proxies(evaluator) : NULL};
    struct complete_source source = {complete_nothing, NULL};

    if (cells.cells)
        source = (struct complete_source){complete_cells_find, &cells};
    else if (evaluator)
        source = (struct complete_source){complete_netrefs_find, &netrefs};
    return complete_find(&source, text, rest, out, err);
}

/* Called for Tab, see editor_complete_fn. */
static char *complete_line(void *arg, const char *before, const char *after)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct repl *r = arg;
    struct completions found = {0};
    CLEAN_TEXT char *text = NULL;
    char *insertion;

    if (asprintf(&text, "%s%s%s", r->typed ? r->typed : "", r->typed ? "\n" : "", before) < 0)
        text = NULL;
    if (text && find_candidates(r, text, after, &found, &err) < 0) {
        shell_report_loss(&r->shell, &err);
        make_prompt(r, true);
    }
    if (found.total > 1) {
        editor_go_below(r->editor);
        completions_show(&found, text_width(), text_height());
    }
    insertion = completions_insertion(&found);
    completions_clear(&found);
    return insertion;
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* Appends a line to a cell. Takes ownership of cell and line, and returns the longer cell; NULL:
 * out of memory. For a first line, cell is NULL. A first line that contains newlines was pasted or
 * comes from the history. Such a line is a complete cell, so an empty line is added, which ends the
 * cell. */
static char *append_line(char *cell, char *line)
{
    char *longer = NULL;

    if (!cell)
        return strchr(line, '\n') ? append_line(line, strdup("")) : line;
    if (!line) {
        free(cell);
        return NULL;
    }
    if (asprintf(&longer, "%s\n%s", cell, line) < 0)
        longer = NULL;
    free(cell);
    free(line);
    return longer;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\n")] == '\0';
}

static bool is_leaving(const char *cell)
{
    static const char *const words[] = {"exit", "quit", "exit()", "quit()"};
    static const char blanks[] = " \t\n";
    size_t i, n;

    cell += strspn(cell, blanks);
    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        n = strlen(words[i]);
        if (strncmp(cell, words[i], n) == 0 && cell[n + strspn(cell + n, blanks)] == '\0')
            return true;
    }
    return false;
}

/* Runs a cell, a magic or a question. Returns false if the user must type more lines. */
static bool run_typed(struct repl *r, const char *cell)
{
    struct shell *shell = &r->shell;
    const bool can_run = shell->evaluator;
    const char *code = NULL;

    if (is_blank(cell))
        return true;
    shell->ran = CELL_HISTORY_NO_CELL;
    if (help_is_asked(cell)) {
        help_show(shell, cell);
    } else if (magic_is(cell)) {
        code = magic_code(cell);
        magic_run(shell, cell);
    } else {
        code = cell;
        if (shell_is_connected(shell) && !shell_run(shell, cell, CELL_TYPED))
            return false;
    }
    shell_remember(shell, cell, can_run ? code : NULL);
    return true;
}

/* Reads a cell, line by line, and runs it. Returns false if the user wants to leave. */
static bool step(struct repl *r)
{
    CLEAN_TEXT char *cell = NULL;
    char *line;

    do {
        make_prompt(r, !cell);
        r->typed = cell;
        switch (editor_read(r->editor, r->prompt, &line)) {
        case EDITOR_INTERRUPTED:
            return true;
        case EDITOR_END:
            putchar('\n');
            return cell != NULL; /* in the middle of a cell, Ctrl-D only drops the cell and does not
                                  * leave */
        case EDITOR_LINE:
            cell = append_line(cell, line);
        }
        if (!cell || is_leaving(cell))
            return false;
    } while (!run_typed(r, cell));
    return true;
}

static void register_magics(void)
{
    help_register();
    inspection_register();
    magic_files_register();
    magic_reconnect_register();
    magic_stacks_register();
}

static void greet(const struct shell *shell)
{
    puts("use the 'modules' dictionary to access remote modules (like 'os', or '__main__')\n");
    if (shell_is_blocked(shell)) {
        puts("The program cannot run code now. Cells work as soon as the program can run code.\n"
             "Until then, %threads, %help and Ctrl-D work.\n");
        return;
    }
    if (!evaluator_cells(shell->evaluator))
        printf("%s: only names, attributes, items, calls, assignment, del and import work\n",
               shell->options->execute ? "this server runs no code" : "--no-exec");
}

int repl_run(rpyc_conn **conn, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct repl r = {0};
    const struct editor_watch watch = {fd_of, serve, &r};
    const char *why;

    if (shell_open(&r.shell, *conn, options, &err) < 0) {
        shell_complain("pystuck: cannot open a prompt: ", &err);
        return EXIT_FAILURE;
    }
    r.editor = r.shell.editor = editor_open(&watch, &why);
    if (!r.editor) {
        fprintf(stderr, "pystuck: cannot open a prompt: %s\n", why);
        shell_close(&r.shell);
        return EXIT_FAILURE;
    }
    register_magics();
    editor_complete_by(r.editor, complete_line, &r);
    interrupt_catch(false);
    greet(&r.shell);
    while (step(&r))
        ;
    editor_close(r.editor);
    shell_close(&r.shell);
    *conn = r.shell.conn;
    return EXIT_SUCCESS;
}
