/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/magic_files.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clean.h"
#include "prompt/external_editor.h"
#include "prompt/cell_history.h"
#include "prompt/inspection.h"
#include "prompt/magic.h"
#include "prompt/shell.h"
#include "textfile.h"
#include "prompt/words.h"

/* ---- Arguments ------------------------------------------------------------------------------- */

/* Splits the argument of a magic into words. If a quote is not closed, if the argument ends with a
 * backslash, or if there is no memory, prints an error and returns false. */
static bool split(struct words *out, const struct magic *magic, const char *argument)
{
    if (words_split(out, argument) == 0)
        return true;
    if (errno == EINVAL)
        magic_misused(magic, "has an unclosed quote, or a backslash at the end");
    else
        fputs("out of memory\n", stderr);
    return false;
}

/* Returns the number of a cell at the start of text, or -1 if there is no valid number. *end: the
 * text after the number. */
static int cell_number(const char *text, const char **end)
{
    long number = -1;
    char *behind = (char *)text;

    if (isdigit((unsigned char)text[0]))
        number = strtol(text, &behind, 10);
    *end = behind;
    return number >= 0 && number < INT_MAX ? (int)number : -1;
}

/* Parses a range of cells, N or N-M. Returns false if it is invalid. */
static bool parse_cells(const char *word, struct cell_history_range *out)
{
    const char *end;

    out->first = out->last = cell_number(word, &end);
    if (out->first >= 0 && *end == '-')
        out->last = cell_number(end + 1, &end);
    return out->first >= 0 && out->last >= out->first && *end == '\0';
}

/* ---- %edit ----------------------------------------------------------------------------------- */

/* Returns the code that %edit opens. argument: the number of a cell; "": the latest cell. If
 * argument is "" and no cell has been run yet, returns "". If argument is not the number of a cell,
 * prints an error and returns NULL. */
static const char *cell_to_edit(struct shell *shell, const struct magic *magic,
                                const char *argument)
{
    const char *code, *end;
    int number;

    if (argument[0] == '\0') {
        code = cell_history_code(&shell->history, CELL_HISTORY_NO_CELL);
        return code ? code : "";
    }
    if (argument[strspn(argument, "0123456789")] != '\0') {
        magic_misused(magic, "takes the number of a cell");
        return NULL;
    }
    number = cell_number(argument, &end);
    code = number >= 0 ? cell_history_code(&shell->history, number) : NULL;
    if (!code)
        fprintf(stderr, "there is no cell %s\n", argument);
    return code;
}

/* Removes the newlines at the end of a text, because editors add a newline. */
static void drop_newlines(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
}

static void run_edit(struct shell *shell, const struct magic *magic, const char *argument)
{
    const char *code;
    char *text;

    if (!shell_is_connected(shell))
        return;
    code = cell_to_edit(shell, magic, argument);
    text = code ? external_editor_run(code) : NULL;
    if (text)
        drop_newlines(text);
    if (text && text[strspn(text, " \t\r\n")] == '\0')
        fputs("nothing to run: the saved file is empty\n", stderr);
    else if (text)
        shell_run_code(shell, text);
    free(text);
}

/* ---- %run ------------------------------------------------------------------------------------ */

/* Returns the source of a Python list of the words, with path in place of the first word, for
 * free(). NULL: out of memory. */
static char *python_list(const struct words *words, const char *path)
{
    char *text = NULL;
    size_t size, i;
    const char *c;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        return NULL;
    for (i = 0; i < words->count; i++) {
        fputs(i == 0 ? "['" : ", '", stream);
        for (c = i == 0 ? path : words->list[i]; *c; c++) {
            if (*c == '\'' || *c == '\\')
                fputc('\\', stream);
            if (*c == '\n' || *c == '\r')
                fputs(*c == '\n' ? "\\n" : "\\r", stream);
            else
                fputc(*c, stream);
        }
        fputc('\'', stream);
    }
    fputc(']', stream);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

static void report_unreadable(const struct words *words)
{
    const char *name = words->list[0];

    if (errno == EILSEQ)
        fprintf(stderr, "cannot run %s: the file contains a NUL character\n", name);
    else if (errno == ENOENT && words->count > 1)
        fprintf(stderr, "cannot run %s: %s (put quotes around a name that contains spaces)\n", name,
                strerror(errno));
    else
        fprintf(stderr, "cannot run %s: %s\n", name, strerror(errno));
}

/* If the whole argument is the name of an existing file, makes this name the only word and returns
 * true. So a name with spaces needs no quotes. */
static bool take_whole(struct words *words, const char *argument)
{
    CLEAN_TEXT char *path = textfile_path(argument);
    char *copy = path && access(path, F_OK) == 0 ? strdup(argument) : NULL;

    if (!copy)
        return false;
    free(words->list[0]);
    words->list[0] = copy;
    while (words->count > 1)
        free(words->list[--words->count]);
    return true;
}

/* Reads the file that the first word names. Returns the text of the file, and stores the path of
 * the file in *path; both are for free(). Returns NULL with errno on failure. */
static char *read_file(const struct words *words, char **path)
{
    free(*path);
    *path = textfile_path(words->list[0]);
    return *path ? textfile_read(*path) : NULL;
}

static void run_run(struct shell *shell, const struct magic *magic, const char *argument)
{
    CLEAN_WORDS struct words words = {0};
    CLEAN_TEXT char *path = NULL;
    CLEAN_TEXT char *text = NULL;
    CLEAN_TEXT char *argv = NULL;

    if (!shell_is_connected(shell) || !split(&words, magic, argument))
        return;
    if (words.count == 0) {
        magic_misused(magic, "needs a file");
        return;
    }
    text = read_file(&words, &path);
    if (!text && errno == ENOENT && words.count > 1 && take_whole(&words, argument))
        text = read_file(&words, &path);
    argv = text ? python_list(&words, path) : NULL;
    if (argv)
        inspection_call(shell, "run", argv, text);
    else
        report_unreadable(&words);
}

/* ---- %save ----------------------------------------------------------------------------------- */

/* The arguments of %save. */
struct saving {
    const struct cell_history *history;
    const char *name; /* the name of the file, as typed */
    bool overwrite;
    struct cell_history_range *cells; /* NULL: all cells */
    size_t count;
};

/* Writes the cells to a file and prints how many cells were written. Returns 0, or -1 with *why. */
static int write_cells(const struct saving *s, const char *path, struct file_error *why)
{
    struct textfile file;
    size_t count = 0, i;

    if (textfile_begin(&file, path, s->overwrite, why) < 0)
        return -1;
    if (!s->cells)
        count = cell_history_write(s->history, NULL, file.new.stream);
    for (i = 0; i < s->count; i++)
        count += cell_history_write(s->history, &s->cells[i], file.new.stream);
    if (textfile_commit(&file, why) < 0)
        return -1;
    printf("%zu cell%s written to %s\n", count, count == 1 ? "" : "s", s->name);
    return 0;
}

static void save(const struct saving *s)
{
    CLEAN_TEXT char *path = textfile_path(s->name);
    CLEAN_TEXT char *typed = words_escape(s->name);
    struct file_error why = {"out of memory"};

    errno = 0;
    if (path && write_cells(s, path, &why) == 0)
        return;
    if (errno == EEXIST)
        fprintf(stderr, "%s exists already: type %%save -f %s to overwrite it\n", s->name,
                typed ? typed : s->name);
    else
        fprintf(stderr, "cannot write %s: %s\n", s->name, why.text);
}

/* Parses the numbers of cells. Prints an error and returns false if a number is invalid or if no
 * cell has this number. */
static bool parse_saved(struct saving *s, char **words, size_t count)
{
    size_t i;
    int missing;

    for (i = 0; i < count; i++) {
        if (!parse_cells(words[i], &s->cells[i])) {
            fprintf(stderr,
                    "invalid cell number '%s': expected N or N-M (put quotes around a file name "
                    "that contains spaces)\n",
                    words[i]);
            return false;
        }
        missing = cell_history_missing(s->history, &s->cells[i]);
        if (missing != CELL_HISTORY_NO_CELL) {
            fprintf(stderr, "there is no cell %d\n", missing);
            return false;
        }
    }
    s->count = count;
    return true;
}

static void run_save(struct shell *shell, const struct magic *magic, const char *argument)
{
    struct saving s = {.history = &shell->history};
    CLEAN_WORDS struct words words = {0};
    struct cell_history_range cells;
    char **rest;
    size_t left;

    if (!split(&words, magic, argument))
        return;
    s.overwrite = words.count > 0 && strcmp(words.list[0], "-f") == 0;
    rest = words.list + s.overwrite;
    left = words.count - s.overwrite;
    if (left == 0 || rest[0][0] == '\0' || parse_cells(rest[0], &cells)) {
        magic_misused(magic, "needs a file");
        return;
    }
    if (!cell_history_code(s.history, CELL_HISTORY_NO_CELL)) {
        fputs("nothing to save: no cell has been run yet\n", stderr);
        return;
    }
    s.name = rest[0];
    s.cells = left > 1 ? calloc(left - 1, sizeof(*s.cells)) : NULL;
    if (left == 1 || (s.cells && parse_saved(&s, rest + 1, left - 1)))
        save(&s);
    free(s.cells);
}

/* ---- %history -------------------------------------------------------------------------------- */

static void run_history(struct shell *shell, const struct magic *magic, const char *argument)
{
    bool with_numbers = strcmp(argument, "-n") == 0;

    if (argument[0] != '\0' && !with_numbers)
        magic_misused(magic, "takes no argument except -n");
    else
        cell_history_show(&shell->history, with_numbers);
}

/* ---- The table ------------------------------------------------------------------------------- */

static struct magic magics[] = {
    MAGIC("edit", "[N]", "edit the last cell, or cell N, and run the result", run_edit),
    MAGIC("history", "[-n]", "list what was typed (-n: with the numbers of cells)", run_history),
    MAGIC("run", "FILE [ARG]...", "run a local file in the program, in this namespace", run_run,
          .takes = MAGIC_FILE),
    MAGIC("save", "[-f] FILE [N|N-M]...", "write cells to a file (-f: overwrite it)", run_save,
          .takes = MAGIC_FILE),
};

void magic_files_register(void)
{
    magic_register(magics, sizeof(magics) / sizeof(*magics));
}
