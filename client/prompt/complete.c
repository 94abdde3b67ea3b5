/* SPDX-License-Identifier: BSD-3-Clause */
#include "prompt/complete.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

#include "clean.h"
#include "prompt/magic.h"
#include "text.h"
#include "textfile.h"
#include "prompt/words.h"

/* The most candidates that are stored, and the longest candidate, in bytes. */
#define KEPT         500
#define LONGEST_NAME 1000

/* Columns between two candidates. */
#define GAP 2

/* Columns of an indentation. */
#define INDENTATION 4

/* ---- Candidates ------------------------------------------------------------------------------ */

/* True if a text is short enough and all of its characters can be shown in a line. */
static bool can_be_typed(const char *text)
{
    return strnlen(text, LONGEST_NAME + 1) <= LONGEST_NAME && text_is_harmless(text) &&
           !strpbrk(text, "\n\t");
}

/* Returns the text as wide characters, for free(). NULL: the text is not UTF-8, contains control
 * characters or is too long, or there is no memory. */
static wchar_t *printable(const char *text)
{
    size_t len = can_be_typed(text) ? mbstowcs(NULL, text, 0) : (size_t)-1;
    wchar_t *wide = len == (size_t)-1 ? NULL : calloc(len + 1, sizeof(*wide));

    if (!wide)
        return NULL;
    mbstowcs(wide, text, len + 1);
    if (wcswidth(wide, len) >= 0)
        return wide;
    free(wide);
    return NULL;
}

static size_t characters_in(const char *text)
{
    size_t len = mbstowcs(NULL, text, 0);

    return len == (size_t)-1 ? 0 : len;
}

/* Returns the number of columns that a text takes on the screen; 0 if it cannot be shown. */
static int columns_of(const char *text)
{
    wchar_t *wide = printable(text);
    int columns = wide ? wcswidth(wide, wcslen(wide)) : 0;

    free(wide);
    return columns;
}

/* Shortens `common` to the prefix that it shares with `other`, in whole UTF-8 characters. */
static void cut_to_common(char *common, const char *other)
{
    size_t i = 0;

    while (common[i] && common[i] == other[i])
        i++;
    while (i > 0 && ((unsigned char)common[i] & 0xc0) == 0x80)
        i--;
    common[i] = '\0';
}

static void keep(struct completions *c, const char *text)
{
    char **longer = reallocarray(c->shown, c->count + 1, sizeof(*longer));

    if (!longer)
        return;
    c->shown = longer;
    longer[c->count] = strdup(text);
    if (longer[c->count])
        c->count++;
}

void completions_add(struct completions *c, const char *text)
{
    wchar_t *wide = printable(text);

    if (!wide)
        return;
    free(wide);
    if (c->common)
        cut_to_common(c->common, text);
    else
        c->common = strdup(text);
    c->total++;
    if (c->count < KEPT)
        keep(c, text);
}

void completions_finish(struct completions *c, size_t typed, const char *common, const char *ending,
                        size_t total)
{
    if (!can_be_typed(ending))
        completions_clear(c);
    if (c->total == 0)
        return;
    c->typed = typed;
    c->ending = strdup(ending);
    if (total > c->total) {
        c->total = total;
        cut_to_common(c->common, common);
    }
}

void completions_clear(struct completions *c)
{
    size_t i;

    for (i = 0; i < c->count; i++)
        free(c->shown[i]);
    free(c->shown);
    free(c->common);
    free(c->ending);
    *c = (struct completions){0};
}

char *completions_insertion(const struct completions *c)
{
    const char *ending = c->total == 1 && c->ending ? c->ending : "";
    const char *more = c->common;
    mbstate_t state = {0};
    char *insertion = NULL;
    size_t i;

    for (i = 0; more && i < c->typed; i++) {
        size_t n = mbrlen(more, MB_CUR_MAX, &state);

        if (n == 0 || n >= (size_t)-2)
            return NULL;
        more += n;
    }
    if (!more || asprintf(&insertion, "%s%s", more, ending) < 0)
        return NULL;
    return insertion;
}

/* ---- The screen ------------------------------------------------------------------------------ */

/* Returns how many bytes of a printable text fit into `width` columns. *columns: the number of
 * columns that these bytes take. */
static size_t fitting(const char *text, int width, int *columns)
{
    mbstate_t state = {0};
    size_t at = 0, n;
    wchar_t c;

    *columns = 0;
    while ((n = mbrtowc(&c, text + at, MB_CUR_MAX, &state)) > 0 && n < (size_t)-2) {
        if (*columns + wcwidth(c) > width)
            break;
        *columns += wcwidth(c);
        at += n;
    }
    return at;
}

/* Prints a candidate. If the candidate is wider than `width` columns, cuts off its end. Returns the
 * number of columns printed. */
static int print_candidate(const char *text, int width)
{
    static const char cut[] = "...";
    int columns;
    size_t len = fitting(text, width, &columns);

    if (!text[len]) {
        text_print(stdout, text, len);
        return columns;
    }
    len = fitting(text, width - (int)strlen(cut), &columns);
    text_print(stdout, text, len);
    fputs(cut, stdout);
    return columns + (int)strlen(cut);
}

static int widest(const struct completions *c)
{
    int width = 1, columns;
    size_t i;

    for (i = 0; i < c->count; i++) {
        columns = columns_of(c->shown[i]);
        if (columns > width)
            width = columns;
    }
    return width;
}

/* Prints the row with the index `row` of a table of candidates. The table is filled column by
 * column. rows: the number of candidates in a column. shown: the number of candidates in the table.
 */
static void print_row(const struct completions *c, size_t row, size_t rows, size_t shown, int width,
                      int column_width)
{
    size_t i;
    int columns;

    for (i = row; i < shown; i += rows) {
        columns = print_candidate(c->shown[i], width);
        if (i + rows < shown)
            printf("%*s", column_width - columns, "");
    }
    putchar('\n');
}

void completions_show(const struct completions *c, int width, int height)
{
    /* Leaves the last column free, because some terminals move to the next row when the last column
     * is used. */
    int candidate_width = widest(c) < width ? widest(c) : width - 1;
    int column_width = candidate_width + GAP;
    size_t columns = width + 1 > column_width ? (size_t)((width - 1 + GAP) / column_width) : 1;
    size_t rows = (c->count + columns - 1) / columns;
    size_t shown = c->count;
    size_t most_rows = height > 4 ? (size_t)height - 3 : 1;
    size_t row;

    if (rows > most_rows) {
        rows = most_rows;
        shown = rows * columns;
    }
    for (row = 0; row < rows; row++)
        print_row(c, row, rows, shown, candidate_width, column_width);
    if (shown < c->total)
        printf("... and %zu more\n", c->total - shown);
    fflush(stdout);
}

/* ---- Files and magics ------------------------------------------------------------------------ */

/* Adds the name of a file. quote: the quote that is open, or 0 if no quote is open. Without an open
 * quote, escapes the name with backslashes. With an open quote, ignores a name that cannot be
 * written inside this quote. */
static void add_file(struct completions *out, const char *name, char quote)
{
    CLEAN_TEXT char *escaped = quote ? NULL : words_escape(name);

    if (escaped)
        completions_add(out, escaped);
    else if (quote && !strchr(name, quote) && !strchr(name, '\\'))
        completions_add(out, name);
}

/* Adds the names of the files in a directory, but only names that begin with prefix. Names of
 * directories get a slash at the end. */
static void add_files(struct completions *out, const char *directory, const char *prefix,
                      char quote)
{
    struct dirent **entries = NULL;
    int n = scandir(directory, &entries, NULL, alphasort);
    int i;

    for (i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        CLEAN_TEXT char *path = NULL;
        struct stat status;

        if (strncmp(name, prefix, strlen(prefix)) == 0 && (*prefix || *name != '.') &&
            strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            asprintf(&path, "%s/%s/", directory, name) >= 0) {
            bool is_directory = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
            path[strlen(path) - (is_directory ? 0 : 1)] = '\0';
            add_file(out, path + strlen(directory) + 1, quote);
        }
        free(entries[i]);
    }
    free(entries);
}

/* Returns a partly typed word without its quotes and backslashes, for free(). quote: the open
 * quote, or 0. NULL: the word is quoted in a way that cannot be completed, or out of memory. */
static char *unquote(const char *typed, char quote)
{
    CLEAN_WORDS struct words words = {0};
    CLEAN_TEXT char *escaped = NULL;

    if (quote)
        return strchr(typed + 1, '\\') || typed[0] != quote ? NULL : strdup(typed + 1);
    if (words_split(&words, typed) < 0 || words.count > 1)
        return NULL;
    escaped = words_escape(words.count ? words.list[0] : "");
    return escaped && strcmp(escaped, typed) == 0 ? strdup(words.count ? words.list[0] : "") : NULL;
}

/* Finds files whose names complete the last word of the argument. */
static void find_files(struct completions *out, const char *argument)
{
    char quote;
    const char *word = words_last(argument, &quote);
    CLEAN_TEXT char *typed = unquote(word, quote);
    CLEAN_TEXT char *directory = NULL;
    CLEAN_TEXT char *escaped = NULL;
    const char *slash = typed ? strrchr(typed, '/') : NULL;
    const char *prefix = slash ? slash + 1 : typed;
    CLEAN_TEXT char *named = slash ? strndup(typed, (size_t)(prefix - typed)) : strdup(".");

    if (!typed || !named)
        return;
    directory = textfile_path(named);
    escaped = quote ? strdup(prefix) : words_escape(prefix);
    if (!directory || !escaped)
        return;
    out->typed = characters_in(escaped);
    add_files(out, directory, prefix, quote);
}

static void find_magics(struct completions *out, const char *typed)
{
    const struct magic *magic;

    out->typed = characters_in(typed);
    for (magic = magic_next(NULL); magic; magic = magic_next(magic))
        if (strncmp(magic->name, typed, strlen(typed)) == 0)
            completions_add(out, magic->name);
}

/* Makes the only candidate: the spaces up to the next multiple of INDENTATION columns. */
static void indent(struct completions *out, size_t column)
{
    out->common = strndup("    ", INDENTATION - column % INDENTATION);
    out->total = 1;
}

int complete_nothing(const void *arg, const char *text, const char *rest, struct completions *out,
                     struct rpyc_error *err)
{
    (void)arg;
    (void)text;
    (void)rest;
    (void)out;
    (void)err;
    return 0;
}

int complete_find(const struct complete_source *source, const char *text, const char *rest,
                  struct completions *out, struct rpyc_error *err)
{
    const char *newline = strrchr(text, '\n');
    const char *line = newline ? newline + 1 : text;
    const struct magic *magic;
    const char *argument;

    if (line[strspn(line, " \t")] == '\0') {
        indent(out, strlen(line));
        return 0;
    }
    if (!magic_is(text))
        return source->find(source->arg, text, rest, out, err);
    find_magics(out, text + 1);
    argument = text + strcspn(text, " ");
    if (out->total > 0 || *argument == '\0')
        return 0;
    argument += strspn(argument, " ");
    magic = magic_find(text);
    if (!magic || magic->takes != MAGIC_FILE)
        return source->find(source->arg, argument, rest, out, err);
    find_files(out, argument);
    return 0;
}
