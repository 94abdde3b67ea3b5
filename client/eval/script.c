/* SPDX-License-Identifier: BSD-3-Clause */
#include "eval/script.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "color.h"
#include "connect/connect.h"
#include "interrupt.h"
#include "eval/evaluator.h"
#include "procfs/clock.h"
#include "text.h"

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

static bool interrupted;

/* The time limit of the running cell (--timeout). At `end` the client interrupts the cell, at
 * `last` it stops waiting for the cell. Times are those of clock_ms. */
static struct {
    bool is_over; /* the time limit has passed and the cell was interrupted */
    int64_t end;  /* 0: no limit */
    int64_t last; /* valid if is_over */
} limit;

/* How long a cell may continue to run after its time limit before the client stops waiting, in
 * ms. */
#define PATIENCE_MS 2000

static void start_limit(const struct options *options)
{
    limit.is_over = false;
    limit.end = options->timeout_ms > 0 ? clock_ms() + options->timeout_ms : 0;
}

static bool is_interruption_wanted(void *arg)
{
    (void)arg;
    if (limit.end > 0 && !limit.is_over && clock_ms() >= limit.end) {
        limit.is_over = true;
        limit.last = clock_ms() + PATIENCE_MS;
        return true;
    }
    if (!interrupt_take())
        return false;
    interrupted = true;
    return true;
}

static bool is_given_up(void *arg)
{
    (void)arg;
    return limit.is_over && clock_ms() >= limit.last;
}

/* ---- Standard input -------------------------------------------------------------------------- */

/* bytes[at] to bytes[end - 1] were read from standard input and are not used yet. */
static struct {
    char bytes[65536];
    size_t at, end;
} input;

/* Waits until standard input is readable. Returns 0, or -1 with EINTR if the user or the time limit
 * interrupts the cell. SIGINT is blocked before ppoll(), so a SIGINT that arrives directly before
 * ppoll() is not missed. */
static int wait_for_input(void)
{
    const struct timespec short_while = {.tv_nsec = 50000000};
    struct pollfd readable = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t interruption, before;
    int status = 0;

    sigemptyset(&interruption);
    sigaddset(&interruption, SIGINT);
    sigprocmask(SIG_BLOCK, &interruption, &before);
    while (status <= 0 && !is_interruption_wanted(NULL))
        status = ppoll(&readable, 1, limit.end > 0 ? &short_while : NULL, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (status > 0)
        return 0;
    errno = EINTR;
    return -1;
}

/* Reads more bytes from standard input. Returns their number, 0 at the end of the input, -1 with
 * errno. */
static ssize_t fill_input(void)
{
    ssize_t n;

    do {
        if (wait_for_input() < 0)
            return -1;
        n = read(STDIN_FILENO, input.bytes, sizeof(input.bytes));
    } while (n < 0 && (errno == EAGAIN || errno == EINTR));
    input.at = 0;
    input.end = n > 0 ? (size_t)n : 0;
    return n;
}

/* Copies standard input to its end. If reading fails before the first byte, the input counts as
 * empty. If reading fails later, returns -1 with errno, since half a script must not be run. */
static int copy_input(FILE *copy)
{
    bool is_empty = true;
    ssize_t n;

    while ((n = fill_input()) > 0) {
        fwrite(input.bytes, 1, (size_t)n, copy);
        is_empty = false;
    }
    input.end = 0;
    return n < 0 && !is_empty ? -1 : 0;
}

bool script_comes(int ms)
{
    struct pollfd readable = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&readable, 1, ms) != 0;
}

bool script_is_there(void)
{
    int available = 0;

    return !isatty(STDIN_FILENO) && ioctl(STDIN_FILENO, FIONREAD, &available) == 0 && available > 0;
}

int script_read(char **script)
{
    size_t size = 0;
    FILE *copy = open_memstream(script, &size);
    int status, why;

    if (!copy)
        return -1;
    status = copy_input(copy);
    why = errno;
    if (fclose(copy) != 0)
        return -1;
    if (status == 0 && strlen(*script) < size) {
        status = -1;
        why = EILSEQ;
    }
    if (status == 0 && (*script)[strspn(*script, " \t\n\v\f\r")] != '\0')
        return 0;
    free(*script);
    *script = NULL;
    errno = why;
    return status;
}

/* ---- Output and input of cells --------------------------------------------------------------- */

static void write_text(void *arg, bool is_error, const char *text, size_t len)
{
    FILE *stream = is_error ? stderr : stdout;

    (void)arg;
    text_print(stream, text, len);
    fflush(stream);
}

/* Copies the bytes that are stored, up to the end of the line. Returns true if the line is
 * complete. */
static bool copy_line(FILE *copy)
{
    const char *start = input.bytes + input.at;
    const char *newline = memchr(start, '\n', input.end - input.at);
    size_t len = newline ? (size_t)(newline + 1 - start) : input.end - input.at;

    fwrite(start, 1, len, copy);
    input.at += len;
    return newline;
}

static ssize_t read_line(void *arg, char **line)
{
    size_t size = 0;
    FILE *copy = open_memstream(line, &size);
    ssize_t n = 1;
    int why;

    (void)arg;
    if (!copy)
        return -1;
    while (n > 0 && !copy_line(copy))
        n = fill_input();
    why = errno;
    if (fclose(copy) != 0)
        return -1;
    errno = why;
    return n < 0 ? -1 : (ssize_t)size;
}

/* ---- Running --------------------------------------------------------------------------------- */

/* The function `reconnect` of struct cell_interrupt: opens a second connection, for interrupting a
 * cell. */
static int reconnect(void *arg, rpyc_conn **out, struct rpyc_error *err)
{
    struct options soon = *(const struct options *)arg;

    if (soon.timeout_ms == 0 || soon.timeout_ms > PATIENCE_MS)
        soon.timeout_ms = PATIENCE_MS;
    return connect_server(out, &soon, NULL, NULL, err);
}

/* Prints the result of a cell. Returns the exit status. */
static int show(const struct cell_result *result)
{
    size_t len;
    const char *text = rpyc_str(result->text, &len);

    if (!text)
        return result->failed ? EXIT_FAILURE : EXIT_SUCCESS;
    if (result->failed) {
        color_print_failure(stderr, text, len);
        fflush(stderr);
        return interrupted ? 128 + SIGINT : EXIT_FAILURE;
    }
    text_print(stdout, text, len);
    fputc('\n', stdout);
    fflush(stdout);
    return EXIT_SUCCESS;
}

static int fail_by_timeout(const struct options *options, struct rpyc_error *err)
{
    rpyc_error_clear(err);
    err->code = RPYC_ETIMEOUT;
    snprintf(err->text, sizeof(err->text), "no answer within %s s", options->timeout);
    return EXIT_FAILURE;
}

/* Runs a cell and prints its result. Returns the exit status. *incomplete is set as in struct
 * cell_result. incomplete may be NULL if mode is not CELL_TYPED. */
static int run_cell(struct evaluator *evaluator, const struct options *options, const char *source,
                    enum cell_mode mode, bool *incomplete, struct rpyc_error *err)
{
    const struct cell_interrupt interrupt = {is_interruption_wanted, is_given_up, reconnect,
                                             (void *)options};
    struct cell_result result = {0};
    int status;

    start_limit(options);
    status = evaluator_run(evaluator, source, text_width(), mode, &interrupt, &result, err);
    if (status < 0 && (!limit.is_over || err->code != RPYC_ECANCELED))
        return interrupted ? 128 + SIGINT : EXIT_FAILURE;
    rpyc_error_clear(err);
    if (incomplete)
        *incomplete = result.incomplete;
    if (status == 0)
        status = show(&result);
    rpyc_unref(result.text);
    return limit.is_over ? fail_by_timeout(options, err) : status;
}

/* Runs a script statement by statement, for a server that runs no code. A statement ends with its
 * line, or with the line in which its last bracket is closed. */
static int run_lines(struct evaluator *evaluator, const struct options *options, const char *script,
                     struct rpyc_error *err)
{
    int status = EXIT_SUCCESS;
    bool incomplete = false;
    size_t len = 0;
    char *source;

    while (status == EXIT_SUCCESS && script[len]) {
        len += strcspn(script + len, "\n");
        len += script[len] == '\n';
        source = strndup(script, len);
        if (!source) {
            rpyc_raise(err, "MemoryError", "out of memory");
            return EXIT_FAILURE;
        }
        status = run_cell(evaluator, options, source, script[len] ? CELL_TYPED : CELL_LAST,
                          &incomplete, err);
        free(source);
        if (incomplete)
            continue;
        script += len;
        len = 0;
    }
    return status;
}

int script_run(rpyc_conn *conn, const struct options *options, const char *script,
               struct rpyc_error *err)
{
    static const struct cell_io io = {write_text, read_line, NULL};
    int status = EXIT_SUCCESS;
    struct evaluator *evaluator;
    size_t i;

    if (evaluator_open(&evaluator, conn, &io, options->execute, err) < 0)
        return EXIT_FAILURE;
    interrupt_catch(true);
    for (i = 0; status == EXIT_SUCCESS && i < options->code_count; i++)
        status = run_cell(evaluator, options, options->code[i], CELL_LAST, NULL, err);
    if (status == EXIT_SUCCESS && script && evaluator_cells(evaluator))
        status = run_cell(evaluator, options, script, CELL_EACH, NULL, err);
    else if (status == EXIT_SUCCESS && script)
        status = run_lines(evaluator, options, script, err);
    evaluator_close(evaluator);
    return status;
}
