/* SPDX-License-Identifier: BSD-3-Clause */
#include "script.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cell.h"
#include "connect.h"
#include "interrupt.h"
#include "text.h"

/* ---- Standard input -------------------------------------------------------------------------- */

int script_read(char **script)
{
    size_t size = 0, i = 0;
    FILE *copy = open_memstream(script, &size);
    char bytes[65536];
    ssize_t n = 0;

    if (!copy)
        return -1;
    while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0)
            fwrite(bytes, 1, (size_t)n, copy);
    }
    if (fclose(copy) != 0)
        return -1;
    while (i < size && isspace((unsigned char)(*script)[i]))
        i++;
    if (i < size)
        return 0;
    free(*script);
    *script = NULL;
    return 0;
}

/* ---- Output and input of cells --------------------------------------------------------------- */

static void write_text(void *arg, bool is_error, const char *text, size_t len)
{
    FILE *stream = is_error ? stderr : stdout;

    (void)arg;
    text_print(stream, text, len);
    fflush(stream);
}

static ssize_t read_line(void *arg, char **line)
{
    size_t size = 0;
    ssize_t len = getline(line, &size, stdin);

    (void)arg;
    if (len < 0 && ferror(stdin))
        return -1;
    return len < 0 ? 0 : len;
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

static bool interrupted;

static bool is_interruption_wanted(void *arg)
{
    (void)arg;
    if (!interrupt_take())
        return false;
    interrupted = true;
    return true;
}

static int reconnect(void *arg, rpyc_conn **out, struct rpyc_error *err)
{
    return connect_server(out, arg, err);
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Prints what came of a cell. */
static int show(const struct cell_result *result)
{
    size_t len;
    const char *text = rpyc_str(result->text, &len);

    if (!text)
        return result->failed ? EXIT_FAILURE : EXIT_SUCCESS;
    if (result->failed) {
        write_text(NULL, true, text, len);
        return interrupted ? 128 + SIGINT : EXIT_FAILURE;
    }
    text_print(stdout, text, len);
    fputc('\n', stdout);
    fflush(stdout);
    return EXIT_SUCCESS;
}

static int run_cell(struct cells *cells, const struct options *options, const char *source,
                    enum cell_mode mode, struct rpyc_error *err)
{
    const struct cell_interrupt interrupt = {is_interruption_wanted, NULL, reconnect,
                                             (void *)options};
    struct cell_result result;
    int status;

    if (cells_run(cells, source, text_width(), mode, &interrupt, &result, err) < 0)
        return EXIT_FAILURE;
    status = show(&result);
    rpyc_unref(result.text);
    return status;
}

int script_run(rpyc_conn *conn, const struct options *options, const char *script,
               struct rpyc_error *err)
{
    static const struct cell_io io = {write_text, read_line, NULL};
    int status = EXIT_SUCCESS;
    struct cells *cells;
    size_t i;

    if (cells_open(&cells, conn, &io, err) < 0)
        return EXIT_FAILURE;
    interrupt_catch(true);
    for (i = 0; status == EXIT_SUCCESS && i < options->code_count; i++)
        status = run_cell(cells, options, options->code[i], CELL_LAST, err);
    if (status == EXIT_SUCCESS && script)
        status = run_cell(cells, options, script, CELL_EACH, err);
    cells_close(cells);
    return status;
}
