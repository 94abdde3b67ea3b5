/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/repl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "clock.h"
#include "color.h"
#include "prompt/complete.h"
#include "connect/connect.h"
#include "connect/explain.h"
#include "prompt/editor.h"
#include "prompt/complete_netrefs.h"
#include "interrupt.h"
#include "prompt/cell_history.h"
#include "prompt/keyboard.h"
#include "prompt/help.h"
#include "prompt/magic.h"
#include "eval/evaluator.h"
#include "connect/tls_files.h"
#include "stacks/fetch.h"
#include "stacks/print.h"
#include "prompt/terminal.h"
#include "text.h"

/* How long a cell that was interrupted may go on before it is given up, in ms. */
#define PATIENCE_MS 2000

/* How long an answer on another connection may take while somebody waits for the prompt, in ms. */
#define SOON_MS 2000

/* How many messages are seen to between two looks at the keyboard. */
#define SERVED_AT_A_TIME 1000

struct repl {
    const struct options *options;
    rpyc_conn *conn;           /* NULL once it is lost, */
    struct evaluator *session; /* ... and then this is too */
    struct editor *editor;
    const char *typed; /* the lines of the cell before the one that is typed, or NULL */
    char prompt[64];
    const char *doing;      /* what was typed and is being done, */
    bool interrupted;       /* ... which was, */
    int64_t interrupted_at; /* ... at this time of clock_ms, */
    bool left_input;        /* ... or when it last asked for input */
    struct cell_history journal;
    int ran; /* the number of the cell that was typed, or CELL_HISTORY_NO_CELL */
};

/* ---- What is printed ------------------------------------------------------------------------- */

/* One line on stderr, which may quote the other side. */
static void complain(const char *what, const struct rpyc_error *err)
{
    fprintf(stderr, "%s%s", color_begin(stderr, COLOR_ERROR), what);
    text_print(stderr, err->text, strlen(err->text));
    fprintf(stderr, "%s\n", color_end(stderr));
}

static void write_text(void *arg, bool is_error, const char *text, size_t len)
{
    struct repl *r = arg;
    FILE *stream = is_error ? stderr : stdout;

    if (r->editor) /* a server may write before there is one */
        editor_leave_line(r->editor);
    text_print(stream, text, len);
    fflush(stream);
}

/* Takes a Ctrl-C, and drops what was typed before it. What comes next is on a line of its own. */
static bool take_interruption(void)
{
    const bool is_echoed = terminal_is_running();

    if (!interrupt_take())
        return false;
    keyboard_interrupt();
    fputs(is_echoed ? "\n" : "^C\n", stdout);
    fflush(stdout);
    return true;
}

/* Ctrl-C in place of a line. A cell that asks again, and gets another, is given up. */
static void leave_input(struct repl *r)
{
    if (r->left_input) {
        r->interrupted = true;
        r->interrupted_at = 0;
    }
    r->left_input = true;
    errno = EINTR;
}

/* A line for input() in a cell: 0 at the end of the input, -1 with EINTR for Ctrl-C. */
static ssize_t read_line(void *arg, char **line)
{
    struct repl *r = arg;
    const ssize_t len = keyboard_line(line);

    if (len >= 0) {
        r->left_input = false;
        return len;
    }
    if (errno != EINTR)
        return 0;
    take_interruption(); /* the cell need not be interrupted once more, then */
    leave_input(r);
    return -1;
}

/* Out[n]: on the same line where the value has one line. */
static void display_value(int number, const char *text, size_t len)
{
    printf("%sOut[%d]:%s%c", color_begin(stdout, COLOR_OUT), number, color_end(stdout),
           memchr(text, '\n', len) ? '\n' : ' ');
    text_print(stdout, text, len);
    putchar('\n');
}

static void show(const struct cell_result *result, int number)
{
    size_t len;
    const char *text = rpyc_str(result->text, &len);

    if (text && result->failed)
        color_print_failure(stderr, text, len);
    else if (text)
        display_value(number, text, len);
    putchar('\n');
    fflush(stdout);
}

/* What came of looking at something: text that is no value, or one line that says why not. */
static void show_answer(const struct cell_result *result)
{
    FILE *stream = result->failed ? stderr : stdout;
    size_t len;
    const char *text = rpyc_str(result->text, &len);

    if (!text)
        return;
    text_print(stream, text, len);
    if (len == 0 || text[len - 1] != '\n')
        fputc('\n', stream);
    if (!result->failed)
        putchar('\n');
    fflush(stream);
}

/* "In [3]: ", or as wide for the lines that follow. */
static void make_prompt(struct repl *r, bool first)
{
    char text[32];
    int number = r->session ? evaluator_number(r->session) : 0;
    int width = snprintf(text, sizeof(text), "In [%d]:", number);

    if (!r->session)
        snprintf(text, sizeof(text), "gone>");
    else if (!first)
        snprintf(text, sizeof(text), "%*s", width, "...:");
    snprintf(r->prompt, sizeof(r->prompt),
             EDITOR_HIDDEN "%s" EDITOR_HIDDEN "%s" EDITOR_HIDDEN "%s" EDITOR_HIDDEN " ",
             color_begin(stdout, COLOR_IN), text, color_end(stdout));
}

/* ---- The connection -------------------------------------------------------------------------- */

static void lose_connection(struct repl *r)
{
    evaluator_close(r->session);
    rpyc_close(r->conn);
    r->session = NULL;
    r->conn = NULL;
}

static int open_session(struct repl *r, struct rpyc_error *err)
{
    const struct cell_io io = {write_text, read_line, r};

    return evaluator_open(&r->session, r->conn, &io, r->options->execute, err);
}

/* A new session. Says so if there is none to be had. */
static bool reconnect(struct repl *r, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;

    lose_connection(r);
    terminal_run();
    tls_files_warn(r->options);
    if (connect_server(&r->conn, options, &err) < 0) {
        explain_failure(options, &err);
    } else if (open_session(r, &err) == 0) {
        rpyc_set_timeout(r->conn, r->options->timeout_ms);
        return true;
    }
    complain("no new session: ", &err);
    lose_connection(r);
    return false;
}

/* The options, with which nothing is waited for long. */
static struct options soon(const struct repl *r)
{
    struct options options = *r->options;

    if (options.timeout_ms == 0 || options.timeout_ms > SOON_MS)
        options.timeout_ms = SOON_MS;
    return options;
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
static bool serve(void *arg)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct repl *r = arg;
    int count = rpyc_process_some(r->conn, SERVED_AT_A_TIME, 0, &err);

    if (count >= 0)
        return count == SERVED_AT_A_TIME;
    editor_leave_line(r->editor);
    report_loss(r, &err);
    make_prompt(r, true);
    return false;
}

/* Tab. */
static char *complete_line(void *arg, const char *before, const char *after)
{
    struct repl *r = arg;
    const struct complete_cells cells = {r->session ? evaluator_cells(r->session) : NULL, r->conn};
    const struct complete_netrefs_source names = {
        r->conn, r->session ? evaluator_proxies(r->session) : NULL};
    const struct complete_source source =
        !r->session || cells.cells ? (struct complete_source){complete_in_cells, &cells}
                                   : (struct complete_source){complete_netrefs_find, &names};
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

/* Asked all the time while something runs: it takes a moment then, in which keys may be typed. */
static bool is_interruption_wanted(void *arg)
{
    struct repl *r = arg;

    if (!interrupt_is_pending())
        keyboard_drain();
    terminal_run();
    if (r->interrupted || !take_interruption())
        return false;
    r->interrupted = true;
    r->interrupted_at = clock_ms();
    return true;
}

static bool is_given_up(void *arg)
{
    const struct repl *r = arg;

    return r->interrupted && (take_interruption() || clock_ms() > r->interrupted_at + PATIENCE_MS);
}

static int connect_again(void *arg, rpyc_conn **out, struct rpyc_error *err)
{
    const struct options options = soon(arg);

    return connect_server(out, &options, err);
}

/* ---- Running a cell -------------------------------------------------------------------------- */

/* Keeps what was typed, without the empty line that has ended it, for the next time; and, with the
 * Python in it and its number, for this session. */
static void remember(struct repl *r, const char *typed, const char *code, int number)
{
    char *copy = strdup(typed);
    size_t len = strlen(typed);

    if (!copy)
        return;
    while (len > 0 && copy[len - 1] == '\n')
        copy[--len] = '\0';
    editor_remember(r->editor, copy);
    cell_history_add(&r->journal, copy, code == typed ? copy : code, number);
    free(copy);
}

/* Nothing came of a cell, for the connection is lost, or was given up, or it could not be sent. */
static void report_failure(struct repl *r, const struct rpyc_error *err)
{
    const struct options options = soon(r);

    if (err->code == RPYC_EINVAL || err->code == RPYC_EREMOTE) {
        complain("that cannot be run: ", err);
        return;
    }
    if (err->code != RPYC_ECANCELED) {
        report_loss(r, err);
        return;
    }
    fprintf(stderr, "The cell goes on in the debuggee (In [%d]: ", evaluator_number(r->session));
    text_print(stderr, r->doing, strcspn(r->doing, "\n"));
    fputs("), with all names of its session.\n", stderr);
    if (reconnect(r, &options))
        fputs("This is a new session.\n", stderr);
}

/* Shows what came of a cell, or of looking at something, which was to have this number. */
static void finish(struct repl *r, const struct cell_result *result, int number)
{
    take_interruption(); /* one that came too late */
    terminal_type();
    if (result->numbered) {
        r->ran = number;
        show(result, number);
    } else if (!result->incomplete) {
        show_answer(result);
    }
    rpyc_unref(result->text);
}

/* Runs what has been typed so far. False: there is more to be typed. */
static bool run_cell(struct repl *r, const char *cell, enum cell_mode mode)
{
    const struct cell_interrupt interrupt = {is_interruption_wanted, is_given_up, connect_again, r};
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    int number = evaluator_number(r->session);
    struct cell_result result;

    r->interrupted = false;
    r->left_input = false;
    if (evaluator_run(r->session, cell, text_width(), mode, &interrupt, &result, &err) < 0) {
        report_failure(r, &err);
        return true;
    }
    finish(r, &result, number);
    return !result.incomplete;
}

/* ---- Magics ---------------------------------------------------------------------------------- */

void repl_reconnect(struct repl *r, const char *argument)
{
    (void)argument;
    reconnect(r, r->options);
}

void repl_show_stacks(struct repl *r, const char *argument)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    const struct stacks_wish wish = {.greenlets = r->options->greenlets,
                                     .execute = r->options->execute};
    struct report report __attribute__((cleanup(report_free)));

    (void)argument;
    report_init(&report, STACKS_MEMORY_MAX);
    if (!r->conn) {
        fputs("the debuggee is gone\n", stderr);
        return;
    }
    terminal_run();
    if (stacks_fetch(r->conn, &wish, &report, &err) < 0)
        complain("cannot get the stacks: ", &err);
    else
        stacks_print(stdout, &report.processes.items[0], r->options->format);
}

bool repl_is_connected(struct repl *r)
{
    if (!r->session)
        fputs("the debuggee is gone: %reconnect tries again, Ctrl-D leaves\n", stderr);
    return r->session;
}

void repl_inspect(struct repl *r, const char *function, const char *argument, const char *source)
{
    const struct cell_interrupt interrupt = {is_interruption_wanted, is_given_up, connect_again, r};
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct cell_result result;
    int number;

    if (!repl_is_connected(r))
        return;
    if (!evaluator_cells(r->session)) {
        fputs("that takes code in the debuggee, which is not run there\n", stderr);
        return;
    }
    number = evaluator_number(r->session);
    r->interrupted = false;
    r->left_input = false;
    if (cells_inspect(evaluator_cells(r->session), function, argument, source, text_width(),
                      &interrupt, &result, &err) < 0)
        report_failure(r, &err);
    else
        finish(r, &result, number);
}

void repl_run_code(struct repl *r, const char *code)
{
    remember(r, code, code, evaluator_number(r->session));
    run_cell(r, code, CELL_LAST);
    r->ran = CELL_HISTORY_NO_CELL; /* what was typed, and made this one run, was none itself */
}

const struct cell_history *repl_journal(const struct repl *r)
{
    return &r->journal;
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

/* Does what a cell says. False: there is more to be typed. */
static bool do_cell(struct repl *r, const char *cell)
{
    const bool can_run = r->session;
    const char *code = NULL;

    if (is_blank(cell))
        return true;
    r->doing = cell;
    r->ran = CELL_HISTORY_NO_CELL;
    if (help_is_asked(cell)) {
        help_show(r, cell);
    } else if (magic_is(cell)) {
        code = magic_code(cell);
        magic_run(r, cell);
    } else {
        code = cell;
        if (repl_is_connected(r) && !run_cell(r, cell, CELL_TYPED))
            return false;
    }
    remember(r, cell, can_run ? code : NULL, r->ran);
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
    editor_close(r->editor);
    evaluator_close(r->session);
    cell_history_clear(&r->journal);
}

int repl_run(rpyc_conn **conn, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct repl r = {.options = options, .conn = *conn};
    const struct editor_watch watch = {fd_of, serve, &r};

    if (open_session(&r, &err) < 0) {
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
    if (!evaluator_cells(r.session))
        puts("no code is run over there: names, attributes, items, calls, assignments to such, del "
             "and\n"
             "import\n");
    while (step(&r))
        ;
    free_repl(&r);
    *conn = r.conn;
    return EXIT_SUCCESS;
}
