/* SPDX-License-Identifier: BSD-3-Clause */
#include "keep.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edit.h"
#include "journal.h"
#include "magic.h"
#include "textfile.h"

/* ---- %edit ----------------------------------------------------------------------------------- */

/* The cell that %edit means; "" for the latest where there is none yet; NULL: there is no such. */
static const char *cell_to_edit(struct repl *repl, const char *argument)
{
    const struct journal *journal = repl_journal(repl);
    const char *code;
    char *end;
    long number;

    if (argument[0] == '\0') {
        code = journal_code(journal, JOURNAL_NO_CELL);
        return code ? code : "";
    }
    number = strtol(argument, &end, 10);
    if (!isdigit((unsigned char)argument[0]) || *end != '\0') {
        fputs("%edit takes the number of a cell\n", stderr);
        return NULL;
    }
    code = number <= INT_MAX ? journal_code(journal, (int)number) : NULL;
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

void keep_edit(struct repl *repl, const char *argument)
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

void keep_run(struct repl *repl, const char *argument)
{
    char *path, *text;

    if (!repl_is_connected(repl))
        return;
    if (argument[0] == '\0') {
        fputs("%run needs a file\n", stderr);
        return;
    }
    path = textfile_path(argument);
    text = path ? textfile_read(path) : NULL;
    if (text)
        repl_inspect(repl, "run", path, text);
    else if (errno == EILSEQ)
        fprintf(stderr, "cannot run %s: there is a NUL character in it\n", argument);
    else
        fprintf(stderr, "cannot run %s: %s\n", argument, strerror(errno));
    free(text);
    free(path);
}

/* ---- %save ----------------------------------------------------------------------------------- */

/* Writes the journal to a file, and says so. -1 with *why. */
static int write_journal(const struct journal *journal, const char *path, bool overwrite,
                         const char *name, struct file_error *why)
{
    struct textfile file;
    size_t count;

    if (textfile_begin(&file, path, overwrite, why) < 0)
        return -1;
    count = journal_write(journal, file.new.stream);
    if (textfile_commit(&file, why) < 0)
        return -1;
    printf("%zu cell%s written to %s\n", count, count == 1 ? "" : "s", name);
    return 0;
}

static void save(const struct journal *journal, const char *name, bool overwrite)
{
    char *path = textfile_path(name);
    struct file_error why = {"out of memory"};

    errno = 0;
    if (path && write_journal(journal, path, overwrite, name, &why) == 0) {
        free(path);
        return;
    }
    if (errno == EEXIST)
        fprintf(stderr, "%s is there already: %%save -f %s overwrites it\n", name, name);
    else
        fprintf(stderr, "cannot write %s: %s\n", name, why.text);
    free(path);
}

void keep_save(struct repl *repl, const char *argument)
{
    const struct journal *journal = repl_journal(repl);
    bool overwrite =
        strncmp(argument, "-f", 2) == 0 && (isspace((unsigned char)argument[2]) || !argument[2]);

    if (overwrite)
        argument += 2;
    argument += strspn(argument, " \t");
    if (argument[0] == '\0')
        fputs("%save needs a file\n", stderr);
    else if (!journal_code(journal, JOURNAL_NO_CELL))
        fputs("there is nothing to save yet\n", stderr);
    else
        save(journal, argument, overwrite);
}

/* ---- %history -------------------------------------------------------------------------------- */

void keep_history(struct repl *repl, const char *argument)
{
    bool with_numbers = strcmp(argument, "-n") == 0;

    if (argument[0] != '\0' && !with_numbers)
        fputs("%history takes -n, for the numbers, or nothing\n", stderr);
    else
        journal_show(repl_journal(repl), with_numbers);
}
