/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "color.h"
#include "connect/connect.h"
#include "connect/explain.h"
#include "connect/tls_files.h"
#include "interrupt.h"
#include "procfs/clock.h"
#include "prompt/keyboard.h"
#include "prompt/terminal.h"
#include "stacks/fetch.h"
#include "stacks/ask_gil.h"
#include "text.h"

/* How long a cell may continue to run after Ctrl-C before the client stops waiting for it, in
 * ms. */
#define PATIENCE_MS 2000

/* How long to wait for an answer on a second connection while the user waits for the prompt, in ms.
 */
#define SOON_MS 2000

/* How long to wait until the program runs Python, in ms. After this time the prompt is opened
 * although the program cannot run cells. */
#define GIL_WAIT_MS 300

/* How long to wait until the server gets the GIL, which it needs to interrupt a cell, in ms. After
 * this time the cell is not interrupted. If stacks_ask_gil() says that one thread keeps the GIL,
 * the cell is not interrupted either, and this wait is left out. */
#define TURN_WAIT_MS 1000

/* The request that is sent when connecting: asks the server only for the state of the GIL. */
static const struct stacks_wish bare = {.bare = true};

/* The most messages that one call of shell_serve handles. */
#define SERVED_AT_A_TIME 1000

/* ---- Output ---------------------------------------------------------------------------------- */

void shell_complain(const char *what, const struct rpyc_error *err)
{
    fprintf(stderr, "%s%s", color_begin(stderr, COLOR_ERROR), what);
    text_print(stderr, err->text, strlen(err->text));
    fprintf(stderr, "%s\n", color_end(stderr));
}

static void write_text(void *arg, bool is_error, const char *text, size_t len)
{
    struct shell *sh = arg;
    FILE *stream = is_error ? stderr : stdout;

    if (sh->editor)
        editor_leave_line(sh->editor);
    text_print(stream, text, len);
    fflush(stream);
}

/* Prints Out[n] and the value. A value of several lines begins on a new line. */
static void print_value(int number, const char *text, size_t len)
{
    printf("%sOut[%d]:%s%c", color_begin(stdout, COLOR_OUT), number, color_end(stdout),
           memchr(text, '\n', len) ? '\n' : ' ');
    text_print(stdout, text, len);
    putchar('\n');
}

/* Prints the value or the traceback of cell `number`. */
static void print_result(const struct cell_result *result, int number)
{
    size_t len;
    const char *text = rpyc_str(result->text, &len);

    if (text && result->failed)
        color_print_failure(stderr, text, len);
    else if (text)
        print_value(number, text, len);
    putchar('\n');
    fflush(stdout);
}

/* Prints what a helper function (see cells_call_helper) has answered, if the answer is not the
 * value of a cell: text on stdout, an error on stderr. */
static void print_answer(const struct cell_result *result)
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

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

/* If Ctrl-C was pressed: drops the input from before Ctrl-C, moves to a new line, and returns true.
 */
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

/* The function `wanted` of struct cell_interrupt. This function is called often while a cell runs,
 * so it also reads the keys that the user types meanwhile. */
static bool is_interruption_wanted(void *arg)
{
    struct shell *sh = arg;

    if (!interrupt_is_pending())
        keyboard_drain();
    terminal_run();
    if (sh->interrupted || !take_interruption())
        return false;
    sh->interrupted = true;
    sh->interrupted_at = clock_ms();
    return true;
}

static bool is_given_up(void *arg)
{
    const struct shell *sh = arg;

    return sh->interrupted &&
           (take_interruption() || clock_ms() > sh->interrupted_at + PATIENCE_MS);
}

/* Call if Ctrl-C was pressed in input(): sets errno to EINTR, so the cell gets KeyboardInterrupt.
 * If the cell calls input() again and Ctrl-C is pressed again, the client stops waiting for the
 * cell. */
static void leave_input(struct shell *sh)
{
    if (sh->left_input) {
        sh->interrupted = true;
        sh->interrupted_at = 0;
    }
    sh->left_input = true;
    errno = EINTR;
}

/* Reads a line for input() in a cell, see struct cell_io. */
static ssize_t read_line(void *arg, char **line)
{
    struct shell *sh = arg;
    const ssize_t len = keyboard_line(line);

    if (len >= 0) {
        sh->left_input = false;
        return len;
    }
    if (errno != EINTR)
        return 0;
    take_interruption(); /* EINTR interrupts the cell, so this Ctrl-C must not interrupt it again */
    leave_input(sh);
    return -1;
}

/* ---- The connection -------------------------------------------------------------------------- */

static void lose_connection(struct shell *sh)
{
    evaluator_close(sh->evaluator);
    rpyc_pending_free(sh->probe);
    rpyc_close(sh->conn);
    sh->evaluator = NULL;
    sh->probe = NULL;
    sh->conn = NULL;
}

static int open_evaluator(struct shell *sh, struct rpyc_error *err)
{
    const struct cell_io io = {write_text, read_line, sh};

    return evaluator_open(&sh->evaluator, sh->conn, &io, sh->options->execute, err);
}

bool shell_is_blocked(const struct shell *sh)
{
    return sh->conn && !sh->evaluator;
}

/* Waits until the program has run some Python code: until it has answered the request for the root
 * and, if a probe was sent, the probe. RPYC_ETIMEOUT: no answer came within wait_ms. */
static int await_python(struct shell *sh, int wait_ms, struct rpyc_error *err)
{
    if (rpyc_await_root(sh->conn, wait_ms, err) < 0)
        return -1;
    if (!sh->probe)
        return 0;
    if (rpyc_pending_wait(sh->probe, wait_ms, NULL, err) < 0 && err->code != RPYC_EREMOTE)
        return -1;
    rpyc_error_clear(err);
    rpyc_pending_free(sh->probe);
    sh->probe = NULL;
    return 0;
}

/* Sends a request that the program can only answer by running Python. */
static int send_probe(struct shell *sh, struct rpyc_error *err)
{
    CLEAN_VALUE rpyc_value *root = NULL;

    if (rpyc_root(sh->conn, &root, err) < 0)
        return -1;
    return rpyc_start_getattr(root, "__class__", &sh->probe, err);
}

/* Prepares the connection for cells, if the program runs Python within wait_ms. If the program does
 * not run Python in this time, the shell is blocked, and this function returns 0 as well. Returns
 * -1 with err after another error. */
static int begin(struct shell *sh, int wait_ms, struct rpyc_error *err)
{
    int result = await_python(sh, wait_ms, err);
    bool had_root = result == 0;

    if (had_root) {
        rpyc_set_timeout(sh->conn, SOON_MS);
        result = open_evaluator(sh, err);
        rpyc_set_timeout(sh->conn, sh->options->timeout_ms);
    }
    if (result == 0 || (err->code != RPYC_ETIMEOUT && err->code != RPYC_EINTERRUPT))
        return result;
    rpyc_error_clear(err);
    return had_root ? send_probe(sh, err) : 0;
}

static void print_blocked(const char *what, const char *why)
{
    fprintf(stderr, "%s%s: %s%s\n", color_begin(stderr, COLOR_ERROR), what, why, color_end(stderr));
}

/* Prints why the program cannot run code now. */
static void say_blocked(const struct shell *sh, const char *what)
{
    struct gil_words gil;
    bool is_known = stacks_ask_gil(sh->options, &gil);

    print_blocked(
        what, is_known ? gil.text
                       : "the server's thread in the program cannot run Python code at the moment");
}

/* Returns the options with a timeout of at most SOON_MS. */
static struct options soon(const struct shell *sh)
{
    struct options options = *sh->options;

    if (options.timeout_ms == 0 || options.timeout_ms > SOON_MS)
        options.timeout_ms = SOON_MS;
    return options;
}

/* Replaces the connection. Prints an error and returns false if connecting fails. */
static bool reconnect(struct shell *sh, const struct options *options)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;

    lose_connection(sh);
    terminal_run();
    tls_files_warn(sh->options);
    if (stacks_connect(&sh->conn, options, &bare, NULL, &err) < 0) {
        explain_failure(options, &err);
    } else {
        rpyc_pending_free(rpyc_take_early(sh->conn));
        if (begin(sh, GIL_WAIT_MS, &err) == 0)
            return true;
    }
    shell_complain("cannot reconnect: ", &err);
    lose_connection(sh);
    return false;
}

void shell_reconnect(struct shell *sh)
{
    if (reconnect(sh, sh->options) && shell_is_blocked(sh))
        say_blocked(sh, "connected, but cannot run code now");
}

/* Waits for the root, unless stacks_ask_gil() says that one thread keeps the GIL. If one thread
 * keeps it, or if the wait takes too long, prints the reason and returns -1. */
static int await_turn(rpyc_conn *conn, const struct options *options, struct rpyc_error *err)
{
    struct gil_words gil;
    bool is_known = stacks_ask_gil(options, &gil);

    if ((!is_known || !gil.is_kept) && rpyc_await_root(conn, TURN_WAIT_MS, err) == 0)
        return 0;
    print_blocked("cannot interrupt the cell",
                  is_known
                      ? gil.text
                      : "the server's thread in the program cannot run Python code at the moment");
    return -1;
}

/* The function `reconnect` of struct cell_interrupt: opens a second connection, for interrupting a
 * cell. */
static int connect_again(void *arg, rpyc_conn **out, struct rpyc_error *err)
{
    const struct options options = soon(arg);

    if (stacks_connect(out, &options, &bare, NULL, err) < 0)
        return -1;
    if (rpyc_await_root(*out, GIL_WAIT_MS, err) == 0 || await_turn(*out, &options, err) == 0)
        return 0;
    rpyc_close(*out);
    *out = NULL;
    return -1;
}

bool shell_is_connected(struct shell *sh)
{
    if (shell_is_blocked(sh))
        shell_serve(sh); /* the program may run Python again */
    if (shell_is_blocked(sh))
        say_blocked(sh, "cannot run code now");
    else if (!sh->conn)
        fputs("not connected: type %reconnect to connect again, or Ctrl-D to exit\n", stderr);
    return sh->evaluator;
}

void shell_report_loss(struct shell *sh, const struct rpyc_error *err)
{
    if (sh->editor)
        editor_leave_line(sh->editor);
    shell_complain("lost the connection (type %reconnect to connect again): ", err);
    lose_connection(sh);
}

/* If the program runs Python again, prepares the connection for cells and prints that cells work.
 */
static void unblock(struct shell *sh)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;

    if (begin(sh, 1, &err) < 0) {
        shell_report_loss(sh, &err);
    } else if (sh->evaluator) {
        if (sh->editor)
            editor_leave_line(sh->editor);
        puts("the program runs Python code again: cells work now");
    }
}

bool shell_serve(struct shell *sh)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    int count = rpyc_process_some(sh->conn, SERVED_AT_A_TIME, 0, &err);

    if (count < 0)
        shell_report_loss(sh, &err);
    else if (shell_is_blocked(sh))
        unblock(sh);
    return count == SERVED_AT_A_TIME;
}

int shell_open(struct shell *sh, rpyc_conn *conn, const struct options *options,
               struct rpyc_error *err)
{
    *sh = (struct shell){.options = options, .conn = conn};
    rpyc_pending_free(rpyc_take_early(conn)); /* NULL if it was used for the stacks */
    return begin(sh, GIL_WAIT_MS, err);
}

void shell_close(struct shell *sh)
{
    evaluator_close(sh->evaluator);
    rpyc_pending_free(sh->probe);
    cell_history_clear(&sh->history);
}

/* ---- Running a cell -------------------------------------------------------------------------- */

void shell_remember(struct shell *sh, const char *typed, const char *code)
{
    char *copy = strdup(typed);
    size_t len = strlen(typed);

    if (!copy)
        return;
    while (len > 0 && copy[len - 1] == '\n') /* the empty line that ended a block */
        copy[--len] = '\0';
    editor_remember(sh->editor, copy);
    cell_history_add(&sh->history, copy, code == typed ? copy : code, sh->ran);
    free(copy);
}

/* Prints why a cell has no result: the client stopped waiting for the cell, the cell could not be
 * sent, or the connection is lost. */
static void report_failure(struct shell *sh, const struct rpyc_error *err)
{
    const struct options options = soon(sh);

    if (err->code == RPYC_EINVAL || err->code == RPYC_EREMOTE) {
        shell_complain("cannot run this cell: ", err);
        return;
    }
    if (err->code != RPYC_ECANCELED) {
        shell_report_loss(sh, err);
        return;
    }
    fprintf(stderr, "could not interrupt In [%d]: it keeps running in the program\n",
            evaluator_number(sh->evaluator));
    if (!reconnect(sh, &options))
        return;
    if (shell_is_blocked(sh))
        say_blocked(sh, "connected again, but cannot run code now");
    else
        fputs("connected again, with a new namespace; %threads shows what the program is doing\n",
              stderr);
}

static struct cell_interrupt begin_cell(struct shell *sh)
{
    sh->interrupted = false;
    sh->left_input = false;
    return (struct cell_interrupt){is_interruption_wanted, is_given_up, connect_again, sh};
}

/* Prints the result of a cell or helper. number: the number of the cell, used if result->numbered
 * is true. */
static void finish_cell(struct shell *sh, const struct cell_result *result, int number)
{
    take_interruption(); /* a Ctrl-C that came too late */
    terminal_type();
    if (result->numbered) {
        sh->ran = number;
        print_result(result, number);
    } else if (!result->incomplete) {
        print_answer(result);
    }
    rpyc_unref(result->text);
}

bool shell_run(struct shell *sh, const char *cell, enum cell_mode mode)
{
    const struct cell_interrupt interrupt = begin_cell(sh);
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    int number = evaluator_number(sh->evaluator);
    struct cell_result result;

    if (evaluator_run(sh->evaluator, cell, text_width(), mode, &interrupt, &result, &err) < 0) {
        report_failure(sh, &err);
        return true;
    }
    finish_cell(sh, &result, number);
    return !result.incomplete;
}

void shell_run_code(struct shell *sh, const char *code)
{
    sh->ran = evaluator_number(sh->evaluator);
    shell_remember(sh, code, code);
    shell_run(sh, code, CELL_LAST);
    sh->ran = CELL_HISTORY_NO_CELL; /* the typed line (such as %edit) is not a cell itself */
}

void shell_call_helper(struct shell *sh, const struct cell_helper *helper, const char *function,
                       const char *argument, const char *source)
{
    CLEAN_ERROR struct rpyc_error err = RPYC_ERROR_INIT;
    struct cell_interrupt interrupt;
    struct cell_result result;
    struct cells *cells;
    int number;

    if (!shell_is_connected(sh))
        return;
    cells = evaluator_cells(sh->evaluator);
    if (!cells) {
        fputs("this command must run code in the program, and the server or --no-exec does not "
              "allow that\n",
              stderr);
        return;
    }
    number = evaluator_number(sh->evaluator);
    interrupt = begin_cell(sh);
    if (cells_call_helper(cells, helper, function, argument, source, text_width(), &interrupt,
                          &result, &err) < 0)
        report_failure(sh, &err);
    else
        finish_cell(sh, &result, number);
}
