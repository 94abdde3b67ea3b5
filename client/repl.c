/* SPDX-License-Identifier: BSD-3-Clause */
#include "repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cell.h"
#include "complete.h"
#include "connect.h"
#include "editor.h"
#include "interrupt.h"
#include "magic.h"
#include "stacks.h"
#include "text.h"

#define CLEAN_ERROR __attribute__((cleanup(rpyc_error_clear)))
#define CLEAN_TEXT  __attribute__((cleanup(free_text)))

/* How long a cell that was interrupted may go on before it is given up, in seconds. */
#define PATIENCE 2

struct repl {
    const struct options *options;
    rpyc_conn *conn;     /* NULL once it is lost, */
    struct cells *cells; /* ... and then this is too */
    struct editor *editor;
    const char *typed; /* the lines of the cell before the one that is typed, or NULL */
    char prompt[64];
    bool interrupted;      /* the cell that runs was, */
    time_t interrupted_at; /* ... at this time of CLOCK_MONOTONIC */
    char **history;        /* the cells of this session */
    size_t history_len;
};

static void free_text(char **text)
{
    free(*text);
}

/* ---- What is printed ------------------------------------------------------------------------- */

/* One line on stderr, which may quote the other side. */
static void complain(const char *what, const struct rpyc_error *err)
{
    fputs(what, stderr);
    text_print(stderr, err->text, strlen(err->text));
    fputc('\n', stderr);
}

static void write_text(void *arg, bool is_error, const char *text, size_t len)
{
    struct repl *r = arg;
    FILE *stream = is_error ? stderr : stdout;

    editor_leave_line(r->editor);
    text_print(stream, text, len);
    fflush(stream);
}

/* A line for input() in a cell. */
static ssize_t read_line(void *arg, char **line)
{
    size_t size = 0;
    ssize_t len = getline(line, &size, stdin);

    (void)arg;
    if (len >= 0)
        return len;
    clearerr(stdin); /* Ctrl-D ends that input and not the session */
    return 0;
}

/* Out[n]: on the same line where the value has one line. */
static void show_value(int number, const char *text, size_t len)
{
    printf("Out[%d]:%c", number, memchr(text, '\n', len) ? '\n' : ' ');
    text_print(stdout, text, len);
    putchar('\n');
}

static void show(const struct cell_result *result, int number)
{
    size_t len;
    const char *text = rpyc_str(result->text, &len);

    if (text && result->failed)
        text_print(stderr, text, len);
    else if (text)
        show_value(number, text, len);
    putchar('\n');
    fflush(stdout);
}

/* "In [3]: ", or as wide for the lines that follow. */
static void make_prompt(struct repl *r, bool first)
{
    const size_t size = sizeof(r->prompt);
    int number = r->cells ? cells_number(r->cells) : 0;
    int width = snprintf(r->prompt, size, "In [%d]: ", number);

    if (!r->cells)
        snprintf(r->prompt, size, "gone> ");
    else if (!first)
        snprintf(r->prompt, size, "%*s", width, "...: ");
}

/* ---- The connection -------------------------------------------------------------------------- */

static void lose_connection(struct repl *r)
{
    cells_close(r->cells);
    rpyc_close(r->conn);
    r->cells = NULL;
    r->conn = NULL;
}

static int open_cells(struct repl *r, struct rpyc_error *err)
{
    const struct cell_io io = {write_text, read_line, r};

    return cells_open(&r->cells, r->conn, &io, err);
}

static void reconnect(struct repl *r)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;

    lose_connection(r);
    if (connect_server(&r->conn, r->options, &err) == 0 && open_cells(r, &err) == 0)
        return;
    complain("no new session: ", &err);
    lose_connection(r);
}

static int fd_of(void *arg)
{
    const struct repl *r = arg;

    return r->conn ? rpyc_fd(r->conn) : -1;
}

static void report_loss(struct repl *r, const struct rpyc_error *err)
{
    complain("the debuggee is gone (%reconnect tries again): ", err);
    lose_connection(r);
}

/* The other side says something while somebody types: a callback, or its end. */
static void serve(void *arg)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct repl *r = arg;

    if (rpyc_process(r->conn, 0, &err) >= 0)
        return;
    editor_leave_line(r->editor);
    report_loss(r, &err);
    make_prompt(r, true);
}

/* Tab. */
static char *complete_line(void *arg, const char *before, const char *after)
{
    struct repl *r = arg;
    const struct complete_cells cells = {r->cells, r->conn};
    const struct complete_source source = {complete_in_cells, &cells};
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct completions found = {0};
    CLEAN_TEXT char *text = NULL;
    char *more = NULL;

    if (asprintf(&text, "%s%s%s", r->typed ? r->typed : "", r->typed ? "\n" : "", before) < 0)
        text = NULL;
    if (text && complete_find(&source, text, after, &found, &err) < 0) {
        editor_leave_line(r->editor);
        report_loss(r, &err);
        make_prompt(r, true);
    }
    if (found.total > 1) {
        editor_go_below(r->editor);
        completions_show(&found, text_width(), text_height());
    }
    more = completions_insertion(&found);
    completions_clear(&found);
    return more;
}

/* ---- Ctrl-C while a cell runs ---------------------------------------------------------------- */

static time_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static bool is_interruption_wanted(void *arg)
{
    struct repl *r = arg;

    if (r->interrupted || !interrupt_take())
        return false;
    r->interrupted = true;
    r->interrupted_at = now();
    return true;
}

static bool is_given_up(void *arg)
{
    const struct repl *r = arg;

    return r->interrupted && (interrupt_take() || now() > r->interrupted_at + PATIENCE);
}

static int connect_again(void *arg, rpyc_conn **out, struct rpyc_error *err)
{
    const struct repl *r = arg;

    return connect_server(out, r->options, err);
}

/* ---- Running a cell -------------------------------------------------------------------------- */

/* Keeps a cell in the history, without the empty line that has ended it. */
static void remember(struct repl *r, const char *cell)
{
    char **longer = reallocarray(r->history, r->history_len + 1, sizeof(*longer));
    char *copy = strdup(cell);
    size_t len = strlen(cell);

    if (longer)
        r->history = longer;
    if (!longer || !copy) {
        free(copy);
        return;
    }
    while (len > 0 && copy[len - 1] == '\n')
        copy[--len] = '\0';
    editor_remember(r->editor, copy);
    r->history[r->history_len++] = copy;
}

/* Nothing came of a cell, for the connection is lost, or was given up. */
static void report_failure(struct repl *r, const struct rpyc_error *err)
{
    if (err->code != RPYC_ECANCELED) {
        report_loss(r, err);
        return;
    }
    fputs("\nThe cell goes on in the debuggee; this is a new session, with new names.\n", stderr);
    reconnect(r);
}

/* Runs what has been typed so far. False: there is more to be typed. */
static bool run_cell(struct repl *r, const char *cell)
{
    const struct cell_interrupt interrupt = {is_interruption_wanted, is_given_up, connect_again, r};
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    int number = cells_number(r->cells);
    struct cell_result result;

    r->interrupted = false;
    if (cells_run(r->cells, cell, text_width(), CELL_TYPED, &interrupt, &result, &err) < 0) {
        report_failure(r, &err);
        return true;
    }
    interrupt_take(); /* one that came too late */
    if (!result.incomplete)
        show(&result, number);
    rpyc_unref(result.text);
    return !result.incomplete;
}

/* ---- Magics ---------------------------------------------------------------------------------- */

void repl_reconnect(struct repl *r, const char *argument)
{
    (void)argument;
    reconnect(r);
}

void repl_show_stacks(struct repl *r, const char *argument)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    rpyc_value *stacks = NULL;
    const char *text;
    size_t len;

    (void)argument;
    if (!r->conn) {
        fputs("the debuggee is gone\n", stderr);
        return;
    }
    if (stacks_fetch(r->conn, &stacks, &err) < 0) {
        complain("cannot get the stacks: ", &err);
        return;
    }
    text = rpyc_str(stacks, &len);
    text_print(stdout, text, len);
    putchar('\n');
    rpyc_unref(stacks);
}

void repl_show_history(struct repl *r, const char *argument)
{
    size_t i;

    (void)argument;
    for (i = 0; i < r->history_len; i++) {
        text_print(stdout, r->history[i], strlen(r->history[i]));
        putchar('\n');
    }
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* Appends a line to a cell, both of which it takes; NULL: out of memory. What was pasted, or comes
 * from the history, may be several lines, and then it is all there is: an empty one ends it. */
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
    return strcmp(cell, "exit") == 0 || strcmp(cell, "quit") == 0 || strcmp(cell, "exit()") == 0 ||
           strcmp(cell, "quit()") == 0;
}

/* Does what a cell says. False: there is more to be typed. */
static bool do_cell(struct repl *r, const char *cell)
{
    if (is_blank(cell))
        return true;
    if (magic_is(cell))
        magic_run(r, cell);
    else if (!r->cells)
        fputs("the debuggee is gone: %reconnect tries again, Ctrl-D leaves\n", stderr);
    else if (!run_cell(r, cell))
        return false;
    remember(r, cell);
    return true;
}

/* Reads a cell, line by line, and does what it says. False: the user leaves. */
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
            return cell != NULL; /* in the middle of a cell it is that which is left */
        case EDITOR_LINE:
            cell = append_line(cell, line);
        }
        if (!cell || is_leaving(cell))
            return false;
    } while (!do_cell(r, cell));
    return true;
}

static void free_repl(struct repl *r)
{
    size_t i;

    editor_close(r->editor);
    cells_close(r->cells);
    for (i = 0; i < r->history_len; i++)
        free(r->history[i]);
    free(r->history);
}

int repl_run(rpyc_conn **conn, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct repl r = {.options = options, .conn = *conn};
    const struct editor_watch watch = {fd_of, serve, &r};

    if (open_cells(&r, &err) < 0) {
        complain("pystuck: no prompt: ", &err);
        return EXIT_FAILURE;
    }
    r.editor = editor_open(&watch);
    if (!r.editor) {
        fputs("pystuck: no prompt: the terminal cannot be used\n", stderr);
        free_repl(&r);
        return EXIT_FAILURE;
    }
    editor_complete_by(r.editor, complete_line, &r);
    interrupt_catch(false);
    puts("use the 'modules' dictionary to access remote modules (like 'os', or '__main__')\n");
    while (step(&r))
        ;
    free_repl(&r);
    *conn = r.conn;
    return EXIT_SUCCESS;
}
