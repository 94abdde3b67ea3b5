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
#include "prompt/edit.h"
#include "prompt/cell_history.h"
#include "prompt/magic.h"
#include "textfile.h"
#include "prompt/words.h"

/* ---- Arguments ------------------------------------------------------------------------------- */

/* Splits the argument of a magic. Says what is wrong if that cannot be done. */
static bool split(struct words *out, const char *name, const char *argument)
{
    if (words_split(out, argument) == 0)
        return true;
    if (errno == EINVAL)
        magic_misused(name, "a quote is not closed, or nothing follows a backslash");
    else
        fputs("out of memory\n", stderr);
    return false;
}

/* The number of a cell at text, and where it ends. -1: there is none. */
static int cell_number(const char *text, const char **end)
{
    long number = -1;
    char *behind = (char *)text;

    if (isdigit((unsigned char)text[0]))
        number = strtol(text, &behind, 10);
    *end = behind;
    return number >= 0 && number < INT_MAX ? (int)number : -1;
}

/* The cells that a word names: 3, or 3-5. */
static bool parse_cells(const char *word, struct cell_history_range *out)
{
    const char *end;

    out->first = out->last = cell_number(word, &end);
    if (out->first >= 0 && *end == '-')
        out->last = cell_number(end + 1, &end);
    return out->first >= 0 && out->last >= out->first && *end == '\0';
}

/* ---- %edit ----------------------------------------------------------------------------------- */

/* The cell that %edit means; "" for the latest where there is none yet; NULL: there is no such. */
static const char *cell_to_edit(struct repl *repl, const char *argument)
{
    const struct cell_history *journal = repl_journal(repl);
    const char *code, *end;
    int number;

    if (argument[0] == '\0') {
        code = cell_history_code(journal, CELL_HISTORY_NO_CELL);
        return code ? code : "";
    }
    if (argument[strspn(argument, "0123456789")] != '\0') {
        magic_misused("edit", "takes the number of a cell");
        return NULL;
    }
    number = cell_number(argument, &end);
    code = number >= 0 ? cell_history_code(journal, number) : NULL;
    if (!code)
        fprintf(stderr, "there is no cell %s\n", argument);
    return code;
}

/* Those at the end, which editors put there. */
static void drop_newlines(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
}

void magic_files_edit(struct repl *repl, const char *argument)
{
    const char *code;
    char *text;

    if (!repl_is_connected(repl))
        return;
    code = cell_to_edit(repl, argument);
    text = code ? edit_text(code) : NULL;
    if (text)
        drop_newlines(text);
    if (text && text[strspn(text, " \t\r\n")] == '\0')
        fputs("there is nothing in it: nothing is run\n", stderr);
    else if (text)
        repl_run_code(repl, text);
    free(text);
}

/* ---- %run ------------------------------------------------------------------------------------ */

/* The words as a list in Python, for free(): NULL if out of memory. path takes the place of the
 * first. */
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
        fprintf(stderr, "cannot run %s: there is a NUL character in it\n", name);
    else if (errno == ENOENT && words->count > 1)
        fprintf(stderr, "cannot run %s: %s (a name with blanks in it needs quotes)\n", name,
                strerror(errno));
    else
        fprintf(stderr, "cannot run %s: %s\n", name, strerror(errno));
}

/* Takes all of the argument as the name of the file, which may have blanks that are not quoted, if
 * there is such a file. */
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

/* The text of the file that the first word names, and its path; both for free(). NULL with errno.
 */
static char *read_file(const struct words *words, char **path)
{
    free(*path);
    *path = textfile_path(words->list[0]);
    return *path ? textfile_read(*path) : NULL;
}

void magic_files_run(struct repl *repl, const char *argument)
{
    CLEAN_WORDS struct words words = {0};
    CLEAN_TEXT char *path = NULL;
    CLEAN_TEXT char *text = NULL;
    CLEAN_TEXT char *argv = NULL;

    if (!repl_is_connected(repl) || !split(&words, "run", argument))
        return;
    if (words.count == 0) {
        magic_misused("run", "needs a file");
        return;
    }
    text = read_file(&words, &path);
    if (!text && errno == ENOENT && words.count > 1 && take_whole(&words, argument))
        text = read_file(&words, &path);
    argv = text ? python_list(&words, path) : NULL;
    if (argv)
        repl_inspect(repl, "run", argv, text);
    else
        report_unreadable(&words);
}

/* ---- %save ----------------------------------------------------------------------------------- */

/* What is to be saved, and where. */
struct saving {
    const struct cell_history *journal;
    const char *name; /* as it was typed */
    bool overwrite;
    struct cell_history_range *cells; /* NULL: all of them */
    size_t count;
};

/* Writes the cells to a file, and says so. -1 with *why. */
static int write_cells(const struct saving *s, const char *path, struct file_error *why)
{
    struct textfile file;
    size_t count = 0, i;

    if (textfile_begin(&file, path, s->overwrite, why) < 0)
        return -1;
    if (!s->cells)
        count = cell_history_write(s->journal, NULL, file.new.stream);
    for (i = 0; i < s->count; i++)
        count += cell_history_write(s->journal, &s->cells[i], file.new.stream);
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
        fprintf(stderr, "%s is there already: %%save -f %s overwrites it\n", s->name,
                typed ? typed : s->name);
    else
        fprintf(stderr, "cannot write %s: %s\n", s->name, why.text);
}

/* Reads which cells are to be saved. Says what is wrong. */
static bool parse_saved(struct saving *s, char **words, size_t count)
{
    size_t i;
    int missing;

    for (i = 0; i < count; i++) {
        if (!parse_cells(words[i], &s->cells[i])) {
            fprintf(
                stderr,
                "'%s' is neither a cell, such as 3, nor several, such as 3-5; a file's name with "
                "blanks in it needs quotes\n",
                words[i]);
            return false;
        }
        missing = cell_history_missing(s->journal, &s->cells[i]);
        if (missing != CELL_HISTORY_NO_CELL) {
            fprintf(stderr, "there is no cell %d\n", missing);
            return false;
        }
    }
    s->count = count;
    return true;
}

void magic_files_save(struct repl *repl, const char *argument)
{
    struct saving s = {.journal = repl_journal(repl)};
    CLEAN_WORDS struct words words = {0};
    struct cell_history_range cells;
    char **rest;
    size_t left;

    if (!split(&words, "save", argument))
        return;
    s.overwrite = words.count > 0 && strcmp(words.list[0], "-f") == 0;
    rest = words.list + s.overwrite;
    left = words.count - s.overwrite;
    if (left == 0 || rest[0][0] == '\0' || parse_cells(rest[0], &cells)) {
        magic_misused("save", "needs a file");
        return;
    }
    if (!cell_history_code(s.journal, CELL_HISTORY_NO_CELL)) {
        fputs("there is nothing to save yet\n", stderr);
        return;
    }
    s.name = rest[0];
    s.cells = left > 1 ? calloc(left - 1, sizeof(*s.cells)) : NULL;
    if (left == 1 || (s.cells && parse_saved(&s, rest + 1, left - 1)))
        save(&s);
    free(s.cells);
}

/* ---- %history -------------------------------------------------------------------------------- */

void magic_files_history(struct repl *repl, const char *argument)
{
    bool with_numbers = strcmp(argument, "-n") == 0;

    if (argument[0] != '\0' && !with_numbers)
        magic_misused("history", "takes -n, for the numbers, or nothing");
    else
        cell_history_show(repl_journal(repl), with_numbers);
}
