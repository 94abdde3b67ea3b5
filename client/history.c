/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The file's name ------------------------------------------------------------------------- */

/* Makes the directories of a path that are not there yet. */
static void make_directories(char *path)
{
    char *slash;

    for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

char *history_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = -1;

    if (state && state[0] == '/')
        n = asprintf(&path, "%s/pystuck/history", state);
    else if (home && home[0] == '/')
        n = asprintf(&path, "%s/.local/state/pystuck/history", home);
    if (n < 0)
        return NULL;
    make_directories(path);
    return path;
}

/* ---- Lines of the file ----------------------------------------------------------------------- */

/* A cell as a line of the file, for free(). */
static char *to_line(const char *cell)
{
    char *line = malloc(2 * strlen(cell) + 2), *p = line;

    for (; line && *cell; cell++) {
        if (*cell == '\n' || *cell == '\\')
            *p++ = '\\';
        *p++ = *cell == '\n' ? 'n' : *cell;
    }
    if (line) {
        *p++ = '\n';
        *p = '\0';
    }
    return line;
}

/* Makes a line of the file a cell again. */
static void from_line(char *line)
{
    char *p = line;

    for (; *line && *line != '\n'; line++) {
        if (*line == '\\' && line[1])
            *p++ = *++line == 'n' ? '\n' : *line;
        else
            *p++ = *line;
    }
    *p = '\0';
}

/* ---- Reading and writing --------------------------------------------------------------------- */

/* Drops the oldest half of the lines from the file, which is locked and has been read to its end.
 */
static void shorten(FILE *file, size_t lines)
{
    char *line = NULL, *kept = NULL;
    size_t size = 0, kept_size = 0, n = 0;
    FILE *copy = open_memstream(&kept, &kept_size);

    rewind(file);
    while (copy && getline(&line, &size, file) > 0) {
        if (n++ >= lines - HISTORY_MAX / 2)
            fputs(line, copy);
    }
    if (copy && fclose(copy) == 0 && ftruncate(fileno(file), 0) == 0) {
        rewind(file);
        fwrite(kept, 1, kept_size, file);
    }
    free(kept);
    free(line);
}

static void enter(History *memory, const char *cell)
{
    HistEvent event;

    if (cell[0])
        history(memory, &event, H_ENTER, cell);
}

/* Opens the file, and has it alone until it is closed. */
static FILE *open_locked(const char *path)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    FILE *file =
        fd >= 0 && fchmod(fd, 0600) == 0 && flock(fd, LOCK_EX) == 0 ? fdopen(fd, "a+") : NULL;

    if (!file && fd >= 0)
        close(fd);
    return file;
}

void history_load(History *memory, const char *path)
{
    FILE *file = open_locked(path);
    char *line = NULL;
    size_t size = 0, lines = 0;

    if (!file)
        return;
    rewind(file);
    while (getline(&line, &size, file) > 0) {
        from_line(line);
        enter(memory, line);
        lines++;
    }
    if (lines > HISTORY_MAX)
        shorten(file, lines);
    free(line);
    fclose(file);
}

/* Whether the latest cell is this one. */
static bool is_latest(History *memory, const char *cell)
{
    HistEvent event;

    return history(memory, &event, H_FIRST) >= 0 && strcmp(event.str, cell) == 0;
}

void history_add(History *memory, const char *path, const char *cell)
{
    FILE *file;
    char *line;

    if (!cell[0] || is_latest(memory, cell))
        return;
    enter(memory, cell);
    file = open_locked(path);
    if (!file)
        return;
    line = to_line(cell);
    if (line)
        fputs(line, file);
    free(line);
    fclose(file);
}
